/**
 * Keys seen lately: so many at most, the oldest going first, and each for no longer than its time to live.
 */
import type { Clock } from '../../clock.js';

/** What a Map can hold. */
const MOST_KEYS = 2 ** 24 - 1;

export class SeenKeys {
  readonly #most: number;
  readonly #clock: Clock;
  /** Until when a key counts, in order of age. */
  readonly #until = new Map<string, number>();
  /** Stays where the oldest is: looking for it from the start would pass the places of all that went. */
  readonly #ages = this.#until.keys();

  constructor(most: number, clock: Clock) {
    this.#most = Math.min(most, MOST_KEYS);
    this.#clock = clock;
  }

  get size(): number {
    return this.#until.size;
  }

  /** False when the key is there already, which does not make it younger. */
  add(key: string, ttlMs: number | undefined): boolean {
    const now = this.#clock.wallTime();
    const until = this.#until.get(key);
    if (until !== undefined) {
      if (until > now) return false;
      this.#until.delete(key);
    } else if (this.#until.size >= this.#most) this.#dropOldest();
    this.#until.set(key, ttlMs === undefined ? Number.POSITIVE_INFINITY : now + ttlMs);
    return true;
  }

  clear(): void {
    this.#until.clear();
  }

  #dropOldest(): void {
    const { value } = this.#ages.next();
    if (value !== undefined) this.#until.delete(value);
  }
}
