/**
 * Which segment of a log leaves memory next: the newest of those that are not about to be used. A log has one of these
 * from the first time that it is paged.
 */
import type { Clock } from '../../clock.js';
import { HotSegments } from './hot-segments.js';
import type { Segment } from './segment.js';
import type { StoredChanges } from './stored-changes.js';

/** A log that was not used for so long is idle. */
const IDLE_AFTER_MS = 1000;

/** How the log stands. */
export interface LogState {
  /** Grows with every append and every read. */
  readonly use: number;
  readonly tail: Segment | undefined;
  readonly changes: StoredChanges | undefined;
  /** There is a scratch store, and it can take more. */
  readonly canWrite: boolean;
  isNearCursor(segment: Segment): boolean;
}

export class LogPaging {
  readonly hot: HotSegments;
  readonly #clock: Clock;
  #seenUse = -1;
  #seenAt = 0;

  constructor(segments: readonly Segment[], clock: Clock) {
    this.hot = new HotSegments(segments);
    this.#clock = clock;
  }

  /** Hard pressed, the end of an idle log and what is near its cursor may go as well. */
  choose(log: LogState, hardPressed: boolean): Segment | undefined {
    const inUse = !hardPressed || !this.#isIdle(log.use);
    return this.hot.newest((segment) => {
      if (segment.writing || segment.count === 0) return false;
      if (inUse && (segment === log.tail || log.isNearCursor(segment))) return false;
      return segment.page !== undefined || isInStore(segment, log.changes) || (isSafe(segment, log) && log.canWrite);
    });
  }

  /** What can go for nothing, because the store has it. */
  chooseStored(log: LogState): Segment | undefined {
    return this.hot.newest((segment) => {
      if (segment.writing || segment.count === 0 || segment === log.tail) return false;
      return isInStore(segment, log.changes) && !log.isNearCursor(segment);
    });
  }

  #isIdle(use: number): boolean {
    const now = this.#clock.coarseWallTime;
    if (use === this.#seenUse) return now - this.#seenAt >= IDLE_AFTER_MS;
    this.#seenUse = use;
    this.#seenAt = now;
    return false;
  }
}

/** Whether the store has every live record of `segment`; notes it if so. */
function isInStore(segment: Segment, changes: StoredChanges | undefined): boolean {
  if (segment.inStore) return true;
  if (changes === undefined || segment.persistentCount < segment.count) return false;
  segment.inStore = segment.lastPosition < changes.durableUpTo;
  return segment.inStore;
}

/** Whether nothing in `segment` waits for a batch. */
function isSafe(segment: Segment, { changes }: LogState): boolean {
  return changes === undefined || segment.persistentCount === 0 || segment.lastPosition < changes.durableUpTo;
}
