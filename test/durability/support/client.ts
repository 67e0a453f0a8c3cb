/**
 * An AMQP client for programs that kill their broker: it says at once what came over the socket, never retries, and
 * when the connection is gone everything that waits fails with `ConnectionLost`. Confirms and deliveries are handed
 * over one by one, in the order of the wire.
 */
import { Buffer } from 'node:buffer';
import { connect, type Socket } from 'node:net';
import { FrameType } from '../../../protocol/amqp/constants.gen.js';
import { table } from '../../../protocol/amqp/field-table.js';
import type { Method } from '../../../protocol/amqp/methods.gen.js';
import type { MessageProperties } from '../../../protocol/amqp/properties.js';
import {
  bodyFrame,
  FrameCutter,
  headerFrame,
  type MethodNamed,
  methodFrame,
  PROTOCOL_HEADER,
  readContentHeader,
  readMethod,
  type Sendable,
} from '../../support/wire-frames.js';

const FRAME_MAX = 131_072;
const BODY_SIZE = FRAME_MAX - 8;
const RPC_TIMEOUT_MS = 30_000;

export class ConnectionLost extends Error {}

/** The broker closed the channel: what was asked is refused. */
export class ChannelClosed extends Error {
  readonly replyCode: number;

  constructor(replyCode: number, text: string) {
    super(text);
    this.replyCode = replyCode;
  }
}

export interface Message {
  readonly exchange: string;
  readonly routingKey: string;
  readonly properties: MessageProperties;
  readonly body: Buffer;
  readonly redelivered: boolean;
  readonly deliveryTag: number;
}

export interface Publication {
  readonly exchange?: string;
  readonly routingKey?: string;
  readonly properties?: MessageProperties;
  readonly body: Uint8Array;
  readonly mandatory?: boolean;
}

interface Waiter {
  readonly resolve: (method: Method) => void;
  readonly reject: (error: Error) => void;
  readonly wanted: string;
}

interface Content {
  readonly method: MethodNamed<'basic.deliver'> | MethodNamed<'basic.get-ok'> | MethodNamed<'basic.return'>;
  properties: MessageProperties;
  bodySize: number;
  readonly parts: Buffer[];
}

export class ClientChannel {
  onDelivery = (_message: Message): void => {};
  onConfirm = (_tag: number, _multiple: boolean, _positive: boolean): void => {};
  /** Publishes so far: the tag of the last one in confirm mode. */
  published = 0;
  /** The message of the last basic.get-ok. */
  got: Message | undefined;
  isOpen = true;
  readonly number: number;
  readonly #client: Client;
  readonly #waiters: Waiter[] = [];
  readonly #confirms: { readonly tag: number; readonly resolve: () => void; readonly reject: (e: Error) => void }[] =
    [];
  #content: Content | undefined;

  constructor(client: Client, number: number) {
    this.#client = client;
    this.number = number;
  }

  send(method: Sendable): void {
    this.#client.write(methodFrame(this.number, method));
  }

  /** Sends, and resolves to the reply. Replies come in the order of the requests. */
  async call<N extends Method['name']>(method: Sendable, reply: N): Promise<MethodNamed<N>> {
    const answer = await this.request(method, reply);
    if (answer.name !== reply) throw new Error(`${method.name} was answered with ${answer.name}`);
    return answer as MethodNamed<N>;
  }

  request(method: Sendable, wanted: string): Promise<Method> {
    return new Promise((resolve, reject) => {
      if (this.#client.isClosed) return reject(new ConnectionLost(`no connection for ${method.name}`));
      if (!this.isOpen) return reject(new ChannelClosed(0, `channel closed before ${method.name}`));
      const timer = setTimeout(() => reject(new Error(`no ${wanted} within ${RPC_TIMEOUT_MS} ms`)), RPC_TIMEOUT_MS);
      const settled = <T>(settle: (value: T) => void) => {
        return (value: T) => {
          clearTimeout(timer);
          settle(value);
        };
      };
      this.#waiters.push({ resolve: settled(resolve), reject: settled(reject), wanted });
      this.send(method);
    });
  }

  /** Undefined when the queue is empty. */
  async get(queue: string): Promise<Message | undefined> {
    const answer = await this.request({ name: 'basic.get', queue }, 'basic.get-ok');
    return answer.name === 'basic.get-ok' ? this.got : undefined;
  }

  publish({ exchange = '', routingKey = '', properties = {}, body, mandatory = false }: Publication): number {
    const frames = [
      methodFrame(this.number, { name: 'basic.publish', exchange, routingKey, mandatory }),
      headerFrame(this.number, { bodySize: body.length, properties }),
    ];
    for (let at = 0; at < body.length; at += BODY_SIZE) {
      frames.push(bodyFrame(this.number, body.subarray(at, at + BODY_SIZE)));
    }
    this.#client.write(Buffer.concat(frames));
    return ++this.published;
  }

  /** Resolves when the last publish is confirmed; for a channel that waits for each. */
  confirmed(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#client.isClosed) return reject(new ConnectionLost('no connection for a confirm'));
      this.#confirms.push({ tag: this.published, resolve, reject });
    });
  }

  method(method: Method): void {
    switch (method.name) {
      case 'basic.deliver':
      case 'basic.get-ok':
      case 'basic.return':
        this.#content = { method, properties: {}, bodySize: 0, parts: [] };
        return;
      case 'basic.ack':
      case 'basic.nack':
        this.onConfirm(method.deliveryTag, method.multiple, method.name === 'basic.ack');
        this.#confirmedUpTo(method.deliveryTag);
        return;
      case 'basic.cancel':
      case 'channel.flow':
        return;
      case 'channel.close':
        this.isOpen = false;
        this.send({ name: 'channel.close-ok' });
        this.fail(new ChannelClosed(method.replyCode, method.replyText));
        return;
      default:
        this.#waiters.shift()?.resolve(method);
    }
  }

  header(payload: Buffer): void {
    if (this.#content === undefined) throw new Error('a content header without a method');
    const { bodySize, properties } = readContentHeader(payload);
    this.#content.bodySize = bodySize;
    this.#content.properties = properties;
    this.#complete(this.#content);
  }

  body(payload: Buffer): void {
    if (this.#content === undefined) throw new Error('a body without a method');
    this.#content.parts.push(payload);
    this.#complete(this.#content);
  }

  fail(error: Error): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
    for (const waiter of this.#confirms.splice(0)) waiter.reject(error);
  }

  #confirmedUpTo(tag: number): void {
    while (this.#confirms[0] !== undefined && this.#confirms[0].tag <= tag) this.#confirms.shift()?.resolve();
  }

  #complete(content: Content): void {
    const received = content.parts.reduce((sum, part) => sum + part.length, 0);
    if (received < content.bodySize) return;
    this.#content = undefined;
    const { method, properties } = content;
    const { exchange, routingKey } = method;
    const body = content.parts.length === 1 ? (content.parts[0] as Buffer) : Buffer.concat(content.parts);
    const { redelivered = false, deliveryTag = 0 } = 'deliveryTag' in method ? method : {};
    const message = { exchange, routingKey, properties, body, redelivered, deliveryTag };
    if (method.name === 'basic.deliver') this.onDelivery(message);
    if (method.name !== 'basic.get-ok') return;
    this.got = message;
    this.#waiters.shift()?.resolve(method);
  }
}

export class Client {
  onBlocked = (_reason: string | undefined): void => {};
  isClosed = false;
  /** Resolves when nothing more can come from the broker. */
  readonly closed: Promise<void>;
  /** Why the broker closed the connection, when it said so. */
  closeReason = '';
  readonly #socket: Socket;
  readonly #channels = new Map<number, ClientChannel>();
  readonly #zero: ClientChannel;
  #lastChannel = 0;

  static async connect(port: number): Promise<Client> {
    const socket = await new Promise<Socket>((resolve, reject) => {
      const opening = connect({ port, host: '127.0.0.1', noDelay: true });
      opening.once('error', (error) => reject(new ConnectionLost(error.message)));
      opening.once('connect', () => resolve(opening));
    });
    const client = new Client(socket);
    await client.#open();
    return client;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#zero = new ClientChannel(this, 0);
    const cutter = new FrameCutter(
      ({ type, channel, payload }) => this.#frame(type, channel, payload),
      () => this.destroy(),
    );
    socket.on('data', (chunk) => cutter.push(chunk));
    socket.removeAllListeners('error');
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#lost();
        resolve();
      });
    });
  }

  write(bytes: Uint8Array): void {
    if (!this.isClosed) this.#socket.write(bytes);
  }

  /** Bytes not yet taken by the broker. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  async openChannel(): Promise<ClientChannel> {
    const channel = new ClientChannel(this, ++this.#lastChannel);
    this.#channels.set(channel.number, channel);
    await channel.call({ name: 'channel.open' }, 'channel.open-ok');
    return channel;
  }

  async confirmChannel(): Promise<ClientChannel> {
    const channel = await this.openChannel();
    await channel.call({ name: 'confirm.select' }, 'confirm.select-ok');
    return channel;
  }

  /** Ends the connection without a word. */
  destroy(): void {
    this.#socket.destroy();
    this.#lost();
  }

  async close(): Promise<void> {
    if (!this.isClosed) await this.#zero.call({ name: 'connection.close', replyCode: 200 }, 'connection.close-ok');
    this.destroy();
  }

  async #open(): Promise<void> {
    const tune = { name: 'connection.tune-ok', channelMax: 2047, frameMax: FRAME_MAX, heartbeat: 0 } as const;
    const startOk = {
      name: 'connection.start-ok',
      clientProperties: table({ capabilities: { 'connection.blocked': true, consumer_cancel_notify: true } }),
      mechanism: 'PLAIN',
      response: Buffer.from('\0guest\0guest'),
      locale: 'en_US',
    } as const;
    this.write(PROTOCOL_HEADER);
    await Promise.all([
      this.#zero.request(startOk, 'connection.start'),
      this.#zero.request(tune, 'connection.tune'),
      this.#zero.call({ name: 'connection.open', virtualHost: '/' }, 'connection.open-ok'),
    ]);
  }

  #frame(type: number, channel: number, payload: Buffer): void {
    const receiver = channel === 0 ? this.#zero : this.#channels.get(channel);
    if (type === FrameType.header) receiver?.header(payload);
    else if (type === FrameType.body) receiver?.body(payload);
    else if (type === FrameType.method) this.#method(receiver, readMethod(payload));
  }

  #method(receiver: ClientChannel | undefined, method: Method): void {
    if (method.name === 'connection.blocked') this.onBlocked(method.reason);
    else if (method.name === 'connection.unblocked') this.onBlocked(undefined);
    else if (method.name === 'connection.close') {
      this.closeReason = `${method.replyCode} ${method.replyText}`;
      this.#zero.send({ name: 'connection.close-ok' });
      this.#lost();
    } else receiver?.method(method);
  }

  #lost(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const error = new ConnectionLost(`connection lost: ${this.closeReason || 'the socket ended'}`);
    for (const channel of [this.#zero, ...this.#channels.values()]) channel.fail(error);
  }
}
