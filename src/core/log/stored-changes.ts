/**
 * What one log has to tell the message store: the records that it got, the positions that were settled and how far it
 * was delivered since the batch before. It also knows which records are surely on disk.
 */
import type { BatchedLog, BatchSink, CommitId } from '../ports/message-store.js';
import type { LogEnvironment } from './log-environment.js';
import { PositionSet } from './position-set.js';
import { RecordReader } from './record.js';
import { RecordFlag } from './record-layout.js';
import type { Segment } from './segment.js';

/** What is asked of the log when a batch closes. */
export interface ChangingLog {
  readonly id: number;
  readonly nextPosition: number;
  readonly cursorPosition: number;
  /** From the first that `position` may be in. */
  segmentsFrom(position: number): Iterable<Segment>;
}

export class StoredChanges implements BatchedLog {
  readonly id: number;
  enlisted = false;
  /** Records below it were delivered once. */
  deliveredUpTo = 1;
  readonly #log: ChangingLog;
  readonly #environment: LogEnvironment;
  #enlistedIn: CommitId = 0;
  /** Records below it have been offered to the store, in this batch at the latest. */
  #collectedUpTo = 1;
  #collectedIn: CommitId = 0;
  /** What was durable then. */
  #durableBefore = 1;
  #settled: PositionSet | undefined;
  #ended = false;
  readonly #record = new RecordReader();

  constructor(log: ChangingLog, environment: LogEnvironment) {
    this.id = log.id;
    this.#log = log;
    this.#environment = environment;
  }

  /** Everything below is on disk, or settled, or never has to be there. */
  get durableUpTo(): number {
    const durable = this.#environment.store.durableCommit >= this.#collectedIn;
    return durable ? this.#collectedUpTo : this.#durableBefore;
  }

  /** Goes on from what the store kept. */
  resume(nextPosition: number, deliveredUpTo: number): void {
    this.#collectedUpTo = nextPosition;
    this.#durableBefore = nextPosition;
    this.deliveredUpTo = deliveredUpTo;
  }

  enlist(): void {
    if (this.enlisted) return;
    this.#enlistedIn = this.#environment.store.openBatch;
    this.#environment.store.enlist(this);
  }

  noteSettled(first: number, last: number): void {
    this.#settled ??= new PositionSet();
    this.#settled.addRange(first, last);
    this.enlist();
  }

  /** Settled, and the store does not know it yet. */
  isSettled(position: number): boolean {
    return this.#settled?.has(position) === true;
  }

  /** The store forgets the log. */
  end(): void {
    this.#ended = true;
    this.#environment.store.dropLog(this.id);
  }

  /** Tells the store what changed since the last batch. Records settled in the meantime are left out. */
  collect(sink: BatchSink): void {
    if (this.#ended) return;
    const settled = this.#settled;
    this.#collectRecords(sink, settled);
    settled?.forEachRange((first, last) => {
      if (first < this.#collectedUpTo) sink.settle(this.id, first, Math.min(last, this.#collectedUpTo - 1));
    });
    settled?.clear();
    this.#durableBefore = this.durableUpTo;
    this.#collectedUpTo = this.#log.nextPosition;
    this.#collectedIn = this.#enlistedIn;
    const delivered = this.#log.cursorPosition;
    if (delivered > this.deliveredUpTo) {
      this.deliveredUpTo = delivered;
      sink.markDelivered(this.id, delivered);
    }
  }

  #collectRecords(sink: BatchSink, settled: PositionSet | undefined): void {
    const record = this.#record;
    for (const segment of this.#log.segmentsFrom(this.#collectedUpTo)) {
      // A cold segment has nothing new: what is not durable stays in memory, unless all of it is transient.
      if (segment.persistentCount === 0 || segment.lastPosition < this.#collectedUpTo) continue;
      for (let index = segment.indexOf(this.#collectedUpTo); index < segment.count; index++) {
        segment.readAt(segment.offsetOf(index), record);
        if ((record.flags & RecordFlag.Persistent) === 0 || settled?.has(record.position) === true) continue;
        if (record.sharedBodyId !== 0) {
          sink.putBody(record.sharedBodyId, this.#environment.bodies.get(record.sharedBodyId));
        }
        sink.append(this.id, record.position, record.bytes, record.start, record.end);
      }
    }
  }
}
