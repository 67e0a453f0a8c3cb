/**
 * The messages of one queue as a log of segments with a delivery cursor. A message is a position here, not an object.
 * Records before the cursor were delivered and wait to be settled (or were returned: the queue keeps those positions);
 * records behind it are unread. A segment goes when all its records are settled. Segments that memory has no room for,
 * and those that were recovered, are cold until they are read.
 */
import type { CommitId } from '../ports/message-store.js';
import { LogCursor, PREFETCH_FROM, PREFETCHED, READ_AHEAD } from './log-cursor.js';
import type { LogEnvironment } from './log-environment.js';
import { LogPaging, type LogState } from './log-paging.js';
import type { PageableLog } from './pager.js';
import { RecordReader, type RecordSource } from './record.js';
import { recordLength, Segment } from './segment.js';
import type { PagedLog } from './segment-pages.js';
import { LARGEST_SEGMENT_BYTES, SMALLEST_SEGMENT_BYTES } from './segment-pool.js';
import { releaseBodies, releaseLiveBodies, segmentIndexOf } from './segment-search.js';
import { type ChangingLog, StoredChanges } from './stored-changes.js';

export type { LogEnvironment } from './log-environment.js';

/** An empty log keeps a tail up to this size. */
const KEPT_TAIL_BYTES = 4096;
/** A log is worth paging when it has more segments than this, or one as large as that. */
const UNPAGED_SEGMENTS = 4;
const PAGED_SEGMENT_BYTES = 64 * 1024;
/**
 * Of a stored log, whatever the budget: 16 MiB. Memory that is used again costs neither fresh pages nor the collections
 * that V8 starts for every 64 MiB of buffers: publishing 1 KiB takes 2.4 to 3.1 µs with this, 4.1 to 4.3 without.
 */
const STORED_SEGMENTS_KEPT = 64;

export class MessageLog implements ChangingLog, LogState, PagedLog, PageableLog {
  readonly id: number;
  pagerIndex = -1;
  /** Records behind the cursor. */
  unread = 0;
  /** When the first record that `restore` took back expires; 0 when none does. */
  restoredExpiry = 0;
  readonly #environment: LogEnvironment;
  /** Undefined unless the log is stored. */
  #changes: StoredChanges | undefined;
  #ended = false;
  readonly #segments: Segment[] = [];
  #tail: Segment | undefined;
  #paging: LogPaging | undefined;
  /** Bytes of the latest segment, unless one record needed more. */
  #size = SMALLEST_SEGMENT_BYTES;
  #nextPosition = 1;
  readonly #cursor = new LogCursor(this.#segments);
  readonly #record = new RecordReader();

  /** A log is stored when it belongs to a durable queue and the store keeps messages at all. */
  constructor(id: number, environment: LogEnvironment, durable: boolean) {
    this.id = id;
    this.#environment = environment;
    if (durable && environment.store.keepsMessages) this.#changes = new StoredChanges(this, environment);
  }

  get nextPosition(): number {
    return this.#nextPosition;
  }

  /** Position of the next record behind the cursor, or one before it that no record has. */
  get cursorPosition(): number {
    return this.unread === 0 ? this.#nextPosition : this.#cursor.position(this.#record);
  }

  /** The commit that the latest changes wait for; 0 when none has to be written. */
  get pendingCommit(): CommitId {
    return this.#changes?.enlisted === true ? this.#environment.store.openBatch : 0;
  }

  get segmentCount(): number {
    return this.#segments.length;
  }

  *segmentsFrom(position: number): Iterable<Segment> {
    const from = segmentIndexOf(this.#segments, position);
    for (let i = from; i < this.#segments.length; i++) yield this.#segments[i] as Segment;
  }

  /** Appends a record and returns the commit that makes it durable; 0 when nothing has to be written. */
  append(source: RecordSource): CommitId {
    const length = recordLength(source);
    let tail = this.#tail;
    if (tail === undefined || tail.room < length) tail = this.#openSegment(length);
    tail.append(this.#nextPosition++, source, length, this.#environment.clock.coarseWallTime);
    this.unread++;
    if (source.sharedBodyId !== 0) {
      this.#environment.bodies.addReference(source.sharedBodyId);
      this.#environment.pager.noteGrowth();
    }
    const changes = this.#changes;
    if (changes === undefined || !source.persistent) return 0;
    changes.enlist();
    return this.#environment.store.openBatch;
  }

  /** Takes back what the store kept, without reading it. Only for a log that is still empty. */
  restore(): void {
    const kept = this.#environment.store.recover(this.id);
    if (kept === undefined) return;
    let last: Segment | undefined;
    for (const run of kept.runs) {
      this.unread += run.live;
      const expiry = run.earliestExpiry;
      if (expiry !== 0 && (this.restoredExpiry === 0 || expiry < this.restoredExpiry)) this.restoredExpiry = expiry;
      if (last?.join(run, LARGEST_SEGMENT_BYTES) === true) continue;
      last = Segment.ofStored(run);
      this.#segments.push(last);
    }
    this.#nextPosition = kept.nextPosition;
    this.#changes?.resume(kept.nextPosition, kept.deliveredUpTo);
  }

  /** Moves `reader` to the record at the cursor and the cursor behind it; false when there is none. */
  readNext(reader: RecordReader): boolean {
    if (this.unread === 0) return false;
    const cursor = this.#cursor;
    let segment = this.#segments[cursor.segment] as Segment;
    if (cursor.index === segment.count) segment = this.#enterSegment(segment);
    const next = segment.readAt(cursor.offset, reader);
    if (reader.sharedBodyId !== 0) this.#readBody(reader);
    cursor.offset = next;
    cursor.index++;
    this.unread--;
    const changes = this.#changes;
    if (changes === undefined) reader.redelivered = false;
    else {
      reader.redelivered = reader.position < changes.deliveredUpTo;
      if (segment.persistentCount > 0) changes.enlist();
    }
    return true;
  }

  /** Moves `reader`, but for a shared body, to the record at the cursor and leaves the cursor there. */
  peekNext(reader: RecordReader): boolean {
    if (this.unread === 0) return false;
    const cursor = this.#cursor;
    let segment = this.#segments[cursor.segment] as Segment;
    if (cursor.index === segment.count) segment = this.#enterSegment(segment);
    segment.readAt(cursor.offset, reader);
    return true;
  }

  /** Bytes of the body of each record behind the cursor; reads all of them. */
  *unreadBodyBytes(reader: RecordReader): Iterable<number> {
    const cursor = this.#cursor;
    for (let at = cursor.segment; at < this.#segments.length; at++) {
      const segment = this.#segments[at] as Segment;
      if (!segment.hot) this.#load(segment);
      for (let index = at === cursor.segment ? cursor.index : 0; index < segment.count; index++) {
        segment.readAt(segment.offsetOf(index), reader);
        yield reader.bodyEnd - reader.bodyStart;
      }
    }
  }

  /** Moves `reader` to a record that was delivered before, or skipped, and is not settled. */
  readReturned(position: number, reader: RecordReader): void {
    const segment = this.#segments[segmentIndexOf(this.#segments, position)];
    if (segment === undefined) throw new Error(`log ${this.id} holds no position ${position}`);
    if (!segment.hot) this.#load(segment);
    segment.readAt(segment.offsetOf(segment.indexOf(position)), reader);
    reader.redelivered = true;
    if (reader.sharedBodyId !== 0) this.#readBody(reader);
  }

  /** The message at `position`, delivered before or skipped, is done with. */
  settle(position: number): void {
    const index = segmentIndexOf(this.#segments, position);
    const segment = this.#segments[index];
    if (segment === undefined) throw new Error(`log ${this.id} holds no position ${position}`);
    if (segment.sharedBodyCount > 0) {
      if (!segment.hot) this.#load(segment);
      releaseBodies(this.#environment.bodies, segment, position, position, this.#record);
    }
    const changes = this.#changes;
    if (changes !== undefined && segment.persistentCount > 0) changes.noteSettled(position, position);
    if (--segment.live === 0) this.#retire(index, segment);
  }

  /** Moves the cursor behind the last record: whoever does that reads by position. */
  skipUnread(): void {
    this.unread = 0;
    this.#cursor.moveToEnd(this.#nextPosition);
  }

  /** Settles everything behind the cursor and returns how many records that were. */
  settleUnread(): number {
    const count = this.unread;
    if (count === 0) return 0;
    const first = this.cursorPosition;
    const from = this.#cursor.segment;
    let left = count;
    for (let index = this.#segments.length - 1; index >= from; index--) {
      const segment = this.#segments[index] as Segment;
      if (segment.sharedBodyCount > 0) this.#releaseAllBodies(segment, first);
      // Nothing behind the cursor was settled before.
      const unread = index === from ? left : segment.live;
      segment.live -= unread;
      left -= unread;
    }
    this.#changes?.noteSettled(first, this.#nextPosition - 1);
    this.unread = 0;
    this.#cursor.moveToEnd(this.#nextPosition);
    for (let index = this.#segments.length - 1; index >= from; index--) {
      const segment = this.#segments[index] as Segment;
      if (segment.live === 0) this.#retire(index, segment);
    }
    return count;
  }

  /**
   * The end of the log: the store forgets it and nothing is appended any more. Records that are delivered and not
   * settled can still be settled, and the memory goes with the last of them; those that only the store had are gone.
   */
  forget(): void {
    const changes = this.#changes;
    if (changes !== undefined) {
      for (const segment of this.#segments) if (segment.inStore) this.#leaveStore(segment, changes);
      changes.end();
    }
    this.#changes = undefined;
    this.#ended = true;
    const tail = this.#tail;
    if (tail?.live === 0) this.#retire(this.#segments.length - 1, tail);
  }

  // --- paging

  get use(): number {
    return this.#nextPosition + this.cursorPosition;
  }

  get tail(): Segment | undefined {
    return this.#tail;
  }

  get changes(): StoredChanges | undefined {
    return this.#changes;
  }

  get canWrite(): boolean {
    return this.#environment.pager.writer.ready;
  }

  pageOut(hardPressed: boolean): number {
    const { clock, pager } = this.#environment;
    this.#paging ??= new LogPaging(this.#segments, clock);
    const segment = this.#paging.choose(this, hardPressed);
    if (segment === undefined) return 0;
    const { length } = segment.bytes;
    // What comes next goes to another one.
    if (segment === this.#tail) this.#tail = undefined;
    if (segment.inStore || segment.page !== undefined) this.#cool(segment);
    else pager.pages.write(this, segment, pager.writer);
    return length;
  }

  written(segment: Segment): void {
    if (!this.isNearCursor(segment)) this.#cool(segment);
  }

  loaded(segment: Segment): void {
    this.#cursor.loaded(segment);
    this.#paging?.hot.add(segment);
    this.#noteSegment(segment);
  }

  isNearCursor(segment: Segment): boolean {
    return this.#cursor.isNear(segment);
  }

  #cool(segment: Segment): void {
    this.#cursor.cooling(segment, this.cursorPosition);
    this.#environment.pager.pages.cool(segment);
    this.#paging?.hot.delete(segment);
  }

  #load(segment: Segment): void {
    this.#environment.pager.pages.load(this.id, segment);
    this.loaded(segment);
  }

  /** The cursor is at the end of `segment`, or that is cold: returns the segment of the next record, hot. */
  #enterSegment(segment: Segment): Segment {
    const { pager } = this.#environment;
    const cursor = this.#cursor;
    if (cursor.isBehind(segment)) cursor.moveTo(cursor.segment + 1);
    const entered = this.#segments[cursor.segment] as Segment;
    if (!entered.hot) this.#load(entered);
    if (pager.hardPressed) return entered;
    for (let ahead = 1; ahead <= READ_AHEAD; ahead++) {
      const next = this.#segments[cursor.segment + ahead];
      if (next?.hot === false) pager.pages.readAhead(this, next);
    }
    const far = cursor.segment + PREFETCH_FROM;
    if (this.#segments[far]?.hot === false) {
      pager.pages.prefetch(this.id, this.#segments.slice(far, far + PREFETCHED));
    }
    return entered;
  }

  /** The store is about to lose what it has of `segment`. */
  #leaveStore(segment: Segment, changes: StoredChanges): void {
    segment.inStore = false;
    if (segment.hot || segment.page !== undefined || segment.sharedBodyCount === 0) return;
    // Nobody reads these any more, but their bodies may belong to other logs too.
    this.#load(segment);
    const isSettled = (position: number): boolean => changes.isSettled(position);
    releaseLiveBodies(this.#environment.bodies, segment, isSettled, this.#record);
    segment.sharedBodyCount = 0;
    this.#cool(segment);
  }

  // --- inside

  #openSegment(length: number): Segment {
    const tail = this.#tail;
    if (tail !== undefined) this.#size = Math.min(this.#size * 2, this.#environment.pager.largestSegmentBytes);
    const size = Math.max(this.#size, length);
    const segment = new Segment(this.#environment.segments.allocate(size), this.#nextPosition);
    this.#segments.push(segment);
    this.#tail = segment;
    this.#paging?.hot.add(segment);
    if (tail !== undefined && tail.live === 0) this.#remove(this.#segments.length - 2, tail);
    if (this.unread === 0) this.#cursor.moveToEnd(this.#nextPosition);
    this.#noteSegment(segment);
    if (this.#changes !== undefined && this.#segments.length > STORED_SEGMENTS_KEPT) this.#dropStored();
    return segment;
  }

  /** A long log keeps its beginning in memory; what follows and is on disk is cheaper to read again than to keep. */
  #dropStored(): void {
    this.#paging ??= new LogPaging(this.#segments, this.#environment.clock);
    for (let dropped = 0; dropped < 2 && this.#paging.hot.count > STORED_SEGMENTS_KEPT; dropped++) {
      const segment = this.#paging.chooseStored(this);
      if (segment === undefined) return;
      this.#cool(segment);
    }
  }

  /** There is one more in memory. */
  #noteSegment(segment: Segment): void {
    const { pager } = this.#environment;
    const isLarge = segment.bytes.length >= PAGED_SEGMENT_BYTES;
    if (this.pagerIndex < 0 && (isLarge || this.#segments.length > UNPAGED_SEGMENTS)) pager.register(this);
    pager.segmentOpened();
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
      this.#cursor.moveToEnd(this.#nextPosition);
    } else {
      segment.reset(this.#nextPosition);
      this.#cursor.moveToEnd(this.#nextPosition);
    }
  }

  #remove(index: number, segment: Segment): void {
    if (index === 0) this.#segments.shift();
    else this.#segments.splice(index, 1);
    const cursor = this.#cursor;
    if (index < cursor.segment) cursor.segment--;
    else if (index === cursor.segment) cursor.moveTo(index);
    this.#paging?.hot.delete(segment);
    this.#environment.pager.pages.retire(segment);
    if (this.#segments.length > 0 || this.pagerIndex < 0) return;
    this.#environment.pager.unregister(this);
    this.#paging = undefined;
  }

  #readBody(reader: RecordReader): void {
    reader.body = this.#environment.bodies.get(reader.sharedBodyId);
    this.#environment.pager.noteGrowth();
  }

  /** From `first` on. A cold segment is cold again afterwards. */
  #releaseAllBodies(segment: Segment, first: number): void {
    const wasCold = !segment.hot;
    if (wasCold) this.#load(segment);
    releaseBodies(this.#environment.bodies, segment, first, segment.lastPosition, this.#record);
    if (wasCold) this.#cool(segment);
  }
}
