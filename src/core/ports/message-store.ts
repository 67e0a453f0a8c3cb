/**
 * What the core asks of a message store. Durability is a number that grows, never a promise per message.
 *
 * A store collects in batches: a log that has something to keep enlists itself, at most once a batch, and when the
 * batch closes (between core operations, so one operation is never torn) the store asks each enlisted log for what
 * changed. A message settled before that is never written, yet its commit becomes durable with the batch.
 */

/** Identifies a batch of writes. Batches become durable in order. 0 means nothing had to be written. */
export type CommitId = number;

/** Receives what one log changed since the batch before. The bytes are valid during the call. */
export interface BatchSink {
  /** A record as laid out in `core/log/record-layout`, with its position. */
  append(logId: number, position: number, bytes: Uint8Array, start: number, end: number): void;
  /** The body that later records name; called before each of them, so the store keeps it once. */
  putBody(bodyId: number, body: Uint8Array): void;
  /** Positions first..last, both included, need not come back. */
  settle(logId: number, first: number, last: number): void;
  /** Records below `upTo` were delivered once: they come back as redelivered. */
  markDelivered(logId: number, upTo: number): void;
}

export interface BatchedLog {
  readonly id: number;
  /** The store's own mark that the log waits for the open batch to close. */
  enlisted: boolean;
  collect(sink: BatchSink): void;
}

/** What a store kept of one log. */
export interface RecoveredLog {
  /** Above every position that the log ever used. */
  readonly nextPosition: number;
  /** Records below it were delivered once. */
  readonly deliveredUpTo: number;
  /** Visits the records that are not settled, in the order of their positions. The bytes are valid during the call. */
  forEachRecord(visit: (position: number, bytes: Uint8Array, start: number, end: number) => void): void;
  /** A body that a record names. */
  body(bodyId: number): Uint8Array;
}

export interface MessageStore {
  /** False for a store that keeps nothing: then nothing else of it is called. */
  readonly keepsMessages: boolean;
  /** The batch now filling. */
  readonly openBatch: CommitId;
  /** Everything up to this batch is on disk. */
  readonly durableCommit: CommitId;
  enlist(log: BatchedLog): void;
  /** What is kept under this id; undefined when nothing is. */
  recover(logId: number): RecoveredLog | undefined;
  /** The log and all its records go. */
  dropLog(logId: number): void;
  onDurable(listener: (upTo: CommitId) => void): void;
}
