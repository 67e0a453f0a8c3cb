/**
 * A client that sees the wire: it sends any method or bytes in any order and says what came back, in order, channel by
 * channel. It answers nothing by itself and knows no rule of the protocol beyond the handshake.
 */
import { Buffer } from 'node:buffer';
import { connect as connectSocket, type Socket } from 'node:net';
import { FrameType } from '../../protocol/amqp/constants.gen.js';
import { type FieldTable, type PlainValue, table } from '../../protocol/amqp/field-table.js';
import type { Method } from '../../protocol/amqp/methods.gen.js';
import type { MessageProperties } from '../../protocol/amqp/properties.js';
import { ByteWriter } from '../../protocol/byte-writer.js';
import {
  bodyFrame,
  type ContentHeader,
  type Frame,
  FrameCutter,
  frame,
  headerFrame,
  type MethodNamed,
  methodFrame,
  PROTOCOL_HEADER,
  readContentHeader,
  readMethod,
  type Sendable,
} from './wire-frames.js';

export interface WireOptions {
  /** false: a socket on which nothing was sent yet. */
  readonly handshake?: boolean;
  readonly capabilities?: Readonly<Record<string, boolean>>;
  readonly mechanism?: string;
  readonly response?: string | Uint8Array;
  readonly virtualHost?: string;
  readonly username?: string;
  readonly password?: string;
  readonly channelMax?: number;
  readonly frameMax?: number;
  readonly heartbeat?: number;
}

export interface Publication {
  readonly exchange?: string;
  readonly routingKey?: string;
  readonly mandatory?: boolean;
  readonly immediate?: boolean;
  /** Decoded, or the flags and list as they shall go on the wire. */
  readonly properties?: MessageProperties | Uint8Array;
  readonly body?: string | Uint8Array;
  /** The body cut as the test wants it; by default in frames as large as was negotiated. */
  readonly bodyFrames?: readonly Uint8Array[];
}

export interface Content {
  readonly properties: MessageProperties;
  readonly propertyBytes: Buffer;
  readonly body: Buffer;
  readonly bodyFrameSizes: readonly number[];
}

type ContentMethodName = 'basic.return' | 'basic.deliver' | 'basic.get-ok';
export type Received<N extends Method['name']> = MethodNamed<N> & (N extends ContentMethodName ? Content : unknown);

export type Expected<N extends Method['name']> = {
  readonly [K in keyof Omit<MethodNamed<N>, 'name'>]?:
    | MethodNamed<N>[K]
    | (MethodNamed<N>[K] extends string ? RegExp : never);
};

type Item = Method & Partial<Content>;

interface Assembly {
  readonly method: Method;
  header?: ContentHeader;
  readonly chunks: Buffer[];
}

interface Waiter {
  readonly resolve: () => void;
  readonly timer: NodeJS.Timeout;
}

const TIMEOUT_MS = 5_000;
const LOG_LENGTH = 60;
export const ALL_CAPABILITIES = {
  authentication_failure_close: true,
  consumer_cancel_notify: true,
  'connection.blocked': true,
  'basic.nack': true,
  publisher_confirms: true,
} as const;

export class WireClient {
  serverProperties: FieldTable = [];
  offered: MethodNamed<'connection.tune'> | undefined;
  heartbeatsReceived = 0;

  private readonly socket: Socket;
  private readonly options: WireOptions & { readonly username: string; readonly password: string };
  private frameMax = 4096;
  private readonly inboxes = new Map<number, Item[]>();
  private readonly assemblies = new Map<number, Assembly>();
  private readonly protocolHeaders: Buffer[] = [];
  private readonly log: string[] = [];
  private readonly waiters = new Set<Waiter>();
  private failure: Error | undefined;
  private established = false;
  private ended = false;

  static async connect(url: string, options: WireOptions = {}): Promise<WireClient> {
    const { hostname, port, username, password, pathname } = new URL(url);
    const socket = connectSocket({ host: hostname, port: Number(port || 5672), noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const client = new WireClient(socket, {
      username: decodeURIComponent(username),
      password: decodeURIComponent(password),
      virtualHost: decodeURIComponent(pathname.slice(1)) || '/',
      ...options,
    });
    if (options.handshake !== false) await client.handshake();
    return client;
  }

  private constructor(socket: Socket, options: WireClient['options']) {
    this.socket = socket;
    this.options = options;
    const cutter = new FrameCutter(
      (incoming) => this.accept(incoming),
      (bytes) => this.protocolHeaders.push(bytes),
    );
    socket.on('data', (chunk) => {
      try {
        cutter.push(chunk);
      } catch (error) {
        this.failure = error as Error;
      }
      this.wake();
    });
    socket.on('error', (error) => this.log.push(`socket error: ${error.message}`));
    socket.on('close', () => {
      this.ended = true;
      this.log.push('socket closed');
      this.wake();
    });
  }

  /** `3.10.8`, as the broker announced it. */
  get serverVersion(): string {
    const version = this.serverProperties.find(([key]) => key === 'version')?.[1];
    return version?.type === 'S' ? String(version.value) : '';
  }

  async handshake(): Promise<void> {
    await this.start();
    this.sendStartOk();
    this.offered = await this.expect(0, 'connection.tune');
    this.sendTuneOk();
    this.send(0, { name: 'connection.open', virtualHost: this.options.virtualHost ?? '/' });
    await this.expect(0, 'connection.open-ok');
    this.established = true;
  }

  /** The handshake up to connection.start. */
  async start(): Promise<Received<'connection.start'>> {
    this.raw(PROTOCOL_HEADER);
    const start = await this.expect(0, 'connection.start');
    this.serverProperties = start.serverProperties;
    return start;
  }

  /** The handshake up to connection.tune. */
  async login(): Promise<MethodNamed<'connection.tune'>> {
    await this.start();
    this.sendStartOk();
    this.offered = await this.expect(0, 'connection.tune');
    return this.offered;
  }

  sendStartOk(): void {
    const { username, password, capabilities, mechanism = 'PLAIN', response } = this.options;
    const properties: Record<string, PlainValue> = { capabilities: capabilities ?? ALL_CAPABILITIES };
    this.send(0, {
      name: 'connection.start-ok',
      clientProperties: table({ product: 'wire client', ...properties }),
      mechanism,
      response: Buffer.from(response ?? `\0${username}\0${password}`),
      locale: 'en_US',
    });
  }

  sendTuneOk(): void {
    const { channelMax, frameMax, heartbeat = 0 } = this.options;
    this.frameMax = frameMax ?? this.offered?.frameMax ?? 4096;
    this.send(0, {
      name: 'connection.tune-ok',
      channelMax: channelMax ?? this.offered?.channelMax ?? 0,
      frameMax: this.frameMax,
      heartbeat,
    });
  }

  raw(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  send(channel: number, method: Sendable): void {
    this.raw(methodFrame(channel, method));
  }

  heartbeat(channel = 0): void {
    this.raw(frame(FrameType.heartbeat, channel, Buffer.alloc(0)));
  }

  publish(channel: number, publication: Publication): void {
    const { exchange = '', routingKey = '', mandatory = false, immediate = false } = publication;
    const body = Buffer.from(publication.body ?? '');
    const bodyFrames = publication.bodyFrames ?? this.cut(body);
    const bodySize = bodyFrames.reduce((total, part) => total + part.length, 0);
    const properties = publication.properties ?? {};
    this.raw(
      Buffer.concat([
        methodFrame(channel, { name: 'basic.publish', exchange, routingKey, mandatory, immediate }),
        headerFrame(channel, { bodySize, properties }),
        ...bodyFrames.map((part) => bodyFrame(channel, part)),
      ]),
    );
  }

  async openChannel(channel = 1): Promise<number> {
    await this.rpc(channel, { name: 'channel.open' }, 'channel.open-ok');
    return channel;
  }

  async rpc<N extends Method['name']>(
    channel: number,
    method: Sendable,
    reply: N,
    fields?: Expected<N>,
  ): Promise<Received<N>> {
    this.send(channel, method);
    return this.expect(channel, reply, fields);
  }

  /** The next method on the channel, which must be that one and have those arguments. */
  async expect<N extends Method['name']>(
    channel: number,
    name: N,
    fields: Expected<N> = {} as Expected<N>,
  ): Promise<Received<N>> {
    const item = await this.next(channel, `${name} ${show(fields)}`);
    if (item.name !== name) throw this.unexpected(`expected ${name} on channel ${channel}, got ${describeItem(item)}`);
    for (const [key, wanted] of Object.entries(fields)) {
      const actual = (item as unknown as Record<string, unknown>)[key];
      const matches = wanted instanceof RegExp ? wanted.test(String(actual)) : actual === wanted;
      if (!matches) throw this.unexpected(`expected ${name} with ${key} = ${show(wanted)}, got ${describeItem(item)}`);
    }
    return item as Received<N>;
  }

  /** The next method on the channel, whichever it is. */
  async next(channel: number, wanted = 'a method'): Promise<Item> {
    const inbox = this.inbox(channel);
    await this.until(() => inbox.length > 0, `${wanted} on channel ${channel}`);
    return inbox.shift() as Item;
  }

  /**
   * Nothing more came on the channel. What was on its way is waited for by a round trip: through `queue` when it is
   * the queue that would send, and over channel `via` when this channel cannot answer.
   */
  async expectNothing(channel: number, { queue, via = channel }: { queue?: string; via?: number } = {}): Promise<void> {
    const before = this.inbox(channel).length;
    if (before === 0) {
      if (queue !== undefined) this.send(via, { name: 'queue.declare', queue, passive: true });
      // access.request has no effect and is always answered.
      this.send(via, { name: 'access.request' });
      await this.until(() => this.inbox(via).some((item) => item.name === 'access.request-ok'), 'access.request-ok');
    }
    const isProbe = ({ name }: Item) =>
      name === 'access.request-ok' || (queue !== undefined && name === 'queue.declare-ok');
    const rest = this.inbox(via).filter((item) => !isProbe(item));
    this.inboxes.set(via, rest);
    const stray = this.inbox(channel)[0];
    if (stray !== undefined)
      throw this.unexpected(`expected nothing on channel ${channel}, got ${describeItem(stray)}`);
  }

  async expectProtocolHeader(): Promise<Buffer> {
    await this.until(() => this.protocolHeaders.length > 0, 'a protocol header');
    return this.protocolHeaders.shift() as Buffer;
  }

  /** A channel.close with exactly this, answered: the channel number is free afterwards. */
  async expectChannelClose(
    channel: number,
    replyCode: number,
    replyText: string | RegExp,
    ids: readonly [number, number],
  ): Promise<void> {
    await this.expect(channel, 'channel.close', { replyCode, replyText, classId: ids[0], methodId: ids[1] });
    this.send(channel, { name: 'channel.close-ok' });
  }

  /** A connection.close with exactly this, answered, and then the end of the connection. */
  async expectConnectionClose(
    replyCode: number,
    replyText: string | RegExp,
    ids: readonly [number, number],
  ): Promise<void> {
    await this.expect(0, 'connection.close', { replyCode, replyText, classId: ids[0], methodId: ids[1] });
    this.send(0, { name: 'connection.close-ok' });
    await this.closed();
  }

  async expectHeartbeat(timeoutMs: number): Promise<void> {
    const before = this.heartbeatsReceived;
    await this.until(() => this.heartbeatsReceived > before, 'a heartbeat', timeoutMs);
  }

  /** The peer ended the connection. */
  async closed(timeoutMs = TIMEOUT_MS): Promise<void> {
    await this.until(() => this.ended, 'the end of the connection', timeoutMs);
  }

  /** The peer ended the connection, or said that it shall end: whichever comes first, all is over when this returns. */
  async hardEnd(): Promise<void> {
    const isClose = ({ name }: Item) => name === 'connection.close';
    await this.until(() => this.ended || this.inbox(0).some(isClose), 'connection.close or the end');
    if (this.ended) return;
    this.send(0, { name: 'connection.close-ok' });
    await this.closed();
  }

  /** Nothing at all came since the handshake (or since the last expectation). */
  get isSilent(): boolean {
    return this.protocolHeaders.length === 0 && [...this.inboxes.values()].every((inbox) => inbox.length === 0);
  }

  /** Leaves in an orderly way, whatever came meanwhile: when it returns, the broker has cleaned up after it. */
  async close(): Promise<void> {
    if (this.established && !this.ended) {
      this.send(0, { name: 'connection.close', replyCode: 200, replyText: 'done' });
      const isClosed = () => this.ended || this.inbox(0).some((item) => item.name === 'connection.close-ok');
      await this.until(isClosed, 'connection.close-ok');
    }
    this.destroy();
  }

  /** Ends the connection without a word. */
  destroy(): void {
    this.socket.destroy();
  }

  private cut(body: Buffer): Buffer[] {
    const size = this.frameMax - 8;
    const count = Math.ceil(body.length / size);
    return Array.from({ length: count }, (_, index) => body.subarray(index * size, (index + 1) * size));
  }

  private accept(incoming: Frame): void {
    const { type, channel, payload } = incoming;
    if (type === FrameType.heartbeat) this.heartbeatsReceived += 1;
    else if (type === FrameType.method) this.acceptMethod(channel, readMethod(payload));
    else this.acceptContent(incoming);
  }

  private acceptMethod(channel: number, method: Method): void {
    if (isContentMethod(method)) this.assemblies.set(channel, { method, chunks: [] });
    else this.deliver(channel, method);
  }

  private acceptContent({ type, channel, payload }: Frame): void {
    const assembly = this.assemblies.get(channel);
    if (assembly === undefined) throw new Error(`a content frame of type ${type} on channel ${channel}, out of order`);
    if (type === FrameType.header) assembly.header = readContentHeader(payload);
    else assembly.chunks.push(payload);
    const { header, chunks, method } = assembly;
    if (header === undefined) throw new Error(`a body on channel ${channel} without its header`);
    const body = Buffer.concat(chunks);
    if (body.length < header.bodySize) return;
    this.assemblies.delete(channel);
    const { properties, propertyBytes } = header;
    this.deliver(channel, {
      ...method,
      properties,
      propertyBytes,
      body,
      bodyFrameSizes: chunks.map((chunk) => chunk.length),
    });
  }

  private deliver(channel: number, item: Item): void {
    this.inbox(channel).push(item);
    this.log.push(`${channel}: ${describeItem(item)}`);
  }

  private inbox(channel: number): Item[] {
    let inbox = this.inboxes.get(channel);
    if (inbox === undefined) {
      inbox = [];
      this.inboxes.set(channel, inbox);
    }
    return inbox;
  }

  private async until(holds: () => boolean, wanted: string, timeoutMs = TIMEOUT_MS): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!holds()) {
      if (this.failure !== undefined) throw this.failure;
      if (this.ended) throw this.unexpected(`the connection ended before ${wanted}`);
      const left = deadline - Date.now();
      if (left <= 0) throw this.unexpected(`no ${wanted} within ${timeoutMs} ms`);
      await this.somethingNew(left);
    }
  }

  private somethingNew(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const waiter: Waiter = { resolve, timer: setTimeout(() => this.release(waiter), timeoutMs) };
      this.waiters.add(waiter);
    });
  }

  private release(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    this.waiters.delete(waiter);
    waiter.resolve();
  }

  private wake(): void {
    for (const waiter of [...this.waiters]) this.release(waiter);
  }

  private unexpected(message: string): Error {
    const log = this.log.slice(-LOG_LENGTH).join('\n  ');
    return new Error(`${message}\nreceived so far, channel by channel number:\n  ${log || '(nothing)'}`);
  }
}

/** The response of AMQPLAIN: the entries of a field table without the table's length. */
export function amqplainResponse(username: string, password: string): Uint8Array {
  const writer = new ByteWriter();
  for (const [key, value] of [
    ['LOGIN', username],
    ['PASSWORD', password],
  ] as const) {
    writer.shortstr(key);
    writer.raw(Buffer.from('S'));
    writer.longstr(value);
  }
  return writer.finished();
}

function isContentMethod(method: Method): boolean {
  return method.name === 'basic.deliver' || method.name === 'basic.return' || method.name === 'basic.get-ok';
}

function describeItem(item: Item): string {
  const { name, propertyBytes, bodyFrameSizes, ...rest } = item;
  if (name === 'connection.start') return name;
  return `${name} ${show(rest)}`;
}

function show(value: unknown): string {
  if (value instanceof RegExp) return String(value);
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'bigint') return `${inner}n`;
    if (inner instanceof RegExp) return String(inner);
    if (isSerializedBuffer(inner)) return Buffer.from(inner.data).toString('latin1').slice(0, 60);
    return inner;
  });
}

function isSerializedBuffer(value: unknown): value is { data: number[] } {
  return typeof value === 'object' && value !== null && (value as { type?: unknown }).type === 'Buffer';
}
