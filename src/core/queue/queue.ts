/**
 * A queue as exchanges, sessions and management see it, and what it is made of. Each queue type implements it.
 */
import type { Binding } from '../binding.js';
import type { Consumer } from '../consumer.js';
import type { FieldTable } from '../field-value.js';
import type { RecordReader, RecordSource } from '../log/record.js';
import type { CommitId } from '../ports/message-store.js';
import type { QueueTypeName } from './queue-type.js';
import type { QueueSettings } from './settings.js';

/** What became of one publish, over all its queues. Reused: `reset` before each. */
export class PublishOutcome {
  /** False: nobody took it, neither a queue nor an exchange that keeps messages. */
  routed = false;
  /** A queue refused the message: the publisher gets a nack. Independent of `routed`. */
  rejected = false;
  /** The confirm waits for this batch; 0 when nothing was written. */
  commit: CommitId = 0;

  reset(): void {
    this.routed = false;
    this.rejected = false;
    this.commit = 0;
  }
}

/** Whatever a message can be routed to. */
export interface MessageTarget {
  /** Of a queue; an exchange that takes messages for itself has none here. */
  readonly name?: string;
  /** Gone: what is routed here is lost. */
  readonly deleted?: boolean;
  enqueue(source: RecordSource, outcome: PublishOutcome): void;
}

/** The connection that an exclusive queue belongs to; compared by identity. */
export type QueueOwner = object;

export interface QueueOptions {
  readonly durable: boolean;
  readonly autoDelete: boolean;
  /** Set for an exclusive queue. */
  readonly owner: QueueOwner | undefined;
  readonly arguments: FieldTable;
}

export interface QueueCounters {
  published: number;
  delivered: number;
  acknowledged: number;
  redelivered: number;
}

export interface Queue extends MessageTarget {
  readonly id: number;
  readonly name: string;
  readonly type: QueueTypeName;
  readonly options: QueueOptions;
  readonly settings: QueueSettings;
  /** Bindings that lead here, the default exchange's implicit one included. */
  readonly bindings: Set<Binding>;
  readonly counters: QueueCounters;
  readonly readyCount: number;
  readonly unackedCount: number;
  readonly consumerCount: number;
  readonly deleted: boolean;
  /** The commit that makes the latest changes durable; 0 when none has to be written. */
  readonly pendingCommit: CommitId;
  /** The router's mark: the walk that visited this queue last. */
  routeMark: number;

  /** Takes back the messages that the store kept. Only before anything else happens to the queue. */
  restore(): void;
  /** Follows other settings from now on: a policy has come, changed or gone. */
  configure(settings: QueueSettings): void;
  /** Moves `reader` to the next ready message, which is unacknowledged from then on; false when there is none. */
  take(reader: RecordReader): boolean;
  ack(position: number): void;
  /** Back to its original place, redelivered. */
  requeue(position: number): void;
  /** Refused for good: dead-letters or drops. */
  reject(position: number): void;
  /** Drops the ready messages and returns their number. */
  purge(): number;
  /** Throws BrokerError('access-refused') when exclusive use forbids it. */
  addConsumer(consumer: Consumer): void;
  removeConsumer(consumer: Consumer): void;
  /** A consumer has credit again. */
  wake(): void;
  /** Somebody declared it or read from it: an unused queue may go after a while (x-expires). */
  used(): void;
  /** Ready messages go, consumers are cancelled. The virtual host has unbound it. */
  delete(): void;
}
