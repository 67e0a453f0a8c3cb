/** One consumer on a connection of its own: counts, checks, measures and acknowledges what it gets. */
import { LatencyHistogram } from '../report/histogram.js';
import { AckWriter } from './ack-writer.js';
import type { AmqpConnection, BrokerFailure, ContentMethod, Receiver } from './amqp-connection.js';
import { nowMicros } from './clock.js';
import { DeliveryScanner, type DeliverySink } from './delivery-scanner.js';
import type { DeliveryCheck } from './message-checks.js';

export interface ConsumerSetup {
  readonly queue: string;
  readonly autoAck: boolean;
  /** Deliveries that one acknowledgement is for. */
  readonly ackEvery: number;
  /** 0 is no limit. */
  readonly prefetch: number;
  readonly channelPrefetch: number;
}

export class Consumer implements Receiver, DeliverySink {
  readonly connection: AmqpConnection;
  readonly check: DeliveryCheck;
  readonly latency = new LatencyHistogram();
  lastDeliveryMicros = 0;
  failure: BrokerFailure | undefined;
  readonly #setup: ConsumerSetup;
  readonly #scanner = new DeliveryScanner(this);
  #acks: AckWriter | undefined;
  #channel = 0;
  #unacked = 0;
  #lastTag = 0;
  #deliveredBefore = 0;
  /** When the chunk that is being read came; 0 between chunks. */
  #chunkMicros = 0;
  // Messages of one write were sent at the same time: their latency is recorded at once.
  #sentMicros = 0;
  #sentCount = 0;

  constructor(connection: AmqpConnection, check: DeliveryCheck, setup: ConsumerSetup) {
    this.connection = connection;
    this.check = check;
    this.#setup = setup;
  }

  async start(): Promise<void> {
    const { queue, autoAck, ackEvery, prefetch, channelPrefetch } = this.#setup;
    this.connection.receive(this);
    const channel = await this.connection.openChannel();
    this.#channel = channel;
    if (prefetch > 0) await this.#limit(prefetch, false);
    if (channelPrefetch > 0) await this.#limit(channelPrefetch, true);
    if (!autoAck) this.#acks = new AckWriter(this.connection, channel, ackEvery > 1);
    const consume = { queue, consumerTag: '', noLocal: false, noAck: autoAck, exclusive: false } as const;
    const request = { name: 'basic.consume', ...consume, noWait: false, arguments: [] } as const;
    await this.connection.request(channel, request, 'basic.consume-ok');
  }

  /** Acknowledges what waits for its number to be full. */
  settle(): void {
    if (this.#unacked === 0 || this.#setup.autoAck) return;
    this.#unacked = 0;
    this.#acks?.ack(this.#lastTag);
    this.#acks?.flush();
  }

  scan(bytes: Uint8Array, at: number, end: number): number {
    if (this.#chunkMicros === 0) this.#chunkMicros = nowMicros();
    return this.#scanner.scan(bytes, at, end);
  }

  onDelivery(view: DataView, at: number, sizeBytes: number, deliveryTag: number, redelivered: boolean): void {
    const check = this.check;
    check.record(view, at, sizeBytes, redelivered);
    const sent = check.sentMicros;
    if (sent === this.#sentMicros) this.#sentCount++;
    else if (sent !== undefined) this.#nextSent(sent);
    if (this.#acks === undefined) return;
    this.#lastTag = deliveryTag;
    if (++this.#unacked < this.#setup.ackEvery) return;
    this.#unacked = 0;
    this.#acks.ack(deliveryTag);
  }

  onContent(
    channel: number,
    method: ContentMethod,
    properties: Uint8Array,
    body: Uint8Array,
    methodArguments: Uint8Array,
  ): void {
    if (method.name !== 'basic.deliver') return;
    this.#scanner.learn(channel, methodArguments, properties);
    const view = new DataView(body.buffer, body.byteOffset, body.length);
    this.onDelivery(view, 0, body.length, method.deliveryTag, method.redelivered);
  }

  onChunkEnd(): void {
    this.#recordLatency();
    if (this.check.delivered > this.#deliveredBefore) this.lastDeliveryMicros = this.#chunkMicros;
    this.#deliveredBefore = this.check.delivered;
    this.#chunkMicros = 0;
    this.#acks?.flush();
  }

  onFailure(failure: BrokerFailure): void {
    this.failure = failure;
  }

  #nextSent(sentMicros: number): void {
    this.#recordLatency();
    this.#sentMicros = sentMicros;
    this.#sentCount = 1;
  }

  #recordLatency(): void {
    if (this.#sentCount > 0) this.latency.record(this.#chunkMicros - this.#sentMicros, this.#sentCount);
    this.#sentCount = 0;
  }

  async #limit(prefetchCount: number, global: boolean): Promise<void> {
    const request = { name: 'basic.qos', prefetchSize: 0, prefetchCount, global } as const;
    await this.connection.request(this.#channel, request, 'basic.qos-ok');
  }
}
