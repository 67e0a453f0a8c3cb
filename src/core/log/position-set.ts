/**
 * A set of log positions kept as sorted intervals, so that one consumer may hand back ten million neighbours for the
 * price of one entry. Used for the positions returned to a queue and for those settled since the last commit.
 */

const COMPACT_ABOVE = 1024;

export class PositionSet {
  // Interval i covers firsts[i]..lasts[i], both included. Invariant: sorted, disjoint, no two adjacent.
  #firsts: number[] = [];
  #lasts: number[] = [];
  /** Intervals before it were taken; they are cut off now and then. */
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get intervalCount(): number {
    return this.#firsts.length - this.#head;
  }

  /** The smallest position, or -1 when there is none. */
  get first(): number {
    return this.#size === 0 ? -1 : (this.#firsts[this.#head] as number);
  }

  add(position: number): void {
    this.addRange(position, position);
  }

  /** Adds first..last. Positions that are already there stay once. */
  addRange(first: number, last: number): void {
    const end = this.#firsts.length;
    if (this.#size === 0 || first > (this.#lasts[end - 1] as number)) {
      if (this.#size > 0 && first === (this.#lasts[end - 1] as number) + 1) this.#lasts[end - 1] = last;
      else {
        this.#firsts.push(first);
        this.#lasts.push(last);
      }
      this.#size += last - first + 1;
      return;
    }
    this.#merge(first, last);
  }

  has(position: number): boolean {
    const i = this.#firstEndingAtOrAfter(position);
    return i < this.#firsts.length && (this.#firsts[i] as number) <= position;
  }

  /** Removes and returns the smallest position; -1 when empty. */
  takeFirst(): number {
    if (this.#size === 0) return -1;
    const head = this.#head;
    const position = this.#firsts[head] as number;
    this.#size--;
    if (position === this.#lasts[head]) this.#dropHead();
    else this.#firsts[head] = position + 1;
    return position;
  }

  forEachRange(visit: (first: number, last: number) => void): void {
    for (let i = this.#head; i < this.#firsts.length; i++) visit(this.#firsts[i] as number, this.#lasts[i] as number);
  }

  *[Symbol.iterator](): Iterator<number> {
    for (let i = this.#head; i < this.#firsts.length; i++) {
      for (let position = this.#firsts[i] as number; position <= (this.#lasts[i] as number); position++) yield position;
    }
  }

  clear(): void {
    this.#firsts = [];
    this.#lasts = [];
    this.#head = 0;
    this.#size = 0;
  }

  #dropHead(): void {
    this.#head++;
    if (this.#size === 0) this.clear();
    else if (this.#head > COMPACT_ABOVE && this.#head * 2 > this.#firsts.length) {
      this.#firsts = this.#firsts.slice(this.#head);
      this.#lasts = this.#lasts.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Replaces every interval that first..last touches or borders on by one that covers them all. */
  #merge(first: number, last: number): void {
    const from = this.#firstEndingAtOrAfter(first - 1);
    let to = from;
    let mergedFirst = first;
    let mergedLast = last;
    let covered = 0;
    while (to < this.#firsts.length && (this.#firsts[to] as number) <= last + 1) {
      const start = this.#firsts[to] as number;
      const end = this.#lasts[to] as number;
      covered += end - start + 1;
      mergedFirst = Math.min(mergedFirst, start);
      mergedLast = Math.max(mergedLast, end);
      to++;
    }
    if (to === from && from === this.#head && this.#head > 0) {
      this.#head--;
      this.#firsts[this.#head] = first;
      this.#lasts[this.#head] = last;
    } else if (to === from + 1) {
      this.#firsts[from] = mergedFirst;
      this.#lasts[from] = mergedLast;
    } else {
      this.#firsts.splice(from, to - from, mergedFirst);
      this.#lasts.splice(from, to - from, mergedLast);
    }
    this.#size += mergedLast - mergedFirst + 1 - covered;
  }

  /** Index of the first interval that ends at `position` or later. */
  #firstEndingAtOrAfter(position: number): number {
    let low = this.#head;
    let high = this.#firsts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#lasts[middle] as number) < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
