/**
 * What a stream log knows of each of its segments in memory, hot or cold; and of a segment in RabbitMQ's sense, a
 * neighbourhood of those that retention removes together.
 */
import type { FilterSummary } from './filter-summary.js';
import type { Segment } from './segment.js';

export class StreamPart {
  readonly segment: Segment;
  readonly firstEnqueuedAt: number;
  /** Undefined: not known, because nobody has read it since the broker started. */
  summary: FilterSummary | undefined;

  constructor(segment: Segment, firstEnqueuedAt: number, summary: FilterSummary | undefined) {
    this.segment = segment;
    this.firstEnqueuedAt = firstEnqueuedAt;
    this.summary = summary;
  }

  holds(position: number): boolean {
    return position >= this.segment.firstPosition && position <= this.segment.lastPosition;
  }
}

export class RetainedSegment {
  /** Number of its first part, counted from the first that the log ever had. */
  readonly firstPart: number;
  sizeBytes = 0;
  /** Of its last record; undefined: not known. */
  lastEnqueuedAt: number | undefined;

  constructor(firstPart: number) {
    this.firstPart = firstPart;
  }
}

/** Where one consumer is. It may be anywhere, also where nothing is any more or not yet. */
export class StreamCursor {
  /** Of the next record. */
  position: number;
  /** Where the record before was; the cursor is looked up anew when that left memory. */
  part: StreamPart | undefined;
  /** Counted as in `RetainedSegment`. */
  partNumber = 0;
  index = 0;
  offset = 0;

  constructor(position: number) {
    this.position = position;
  }
}
