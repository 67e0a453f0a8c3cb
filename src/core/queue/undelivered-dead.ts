/**
 * Dead letters that nobody took, of a queue that gives none up before somebody does (RabbitMQ's dead-letter strategy
 * at-least-once): they stay in its log and are tried again from time to time.
 */
import type { Clock } from '../../clock.js';
import { Deadline, type Deadlines } from '../deadlines.js';
import type { DeathReason } from '../death-history.js';

const RETRY_MS = 1000;
const RETRIED_AT_ONCE = 1000;

export interface UndeliveredDeadHost {
  readonly deadlines: Deadlines;
  readonly logs: { readonly clock: Clock };
}

export class UndeliveredDead {
  readonly #host: UndeliveredDeadHost;
  readonly #retry: (position: number, reason: DeathReason) => void;
  /** By position. */
  readonly #waiting = new Map<number, DeathReason>();
  readonly #deadline = new Deadline(() => this.#due());

  /** `retry` adds it again when nobody takes it. */
  constructor(host: UndeliveredDeadHost, retry: (position: number, reason: DeathReason) => void) {
    this.#host = host;
    this.#retry = retry;
  }

  add(position: number, reason: DeathReason): void {
    this.#waiting.set(position, reason);
    this.#tryLater();
  }

  close(): void {
    this.#host.deadlines.cancel(this.#deadline);
    this.#waiting.clear();
  }

  #tryLater(): void {
    if (!this.#deadline.isSet) this.#host.deadlines.set(this.#deadline, this.#host.logs.clock.wallTime() + RETRY_MS);
  }

  #due(): void {
    const tried: [number, DeathReason][] = [];
    for (const entry of this.#waiting) if (tried.push(entry) === RETRIED_AT_ONCE) break;
    for (const [position, reason] of tried) {
      this.#waiting.delete(position);
      this.#retry(position, reason);
    }
    if (this.#waiting.size > 0) this.#tryLater();
  }
}
