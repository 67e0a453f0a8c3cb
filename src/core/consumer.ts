/**
 * A consumer as the core sees it. Sessions implement it; the core never learns which protocol is behind it.
 */
import type { RecordReader } from './log/record.js';
import type { Queue } from './queue/queue.js';
import type { StreamSubscription } from './stream-subscription.js';
import type { Origin } from './tracer.js';

export interface Consumer {
  readonly tag: string;
  /** Deliveries count as settled at once. */
  readonly noAck: boolean;
  readonly exclusive: boolean;
  /** Higher is served first (x-priority). */
  readonly priority: number;
  readonly origin?: Origin;
  /** Of a stream; without it a consumer gets what comes from now on. */
  readonly stream?: StreamSubscription | undefined;
  /** False while prefetch or socket back-pressure forbid another delivery. */
  hasCredit(): boolean;
  /** `record` is valid during the call. */
  deliver(queue: Queue, record: RecordReader): void;
  /** The queue is gone, and with it this consumer. */
  cancelled(queue: Queue): void;
}
