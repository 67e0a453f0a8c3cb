/**
 * The messages of a stream: records that stay after they were delivered, read by any number of cursors, each wherever it
 * likes. Only retention removes records, whole segments from the front. What the store has leaves memory and is read
 * again segment by segment, and cursors in one segment share it; so memory is bounded by the latest segments and those
 * that are being read.
 */
import type { CommitId } from '../ports/message-store.js';
import type { StreamFilter } from '../stream-subscription.js';
import { FilterSummary } from './filter-summary.js';
import { PREFETCH_FROM, PREFETCHED, READ_AHEAD } from './log-cursor.js';
import type { LogEnvironment } from './log-environment.js';
import type { PageableLog } from './pager.js';
import { RecordReader, type RecordSource } from './record.js';
import { recordLength, Segment } from './segment.js';
import type { PagedLog } from './segment-pages.js';
import { LARGEST_SEGMENT_BYTES, SMALLEST_SEGMENT_BYTES } from './segment-pool.js';
import { type ChangingLog, StoredChanges } from './stored-changes.js';
import { RetainedSegment, type StreamCursor, StreamPart } from './stream-part.js';

/** Segments that stay in memory beside those that are being read: 16 MiB. */
const SEGMENTS_KEPT = 64;
/** Segments given up at once. */
const MOST_COOLED = 4;
/** Segments that are read at once only to learn that a filter wants nothing of them. */
const MOST_SUMMARISED = 4;

/** Finds the filter value of a record. */
export type FilterValueOf = (bytes: Uint8Array, propertiesStart: number, propertiesEnd: number) => string | undefined;

/** What its settings ask of a stream. Whole segments are kept, and the last one always. */
export interface StreamLimits {
  readonly maxLengthBytes: number | undefined;
  readonly maxAgeMs: number | undefined;
  /** One that has as much is full. */
  readonly maxSegmentBytes: number;
  readonly filterSizeBytes: number;
}

export class StreamLog implements ChangingLog, PagedLog, PageableLog {
  readonly id: number;
  pagerIndex = -1;
  /** Delivery leaves no trace in a stream. */
  readonly cursorPosition = 0;
  /** Cursors that were moved of late: each may keep a segment in memory. */
  movingCursors = 0;
  readonly #filterValueOf: FilterValueOf;
  readonly #environment: LogEnvironment;
  /** Undefined unless the log is stored. */
  readonly #changes: StoredChanges | undefined;
  #parts: StreamPart[] = [];
  /** Parts that retention removed. */
  #removedParts = 0;
  #retained: RetainedSegment[] = [];
  /** Of all records. */
  #sizeBytes = 0;
  #limits: StreamLimits;
  #tail: StreamPart | undefined;
  /** In memory, the least recently entered first. */
  readonly #hot = new Set<StreamPart>();
  #size = SMALLEST_SEGMENT_BYTES;
  #firstPosition = 1;
  #nextPosition = 1;
  /** Where the records begin that came in the same turn as the last one; 0: not known. */
  #chunkPosition = 0;
  #chunkTime = 0;
  readonly #record = new RecordReader();

  constructor(id: number, environment: LogEnvironment, limits: StreamLimits, filterValueOf: FilterValueOf) {
    this.id = id;
    this.#limits = limits;
    this.#filterValueOf = filterValueOf;
    this.#environment = environment;
    if (environment.store.keepsMessages) this.#changes = new StoredChanges(this, environment);
  }

  get firstPosition(): number {
    return this.#firstPosition;
  }

  get nextPosition(): number {
    return this.#nextPosition;
  }

  /** Records below it are as durable as they will be: only these may be shown, lest an offset names two messages. */
  get durableEnd(): number {
    return this.#changes?.durableUpTo ?? this.#nextPosition;
  }

  get pendingCommit(): CommitId {
    return this.#changes?.enlisted === true ? this.#environment.store.openBatch : 0;
  }

  /** Segments in memory. */
  get hotCount(): number {
    return this.#hot.size;
  }

  *segmentsFrom(position: number): Iterable<Segment> {
    for (let index = this.#indexOf(position); index < this.#parts.length; index++) {
      yield (this.#parts[index] as StreamPart).segment;
    }
  }

  /** `source` is persistent and has its body itself. Returns the commit that makes it durable. */
  append(source: RecordSource): CommitId {
    const length = recordLength(source);
    const time = this.#environment.clock.coarseWallTime;
    const position = this.#nextPosition++;
    const part = this.#partFor(length, position, time);
    part.segment.append(position, source, length, time);
    const value = this.#filterValueOf(source.properties, source.propertiesStart, source.propertiesEnd);
    part.summary?.add(value, this.#limits.filterSizeBytes);
    const retained = this.#retained[this.#retained.length - 1] as RetainedSegment;
    retained.sizeBytes += length;
    this.#sizeBytes += length;
    retained.lastEnqueuedAt = time;
    if (time !== this.#chunkTime || this.#chunkPosition === 0) {
      this.#chunkTime = time;
      this.#chunkPosition = position;
    }
    const changes = this.#changes;
    if (changes === undefined) return 0;
    changes.enlist();
    return this.#environment.store.openBatch;
  }

  /** Takes back what the store kept, without reading it. Only for a log that is still empty. */
  restore(): void {
    const kept = this.#environment.store.recover(this.id);
    if (kept === undefined) return;
    let retained: RetainedSegment | undefined;
    let part: StreamPart | undefined;
    for (const run of kept.runs) {
      if (this.#parts.length === 0) this.#firstPosition = run.lastPosition - run.live + 1;
      const rolls = retained === undefined || retained.sizeBytes + run.sizeBytes > this.#limits.maxSegmentBytes;
      if (rolls) {
        retained = new RetainedSegment(this.#parts.length);
        this.#retained.push(retained);
      }
      if (retained !== undefined) retained.sizeBytes += run.sizeBytes;
      this.#sizeBytes += run.sizeBytes;
      if (!rolls && part?.segment.join(run, LARGEST_SEGMENT_BYTES) === true) continue;
      part = new StreamPart(Segment.ofStored(run), run.firstEnqueuedAt, undefined);
      this.#parts.push(part);
    }
    this.#nextPosition = kept.nextPosition;
    if (this.#parts.length === 0) this.#firstPosition = kept.nextPosition;
    this.#changes?.resume(kept.nextPosition, kept.deliveredUpTo);
  }

  /**
   * Moves `reader` to the record at the cursor, or the next that `filter` may want. False when none is below `end`, or,
   * with the cursor still below it, when finding one takes more reading than one turn allows.
   */
  readNext(cursor: StreamCursor, reader: RecordReader, end: number, filter?: StreamFilter): boolean {
    if (cursor.position >= end) return false;
    let segment = cursor.part?.segment;
    if (segment === undefined || cursor.index >= segment.count) {
      if (!this.#enter(cursor, end, filter)) return false;
      segment = (cursor.part as StreamPart).segment;
    }
    cursor.offset = segment.readAt(cursor.offset, reader);
    cursor.index++;
    cursor.position = reader.position + 1;
    reader.redelivered = false;
    return true;
  }

  /** Position of the first record that came at `timeMs` or later; of the next one when none did. */
  positionAt(timeMs: number): number {
    let low = 0;
    let high = this.#parts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#parts[middle] as StreamPart).firstEnqueuedAt < timeMs) low = middle + 1;
      else high = middle;
    }
    // It is in the part before, unless that ends earlier.
    const before = this.#parts[low - 1];
    if (before === undefined) return this.#firstPosition;
    const { segment } = this.#heat(before);
    const record = this.#record;
    for (let index = 0; index < segment.count; index++) {
      segment.readAt(segment.offsetOf(index), record);
      if (record.enqueuedAt >= timeMs) return record.position;
    }
    return segment.lastPosition + 1;
  }

  /** Where the last chunk begins: the records that came in the same turn as the last one. */
  get lastChunkPosition(): number {
    const last = this.#parts[this.#parts.length - 1];
    if (last === undefined) return this.#nextPosition;
    if (this.#chunkPosition === 0) {
      this.#chunkTime = this.#lastTimeOf(last);
      this.#chunkPosition = this.positionAt(this.#chunkTime);
    }
    return Math.max(this.#chunkPosition, this.#firstPosition);
  }

  limit(limits: StreamLimits): void {
    this.#limits = limits;
    this.retain();
  }

  /** Removes the segments above the limits, but never the last. */
  retain(): void {
    const { maxLengthBytes = Number.POSITIVE_INFINITY, maxAgeMs } = this.#limits;
    while (this.#retained.length > 1) {
      if (this.#sizeBytes <= maxLengthBytes && (maxAgeMs === undefined || !this.#isFirstOlderThan(maxAgeMs))) return;
      this.#removeFirst();
    }
  }

  /** The end of the log: the store forgets it, and so does memory. */
  forget(): void {
    this.#changes?.end();
    for (const { segment } of this.#parts) this.#environment.pager.pages.retire(segment);
    this.#firstPosition = this.#nextPosition;
    this.#parts = [];
    this.#retained = [];
    this.#tail = undefined;
    this.#hot.clear();
    this.#environment.pager.unregister(this);
  }

  // --- paging

  pageOut(hardPressed: boolean): number {
    const { pager } = this.#environment;
    for (const part of this.#hot) {
      const { segment } = part;
      const { length } = segment.bytes;
      if (segment.writing || segment.count === 0 || (part === this.#tail && !hardPressed)) continue;
      if (this.#isElsewhere(segment)) this.#cool(part);
      else if (this.#changes === undefined && pager.writer.ready) pager.pages.write(this, segment, pager.writer);
      else continue;
      if (part === this.#tail) this.#tail = undefined;
      return length;
    }
    return 0;
  }

  written(segment: Segment): void {
    const part = this.#parts[this.#indexOf(segment.firstPosition)];
    if (part?.segment === segment) this.#cool(part);
  }

  loaded(segment: Segment): void {
    const part = this.#parts[this.#indexOf(segment.firstPosition)];
    if (part?.segment === segment) this.#noteHot(part);
  }

  /** Whether its bytes are to be had outside memory. */
  #isElsewhere(segment: Segment): boolean {
    if (segment.page !== undefined || segment.inStore) return true;
    const changes = this.#changes;
    segment.inStore = changes !== undefined && segment.lastPosition < changes.durableUpTo;
    return segment.inStore;
  }

  #cool(part: StreamPart): void {
    this.#environment.pager.pages.cool(part.segment);
    this.#hot.delete(part);
  }

  #heat(part: StreamPart): StreamPart {
    if (part.segment.hot) return part;
    this.#environment.pager.pages.load(this.id, part.segment);
    this.#noteHot(part);
    return part;
  }

  #noteHot(part: StreamPart): void {
    const { pager } = this.#environment;
    this.#hot.add(part);
    if (this.pagerIndex < 0) pager.register(this);
    pager.segmentOpened();
    this.#coolOldest();
  }

  /** What is on disk is cheaper to read again than to keep. */
  #coolOldest(): void {
    let left = Math.min(this.#hot.size - SEGMENTS_KEPT - this.movingCursors, MOST_COOLED);
    if (left <= 0 || this.#changes === undefined) return;
    for (const part of this.#hot) {
      if (left-- === 0) return;
      if (part !== this.#tail && this.#isElsewhere(part.segment)) this.#cool(part);
    }
  }

  // --- inside

  /** Moves the cursor to its record, or to the next that `filter` may want, and has that in memory. */
  #enter(cursor: StreamCursor, end: number, filter: StreamFilter | undefined): boolean {
    if (cursor.position < this.#firstPosition) cursor.position = this.#firstPosition;
    let summarised = 0;
    for (let index = this.#indexNear(cursor); cursor.position < end; index++) {
      const part = this.#parts[index];
      if (part === undefined) return false;
      if (filter !== undefined && part.summary === undefined && summarised++ === MOST_SUMMARISED) return false;
      if (filter !== undefined && !this.#mayMatch(part, filter)) {
        cursor.position = part.segment.lastPosition + 1;
        continue;
      }
      const { segment } = this.#heat(part);
      this.#hot.delete(part);
      this.#hot.add(part);
      cursor.part = part;
      cursor.partNumber = index + this.#removedParts;
      cursor.index = segment.indexOf(cursor.position);
      cursor.offset = cursor.index < segment.count ? segment.offsetOf(cursor.index) : segment.written;
      this.#readAhead(index);
      return cursor.index < segment.count;
    }
    return false;
  }

  #mayMatch(part: StreamPart, filter: StreamFilter): boolean {
    if (part.summary === undefined) part.summary = this.#summarise(this.#heat(part).segment);
    return part.summary.mayMatch(filter);
  }

  #summarise(segment: Segment): FilterSummary {
    const { filterSizeBytes } = this.#limits;
    const summary = new FilterSummary();
    const record = this.#record;
    for (let index = 0; index < segment.count; index++) {
      segment.readAt(segment.offsetOf(index), record);
      summary.add(this.#filterValueOf(record.bytes, record.propertiesStart, record.propertiesEnd), filterSizeBytes);
    }
    return summary;
  }

  #readAhead(index: number): void {
    const { pager } = this.#environment;
    if (pager.hardPressed) return;
    for (let ahead = 1; ahead <= READ_AHEAD; ahead++) {
      const next = this.#parts[index + ahead]?.segment;
      if (next?.hot === false) pager.pages.readAhead(this, next);
    }
    const far = index + PREFETCH_FROM;
    if (this.#parts[far]?.segment.hot !== false) return;
    const neighbours = this.#parts.slice(far, far + PREFETCHED).map(({ segment }) => segment);
    pager.pages.prefetch(this.id, neighbours);
  }

  /** Index of the part that the cursor's record is in. */
  #indexNear(cursor: StreamCursor): number {
    const index = cursor.partNumber - this.#removedParts;
    if (this.#parts[index]?.holds(cursor.position) === true) return index;
    return this.#parts[index + 1]?.holds(cursor.position) === true ? index + 1 : this.#indexOf(cursor.position);
  }

  /** Index of the first part that ends at `position` or later. */
  #indexOf(position: number): number {
    let low = 0;
    let high = this.#parts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#parts[middle] as StreamPart).segment.lastPosition < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #partFor(length: number, position: number, time: number): StreamPart {
    const retained = this.#retained[this.#retained.length - 1];
    const rolls = retained === undefined || retained.sizeBytes >= this.#limits.maxSegmentBytes;
    if (!rolls && this.#tail !== undefined && this.#tail.segment.room >= length) return this.#tail;
    if (rolls) this.#retained.push(new RetainedSegment(this.#removedParts + this.#parts.length));
    const part = new StreamPart(this.#newSegment(length, position), time, new FilterSummary());
    this.#parts.push(part);
    this.#tail = part;
    this.#noteHot(part);
    if (rolls) this.retain();
    return part;
  }

  #newSegment(length: number, position: number): Segment {
    const { pager, segments } = this.#environment;
    if (this.#tail !== undefined) this.#size = Math.min(this.#size * 2, pager.largestSegmentBytes);
    let size = this.#size;
    // Those of a stream with tiny segments are no larger than these.
    while (size / 2 >= this.#limits.maxSegmentBytes && size > SMALLEST_SEGMENT_BYTES) size /= 2;
    return new Segment(segments.allocate(Math.max(size, length)), position);
  }

  #removeFirst(): void {
    this.#sizeBytes -= this.#retained.shift()?.sizeBytes ?? 0;
    const second = this.#retained[0] as RetainedSegment;
    const removed = this.#parts.splice(0, second.firstPart - this.#removedParts);
    this.#removedParts = second.firstPart;
    const first = this.#firstPosition;
    this.#firstPosition = (this.#parts[0] as StreamPart).segment.firstPosition;
    for (const part of removed) {
      this.#hot.delete(part);
      this.#environment.pager.pages.retire(part.segment);
    }
    this.#changes?.noteSettled(first, this.#firstPosition - 1);
  }

  /** Whether its last record is; reads that of a segment that was restored. */
  #isFirstOlderThan(ageMs: number): boolean {
    const [first, second] = this.#retained;
    if (first === undefined || second === undefined) return false;
    first.lastEnqueuedAt ??= this.#lastTimeOf(this.#parts[second.firstPart - this.#removedParts - 1] as StreamPart);
    return first.lastEnqueuedAt < this.#environment.clock.wallTime() - ageMs;
  }

  #lastTimeOf(part: StreamPart): number {
    const { segment } = this.#heat(part);
    segment.readAt(segment.offsetOf(segment.count - 1), this.#record);
    return this.#record.enqueuedAt;
  }
}
