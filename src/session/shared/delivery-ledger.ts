/**
 * Deliveries of one channel that wait to be settled, by delivery tag. Tags only grow, so entries lie in tag order in
 * one ring of parallel arrays: no object per message, and the entry of a tag is found at once where tags have no
 * gaps, by bisection where they have.
 */
import type { Queue } from '../../core/queue/queue.js';

/** Where a delivery came from: a consumer, or basic.get on a queue. */
export interface DeliverySource {
  readonly queue: Queue;
  /** The delivery with this tag is settled: its credit is free again. */
  released(tag: number): void;
}

export interface SettlementSink {
  settle(source: DeliverySource, position: number, tag: number): void;
}

const FIRST_CAPACITY = 16;

export class DeliveryLedger {
  #capacity = 0;
  #tags = new Float64Array(0);
  #positions = new Float64Array(0);
  /** Undefined marks an entry that was settled out of order. */
  #sources: (DeliverySource | undefined)[] = [];
  /** Ordinals of the first entry and behind the last; an entry's slot is its ordinal modulo the capacity. */
  #first = 0;
  #end = 0;
  #size = 0;
  /** What `take` found. */
  source: DeliverySource | undefined;
  position = 0;

  get size(): number {
    return this.#size;
  }

  /** Of the first outstanding delivery. Only when there is one. */
  get oldestTag(): number {
    return this.#tags[this.#first & (this.#capacity - 1)] as number;
  }

  /** What `look` finds first among the outstanding deliveries up to `tag`, oldest first. */
  findUpTo<Found>(tag: number, look: (source: DeliverySource, tag: number) => Found | undefined): Found | undefined {
    const mask = this.#capacity - 1;
    for (let ordinal = this.#first; ordinal < this.#end; ordinal++) {
      const entryTag = this.#tags[ordinal & mask] as number;
      if (entryTag > tag) return undefined;
      const source = this.#sources[ordinal & mask];
      const found = source === undefined ? undefined : look(source, entryTag);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** `tag` is greater than every tag before. */
  add(tag: number, position: number, source: DeliverySource): void {
    if (this.#end - this.#first === this.#capacity) this.#makeRoom();
    const slot = this.#end & (this.#capacity - 1);
    this.#tags[slot] = tag;
    this.#positions[slot] = position;
    this.#sources[slot] = source;
    this.#end++;
    this.#size++;
  }

  /** Removes the entry of `tag` and leaves it in `source` and `position`; false when it is not outstanding. */
  take(tag: number): boolean {
    const ordinal = this.#ordinalOf(tag);
    if (ordinal === -1) return false;
    const slot = ordinal & (this.#capacity - 1);
    this.source = this.#sources[slot];
    this.position = this.#positions[slot] as number;
    this.#sources[slot] = undefined;
    this.#size--;
    if (ordinal === this.#first) this.#skipSettled();
    return true;
  }

  /** Removes all entries up to `tag` (0: every entry), oldest first; false when `tag` itself is not outstanding. */
  takeUpTo(tag: number, sink: SettlementSink): boolean {
    const last = tag === 0 ? this.#end - 1 : this.#ordinalOf(tag);
    if (last === -1 && tag !== 0) return false;
    const mask = this.#capacity - 1;
    while (this.#first <= last) {
      const slot = this.#first++ & mask;
      const source = this.#sources[slot];
      if (source === undefined) continue;
      this.#sources[slot] = undefined;
      this.#size--;
      sink.settle(source, this.#positions[slot] as number, this.#tags[slot] as number);
    }
    this.#skipSettled();
    return true;
  }

  /** Puts entries back that were taken (a transaction that is rolled back); their tags lie anywhere. */
  restore(entries: readonly { tag: number; position: number; source: DeliverySource }[]): void {
    const all = [...entries];
    this.takeUpTo(0, { settle: (source, position, tag) => all.push({ tag, position, source }) });
    all.sort((a, b) => a.tag - b.tag);
    for (const { tag, position, source } of all) this.add(tag, position, source);
  }

  /** Ordinal of the outstanding entry of `tag`; -1 when there is none. */
  #ordinalOf(tag: number): number {
    if (this.#size === 0) return -1;
    const mask = this.#capacity - 1;
    const firstTag = this.#tags[this.#first & mask] as number;
    let ordinal = this.#first + (tag - firstTag);
    if (!(ordinal >= this.#first && ordinal < this.#end && this.#tags[ordinal & mask] === tag)) {
      ordinal = this.#bisect(tag);
      if (ordinal === this.#end || this.#tags[ordinal & mask] !== tag) return -1;
    }
    return this.#sources[ordinal & mask] === undefined ? -1 : ordinal;
  }

  #bisect(tag: number): number {
    const mask = this.#capacity - 1;
    let low = this.#first;
    let high = this.#end;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.#tags[middle & mask] as number) < tag) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #skipSettled(): void {
    const mask = this.#capacity - 1;
    while (this.#first < this.#end && this.#sources[this.#first & mask] === undefined) this.#first++;
    if (this.#first === this.#end) {
      this.#first = 0;
      this.#end = 0;
    }
  }

  /** Closes the gaps when at least half the entries are settled; else doubles. */
  #makeRoom(): void {
    const oldMask = this.#capacity - 1;
    const capacity = this.#size * 2 <= this.#capacity && this.#capacity > 0 ? this.#capacity : this.#capacity * 2;
    const size = Math.max(capacity, FIRST_CAPACITY);
    const tags = new Float64Array(size);
    const positions = new Float64Array(size);
    const sources: (DeliverySource | undefined)[] = new Array(size).fill(undefined);
    let to = 0;
    for (let ordinal = this.#first; ordinal < this.#end; ordinal++) {
      const slot = ordinal & oldMask;
      if (this.#sources[slot] === undefined) continue;
      tags[to] = this.#tags[slot] as number;
      positions[to] = this.#positions[slot] as number;
      sources[to] = this.#sources[slot];
      to++;
    }
    this.#capacity = size;
    this.#tags = tags;
    this.#positions = positions;
    this.#sources = sources;
    this.#first = 0;
    this.#end = to;
  }
}
