/**
 * Log positions by the time at which they are due, the earliest first and of the same time the lowest position first: a
 * binary heap of 16 bytes an entry, with no object for any of them.
 */

/** An entry is two numbers: when it is due, and its position. */
const WIDTH = 2;
const SMALLEST = 64 * WIDTH;

export class DueHeap {
  #entries = new Float64Array(SMALLEST);
  /** Numbers of `#entries` in use. */
  #length = 0;

  get size(): number {
    return this.#length / WIDTH;
  }

  /** When the first is due; Infinity when there is none. */
  get firstDue(): number {
    return this.#length === 0 ? Number.POSITIVE_INFINITY : (this.#entries[0] as number);
  }

  /** Position of the first. Only when there is one. */
  get firstPosition(): number {
    return this.#entries[1] as number;
  }

  add(due: number, position: number): void {
    if (this.#length === this.#entries.length) this.#resize(this.#length * 2);
    const entries = this.#entries;
    let at = this.#length;
    this.#length += WIDTH;
    while (at > 0) {
      const parent = parentOf(at);
      const parentDue = entries[parent] as number;
      if (parentDue < due || (parentDue === due && (entries[parent + 1] as number) < position)) break;
      entries[at] = parentDue;
      entries[at + 1] = entries[parent + 1] as number;
      at = parent;
    }
    entries[at] = due;
    entries[at + 1] = position;
  }

  /** Removes the first. Only when there is one. */
  removeFirst(): void {
    this.#length -= WIDTH;
    this.#sink(this.#entries[this.#length] as number, this.#entries[this.#length + 1] as number);
    if (this.#entries.length > SMALLEST && this.#length * 4 <= this.#entries.length) {
      this.#resize(this.#entries.length / 2);
    }
  }

  /** In no order. */
  forEachPosition(visit: (position: number) => void): void {
    for (let at = 0; at < this.#length; at += WIDTH) visit(this.#entries[at + 1] as number);
  }

  clear(): void {
    this.#length = 0;
    this.#entries = new Float64Array(SMALLEST);
  }

  /** Finds the place of an entry that starts at the top, where there is none now. */
  #sink(due: number, position: number): void {
    const entries = this.#entries;
    const length = this.#length;
    let at = 0;
    for (;;) {
      let child = 2 * at + WIDTH;
      if (child >= length) break;
      if (child + WIDTH < length && this.#isBefore(child + WIDTH, child)) child += WIDTH;
      const childDue = entries[child] as number;
      if (childDue > due || (childDue === due && (entries[child + 1] as number) > position)) break;
      entries[at] = childDue;
      entries[at + 1] = entries[child + 1] as number;
      at = child;
    }
    entries[at] = due;
    entries[at + 1] = position;
  }

  #isBefore(one: number, other: number): boolean {
    const difference = (this.#entries[one] as number) - (this.#entries[other] as number);
    return (
      difference < 0 || (difference === 0 && (this.#entries[one + 1] as number) < (this.#entries[other + 1] as number))
    );
  }

  #resize(length: number): void {
    const resized = new Float64Array(length);
    resized.set(this.#entries.subarray(0, this.#length));
    this.#entries = resized;
  }
}

function parentOf(at: number): number {
  return ((at / WIDTH - 1) >> 1) * WIDTH;
}
