/**
 * Keeps memory within the limit: tells the pager how much segments may take, asks for a collection when freed buffers
 * wait for one, and raises the memory alarm when neither was enough.
 *
 * Two things hide how much is in use. Buffers that nobody refers to stay until a collection. And malloc keeps what was
 * freed below a block in use: 1 GB of released 256 KiB segments stayed in RssAnon for good, to be used again by later
 * ones. Such memory must not count as used, or the alarm would never end. It is estimated from what buffers gave back
 * since their peak.
 */
import type { Clock, Timer } from '../clock.js';
import type { Logger } from '../logger.js';
import type { Alarms } from '../session/shared/flow-control.js';
import type { MemorySample } from './process-memory.js';

/** What pages messages out: the segments of all queues. */
export interface PagingBudget {
  /** Segments in memory. */
  readonly residentBytes: number;
  /** Freed segments kept for the next ones. */
  readonly reusableBytes: number;
  /** Reserved for segments and never used: it counts among the buffers, and takes no memory yet. */
  readonly reservedBytes: number;
  /** Of segments, given up so far: a collection gives them back to the system. */
  readonly droppedBytes: number;
  /** How much of segments may stay in memory. */
  budgetBytes: number;
}

export interface MemoryMonitorOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly alarms: Alarms;
  readonly paging: PagingBudget;
  readonly limitBytes: number;
  readonly sample: () => MemorySample;
  /** One full collection; its effect may come a little later. */
  readonly collectGarbage: () => void;
}

const SAMPLE_INTERVAL_MS = 100;
const LEAST_BUDGET_BYTES = 16 * 1024 * 1024;
/** Of the limit: from here on messages are paged out. */
const PAGING_SHARE = 0.75;
/** Of the limit: below this the alarm is over. */
const CLEAR_SHARE = 0.95;
/** Of the limit: what heap and buffers besides segments must have grown by for a collection to be worth its pause. */
const GROWTH_SHARE = 0.05;
const COLLECTION_INTERVAL_MS = 2000;
/** Given up memory that is worth a collection, so that the process shrinks again after a burst. */
const DROPPED_BYTES = 64 * 1024 * 1024;

export class MemoryMonitor {
  /** Bytes in use by the last sample: anonymous memory without what malloc keeps. */
  usedBytes = 0;
  readonly #options: MemoryMonitorOptions;
  #limitBytes: number;
  #timer: Timer | undefined;
  #isRaised = false;
  /** Anonymous memory that is neither heap nor buffers, at its lowest. */
  #nativeBytes = Number.POSITIVE_INFINITY;
  #bufferPeakBytes = 0;
  #collectedAt = Number.NEGATIVE_INFINITY;
  /** Heap and buffers besides segments, at their lowest since the last collection: so much of them was alive. */
  #liveBytes = Number.POSITIVE_INFINITY;
  #droppedBefore = 0;

  constructor(options: MemoryMonitorOptions) {
    this.#options = options;
    this.#limitBytes = options.limitBytes;
  }

  get limitBytes(): number {
    return this.#limitBytes;
  }

  /** Takes effect with the next sample. */
  set limitBytes(bytes: number) {
    this.#limitBytes = bytes;
  }

  start(): void {
    this.#timer ??= this.#options.clock.every(SAMPLE_INTERVAL_MS, () => this.#look());
    this.#look();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #look(): void {
    const sample = this.#options.sample();
    this.usedBytes = sample.anonymousBytes - this.#keptByMalloc(sample);
    const { paging } = this.#options;
    const segmentBytes = paging.residentBytes + paging.reusableBytes;
    const othersBytes = Math.max(0, this.usedBytes - segmentBytes);
    paging.budgetBytes = Math.max(LEAST_BUDGET_BYTES, PAGING_SHARE * this.#limitBytes - othersBytes);
    const otherBuffers = sample.bufferBytes - segmentBytes - paging.reservedBytes;
    const collected = this.#collectIfWorthwhile(sample.heapBytes + otherBuffers);
    this.#updateAlarm(collected);
  }

  #keptByMalloc({ anonymousBytes, heapBytes, bufferBytes }: MemorySample): number {
    const unaccountedBytes = anonymousBytes - heapBytes - bufferBytes;
    this.#nativeBytes = Math.max(0, Math.min(this.#nativeBytes, unaccountedBytes));
    const freedBytes = Math.max(0, this.#bufferPeakBytes - bufferBytes);
    const keptBytes = Math.max(0, Math.min(unaccountedBytes - this.#nativeBytes, freedBytes));
    // The rest of what was freed has gone back to the system.
    this.#bufferPeakBytes = bufferBytes + keptBytes;
    return keptBytes;
  }

  /** A collection that frees nothing is not repeated: what is left then counts as alive. */
  #collectIfWorthwhile(collectableBytes: number): boolean {
    this.#liveBytes = Math.min(this.#liveBytes, collectableBytes);
    const { clock, collectGarbage, paging } = this.#options;
    const isUsed = this.usedBytes > PAGING_SHARE * this.#limitBytes;
    const hasGrown = collectableBytes - this.#liveBytes >= GROWTH_SHARE * this.#limitBytes;
    const hasDropped = paging.droppedBytes - this.#droppedBefore >= DROPPED_BYTES;
    if (!(isUsed && hasGrown) && !hasDropped) return false;
    const now = clock.monotonicTime();
    if (now - this.#collectedAt < COLLECTION_INTERVAL_MS) return false;
    this.#collectedAt = now;
    this.#droppedBefore = paging.droppedBytes;
    this.#liveBytes = Number.POSITIVE_INFINITY;
    collectGarbage();
    return isUsed;
  }

  /** A collection just asked for gets until the next sample to show its effect. */
  #updateAlarm(collected: boolean): void {
    const { alarms, log } = this.#options;
    const fields = { source: 'memory', usedBytes: this.usedBytes, limitBytes: this.#limitBytes };
    if (!this.#isRaised && this.usedBytes >= this.#limitBytes && !collected) {
      this.#isRaised = true;
      log.warn(fields, 'resource alarm raised: publishers are blocked');
      alarms.raise('memory', 'monitor');
    } else if (this.#isRaised && this.usedBytes < CLEAR_SHARE * this.#limitBytes) {
      this.#isRaised = false;
      log.info(fields, 'resource alarm cleared');
      alarms.clear('memory', 'monitor');
    }
  }
}
