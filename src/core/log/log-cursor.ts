/**
 * How far a log was delivered: a segment, and the number and byte offset of the next record in it. The segment may be
 * cold; then number and offset are 0, as is the segment's count, and `resumesAt` says where the cursor is.
 */
import type { RecordReader } from './record.js';
import type { Segment } from './segment.js';

/** Segments behind the cursor's that are read before it comes to them, and that stay in memory. */
export const READ_AHEAD = 2;
/**
 * So far ahead, and so many at once, the store is asked to have them at hand: 2 to 3 MiB, what a consumer takes in 3 to
 * 5 ms, in which a disk brings it.
 */
export const PREFETCH_FROM = 8;
export const PREFETCHED = 4;

export class LogCursor {
  segment = 0;
  offset = 0;
  index = 0;
  /** A position that is not above the next record's. */
  resumesAt = 0;
  readonly #segments: readonly Segment[];

  constructor(segments: readonly Segment[]) {
    this.#segments = segments;
  }

  /** Of the next record, or one before it that no record has. Only when there is one. Moves `reader`. */
  position(reader: RecordReader): number {
    const segment = this.#segments[this.segment] as Segment;
    if (this.index < segment.count) {
      segment.readAt(this.offset, reader);
      return reader.position;
    }
    if (!this.isBehind(segment)) return Math.max(this.resumesAt, segment.firstPosition);
    return (this.#segments[this.segment + 1] as Segment).firstPosition;
  }

  /** Whether no record of `segment`, the cursor's, is left to read; only when it is cold or read to its end. */
  isBehind(segment: Segment): boolean {
    return segment.hot || this.resumesAt > segment.lastPosition;
  }

  /** Moves to the first record of segment number `segment`. */
  moveTo(segment: number): void {
    this.segment = segment;
    this.offset = 0;
    this.index = 0;
    this.resumesAt = 0;
  }

  /** Moves behind the last record; `nextPosition` is above every record's. */
  moveToEnd(nextPosition: number): void {
    this.segment = Math.max(this.#segments.length - 1, 0);
    const last = this.#segments[this.segment];
    this.offset = last?.hot === true ? last.written : 0;
    this.index = last?.count ?? 0;
    this.resumesAt = nextPosition;
  }

  /** `segment` is about to leave memory; `position` is the cursor's. */
  cooling(segment: Segment, position: number): void {
    if (segment !== this.#segments[this.segment]) return;
    this.offset = 0;
    this.index = 0;
    this.resumesAt = position;
  }

  /** `segment` is in memory again. */
  loaded(segment: Segment): void {
    if (segment !== this.#segments[this.segment]) return;
    this.index = segment.indexOf(this.resumesAt);
    this.offset = this.index < segment.count ? segment.offsetOf(this.index) : segment.written;
  }

  /** Whether the cursor is in `segment` or will be soon. */
  isNear(segment: Segment): boolean {
    const first = this.#segments[this.segment];
    const last = this.#segments[Math.min(this.segment + READ_AHEAD, this.#segments.length - 1)];
    if (first === undefined || last === undefined) return false;
    return segment.firstPosition >= first.firstPosition && segment.lastPosition <= last.lastPosition;
  }
}
