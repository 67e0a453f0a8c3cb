/**
 * A client's end of one AMQP 0-9-1 connection on a raw socket: handshake, channels, requests with their replies, and
 * whatever else comes in to one receiver. It reads into one buffer of its own. What is per message goes around it: the
 * receiver's `scan` takes the frames it knows straight from that buffer, and `write` sends frames encoded beforehand.
 */
import { connect as connectSocket, type Socket } from 'node:net';
import { CommandAssembler } from '../../protocol/amqp/command-assembler.js';
import { FrameType } from '../../protocol/amqp/constants.gen.js';
import {
  type BasicDeliver,
  type BasicGetOk,
  type BasicReturn,
  decodeMethod,
  type Method,
  methodName,
  writeMethod,
} from '../../protocol/amqp/methods.gen.js';
import type { MessageProperties } from '../../protocol/amqp/properties.js';
import { ByteReader } from '../../protocol/byte-reader.js';
import { ByteWriter } from '../../protocol/byte-writer.js';
import { writeContent } from './content-frames.js';
import { FrameInput, type FrameReceiver } from './frame-input.js';
import { type BrokerIdentity, logIn, type Target } from './handshake.js';
import { type MethodNamed, type ReplyName, ReplyQueue, type Request } from './reply-queue.js';

const READ_BYTES = 256 * 1024;
const LARGEST_FRAME_BYTES = 131_072;
const LARGEST_BODY_BYTES = 512 * 1024 * 1024;
/** How long a broker may take for the handshake, and for the last goodbye. */
const CONNECT_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 2000;

/** The broker ended a connection or channel, refused something, or went away; says so in its own words. */
export class BrokerFailure extends Error {
  override readonly name = 'BrokerFailure';
  /** AMQP's reply code; 0 when the socket just closed. */
  readonly code: number;

  constructor(text: string, code = 0) {
    super(text);
    this.code = code;
  }
}

export type ContentMethod = BasicDeliver | BasicReturn | BasicGetOk;

/** What a connection tells its user. Nothing of it is called after `close`. */
export interface Receiver {
  /**
   * Takes whole frames of a shape it knows from `bytes[at, end)` and answers the offset behind them; `at` when the
   * frame there is for the connection itself to read.
   */
  scan?(bytes: Uint8Array, at: number, end: number): number;
  /** A delivery, return or get-ok that `scan` left. Properties and body are valid until this returns. */
  onContent?(
    channel: number,
    method: ContentMethod,
    properties: Uint8Array,
    body: Uint8Array,
    methodPayload: Uint8Array,
  ): void;
  /** basic.ack (or nack) of a publish. */
  onConfirm?(channel: number, deliveryTag: number, multiple: boolean, nack: boolean): void;
  /** Behind the last frame of each chunk that was read. */
  onChunkEnd?(): void;
  /** connection.blocked with its reason, and undefined for unblocked. */
  onBlocked?(reason: string | undefined): void;
  /** At most once; requests that wait for a reply are rejected with it too. */
  onFailure?(failure: BrokerFailure): void;
}

export interface ConnectionOptions {
  /** Room for one read; smaller where there are thousands of connections. */
  readonly readBytes?: number;
  readonly frameMax?: number;
}

export class AmqpConnection implements FrameReceiver {
  readonly #socket: Socket;
  readonly #input: FrameInput;
  readonly #output = new ByteWriter(512);
  #flushIsDue = false;
  readonly #assemblers = new Map<number, CommandAssembler>();
  readonly #replies = new ReplyQueue((text) => this.fail(text));
  #receiver: Receiver = {};
  #state: 'open' | 'closing' | 'closed' = 'open';
  #failure: BrokerFailure | undefined;
  #lastChannel = 0;
  #frameMax: number;
  #channelMax = 2047;
  #identity: BrokerIdentity = { product: 'unknown', version: '' };

  /** Resolves when the virtual host is open. Rejects with a BrokerFailure. */
  static async connect(target: Target, options: ConnectionOptions = {}): Promise<AmqpConnection> {
    const { readBytes = READ_BYTES, frameMax = LARGEST_FRAME_BYTES } = options;
    const input = new FrameInput(frameMax, readBytes);
    const { host, port } = target;
    let connection: AmqpConnection | undefined;
    const callback = (count: number): boolean => connection?.received(count) ?? true;
    const socket = connectSocket({ host, port, noDelay: true, onread: { buffer: input.chunk, callback } });
    connection = new AmqpConnection(socket, input);
    const timer = setTimeout(
      () => connection?.fail(`no connection to ${host}:${port} after ${CONNECT_TIMEOUT_MS / 1000} s`),
      CONNECT_TIMEOUT_MS,
    );
    try {
      await connection.#logIn(target);
    } finally {
      clearTimeout(timer);
    }
    return connection;
  }

  private constructor(socket: Socket, input: FrameInput) {
    this.#socket = socket;
    this.#input = input;
    this.#frameMax = input.largestFrameBytes;
    socket.on('error', (error) => this.fail(`the connection failed: ${error.message || String(error)}`));
    socket.on('close', () => {
      if (this.#state === 'open') this.fail('the broker closed the socket without a word');
      this.#state = 'closed';
    });
  }

  get identity(): BrokerIdentity {
    return this.#identity;
  }

  get frameMax(): number {
    return this.#frameMax;
  }

  get channelMax(): number {
    return this.#channelMax;
  }

  get failure(): BrokerFailure | undefined {
    return this.#failure;
  }

  receive(receiver: Receiver): void {
    this.#receiver = receiver;
  }

  /** The lowest number not used yet, or the given one. */
  async openChannel(channel = this.#lastChannel + 1): Promise<number> {
    this.#lastChannel = Math.max(this.#lastChannel, channel);
    await this.request(channel, { name: 'channel.open' }, 'channel.open-ok');
    return channel;
  }

  async closeChannel(channel: number): Promise<void> {
    const close = { name: 'channel.close', replyCode: 200, replyText: '', classId: 0, methodId: 0 } as const;
    await this.request(channel, close, 'channel.close-ok');
  }

  /** Requests on one channel may be pipelined: replies come in order. Rejects with the failure of the connection. */
  request<Name extends ReplyName>(channel: number, method: Request, reply: Name): Promise<MethodNamed<Name>> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#state !== 'open') return Promise.reject(new BrokerFailure('the connection is closed'));
    this.send(channel, method);
    return this.#replies.expect(channel, reply);
  }

  /** Goes out, with what else was sent by then, when the present callback is through. */
  send(channel: number, method: Request): void {
    writeMethod(this.#output, channel, method);
    this.#flushSoon();
  }

  /** For few messages; many go through `write`. */
  publish(
    channel: number,
    exchange: string,
    routingKey: string,
    properties: MessageProperties,
    body: Uint8Array,
    mandatory = false,
  ): void {
    this.send(channel, { name: 'basic.publish', exchange, routingKey, mandatory, immediate: false });
    writeContent(this.#output, channel, properties, body, this.#frameMax);
  }

  /**
   * Writes frames as they are. True: the kernel took them all and the bytes may be changed. False: they may not until
   * `onSent` was called.
   */
  write(frames: Uint8Array, onSent?: () => void): boolean {
    this.#flush();
    const socket = this.#socket;
    if (this.#state !== 'open' || socket.destroyed) return true;
    socket.write(frames);
    if (socket.writableLength === 0) return true;
    // An empty write behind it is through when this one is; 'drain' comes only above the high-water mark.
    if (onSent !== undefined) socket.write('', onSent);
    return false;
  }

  /** Says goodbye and waits for the answer, a while. Never rejects. */
  async close(): Promise<void> {
    if (this.#state !== 'open') return this.destroy();
    const close = { name: 'connection.close', replyCode: 200, replyText: 'done', classId: 0, methodId: 0 } as const;
    const answer = this.request(0, close, 'connection.close-ok');
    this.#receiver = {};
    this.#state = 'closing';
    const timer = setTimeout(() => this.#socket.destroy(), CLOSE_TIMEOUT_MS);
    const gone = new Promise((resolve) => this.#socket.once('close', resolve));
    await Promise.race([answer.catch(() => undefined), gone]);
    clearTimeout(timer);
    this.destroy();
  }

  /** Closes the socket at once. */
  destroy(): void {
    this.#state = 'closed';
    this.#receiver = {};
    this.#socket.destroy();
    this.#replies.reject(new BrokerFailure('the connection is closed'));
  }

  /** Ends the connection with an error of our own, as if the broker had failed. */
  fail(text: string, code = 0): void {
    if (this.#failure !== undefined || this.#state === 'closed') return;
    const failure = new BrokerFailure(text, code);
    const wasOpen = this.#state === 'open';
    this.#failure = failure;
    this.#state = 'closed';
    this.#replies.reject(failure);
    if (wasOpen) this.#receiver.onFailure?.(failure);
    this.#receiver = {};
    this.#socket.destroySoon();
  }

  async #logIn(target: Target): Promise<void> {
    const tuned = await logIn(target, this.#frameMax, {
      write: (bytes) => this.#socket.write(bytes),
      send: (method) => this.send(0, method),
      expect: (name) => (this.#failure === undefined ? this.#replies.expect(0, name) : Promise.reject(this.#failure)),
    });
    this.#identity = tuned.identity;
    this.#frameMax = tuned.frameMax;
    this.#channelMax = tuned.channelMax;
  }

  private received(count: number): boolean {
    this.#replies.heard();
    try {
      this.#input.received(count, this);
    } catch (error) {
      this.fail(`what the broker sent makes no sense: ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
    this.#receiver.onChunkEnd?.();
    return true;
  }

  /** For the input. */
  get isOpen(): boolean {
    return this.#state !== 'closed';
  }

  scan(bytes: Uint8Array, at: number, end: number): number {
    return this.#receiver.scan === undefined ? at : this.#receiver.scan(bytes, at, end);
  }

  onFrame(type: number, channel: number, bytes: Uint8Array, start: number, end: number): void {
    if (type === FrameType.heartbeat) return;
    let assembler = this.#assemblers.get(channel);
    if (assembler === undefined) {
      assembler = new CommandAssembler(LARGEST_BODY_BYTES);
      this.#assemblers.set(channel, assembler);
    }
    if (!assembler.accept(type, bytes, start, end)) return;
    const { methodId, argumentsStart, argumentsEnd } = assembler;
    const method = decodeMethod(methodId, new ByteReader(assembler.method, argumentsStart, argumentsEnd));
    if (method === undefined) throw new Error(`unknown method ${methodName(methodId) ?? methodId}`);
    this.#onMethod(channel, method, assembler);
  }

  #onMethod(channel: number, method: Method, content: CommandAssembler): void {
    switch (method.name) {
      case 'basic.deliver':
      case 'basic.return':
      case 'basic.get-ok':
        this.#onContent(channel, method, content);
        break;
      case 'basic.ack':
      case 'basic.nack':
        this.#receiver.onConfirm?.(channel, method.deliveryTag, method.multiple, method.name === 'basic.nack');
        break;
      case 'basic.cancel':
        this.fail(`the broker cancelled consumer ${method.consumerTag}`);
        break;
      case 'connection.blocked':
        this.#receiver.onBlocked?.(method.reason);
        break;
      case 'connection.unblocked':
        this.#receiver.onBlocked?.(undefined);
        break;
      case 'channel.flow':
        this.send(channel, { name: 'channel.flow-ok', active: method.active });
        break;
      case 'channel.close':
        this.send(channel, { name: 'channel.close-ok' });
        this.#flush();
        this.fail(`the broker closed the channel: ${method.replyCode} ${method.replyText}`, method.replyCode);
        break;
      case 'connection.close':
        this.send(0, { name: 'connection.close-ok' });
        this.#flush();
        this.fail(`the broker closed the connection: ${method.replyCode} ${method.replyText}`, method.replyCode);
        break;
      default:
        this.#replies.settle(channel, method);
    }
  }

  #onContent(channel: number, method: ContentMethod, content: CommandAssembler): void {
    const properties = content.properties.subarray(content.propertiesStart, content.propertiesEnd);
    const body = content.body.subarray(content.bodyStart, content.bodyEnd);
    const methodPayload = content.method.subarray(content.argumentsStart, content.argumentsEnd);
    this.#receiver.onContent?.(channel, method, properties, body, methodPayload);
    content.forgetContent();
    if (method.name === 'basic.get-ok') this.#replies.settle(channel, method);
  }

  #flushSoon(): void {
    if (this.#flushIsDue) return;
    this.#flushIsDue = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#flushIsDue = false;
    if (this.#output.offset === 0) return;
    if (!this.#socket.destroyed) this.#socket.write(this.#output.finished());
    this.#output.offset = 0;
  }
}
