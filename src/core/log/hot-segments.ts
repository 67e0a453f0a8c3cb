/**
 * The segments of one log that are in memory, in the order of their positions: so that paging finds what can go
 * without a walk over all that went. Kept from the first time a log is paged.
 */
import type { Segment } from './segment.js';

export class HotSegments {
  readonly #segments: Segment[];

  constructor(all: readonly Segment[]) {
    this.#segments = all.filter((segment) => segment.hot);
  }

  get count(): number {
    return this.#segments.length;
  }

  /** The newest one that `suits`. */
  newest(suits: (segment: Segment) => boolean): Segment | undefined {
    for (let i = this.#segments.length - 1; i >= 0; i--) {
      const segment = this.#segments[i] as Segment;
      if (suits(segment)) return segment;
    }
    return undefined;
  }

  add(segment: Segment): void {
    const last = this.#segments.at(-1);
    if (last === undefined || last.firstPosition <= segment.firstPosition) this.#segments.push(segment);
    else this.#segments.splice(this.#firstFrom(segment.firstPosition), 0, segment);
  }

  delete(segment: Segment): void {
    const index = this.#segments.indexOf(segment, this.#firstFrom(segment.firstPosition));
    if (index === 0) this.#segments.shift();
    else if (index > 0) this.#segments.splice(index, 1);
  }

  /** Index of the first segment that begins at `position` or later. */
  #firstFrom(position: number): number {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#segments[middle] as Segment).firstPosition < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
