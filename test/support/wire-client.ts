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
  frame,
  headerFrame,
  type MethodNamed,
  methodFrame,
  PROTOCOL_HEADER,
  type Sendable,
} from './wire-frames.js';
import { type Content, describeItem, type Item, show, TIMEOUT_MS, WireInbox } from './wire-inbox.js';

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

type ContentMethodName = 'basic.return' | 'basic.deliver' | 'basic.get-ok';
export type Received<N extends Method['name']> = MethodNamed<N> & (N extends ContentMethodName ? Content : unknown);

export type Expected<N extends Method['name']> = {
  readonly [K in keyof Omit<MethodNamed<N>, 'name'>]?:
    | MethodNamed<N>[K]
    | (MethodNamed<N>[K] extends string ? RegExp : never);
};

const ALL_CAPABILITIES = {
  authentication_failure_close: true,
  consumer_cancel_notify: true,
  'connection.blocked': true,
  'basic.nack': true,
  publisher_confirms: true,
} as const;

export class WireClient {
  serverProperties: FieldTable = [];
  offered: MethodNamed<'connection.tune'> | undefined;

  private readonly socket: Socket;
  private readonly inbox: WireInbox;
  private readonly options: WireOptions & { readonly username: string; readonly password: string };
  private frameMax = 4096;
  private established = false;

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
    this.inbox = new WireInbox(socket);
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
    if (item.name !== name)
      throw this.inbox.unexpected(`expected ${name} on channel ${channel}, got ${describeItem(item)}`);
    for (const [key, wanted] of Object.entries(fields)) {
      const actual = (item as unknown as Record<string, unknown>)[key];
      const matches = wanted instanceof RegExp ? wanted.test(String(actual)) : actual === wanted;
      if (!matches)
        throw this.inbox.unexpected(`expected ${name} with ${key} = ${show(wanted)}, got ${describeItem(item)}`);
    }
    return item as Received<N>;
  }

  /** The next method on the channel, whichever it is. */
  async next(channel: number, wanted = 'a method'): Promise<Item> {
    await this.inbox.until(() => this.inbox.on(channel).length > 0, `${wanted} on channel ${channel}`);
    return this.inbox.on(channel).shift() as Item;
  }

  /** The next method on the channel, or the connection.close that came instead. */
  async nextOrClose(channel: number): Promise<Item> {
    const [own, general] = [this.inbox.on(channel), this.inbox.on(0)];
    await this.inbox.until(
      () => own.length + general.length > 0,
      `a method on channel ${channel}, or connection.close`,
    );
    return (own.shift() ?? general.shift()) as Item;
  }

  /** Whatever came on the channel so far, without waiting. */
  takeAll(channel: number): Item[] {
    return this.inbox.on(channel).splice(0);
  }

  /** The peer ended the connection. */
  get hasEnded(): boolean {
    return this.inbox.ended;
  }

  /**
   * Nothing more came on the channel. What was on its way is waited for by a round trip: through `queue` when it is
   * the queue that would send, and over channel `via` when this channel cannot answer.
   */
  async expectNothing(channel: number, { queue, via = channel }: { queue?: string; via?: number } = {}): Promise<void> {
    if (this.inbox.on(channel).length === 0) {
      if (queue !== undefined) this.send(via, { name: 'queue.declare', queue, passive: true });
      // access.request has no effect and is always answered.
      this.send(via, { name: 'access.request' });
      await this.inbox.until(
        () => this.inbox.on(via).some((item) => item.name === 'access.request-ok'),
        'access.request-ok',
      );
    }
    const isProbe = ({ name }: Item) =>
      name === 'access.request-ok' || (queue !== undefined && name === 'queue.declare-ok');
    this.inbox.discard(via, isProbe);
    const stray = this.inbox.on(channel)[0];
    if (stray === undefined) return;
    throw this.inbox.unexpected(`expected nothing on channel ${channel}, got ${describeItem(stray)}`);
  }

  async expectProtocolHeader(): Promise<Buffer> {
    await this.inbox.until(() => this.inbox.protocolHeaders.length > 0, 'a protocol header');
    return this.inbox.protocolHeaders.shift() as Buffer;
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

  get heartbeatsReceived(): number {
    return this.inbox.heartbeats;
  }

  async expectHeartbeat(timeoutMs: number): Promise<void> {
    const before = this.inbox.heartbeats;
    await this.inbox.until(() => this.inbox.heartbeats > before, 'a heartbeat', timeoutMs);
  }

  /** The peer ended the connection. */
  async closed(timeoutMs = TIMEOUT_MS): Promise<void> {
    await this.inbox.until(() => this.inbox.ended, 'the end of the connection', timeoutMs);
  }

  /** The peer ended the connection, or said that it shall end: whichever comes first, all is over when this returns. */
  async hardEnd(): Promise<void> {
    const isClose = ({ name }: Item) => name === 'connection.close';
    await this.inbox.until(() => this.inbox.ended || this.inbox.on(0).some(isClose), 'connection.close or the end');
    if (this.inbox.ended) return;
    this.send(0, { name: 'connection.close-ok' });
    await this.closed();
  }

  /** Nothing came that no expectation took. */
  get isSilent(): boolean {
    return this.inbox.isEmpty;
  }

  /** Leaves in an orderly way, whatever came meanwhile: when it returns, the broker has cleaned up after it. */
  async close(): Promise<void> {
    if (this.established && !this.inbox.ended && !this.inbox.closeAnswered) {
      this.send(0, { name: 'connection.close', replyCode: 200, replyText: 'done' });
      await this.inbox.until(() => this.inbox.ended || this.inbox.closeAnswered, 'connection.close-ok');
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
