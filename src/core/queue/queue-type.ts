/**
 * What a queue type provides, and what its queues get from the virtual host. A new type is one file and one line in
 * `QUEUE_TYPES` (`registry.ts`).
 */
import type { DeadLetters } from '../dead-letters.js';
import type { Deadlines } from '../deadlines.js';
import type { LogEnvironment } from '../log/log-environment.js';
import type { Turn } from '../turn.js';
import type { Queue, QueueOptions } from './queue.js';

export type QueueTypeName = 'classic' | 'quorum' | 'stream';

export interface QueueHost {
  readonly name: string;
  readonly turn: Turn;
  readonly logs: LogEnvironment;
  readonly deadlines: Deadlines;
  readonly deadLetters: DeadLetters;
  /** It goes: the last consumer of an auto-delete queue has gone, or nobody used it for as long as x-expires says. */
  outlived(queue: Queue): void;
}

export interface QueueType {
  readonly name: QueueTypeName;
  /** `id` names the queue's log in the store. The arguments are valid for this type. */
  create(id: number, name: string, options: QueueOptions, host: QueueHost): Queue;
}
