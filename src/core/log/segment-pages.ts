/**
 * Takes the bytes of segments out of memory and brings them back: from the message store when that has every record of
 * a segment, otherwise from a page of the scratch store.
 */
import type { MessageStore } from '../ports/message-store.js';
import type { ScratchPage, ScratchStore } from '../ports/scratch-store.js';
import type { ScratchWriter } from './scratch-writer.js';
import type { Segment } from './segment.js';
import type { SegmentPool } from './segment-pool.js';

/** The log of a segment, told when the segment comes and goes without its doing. */
export interface PagedLog {
  readonly id: number;
  /** `segment` is on a page now; the log may cool it. */
  written(segment: Segment): void;
  /** `segment` was read ahead and is hot. */
  loaded(segment: Segment): void;
}

export class SegmentPages {
  readonly #pool: SegmentPool;
  readonly #store: MessageStore;
  readonly #scratch: ScratchStore | undefined;

  constructor(pool: SegmentPool, store: MessageStore, scratch: ScratchStore | undefined) {
    this.#pool = pool;
    this.#store = store;
    this.#scratch = scratch;
  }

  /** Only when its records are elsewhere as well. */
  cool(segment: Segment): void {
    this.#pool.release(segment.cool());
  }

  /** Makes a cold segment hot, now. */
  load(logId: number, segment: Segment): void {
    // What is being read ahead comes too late.
    segment.reading = undefined;
    const needed = segment.written;
    const bytes = this.#pool.allocateFor(needed);
    try {
      if (segment.page !== undefined) {
        this.#scratch?.read(segment.page, bytes);
        if (segment.adopt(bytes)) return;
        throw new Error(`the page of the segment from ${segment.firstPosition} holds something else`);
      }
      segment.refill(bytes);
      this.#store.read(logId, segment.firstPosition, segment.lastPosition, (position, record, start, end) =>
        segment.takeBack(position, record, start, end),
      );
      if (segment.count >= segment.live) return;
      throw new Error(`of ${segment.live} messages from ${segment.firstPosition} the store has ${segment.count}`);
    } catch (error) {
      segment.cool();
      segment.written = needed;
      this.#pool.release(bytes);
      throw error;
    }
  }

  /** A cold segment will be needed soon. */
  readAhead(log: PagedLog, segment: Segment): void {
    if (segment.reading !== undefined || segment.prefetched) return;
    if (segment.page === undefined) {
      segment.prefetched = true;
      this.#store.prefetch(log.id, segment.firstPosition, segment.lastPosition);
      return;
    }
    const bytes = this.#pool.allocateFor(segment.written);
    segment.reading = bytes;
    this.#scratch?.readAhead(segment.page, bytes, (filled) => {
      const wanted = segment.reading === bytes;
      if (wanted) segment.reading = undefined;
      if (wanted && filled && segment.adopt(bytes)) log.loaded(segment);
      // Who needs the segment reads it, and hears what is wrong.
      else this.#pool.release(bytes);
    });
  }

  /**
   * Has the store bring these neighbours, the first of them cold, into the system's cache, which takes no memory of ours.
   * In one piece: what is asked for one by one keeps the threads busy that commits need.
   */
  prefetch(logId: number, neighbours: readonly Segment[]): void {
    const [first] = neighbours;
    let last: Segment | undefined;
    for (const segment of neighbours) {
      if (segment.hot || segment.page !== undefined || segment.prefetched) break;
      segment.prefetched = true;
      last = segment;
    }
    if (first !== undefined && last !== undefined) {
      this.#store.prefetch(logId, first.firstPosition, last.lastPosition);
    }
  }

  /** Starts to write a segment to a page. */
  write(log: PagedLog, segment: Segment, writer: ScratchWriter): void {
    segment.writing = true;
    writer.write(segment.bytes, segment.written, (page) => {
      segment.writing = false;
      segment.page = page;
      if (segment.retired) this.retire(segment);
      else if (page !== undefined) log.written(segment);
    });
  }

  /** The segment is needed no more, wherever it is. Bytes that are being written wait for that. */
  retire(segment: Segment): void {
    segment.retired = true;
    segment.reading = undefined;
    if (segment.writing) return;
    if (segment.hot) this.#pool.release(segment.cool());
    this.#free(segment.page);
    segment.page = undefined;
  }

  #free(page: ScratchPage | undefined): void {
    if (page !== undefined) this.#scratch?.free(page);
  }
}
