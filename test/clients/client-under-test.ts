// What the scenarios ask of a client, in AMQP's own words. Each client file implements it with that client's calls and
// nothing else, so that a scenario is written once and every byte still passes through the client's own codec.

import type { Inbox } from './inbox.js';

export interface ClientUnderTest {
  /** Rejects with the reason the server gave when it refuses the connection. */
  connect(url: string): Promise<ClientConnection>;
  /** What the client says when connection.open is refused, if it keeps the server's reason to itself. */
  readonly vhostRefusal?: string;
  /** Header values only this client can say, on top of those every client is tried with. */
  readonly ownHeaders?: Readonly<Record<string, unknown>>;
}

export interface ClientConnection {
  /** The server properties, where the client shows them. */
  readonly serverProperties?: Readonly<Record<string, unknown>>;
  openChannel(options?: { confirm?: boolean }): Promise<ClientChannel>;
  close(): Promise<void>;
}

export interface ClientChannel {
  /** Reply texts of a channel.close from the server that no pending call was rejected with. */
  readonly failures: Inbox<string>;
  readonly returns: Inbox<ReturnedMessage>;
  readonly tx?: Transaction;

  declareQueue(queue: string, options: QueueOptions): Promise<QueueState>;
  checkQueue(queue: string): Promise<QueueState>;
  purgeQueue(queue: string): Promise<number>;
  deleteQueue(queue: string): Promise<number>;
  bindQueue(queue: string, exchange: string, routingKey: string, args?: Arguments): Promise<unknown>;
  unbindQueue(queue: string, exchange: string, routingKey: string): Promise<unknown>;

  declareExchange(exchange: string, type: string, options: ExchangeOptions): Promise<unknown>;
  checkExchange(exchange: string): Promise<unknown>;
  deleteExchange(exchange: string): Promise<unknown>;
  bindExchange(destination: string, source: string, routingKey: string): Promise<unknown>;
  unbindExchange(destination: string, source: string, routingKey: string): Promise<unknown>;

  /** Settles with the confirm on a confirm channel and when written on any other. */
  publish(exchange: string, routingKey: string, body: Buffer, options?: PublishOptions): Promise<unknown>;
  prefetch(count: number): Promise<unknown>;
  consume(queue: string, options?: { tag?: string; noAck?: boolean }): Promise<Consumption>;
  cancel(tag: string): Promise<unknown>;
  get(queue: string, options?: { noAck?: boolean }): Promise<ReceivedMessage | undefined>;
  close(): Promise<unknown>;
}

export interface Transaction {
  select(): Promise<unknown>;
  commit(): Promise<unknown>;
  rollback(): Promise<unknown>;
}

export type Arguments = Readonly<Record<string, unknown>>;

export interface QueueOptions {
  readonly durable?: boolean;
  readonly exclusive?: boolean;
  readonly autoDelete?: boolean;
  readonly args?: Arguments;
}

export interface ExchangeOptions {
  readonly durable: boolean;
  readonly autoDelete: boolean;
}

export interface QueueState {
  readonly queue: string;
  readonly messageCount: number;
  readonly consumerCount: number;
}

/** The basic properties under the names all these clients share; the timestamp in seconds. */
export interface Properties {
  readonly contentType?: string | undefined;
  readonly contentEncoding?: string | undefined;
  readonly headers?: Record<string, unknown> | undefined;
  readonly deliveryMode?: number | undefined;
  readonly priority?: number | undefined;
  readonly correlationId?: string | undefined;
  readonly replyTo?: string | undefined;
  readonly expiration?: string | undefined;
  readonly messageId?: string | undefined;
  readonly timestamp?: number | undefined;
  readonly type?: string | undefined;
  readonly userId?: string | undefined;
  readonly appId?: string | undefined;
}

export type PublishOptions = Properties & { readonly mandatory?: boolean };

export interface ReceivedMessage {
  readonly body: Buffer;
  readonly properties: Properties;
  readonly exchange: string;
  readonly routingKey: string;
  readonly deliveryTag: number;
  readonly redelivered: boolean;
  /** Only on a message from basic.consume. */
  readonly consumerTag?: string | undefined;
  /** Only on a message from basic.get. */
  readonly messageCount?: number | undefined;

  ack(multiple?: boolean): unknown;
  nack(multiple: boolean, requeue: boolean): unknown;
  /** Clients without basic.reject send a basic.nack of the one message. */
  reject(requeue: boolean): unknown;
}

export interface ReturnedMessage {
  readonly replyCode: number;
  readonly replyText: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly messageId: string | undefined;
  readonly body: Buffer;
}

export interface Consumption {
  readonly tag: string;
  readonly deliveries: Inbox<ReceivedMessage>;
  /** Gets a null when the server cancels the consumer. */
  readonly cancelled: Inbox<null>;
}
