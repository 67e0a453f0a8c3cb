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

/** Neighbouring records that the store keeps together: what can be known of them without reading them. */
export interface StoredRun {
  readonly firstPosition: number;
  readonly lastPosition: number;
  /** Records in it that are not settled: at least 1. */
  readonly live: number;
  /** Upper bound of what its unsettled records take. */
  readonly sizeBytes: number;
  /** Unsettled records whose body is kept apart. */
  readonly sharedBodyCount: number;
  /** When the first of its records expires, settled ones among them; 0 when none does. */
  readonly earliestExpiry: number;
  /** When the first record came that it ever had. */
  readonly firstEnqueuedAt: number;
}

/** What a store kept of one log. */
export interface RecoveredLog {
  /** Above every position that the log ever used. */
  readonly nextPosition: number;
  /** Records below it were delivered once. */
  readonly deliveredUpTo: number;
  /** In the order of their positions. */
  readonly runs: Iterable<StoredRun>;
}

/** A body that several stored records share. */
export interface StoredBody {
  readonly id: number;
  readonly sizeBytes: number;
  /** Unsettled stored records that name it. */
  readonly references: number;
}

/** The bytes are valid during the call. */
export type RecordVisitor = (position: number, bytes: Uint8Array, start: number, end: number) => void;

export interface MessageStore {
  /** False for a store that keeps nothing: then nothing else of it is called. */
  readonly keepsMessages: boolean;
  /** The batch now filling. */
  readonly openBatch: CommitId;
  /** Everything up to this batch is on disk. */
  readonly durableCommit: CommitId;
  enlist(log: BatchedLog): void;
  /** What is kept under this id; undefined when nothing is. Reads no message. */
  recover(logId: number): RecoveredLog | undefined;
  recoverBodies(): Iterable<StoredBody>;
  /**
   * Visits the stored records of first..last that no closed batch has settled, in the order of their positions. Only
   * what belongs to a durable batch is sure to be found.
   */
  read(logId: number, first: number, last: number, visit: RecordVisitor): void;
  /** `read` of these positions will come soon. */
  prefetch(logId: number, first: number, last: number): void;
  /** A stored body, copied. */
  readBody(bodyId: number): Uint8Array;
  /** The log and all its records go. */
  dropLog(logId: number): void;
  onDurable(listener: (upTo: CommitId) => void): void;
}
