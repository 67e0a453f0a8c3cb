/**
 * A consumer of an AMQP channel: turns deliveries of the core into basic.deliver. Also the two other ways a delivery
 * reaches a channel: basic.get, and the reply consumer of direct reply-to.
 */
import { ByteWriter } from '../../../protocol/byte-writer.js';
import type { Consumer } from '../../core/consumer.js';
import type { RecordReader } from '../../core/log/record.js';
import type { Queue } from '../../core/queue/queue.js';
import { queueType } from '../../core/queue/registry.js';
import type { ReplyQueue } from '../../core/reply-queues.js';
import type { StreamSubscription } from '../../core/stream-subscription.js';
import type { Origin } from '../../core/tracer.js';
import type { DeliverySource } from '../shared/delivery-ledger.js';
import type { Channel } from './channel.js';
import type { FrameOutput } from './frame-output.js';

/** Class and method id of basic.deliver. */
const DELIVER = 0x003c003c;

export interface ConsumerOptions {
  readonly tag: string;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly priority: number;
  /** Unsettled deliveries at most; 0 is no limit. */
  readonly limit: number;
  /** Undefined unless the queue is a stream. */
  readonly stream?: StreamSubscription | undefined;
}

export class AmqpConsumer implements Consumer, DeliverySource {
  readonly tag: string;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly priority: number;
  readonly stream: StreamSubscription | undefined;
  readonly queue: Queue;
  readonly #limit: number;
  readonly #channel: Channel;
  readonly #output: FrameOutput;
  readonly #prefix: Uint8Array;
  #unacked = 0;

  constructor(channel: Channel, queue: Queue, options: ConsumerOptions) {
    this.tag = options.tag;
    this.noAck = options.noAck;
    this.exclusive = options.exclusive;
    this.priority = options.priority;
    this.stream = options.stream;
    this.queue = queue;
    this.#limit = options.limit;
    this.#channel = channel;
    this.#output = channel.output;
    this.#prefix = deliverPrefix(channel.number, options.tag);
  }

  hasCredit(): boolean {
    if (this.#output.backedUp || this.#channel.state !== 'open') return false;
    if (this.noAck) return true;
    if (this.#limit !== 0 && this.#unacked >= this.#limit) return false;
    return this.#channel.prefetch.hasCredit || !queueType(this.queue.type).takesGlobalPrefetch;
  }

  deliver(_queue: Queue, record: RecordReader): void {
    const channel = this.#channel;
    const tag = channel.nextDeliveryTag();
    if (!this.noAck) {
      channel.ledger.add(tag, record.position, this);
      channel.prefetch.delivered();
      this.#unacked++;
    }
    try {
      this.#output.deliver(this.#prefix, tag, record);
    } catch (error) {
      // One peer's failure must not end the turn for the others.
      channel.fail(error, 0);
    }
  }

  released(tag: number): void {
    this.#unacked--;
    this.#channel.prefetch.settled(tag, true);
    this.queue.wake();
  }

  get origin(): Origin {
    return this.#channel.origin;
  }

  cancelled(): void {
    this.#channel.consumerCancelled(this);
  }
}

/** Deliveries of basic.get on one queue: they count against no prefetch unless it was set afterwards. */
export class GetSource implements DeliverySource {
  readonly queue: Queue;
  readonly #channel: Channel;

  constructor(channel: Channel, queue: Queue) {
    this.#channel = channel;
    this.queue = queue;
  }

  released(tag: number): void {
    this.#channel.prefetch.settled(tag, false);
  }
}

/**
 * The consumer on `amq.rabbitmq.reply-to`: replies go out at once and are never acknowledged. They have no queue to wait
 * in, so those for a peer that does not read are lost.
 */
export class ReplyConsumer {
  readonly tag: string;
  readonly queue: ReplyQueue;
  readonly #channel: Channel;
  readonly #prefix: Uint8Array;
  #dropping = false;

  constructor(channel: Channel, tag: string) {
    this.tag = tag;
    this.#channel = channel;
    this.#prefix = deliverPrefix(channel.number, tag);
    this.queue = channel.access.openReplyQueue((record) => this.#deliver(record));
  }

  #deliver(record: RecordReader): void {
    const channel = this.#channel;
    if (channel.output.overflowing) {
      if (!this.#dropping) channel.host.repliesDropped(channel);
      this.#dropping = true;
      return;
    }
    this.#dropping = false;
    channel.output.deliver(this.#prefix, channel.nextDeliveryTag(), record);
  }
}

/** A basic.deliver frame up to the delivery tag; the size is filled in at each delivery. */
function deliverPrefix(channel: number, tag: string): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(1);
  writer.u16(channel);
  writer.u32(0);
  writer.u32(DELIVER);
  writer.shortstr(tag);
  return writer.finished();
}
