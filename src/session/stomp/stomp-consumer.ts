/**
 * A subscription: turns deliveries of the core into MESSAGE frames, with credit as its acknowledgement mode has it.
 */
import type { Consumer } from '../../core/consumer.js';
import type { RecordReader } from '../../core/log/record.js';
import type { Queue } from '../../core/queue/queue.js';
import type { StreamSubscription } from '../../core/stream-subscription.js';
import type { Origin } from '../../core/tracer.js';
import type { DeliveryLedger, DeliverySource } from '../shared/delivery-ledger.js';
import type { TurnOutput } from '../shared/turn-output.js';
import { MessageFrame } from './message-frame.js';

export type AckMode = 'auto' | 'client' | 'client-individual';

export interface Subscription {
  /** `T_<id>`, or `Q_<destination>` without an id. */
  readonly tag: string;
  readonly id: string | undefined;
  readonly destination: string;
  readonly ack: AckMode;
  readonly priority: number;
  /** Unsettled deliveries at most; 0 is no limit. */
  readonly limit: number;
  /** Undefined unless the queue is a stream. */
  readonly stream?: StreamSubscription | undefined;
}

/** What a consumer needs of its session. */
export interface ConsumerHost {
  readonly output: TurnOutput;
  readonly ledger: DeliveryLedger;
  readonly sessionId: string;
  readonly origin: Origin;
  /** MESSAGE has an `ack` header (STOMP 1.2). */
  readonly sendsAck: boolean;
  readonly isOpen: boolean;
  nextDeliveryTag(): number;
  consumerCancelled(consumer: StompConsumer): void;
  fail(error: unknown): void;
}

export class StompConsumer implements Consumer, DeliverySource {
  readonly tag: string;
  readonly noAck: boolean;
  readonly exclusive = false;
  readonly priority: number;
  readonly queue: Queue;
  readonly stream: StreamSubscription | undefined;
  readonly subscription: Subscription;
  readonly #limit: number;
  readonly #host: ConsumerHost;
  readonly #output: TurnOutput;
  readonly #frame: MessageFrame;
  #unacked = 0;

  constructor(host: ConsumerHost, queue: Queue, subscription: Subscription) {
    const { tag, id, ack } = subscription;
    this.tag = tag;
    this.noAck = ack === 'auto';
    this.priority = subscription.priority;
    this.queue = queue;
    this.stream = subscription.stream;
    this.subscription = subscription;
    this.#limit = subscription.limit;
    this.#host = host;
    this.#output = host.output;
    const sendsAck = host.sendsAck && !this.noAck;
    this.#frame = new MessageFrame(host.output, { tag, id, sessionId: host.sessionId, sendsAck });
  }

  hasCredit(): boolean {
    if (this.#output.backedUp || !this.#host.isOpen) return false;
    return this.noAck || this.#limit === 0 || this.#unacked < this.#limit;
  }

  deliver(_queue: Queue, record: RecordReader): void {
    const host = this.#host;
    const tag = host.nextDeliveryTag();
    if (!this.noAck) {
      host.ledger.add(tag, record.position, this);
      this.#unacked++;
    }
    try {
      this.#frame.write(tag, record);
    } catch (error) {
      // One peer's failure must not end the turn for the others.
      host.fail(error);
    }
  }

  released(): void {
    this.#unacked--;
    this.queue.wake();
  }

  get origin(): Origin {
    return this.#host.origin;
  }

  cancelled(): void {
    this.#host.consumerCancelled(this);
  }
}
