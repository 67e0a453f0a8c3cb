/**
 * Keeps the memory of all logs within a budget. When segments or shared bodies take more, some leave it at the end of
 * the turn: a bounded number, round robin over the logs that have any to give. It never walks over idle queues: a log
 * registers itself when it has grown.
 *
 * At first only what no consumer is near goes. When that is not enough, logs are hard pressed: the end and the cursor's
 * surroundings of those that nobody used since the pager last looked go as well, and new segments are smaller.
 */
import type { MessageStore } from '../ports/message-store.js';
import type { ScratchStore } from '../ports/scratch-store.js';
import { type Turn, TurnPhase, type TurnTask } from '../turn.js';
import { ScratchWriter, type ScratchWriterListener } from './scratch-writer.js';
import { SegmentPages } from './segment-pages.js';
import { LARGEST_SEGMENT_BYTES, type SegmentPool } from './segment-pool.js';
import type { SharedBodies } from './shared-bodies.js';

/** What a monitor of the broker's memory sees and sets. */
export interface PagingBudget {
  /** Of messages: what segments and shared bodies take. */
  readonly residentBytes: number;
  /** Kept for segments to come. */
  readonly reusableBytes: number;
  /** Reserved for segments and never used: no memory yet. */
  readonly reservedBytes: number;
  /** Of segments, given up so far: a collection gives them back to the system. */
  readonly droppedBytes: number;
  /** Above it messages leave memory. */
  budgetBytes: number;
}

export interface PageableLog {
  /** Its place among the pager's logs; -1 while it is not there. For the pager alone. */
  pagerIndex: number;
  /** Takes one segment out of memory, or starts to; returns its bytes, 0 when none can go now. */
  pageOut(hardPressed: boolean): number;
}

/** Hears when messages come faster than they can leave memory, and when that is over. */
export type CongestionListener = (congested: boolean) => void;

export interface PagerEnvironment {
  readonly turn: Turn;
  readonly segments: SegmentPool;
  readonly bodies: SharedBodies;
  readonly store: MessageStore;
  /** Without one only what the message store has can leave memory. */
  readonly scratch?: ScratchStore | undefined;
  /** The scratch store fails, for the first time since it last worked. */
  readonly onWriteFailure?: (() => void) | undefined;
}

/** Above the budget by so much, publishers should wait for what is being written. */
const CONGESTED_BYTES = 16 * 1024 * 1024;
const CONGESTED_SHARE = 1 / 16;
/** Segments or bodies in one turn, beside two for each that was opened. */
const PAGED_PER_TURN = 16;
/** Logs that are asked in one turn. */
const ASKED_PER_TURN = 256;
/** When hard pressed, the latest segments of all logs may take this part of the budget, but each can be this large. */
const PART_FOR_LATEST = 1 / 8;
const SMALLEST_LATEST_BYTES = 4096;

export class Pager implements PagingBudget, TurnTask, ScratchWriterListener {
  deferred = false;
  /** There was not enough to page out from logs that are far from their consumers. */
  hardPressed = false;
  readonly pages: SegmentPages;
  readonly writer: ScratchWriter;
  onCongestion: CongestionListener = () => {};
  #congested = false;
  readonly #turn: Turn;
  readonly #segments: SegmentPool;
  readonly #bodies: SharedBodies;
  readonly #onWriteFailure: (() => void) | undefined;
  readonly #logs: PageableLog[] = [];
  /** False when nothing can ever leave memory. */
  readonly #canPage: boolean;
  #budgetBytes = Number.POSITIVE_INFINITY;
  /** The log to ask next, and how many were asked in vain since one gave something. */
  #next = 0;
  #vain = 0;
  /** Segments opened since the last turn. */
  #opened = 0;

  constructor({ turn, segments, bodies, store, scratch, onWriteFailure }: PagerEnvironment) {
    this.#turn = turn;
    this.#segments = segments;
    this.#bodies = bodies;
    this.#onWriteFailure = onWriteFailure;
    this.pages = new SegmentPages(segments, store, scratch);
    this.writer = new ScratchWriter(scratch, this);
    this.#canPage = scratch !== undefined || store.keepsMessages;
    if (store.keepsMessages) store.onDurable(() => this.noteGrowth());
  }

  get residentBytes(): number {
    return this.#segments.allocatedBytes + this.#bodies.residentBytes;
  }

  get reusableBytes(): number {
    return this.#segments.reusableBytes;
  }

  get reservedBytes(): number {
    return this.#segments.reservedBytes;
  }

  get droppedBytes(): number {
    return this.#segments.droppedBytes;
  }

  get budgetBytes(): number {
    return this.#budgetBytes;
  }

  set budgetBytes(bytes: number) {
    this.#budgetBytes = bytes;
    this.noteGrowth();
  }

  /** What a new segment may take. */
  get largestSegmentBytes(): number {
    if (!this.hardPressed) return LARGEST_SEGMENT_BYTES;
    const share = (this.#budgetBytes * PART_FOR_LATEST) / Math.max(this.#logs.length, 1);
    let size = LARGEST_SEGMENT_BYTES;
    while (size > share && size > SMALLEST_LATEST_BYTES) size /= 2;
    return size;
  }

  register(log: PageableLog): void {
    if (log.pagerIndex >= 0 || !this.#canPage) return;
    log.pagerIndex = this.#logs.length;
    this.#logs.push(log);
  }

  unregister(log: PageableLog): void {
    const index = log.pagerIndex;
    if (index < 0) return;
    log.pagerIndex = -1;
    const last = this.#logs.pop();
    if (last === undefined || last === log) return;
    last.pagerIndex = index;
    this.#logs[index] = last;
  }

  segmentOpened(): void {
    this.#opened++;
    this.noteGrowth();
  }

  /** More is in memory than before, or more of it can go. */
  noteGrowth(): void {
    if (this.residentBytes <= this.#budgetBytes || !this.#canPage) {
      this.hardPressed = false;
    } else {
      this.#vain = 0;
      this.#turn.defer(TurnPhase.Flush, this);
    }
    this.#judgeCongestion();
  }

  runInTurn(): void {
    this.#page();
    this.#judgeCongestion();
  }

  #page(): void {
    let left = PAGED_PER_TURN + 2 * this.#opened;
    let toAsk = ASKED_PER_TURN;
    this.#opened = 0;
    while (this.#excessBytes > 0) {
      if (left === 0 || toAsk === 0) {
        this.#turn.defer(TurnPhase.Flush, this);
        return;
      }
      if (this.#pageBody() || this.#pageSegment()) left--;
      else if (this.#vain < this.#logs.length) toAsk--;
      // A log that has nothing to give now may have as soon as something is written.
      else if (this.hardPressed || this.#logs.length === 0 || this.writer.busy) return;
      else {
        this.hardPressed = true;
        this.#vain = 0;
      }
    }
  }

  written(succeeded: boolean): void {
    // After a failure the next growth tries again.
    if (succeeded) this.noteGrowth();
    else this.#judgeCongestion();
  }

  writesFail(): void {
    this.#onWriteFailure?.();
  }

  /** Only what is written can end it: without that, the alarm is all there is. */
  #judgeCongestion(): void {
    const allowed = this.#budgetBytes + Math.max(CONGESTED_BYTES, this.#budgetBytes * CONGESTED_SHARE);
    const canEnd = this.writer.outstandingBytes > 0 || this.deferred;
    const congested = canEnd && this.residentBytes > allowed;
    if (congested === this.#congested) return;
    this.#congested = congested;
    this.onCongestion(congested);
  }

  /** What is being written counts as gone. */
  get #excessBytes(): number {
    return this.residentBytes - this.writer.outstandingBytes - this.#budgetBytes;
  }

  /** Bodies go first while they take more than segments, and when no log has anything to give. */
  #pageBody(): boolean {
    const resident = this.#bodies.residentBytes;
    if (resident === 0) return false;
    const first = resident * 2 > this.residentBytes || this.#vain >= this.#logs.length;
    return first && this.#bodies.pageOut(this.writer) > 0;
  }

  #pageSegment(): boolean {
    if (this.#vain >= this.#logs.length) return false;
    if (this.#next >= this.#logs.length) this.#next = 0;
    const log = this.#logs[this.#next++];
    if (log !== undefined && log.pageOut(this.hardPressed) > 0) {
      this.#vain = 0;
      return true;
    }
    this.#vain++;
    return false;
  }
}
