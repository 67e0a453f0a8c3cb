/**
 * What a queue type provides, and what its queues get from the virtual host. A new type is one file and one line in
 * `QUEUE_TYPES` (`registry.ts`).
 */
import type { DeadLetters } from '../dead-letters.js';
import type { Deadlines } from '../deadlines.js';
import type { Events } from '../events.js';
import type { FieldTable } from '../field-value.js';
import type { DurableWaiters } from '../log/durable-waiters.js';
import type { LogEnvironment } from '../log/log-environment.js';
import type { PropertiesCodec } from '../ports/properties-codec.js';
import type { Tracer } from '../tracer.js';
import type { Turn } from '../turn.js';
import type { Queue, QueueOptions } from './queue.js';

export type QueueTypeName = 'classic' | 'quorum' | 'stream';

export interface QueueHost {
  readonly name: string;
  readonly turn: Turn;
  readonly logs: LogEnvironment;
  readonly durableWaiters: DurableWaiters;
  readonly deadlines: Deadlines;
  readonly events: Events;
  readonly deadLetters: DeadLetters;
  readonly properties: PropertiesCodec;
  /** While the host is traced. */
  readonly tracer: Tracer | undefined;
  /** It goes: the last consumer of an auto-delete queue has gone, or nobody used it for as long as x-expires says. */
  outlived(queue: Queue): void;
}

export interface QueueType {
  readonly name: QueueTypeName;
  /** Durable, not exclusive, not auto-delete. */
  readonly alwaysKept: boolean;
  /** A consumer may share a prefetch limit with others of its channel. */
  readonly takesGlobalPrefetch: boolean;
  /** Messages may be got although a single consumer is the active one. */
  readonly takesGetsBesideActive: boolean;
  /** What happens to the flags if-unused and if-empty of a delete. */
  readonly deleteFlags: 'obeyed' | 'refused' | 'ignored';
  /** Declaring it tells the number of its consumers, and deleting it that of its messages; otherwise they tell 0. */
  readonly tellsCounts: boolean;
  /** How many logs a queue with these arguments has. */
  logCount(args: FieldTable): number;
  /** `id` names the queue's first log in the store, the numbers above it the others. The arguments are valid. */
  create(id: number, name: string, options: QueueOptions, host: QueueHost): Queue;
}

/** Whether its messages outlive the broker. An exclusive queue goes with its connection. */
export function isKept({ durable, owner }: QueueOptions): boolean {
  return durable && owner === undefined;
}
