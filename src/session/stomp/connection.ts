/**
 * One STOMP connection: login, heart-beats, ERROR frames and the end. It sees bytes and a transport; whether a socket
 * or a WebSocket carries them is not known here. What frames do after the login is in `session.ts`.
 */
import { StompSyntaxError } from '../../../protocol/stomp/errors.js';
import type { StompFrame } from '../../../protocol/stomp/frame.js';
import { StompFrameParser, type StompFrameSink } from '../../../protocol/stomp/frame-parser.js';
import { type HeaderValue, writeFrame } from '../../../protocol/stomp/frame-writer.js';
import type { ClientConnection } from '../../auth/open-connections.js';
import type { Timer } from '../../clock.js';
import { TurnPhase, type TurnTask } from '../../core/turn.js';
import type { Logger } from '../../logger.js';
import type { Monitored } from '../../net/heartbeat.js';
import type { Transport, TransportHandler } from '../../net/transport.js';
import { type HeldPublisher, PublisherHold } from '../shared/publisher-hold.js';
import { type GateReason, ReadGate } from '../shared/read-gate.js';
import { TurnOutput } from '../shared/turn-output.js';
import { FRAME_LIMITS, LOGIN_LIMITS, type StompEnvironment } from './environment.js';
import { StompError, toStompError } from './errors.js';
import { type Login, logIn, SUPPORTED_VERSIONS } from './login.js';
import { type SessionHost, StompSession } from './session.js';

/**
 * - `login`: CONNECT is awaited, also after one that failed
 * - `running`
 * - `ending`: what is written goes out, nothing more is taken
 * - `closed`: the transport is gone
 */
type State = 'login' | 'running' | 'ending' | 'closed';

/** After so many commands the other connections have their turn. */
const COMMANDS_A_TURN = 256;
/** How long the client may take to read our last words. */
const LINGER_MS = 10_000;
const LF = 0x0a;

export class StompConnection
  implements StompFrameSink, ClientConnection, TransportHandler, SessionHost, HeldPublisher, Monitored, TurnTask
{
  deferred = false;
  readonly environment: StompEnvironment;
  readonly output: TurnOutput;
  readonly connectionName: string;
  readonly #transport: Transport;
  readonly #onGone: () => void;
  readonly #parser: StompFrameParser;
  readonly #gate: ReadGate;
  readonly #hold: PublisherHold;
  #state: State = 'login';
  #log: Logger;
  #timer: Timer | undefined;
  #session: StompSession | undefined;
  #commands = 0;
  #hasSpoken = false;

  constructor(transport: Transport, environment: StompEnvironment, onGone: () => void) {
    this.environment = environment;
    this.#transport = transport;
    this.#onGone = onGone;
    const { remoteAddress, remotePort, localAddress, localPort } = transport;
    this.connectionName = `${remoteAddress}:${remotePort} -> ${localAddress}:${localPort}`;
    this.#log = environment.log.child({
      connection: `${remoteAddress}:${remotePort}`,
      protocol: 'stomp',
    });
    this.output = new TurnOutput(transport, environment.turn);
    this.#parser = new StompFrameParser(this, LOGIN_LIMITS);
    this.#gate = new ReadGate(this.#parser, transport, () => {});
    this.#hold = new PublisherHold(this, this.#gate, transport, environment.alarms, environment.throttle);
    this.#timer = environment.clock.after(environment.loginTimeoutMs, () => this.#loginLate());
  }

  /** A session is what a channel is in AMQP. */
  get channelCount(): number {
    return this.#state === 'running' ? 1 : 0;
  }

  /** Closes the connection from our side. */
  close(reason: string): void {
    if (this.#state === 'login') this.#end();
    else this.failed(new StompError('connection_forced', `CONNECTION_FORCED - ${reason}`, true));
  }

  // --- TransportHandler

  onBytes(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#isListening) return;
    this.#hasSpoken = true;
    try {
      this.#parser.push(bytes, start, end);
    } catch (error) {
      this.#notUnderstood(error);
    }
  }

  onDrain(): void {
    if (!this.output.drained()) return;
    this.openGate('overflow');
    this.#session?.wakeConsumers();
  }

  onClosed(error: Error | undefined): void {
    const state = this.#state;
    this.#state = 'closed';
    this.#timer?.cancel();
    this.output.close();
    this.environment.heartbeats.forget(this);
    this.#hold.stop();
    this.#release();
    if (state === 'running') this.#log.info({ err: error }, 'client closed the connection without DISCONNECT');
    this.#onGone();
  }

  // --- StompFrameSink

  onFrame(frame: StompFrame): void {
    if (this.#state === 'login') this.#onLoginFrame(frame);
    else if (this.#state === 'running') this.#onFrame(frame);
    if (this.output.overflowing) this.#holdBack();
  }

  #onFrame(frame: StompFrame): void {
    if (frame.command !== 'CONNECT' && frame.command !== 'STOMP') {
      this.#session?.handle(frame);
      return;
    }
    this.#log.warn('client sent a second CONNECT');
    this.#end();
  }

  #onLoginFrame(frame: StompFrame): void {
    try {
      if (frame.command !== 'CONNECT' && frame.command !== 'STOMP') {
        throw new StompError('Illegal command', 'You must log in using CONNECT first');
      }
      this.#open(logIn(this.environment, frame, this.#transport.remoteAddress, this));
    } catch (error) {
      this.failed(error);
    }
    this.commandHandled();
  }

  #open({ version, access, sendSeconds, receiveSeconds }: Login): void {
    const { environment } = this;
    this.#state = 'running';
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#parser.limits = FRAME_LIMITS;
    this.#parser.trimsValues = version === '1.0';
    this.#session = new StompSession(this, access, version);
    this.#send('CONNECTED', [
      ['server', environment.serverName],
      ['session', this.#session.sessionId],
      ['heart-beat', `${sendSeconds * 1000},${receiveSeconds * 1000}`],
      ['version', version],
    ]);
    if (sendSeconds + receiveSeconds > 0) environment.heartbeats.watch(this, sendSeconds, receiveSeconds);
    this.#hold.start();
    this.#log = this.#log.child({ vhost: access.virtualHostName });
    this.#log.info({ user: access.user.name, version }, 'connection opened');
  }

  // --- SessionHost

  failed(error: unknown): void {
    if (!this.#isListening) return;
    const answer = toStompError(error);
    if (error !== answer && answer.summary === 'internal_error') {
      this.#log.error({ err: error }, 'connection closed with an error');
    } else if (answer.closes) this.#log.warn({ error: answer.summary }, 'connection closed with an error');
    else this.#log.debug({ error: answer.summary }, 'error sent');
    this.#sendError(answer.summary, answer.message, []);
    if (answer.closes) this.#end();
  }

  subscriptionCancelled(id: string, described: string): void {
    const detail = `The server has canceled a subscription.\nNo more messages will be delivered for "${described}".\n`;
    this.#sendError('Server cancelled subscription', detail, [['subscription', id]]);
  }

  published(): void {
    if (this.environment.alarms.active) this.#hold.block();
    if (this.environment.throttle.active) this.#hold.slowDown();
  }

  commandHandled(): void {
    this.#commands++;
    if (this.#commands % COMMANDS_A_TURN !== 0 || !this.#isListening) return;
    this.#gate.close('turn');
    this.environment.turn.defer(TurnPhase.Flush, this);
  }

  finish(): void {
    if (this.#state !== 'running') return;
    this.#log.info('connection closed');
    this.#end();
  }

  receiptsPileUp(full: boolean): void {
    if (full) this.#gate.close('commit');
    else this.openGate('commit');
  }

  /** The others have had their turn. */
  runInTurn(): void {
    this.openGate('turn');
  }

  // --- HeldPublisher

  get mayBeHeld(): boolean {
    return this.#state === 'running';
  }

  /** STOMP has no word for it. */
  blocked(reason: string): void {
    this.#log.warn({ reason }, 'publisher blocked');
  }

  unblocked(): void {
    this.#log.info('publisher unblocked');
  }

  openGate(reason: GateReason): void {
    try {
      this.#gate.open(reason);
    } catch (error) {
      this.#notUnderstood(error);
    }
  }

  // --- Monitored

  /** While nothing is read because the peer does not read either, its taking what we sent is its sign of life. */
  get bytesRead(): number {
    const { bytesRead, bytesWritten, unsentBytes } = this.#transport;
    return this.#gate.isClosedFor('overflow') ? bytesRead + bytesWritten - unsentBytes : bytesRead;
  }

  get bytesWritten(): number {
    return this.#transport.bytesWritten;
  }

  get readingPaused(): boolean {
    return this.#hold.holds || this.#gate.isClosedFor('commit');
  }

  sendHeartbeat(): void {
    if (this.#state !== 'running') return;
    this.output.writer.u8(LF);
    this.output.touch();
  }

  onSilence(): void {
    this.#log.warn('missed heart-beats from client, closing the connection');
    this.#transport.destroy();
  }

  // --- output

  #send(command: string, headers: readonly (readonly [string, HeaderValue])[], body?: Uint8Array): void {
    writeFrame(this.output.writer, command, headers, body);
    this.output.touch();
  }

  #sendError(summary: string, detail: string, further: readonly (readonly [string, string])[]): void {
    const headers = [
      ['message', summary],
      ['content-type', 'text/plain'],
      ['version', SUPPORTED_VERSIONS],
      ...further,
    ] as const;
    this.#send('ERROR', headers, Buffer.from(detail));
  }

  // --- the end

  get #isListening(): boolean {
    return this.#state === 'login' || this.#state === 'running';
  }

  /** RabbitMQ says nothing when it cannot make sense of the bytes. */
  #notUnderstood(error: unknown): void {
    if (!this.#isListening) return;
    if (error instanceof StompSyntaxError) this.#log.warn({ reason: error.message }, 'client sent no valid frame');
    else this.#log.error({ err: error }, 'connection closed with an error');
    this.#end();
  }

  /** What is owed to others is given back at once; the client gets what was written. */
  #end(): void {
    this.#state = 'ending';
    this.#timer?.cancel();
    this.#release();
    this.environment.turn.defer(TurnPhase.Flush, { deferred: false, runInTurn: () => this.#hangUp() });
  }

  #hangUp(): void {
    if (this.#state !== 'ending') return;
    this.output.flush();
    this.#transport.end();
    this.#timer = this.environment.clock.after(LINGER_MS, () => this.#transport.destroy());
  }

  #release(): void {
    try {
      this.#session?.release();
    } catch (err) {
      this.#log.error({ err }, 'could not release what the connection held');
    }
  }

  #loginLate(): void {
    // A health check that connects and says nothing is no news.
    if (this.#hasSpoken) this.#log.warn('login took too long, closing the connection');
    this.#state = 'ending';
    this.#transport.destroy();
  }

  /** The peer does not read what it asked for: nothing more is taken from it until it does. */
  #holdBack(): void {
    if (this.#isListening) this.#gate.close('overflow');
  }
}
