/**
 * The messages of one queue as a log of segments with a delivery cursor. A message is a position here, not an object.
 * Records before the cursor were delivered and wait to be settled (or were returned: the queue keeps those positions);
 * records behind it are unread. A segment goes when all its records are settled.
 */
import type { Clock } from '../../clock.js';
import type { BatchedLog, BatchSink, CommitId, MessageStore } from '../ports/message-store.js';
import { PositionSet } from './position-set.js';
import { RecordReader, type RecordSource } from './record.js';
import { RecordFlag } from './record-layout.js';
import { recordLength, Segment } from './segment.js';
import { LARGEST_SEGMENT_BYTES, type SegmentPool, SMALLEST_SEGMENT_BYTES } from './segment-pool.js';
import type { SharedBodies } from './shared-bodies.js';

/** What every log of a broker shares. */
export interface LogEnvironment {
  readonly clock: Clock;
  readonly segments: SegmentPool;
  readonly bodies: SharedBodies;
  readonly store: MessageStore;
}

/** An empty log keeps a tail up to this size. */
const KEPT_TAIL_BYTES = 4096;

export class MessageLog implements BatchedLog {
  readonly id: number;
  enlisted = false;
  /** Records behind the cursor. */
  unread = 0;
  readonly #environment: LogEnvironment;
  #stored: boolean;
  #ended = false;
  readonly #segments: Segment[] = [];
  #tail: Segment | undefined;
  /** Bytes of the latest segment, unless one record needed more. */
  #size = SMALLEST_SEGMENT_BYTES;
  #nextPosition = 1;
  /** The cursor: a segment, and the byte offset and number of the next record in it. */
  #cursorSegment = 0;
  #cursorOffset = 0;
  #cursorIndex = 0;
  /** Records below it have been offered to the store. */
  #collectedUpTo = 1;
  #deliveredUpTo = 1;
  #settled: PositionSet | undefined;
  readonly #scratch = new RecordReader();

  /** A log is stored when it belongs to a durable queue and the store keeps messages at all. */
  constructor(id: number, environment: LogEnvironment, durable: boolean) {
    this.id = id;
    this.#environment = environment;
    this.#stored = durable && environment.store.keepsMessages;
  }

  /** Position of the next record behind the cursor. */
  get cursorPosition(): number {
    const segment = this.#segments[this.#cursorSegment];
    if (segment === undefined || this.unread === 0) return this.#nextPosition;
    const from = this.#cursorIndex < segment.count ? segment : this.#segments[this.#cursorSegment + 1];
    if (from === undefined) return this.#nextPosition;
    const at = from === segment ? this.#cursorOffset : 0;
    from.readAt(at, this.#scratch);
    return this.#scratch.position;
  }

  get segmentCount(): number {
    return this.#segments.length;
  }

  /** Appends a record and returns the commit that makes it durable; 0 when nothing has to be written. */
  append(source: RecordSource): CommitId {
    const length = recordLength(source);
    let tail = this.#tail;
    if (tail === undefined || tail.room < length) tail = this.#openSegment(length);
    tail.append(this.#nextPosition++, source, length, this.#environment.clock.coarseWallTime);
    this.unread++;
    if (source.sharedBodyId !== 0) this.#environment.bodies.addReference(source.sharedBodyId);
    if (!this.#stored || !source.persistent) return 0;
    this.#enlist();
    return this.#environment.store.openBatch;
  }

  /** Takes back what the store kept. Only for a log that is still empty. */
  restore(): void {
    const kept = this.#environment.store.recover(this.id);
    if (kept === undefined) return;
    kept.forEachRecord((position, bytes, start, end) => {
      this.#nextPosition = position;
      let tail = this.#tail;
      if (tail === undefined || tail.room < end - start) tail = this.#openSegment(end - start);
      const at = tail.written;
      tail.appendRecord(position, bytes, start, end);
      this.unread++;
      tail.readAt(at, this.#scratch);
      const { sharedBodyId } = this.#scratch;
      if (sharedBodyId === 0) return;
      this.#environment.bodies.restore(sharedBodyId, kept.body(sharedBodyId));
      this.#environment.bodies.addReference(sharedBodyId);
    });
    this.#nextPosition = kept.nextPosition;
    this.#collectedUpTo = kept.nextPosition;
    this.#deliveredUpTo = kept.deliveredUpTo;
  }

  /** Moves `reader` to the record at the cursor and the cursor behind it; false when there is none. */
  readNext(reader: RecordReader): boolean {
    if (this.unread === 0) return false;
    let segment = this.#segments[this.#cursorSegment] as Segment;
    if (this.#cursorIndex === segment.count) {
      this.#cursorSegment++;
      this.#cursorOffset = 0;
      this.#cursorIndex = 0;
      segment = this.#segments[this.#cursorSegment] as Segment;
    }
    this.#cursorOffset = segment.readAt(this.#cursorOffset, reader);
    this.#cursorIndex++;
    this.unread--;
    reader.redelivered = reader.position < this.#deliveredUpTo && this.#stored;
    if (reader.sharedBodyId !== 0) reader.body = this.#environment.bodies.get(reader.sharedBodyId);
    if (this.#stored && segment.persistentCount > 0) this.#enlist();
    return true;
  }

  /** Moves `reader` to a record that was delivered before and is not settled. */
  readReturned(position: number, reader: RecordReader): void {
    const segment = this.#segments[this.#segmentOf(position)];
    if (segment === undefined) throw new Error(`log ${this.id} holds no position ${position}`);
    segment.readAt(segment.offsetOf(segment.indexOf(position)), reader);
    reader.redelivered = true;
    if (reader.sharedBodyId !== 0) reader.body = this.#environment.bodies.get(reader.sharedBodyId);
  }

  /** The message at `position`, delivered before, is done with. */
  settle(position: number): void {
    const index = this.#segmentOf(position);
    const segment = this.#segments[index];
    if (segment === undefined) throw new Error(`log ${this.id} holds no position ${position}`);
    if (segment.sharedBodyCount > 0) this.#releaseBodies(segment, position, position);
    if (this.#stored && segment.persistentCount > 0) this.#noteSettled(position, position);
    if (--segment.live === 0) this.#retire(index, segment);
  }

  /** Settles everything behind the cursor and returns how many records that were. */
  settleUnread(): number {
    const count = this.unread;
    if (count === 0) return 0;
    const first = this.cursorPosition;
    const from = this.#cursorSegment;
    for (let index = from; index < this.#segments.length; index++) {
      const segment = this.#segments[index] as Segment;
      if (segment.sharedBodyCount > 0) this.#releaseBodies(segment, first, segment.lastPosition);
      segment.live -= segment.count - (index === from ? this.#cursorIndex : 0);
    }
    if (this.#stored) this.#noteSettled(first, this.#nextPosition - 1);
    this.unread = 0;
    this.#skipToEnd();
    for (let index = this.#segments.length - 1; index >= from; index--) {
      const segment = this.#segments[index] as Segment;
      if (segment.live === 0) this.#retire(index, segment);
    }
    return count;
  }

  /**
   * The end of the log: the store forgets it and nothing is appended any more. Records that are delivered and not
   * settled stay readable until they are, and the memory goes with the last of them.
   */
  forget(): void {
    if (this.#stored) this.#environment.store.dropLog(this.id);
    this.#stored = false;
    this.#ended = true;
    const tail = this.#tail;
    if (tail?.live === 0) this.#retire(this.#segments.length - 1, tail);
  }

  /** Tells the store what changed since the last batch. Records settled in the meantime are left out. */
  collect(sink: BatchSink): void {
    // Forgotten since it enlisted.
    if (!this.#stored) return;
    const settled = this.#settled;
    this.#collectRecords(sink, settled);
    settled?.forEachRange((first, last) => {
      if (first < this.#collectedUpTo) sink.settle(this.id, first, Math.min(last, this.#collectedUpTo - 1));
    });
    settled?.clear();
    this.#collectedUpTo = this.#nextPosition;
    const delivered = this.cursorPosition;
    if (delivered > this.#deliveredUpTo) {
      this.#deliveredUpTo = delivered;
      sink.markDelivered(this.id, delivered);
    }
  }

  #collectRecords(sink: BatchSink, settled: PositionSet | undefined): void {
    const reader = this.#scratch;
    for (let i = this.#segmentOf(this.#collectedUpTo); i < this.#segments.length; i++) {
      const segment = this.#segments[i] as Segment;
      if (segment.persistentCount === 0 || segment.lastPosition < this.#collectedUpTo) continue;
      for (let index = segment.indexOf(this.#collectedUpTo); index < segment.count; index++) {
        segment.readAt(segment.offsetOf(index), reader);
        if ((reader.flags & RecordFlag.Persistent) === 0 || settled?.has(reader.position) === true) continue;
        if (reader.sharedBodyId !== 0) {
          sink.putBody(reader.sharedBodyId, this.#environment.bodies.get(reader.sharedBodyId));
        }
        sink.append(this.id, reader.position, reader.bytes, reader.start, reader.end);
      }
    }
  }

  #enlist(): void {
    if (!this.enlisted) this.#environment.store.enlist(this);
  }

  #noteSettled(first: number, last: number): void {
    this.#settled ??= new PositionSet();
    this.#settled.addRange(first, last);
    this.#enlist();
  }

  #openSegment(length: number): Segment {
    const tail = this.#tail;
    if (tail !== undefined) this.#size = Math.min(this.#size * 2, LARGEST_SEGMENT_BYTES);
    const size = Math.max(this.#size, length);
    const segment = new Segment(this.#environment.segments.allocate(size), this.#nextPosition);
    this.#segments.push(segment);
    this.#tail = segment;
    if (tail !== undefined && tail.live === 0) this.#remove(this.#segments.length - 2, tail);
    if (this.unread === 0) this.#skipToEnd();
    return segment;
  }

  /**
   * Segment `index` has no live record left. A small tail is kept for what comes next; a large one goes back to the
   * pool, so that a queue that was busy once does not hold on to it.
   */
  #retire(index: number, segment: Segment): void {
    if (segment !== this.#tail) this.#remove(index, segment);
    else if (this.#ended || segment.bytes.length > KEPT_TAIL_BYTES) {
      // The next one is as large for a log that used it, and half as large for one that did not.
      if (segment.written * 4 < this.#size) this.#size = Math.max(this.#size / 2, SMALLEST_SEGMENT_BYTES);
      this.#tail = undefined;
      this.#remove(index, segment);
      this.#skipToEnd();
    } else {
      segment.reset(this.#nextPosition);
      this.#skipToEnd();
    }
  }

  #remove(index: number, segment: Segment): void {
    if (index === 0) this.#segments.shift();
    else this.#segments.splice(index, 1);
    if (index < this.#cursorSegment) this.#cursorSegment--;
    else if (index === this.#cursorSegment) {
      this.#cursorOffset = 0;
      this.#cursorIndex = 0;
    }
    this.#environment.segments.release(segment.bytes);
  }

  /** Puts the cursor behind the last record; only when nothing is unread. */
  #skipToEnd(): void {
    this.#cursorSegment = Math.max(this.#segments.length - 1, 0);
    const last = this.#segments[this.#cursorSegment];
    this.#cursorOffset = last?.written ?? 0;
    this.#cursorIndex = last?.count ?? 0;
  }

  /** Index of the segment that holds `position`; of the first one behind it when none does. */
  #segmentOf(position: number): number {
    const segments = this.#segments;
    const first = segments[0];
    if (first === undefined || position <= first.lastPosition) return 0;
    let low = 1;
    let high = segments.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((segments[middle] as Segment).lastPosition < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #releaseBodies(segment: Segment, first: number, last: number): void {
    const reader = this.#scratch;
    for (let index = segment.indexOf(first); index < segment.count; index++) {
      segment.readAt(segment.offsetOf(index), reader);
      if (reader.position > last) return;
      if (reader.sharedBodyId !== 0) this.#environment.bodies.release(reader.sharedBodyId);
    }
  }
}
