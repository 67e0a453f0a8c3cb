/**
 * One AMQP connection: handshake, channel table, close in both directions, blocking while an alarm is up. Errors of
 * its own (framing, sequence, limits) are hard; those of channels come from `channel.ts`.
 */
import { FrameType } from '../../../protocol/amqp/constants.gen.js';
import { describePayload, FrameError, undecodable } from '../../../protocol/amqp/errors.js';
import { FrameParser, type FrameSink } from '../../../protocol/amqp/frame-parser.js';
import {
  decodeConnectionUpdateSecret,
  MethodId,
  writeChannelOpenOk,
  writeConnectionBlocked,
  writeConnectionClose,
  writeConnectionCloseOk,
  writeConnectionUnblocked,
  writeConnectionUpdateSecretOk,
} from '../../../protocol/amqp/methods.gen.js';
import { ByteReader } from '../../../protocol/byte-reader.js';
import { MalformedError } from '../../../protocol/errors.js';
import { readU32 } from '../../../protocol/read-u32.js';
import type { VirtualHostAccess } from '../../auth/virtual-host-access.js';
import type { Timer } from '../../clock.js';
import { lookUp } from '../../core/field-value.js';
import { TurnPhase, type TurnTask } from '../../core/turn.js';
import { BrokerError } from '../../errors.js';
import type { Logger } from '../../logger.js';
import type { Monitored } from '../../net/heartbeat.js';
import type { Transport, TransportHandler } from '../../net/transport.js';
import { type HeldPublisher, PublisherHold } from '../shared/publisher-hold.js';
import { type GateReason, ReadGate } from '../shared/read-gate.js';
import { Channel, type ChannelHost } from './channel.js';
import { attempt, ChannelTable } from './channel-table.js';
import type { AmqpEnvironment } from './environment.js';
import { FrameOutput } from './frame-output.js';
import { type Capabilities, Handshake, LoginRefusal, SilentRefusal } from './handshake.js';
import { HeldInput } from './held-input.js';
import { PROTOCOL_HEADER, ProtocolHeader } from './protocol-header.js';
import { type AmqpError, toAmqpError } from './reply-codes.js';

/**
 * - `header`: the eight bytes that open a connection are awaited
 * - `handshake`, `running`
 * - `closing`: we sent connection.close and wait for close-ok
 * - `lingering`: the close handshake is done; the peer is expected to close the socket
 * - `closed`: the socket is gone
 */
type State = 'header' | 'handshake' | 'running' | 'closing' | 'lingering' | 'closed';

const LONGEST_LINGER_SECONDS = 30;
/** What RabbitMQ takes in a frame before tuning, and so what clients expect to fit. */
const HANDSHAKE_FRAME_BYTES = 8192;
/** After so many methods the other connections have their turn: one such turn takes them a few milliseconds. */
const METHODS_A_TURN = 256;
const HEARTBEAT_FRAME = Uint8Array.of(FrameType.heartbeat, 0, 0, 0, 0, 0, 0, 0xce);
const CLOSE_OK_FRAME = Buffer.of(FrameType.method, 0, 0, 0, 0, 0, 4, 0, 10, 0, 51, 0xce);

export class AmqpConnection implements FrameSink, TransportHandler, ChannelHost, HeldPublisher, Monitored, TurnTask {
  deferred = false;
  readonly environment: AmqpEnvironment;
  readonly output: FrameOutput;
  readonly held: HeldInput;
  readonly connectionName: string;
  readonly #transport: Transport;
  readonly #onGone: () => void;
  readonly #handshake: Handshake;
  readonly #parser: FrameParser;
  readonly #channels = new ChannelTable();
  readonly #header = new ProtocolHeader();
  readonly #gate: ReadGate;
  readonly #hold: PublisherHold;
  #state: State = 'header';
  #log: Logger;
  #timer: Timer | undefined;
  /** Where the next frame begins is not known any more. */
  #framingLost = false;
  /** The client has closed the connection behind frames that are still held. */
  #closeWaits = false;
  #methods = 0;

  constructor(transport: Transport, environment: AmqpEnvironment, onGone: () => void) {
    this.environment = environment;
    this.#transport = transport;
    this.#onGone = onGone;
    const { remoteAddress, remotePort, localAddress, localPort } = transport;
    this.connectionName = `${remoteAddress}:${remotePort} -> ${localAddress}:${localPort}`;
    this.#log = environment.log.child({ connection: `${transport.remoteAddress}:${transport.remotePort}` });
    this.output = new FrameOutput(transport, environment.turn);
    this.#handshake = new Handshake(environment, this.output, transport.remoteAddress);
    this.#parser = new FrameParser(this, HANDSHAKE_FRAME_BYTES);
    this.#gate = new ReadGate(this.#parser, transport, () => this.held.continue());
    this.#hold = new PublisherHold(this, this.#gate, transport, environment.alarms, environment.throttle);
    this.held = new HeldInput(
      this.#gate,
      () => this.openGate('commit'),
      () => this.#nothingHeld(),
    );
    this.#timer = environment.clock.after(environment.limits.handshakeTimeoutMs, () => this.#handshakeLate());
  }

  get access(): VirtualHostAccess {
    const { access } = this.#handshake;
    if (access === undefined) throw new Error('connection has no virtual host yet');
    return access;
  }

  get channelCount(): number {
    return this.#channels.size;
  }

  get capabilities(): Capabilities {
    return this.#handshake.capabilities;
  }

  /** Closes the connection from our side: `CONNECTION_FORCED - reason`. Before it runs, the socket is just closed. */
  close(reason: string): void {
    if (this.#state !== 'running') {
      if (this.#state !== 'header' && this.#state !== 'handshake') return;
      this.#state = 'lingering';
      this.#transport.destroy();
      return;
    }
    this.failConnection(toAmqpError(new BrokerError('connection-forced', reason), 0));
  }

  // --- TransportHandler

  onBytes(bytes: Uint8Array, start: number, end: number): void {
    if (this.#framingLost) {
      this.#lookForCloseOk(bytes, start, end);
      return;
    }
    try {
      const from = this.#state === 'header' ? this.#takeHeader(bytes, start, end) : start;
      if (from < end && this.#isListening) this.#parser.push(bytes, from, end);
    } catch (error) {
      this.#framingLost = true;
      this.#failed(error, 0);
    }
  }

  onDrain(): void {
    if (!this.output.drained()) return;
    this.openGate('overflow');
    this.#channels.wakeConsumers();
  }

  onClosed(error: Error | undefined): void {
    const state = this.#state;
    this.#state = 'closed';
    this.#timer?.cancel();
    this.output.close();
    this.environment.heartbeats.forget(this);
    this.#hold.stop();
    this.#releaseAll();
    if (state === 'running') this.#log.warn({ err: error }, 'client closed the TCP connection without closing AMQP');
    else if (state === 'handshake') this.#log.warn({ err: error }, 'client closed the TCP connection in the handshake');
    this.#onGone();
  }

  // --- FrameSink

  onFrame(type: number, number: number, bytes: Uint8Array, start: number, end: number): void {
    if (!this.#isListening || type === FrameType.heartbeat) return;
    try {
      if (number === 0) this.#onConnectionFrame(type, bytes, start, end);
      else if (this.#state === 'running') this.#onChannelFrame(type, number, bytes, start, end);
      else if (this.#state === 'handshake') {
        throw new FrameError('unexpected-frame', `expected a method on channel 0, got channel ${number}`);
      }
    } catch (error) {
      this.#failed(error, 0);
    }
    if (this.output.overflowing) this.#holdBack();
  }

  onPublish(
    number: number,
    bytes: Uint8Array,
    argumentsStart: number,
    argumentsEnd: number,
    propertiesStart: number,
    propertiesEnd: number,
    bodyStart: number,
    bodyEnd: number,
  ): boolean {
    const channel = this.#channels.find(number);
    if (channel === undefined || this.#state !== 'running') return false;
    const taken = channel.onPublish(
      bytes,
      argumentsStart,
      argumentsEnd,
      propertiesStart,
      propertiesEnd,
      bodyStart,
      bodyEnd,
    );
    if (taken && this.environment.alarms.active) this.#hold.block();
    if (this.environment.throttle.active) this.#hold.slowDown();
    if (this.output.overflowing) this.#holdBack();
    return taken;
  }

  // --- ChannelHost

  failConnection(error: AmqpError): void {
    if (this.#state === 'closed' || this.#state === 'closing' || this.#state === 'lingering') return;
    this.#logFailure(error, 'connection closed with an error');
    this.#releaseAll();
    this.#state = 'closing';
    writeConnectionClose(this.output.writer, 0, error.code, error.text, error.classId, error.methodId);
    this.output.touch();
    // The close handshake must be read even from a peer that is blocked.
    this.openGate();
    this.#linger();
  }

  channelFailed(channel: Channel, error: AmqpError): void {
    this.#logFailure(error, 'channel closed with an error', channel.number);
  }

  repliesDropped(channel: Channel): void {
    this.#log.warn({ channel: channel.number }, 'direct replies are dropped: the client does not read them');
  }

  channelGone(channel: Channel): void {
    this.#channels.remove(channel);
  }

  methodHandled(): void {
    this.#methods++;
    if (this.#methods % METHODS_A_TURN !== 0 || this.#state !== 'running') return;
    this.#gate.close('turn');
    this.environment.turn.defer(TurnPhase.Flush, this);
  }

  /** The others have had their turn. */
  runInTurn(): void {
    this.openGate('turn');
  }

  // --- HeldPublisher

  get mayBeHeld(): boolean {
    return this.#state === 'running';
  }

  blocked(reason: string): void {
    this.#log.warn({ reason }, 'publisher blocked');
    if (!this.capabilities.connectionBlocked) return;
    writeConnectionBlocked(this.output.writer, 0, reason);
    this.output.touch();
  }

  unblocked(): void {
    if (this.capabilities.connectionBlocked) {
      writeConnectionUnblocked(this.output.writer, 0);
      this.output.touch();
    }
    this.#log.info('publisher unblocked');
  }

  /** Without a reason, whatever the reasons are. */
  openGate(reason?: GateReason): void {
    try {
      if (reason === undefined) this.#gate.openForAll();
      else this.#gate.open(reason);
    } catch (error) {
      this.#framingLost = true;
      this.#failed(error, 0);
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
    this.output.writer.ensure(HEARTBEAT_FRAME.length);
    this.output.writer.raw(HEARTBEAT_FRAME);
    this.output.touch();
  }

  onSilence(): void {
    this.#log.warn('missed heartbeats from client, closing the TCP connection');
    if (this.#state === 'running') this.#state = 'lingering';
    this.#transport.destroy();
  }

  // --- incoming

  /** False when nothing that comes is looked at any more. */
  get #isListening(): boolean {
    return this.#state === 'handshake' || this.#state === 'running' || this.#state === 'closing';
  }

  #takeHeader(bytes: Uint8Array, start: number, end: number): number {
    const at = this.#header.take(bytes, start, end);
    if (this.#header.verdict === 'accepted') {
      this.#state = 'handshake';
      this.#handshake.start();
    } else if (this.#header.verdict === 'refused') {
      this.#refuseProtocol();
      return end;
    }
    return at;
  }

  #refuseProtocol(): void {
    this.#log.warn('client speaks another protocol than AMQP 0-9-1');
    this.#state = 'lingering';
    this.output.writer.raw(PROTOCOL_HEADER);
    this.output.flush();
    this.#transport.end();
    this.#linger();
  }

  #onConnectionFrame(type: number, bytes: Uint8Array, start: number, end: number): void {
    if (type !== FrameType.method) throw new FrameError('unexpected-frame', describePayload(type, bytes, start, end));
    if (end - start < 4) throw new FrameError('frame-error', 'method frame too short');
    const id = readU32(bytes, start);
    try {
      this.#onConnectionMethod(id, new ByteReader(bytes, start + 4, end));
    } catch (error) {
      this.#failed(
        error instanceof MalformedError ? undecodable(error, id, bytes, start + 4, end) : error,
        // In the handshake RabbitMQ reports what it offered, not the answer to it.
        id === MethodId.ConnectionTuneOk && this.#state === 'handshake' ? MethodId.ConnectionTune : id,
      );
    }
  }

  #onConnectionMethod(id: number, reader: ByteReader): void {
    if (id === MethodId.ConnectionClose && this.#handshake.stage !== 'start-ok') this.#closeByClient();
    else if (this.#state === 'closing') {
      if (id === MethodId.ConnectionCloseOk) this.#closeAgreed();
    } else if (this.#state === 'handshake') {
      this.#handshake.accept(id, reader, this);
      this.#handshakeStep();
    } else if (id === MethodId.ConnectionUpdateSecret) {
      decodeConnectionUpdateSecret(reader);
      writeConnectionUpdateSecretOk(this.output.writer, 0);
      this.output.touch();
      this.methodHandled();
    } else throw new BrokerError('channel-error', 'unexpected method in connection state running');
  }

  #handshakeStep(): void {
    const handshake = this.#handshake;
    if (handshake.stage === 'open') {
      this.output.frameMax = handshake.frameMax;
      this.#parser.maxPayload = handshake.frameMax === 0 ? 0xffff_ffff : handshake.frameMax;
      if (handshake.heartbeatSeconds > 0) this.environment.heartbeats.watch(this, handshake.heartbeatSeconds);
    }
    if (handshake.stage !== 'done') return;
    this.#state = 'running';
    this.#timer?.cancel();
    this.#timer = undefined;
    const name = lookUp(handshake.clientProperties, 'connection_name');
    const fields = { vhost: this.access.virtualHostName, ...(name?.type === 'S' && { name: String(name.value) }) };
    this.#log = this.#log.child(fields);
    this.#log.info({ user: handshake.user?.name }, 'connection opened');
    this.#hold.start();
  }

  #onChannelFrame(type: number, number: number, bytes: Uint8Array, start: number, end: number): void {
    const channel = this.#channels.find(number);
    if (channel === undefined) {
      this.#openChannel(type, number, bytes, start, end);
      return;
    }
    channel.onFrame(type, bytes, start, end);
    if (type !== FrameType.method && this.environment.alarms.active) this.#hold.block();
    if (type !== FrameType.method && this.environment.throttle.active) this.#hold.slowDown();
  }

  #openChannel(type: number, number: number, bytes: Uint8Array, start: number, end: number): void {
    if (type !== FrameType.method) {
      throw new FrameError('unexpected-frame', 'expected method frame, got non method frame instead');
    }
    if (end - start < 4) throw new FrameError('frame-error', 'method frame too short');
    const id = readU32(bytes, start);
    if (id !== MethodId.ChannelOpen) {
      this.#failed(new BrokerError('channel-error', "expected 'channel.open'"), id);
      return;
    }
    const { channelMax } = this.#handshake;
    if (channelMax !== 0 && this.#channels.size >= channelMax) {
      const text = `number of channels opened (${this.#channels.size}) has reached the negotiated channel_max (${channelMax})`;
      this.#failed(new BrokerError('not-allowed', text), 0);
      return;
    }
    try {
      this.access.assertMayOpenChannel();
    } catch (error) {
      this.#failed(error, 0);
      return;
    }
    this.#channels.add(new Channel(number, this));
    writeChannelOpenOk(this.output.writer, number);
    this.output.touch();
  }

  // --- closing

  #closeByClient(): void {
    if (!this.held.isEmpty) {
      this.#closeWaits = true;
      return;
    }
    const wasRunning = this.#state === 'running';
    this.#releaseAll();
    this.#state = 'lingering';
    if (wasRunning) this.#log.info('connection closed');
    writeConnectionCloseOk(this.output.writer, 0);
    this.output.flush();
    this.openGate();
    this.#linger();
  }

  #nothingHeld(): void {
    if (this.#closeWaits && this.#state === 'running') this.#closeByClient();
  }

  /** After a framing error nothing but the peer's close-ok is of interest. */
  #lookForCloseOk(bytes: Uint8Array, start: number, end: number): void {
    if (this.#state !== 'closing') return;
    if (Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).includes(CLOSE_OK_FRAME)) this.#closeAgreed();
  }

  #closeAgreed(): void {
    this.#state = 'lingering';
    this.output.flush();
    this.#transport.end();
  }

  /**
   * Whatever was thrown while handling this connection's input. Once we close there is nothing left to say: the first
   * error is on its way, and the peer's close-ok is all that counts. `method`: ids of the method, 0 when there is none.
   */
  #failed(error: unknown, method: number): void {
    if (error instanceof SilentRefusal) this.#refuseSilently(error.message);
    else if (this.#state === 'handshake' && this.#handshake.stage === 'start-ok' && !(error instanceof LoginRefusal)) {
      this.#refuseSilently(error instanceof Error ? error.message : String(error));
    } else if (this.#state !== 'closing') {
      const failure = toAmqpError(error, error instanceof LoginRefusal ? 0 : method);
      this.failConnection({ ...failure, hard: true });
    }
  }

  #refuseSilently(reason: string): void {
    this.#log.warn({ reason }, 'connection refused');
    this.#state = 'lingering';
    this.#transport.destroy();
  }

  #handshakeLate(): void {
    // A health check that connects and says nothing is no news.
    if (this.#header.hasBegun) this.#log.warn('handshake took too long, closing the TCP connection');
    this.#state = 'lingering';
    this.#transport.destroy();
  }

  #linger(): void {
    const { heartbeatSeconds } = this.#handshake;
    const seconds = heartbeatSeconds > 0 ? Math.min(heartbeatSeconds, LONGEST_LINGER_SECONDS) : LONGEST_LINGER_SECONDS;
    this.#timer?.cancel();
    this.#timer = this.environment.clock.after(seconds * 1000, () => this.#transport.destroy());
  }

  #releaseAll(): void {
    this.held.drop();
    this.#channels.releaseAll(this.#log);
    attempt(() => this.#handshake.access?.releaseExclusiveQueues(), this.#log);
  }

  /** The peer does not read what it asked for: nothing more is taken from it until it does. */
  #holdBack(): void {
    if (this.#state === 'running') this.#gate.close('overflow');
  }

  #logFailure(error: AmqpError, message: string, channel?: number): void {
    const { code, text, cause } = error;
    const fields = { code, text, ...(channel !== undefined && { channel }) };
    if (cause !== undefined) this.#log.error({ ...fields, err: cause }, message);
    else if (code === 320) this.#log.info(fields, message);
    else this.#log.warn(fields, message);
  }
}
