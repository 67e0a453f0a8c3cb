/** Consumers of which a test sets the credit and reads what they got. */
import type { Consumer } from '../../../../src/core/consumer.js';
import type { RecordReader } from '../../../../src/core/log/record.js';
import type { Queue } from '../../../../src/core/queue/queue.js';
import type { StreamSubscription } from '../../../../src/core/stream-subscription.js';
import { type ReadMessage, readMessage } from '../../../support/messages.js';

export interface ConsumerTraits {
  readonly noAck?: boolean;
  readonly exclusive?: boolean;
  readonly priority?: number;
  /** Deliveries it takes before it is full. */
  readonly credit?: number;
  readonly stream?: StreamSubscription;
}

export class RecordingConsumer implements Consumer {
  readonly tag: string;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly priority: number;
  readonly stream: StreamSubscription | undefined;
  credit: number;
  cancelledBy: Queue | undefined;
  readonly received: ReadMessage[] = [];

  constructor(tag: string, traits: ConsumerTraits = {}) {
    this.tag = tag;
    this.noAck = traits.noAck ?? false;
    this.exclusive = traits.exclusive ?? false;
    this.priority = traits.priority ?? 0;
    this.stream = traits.stream;
    this.credit = traits.credit ?? Number.POSITIVE_INFINITY;
  }

  get bodies(): string[] {
    return this.received.map(({ body }) => body);
  }

  hasCredit(): boolean {
    return this.credit > 0;
  }

  deliver(_queue: Queue, record: RecordReader): void {
    this.credit--;
    this.received.push(readMessage(record));
  }

  cancelled(queue: Queue): void {
    this.cancelledBy = queue;
  }
}
