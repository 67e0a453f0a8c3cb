/**
 * Keys seen lately: so many at most, the oldest going first, and each for no longer than its time to live. With a log
 * they are there again after a restart.
 */
import type { Clock } from '../../clock.js';
import type { KeyLog } from './key-log.js';

/** What a Map can hold. */
const MOST_KEYS = 2 ** 24 - 1;

export class SeenKeys {
  readonly #most: number;
  readonly #clock: Clock;
  readonly #log: KeyLog | undefined;
  /** Until when a key counts, in order of age. */
  readonly #until = new Map<string, number>();
  /** Stays where the oldest is: looking for it from the start would pass the places of all that went. */
  readonly #ages = this.#until.keys();

  constructor(most: number, clock: Clock, log?: KeyLog) {
    this.#most = Math.min(most, MOST_KEYS);
    this.#clock = clock;
    this.#log = log;
  }

  restore(): void {
    this.#log?.restore((key, until) => this.#until.set(key, until));
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
      this.#remove(key);
    } else if (this.#until.size >= this.#most) this.#dropOldest();
    const newUntil = ttlMs === undefined ? Number.POSITIVE_INFINITY : now + ttlMs;
    this.#until.set(key, newUntil);
    this.#log?.add(key, newUntil);
    return true;
  }

  /** The end of it all. */
  forget(): void {
    this.#until.clear();
    this.#log?.forget();
  }

  #remove(key: string): void {
    this.#until.delete(key);
    this.#log?.remove(key);
  }

  #dropOldest(): void {
    const { value } = this.#ages.next();
    if (value !== undefined) this.#remove(value);
  }
}
