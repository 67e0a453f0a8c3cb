/** x-expires: a queue goes when nobody used it for that long. */

import type { Clock } from '../../clock.js';
import { Deadline, type Deadlines } from '../deadlines.js';

export interface IdleExpiryHost {
  readonly deadlines: Deadlines;
  readonly logs: { readonly clock: Clock };
}

export class IdleExpiry {
  readonly #host: IdleExpiryHost;
  readonly #isUsed: () => boolean;
  readonly #outlived: () => void;
  #limitMs: number | undefined;
  #deadline: Deadline | undefined;
  #usedAt = 0;

  /** `isUsed`: somebody consumes. `outlived` is called once, unless it is used again. */
  constructor(host: IdleExpiryHost, isUsed: () => boolean, outlived: () => void) {
    this.#host = host;
    this.#isUsed = isUsed;
    this.#outlived = outlived;
  }

  /** Begins anew; undefined: never. */
  limit(limitMs: number | undefined): void {
    this.#limitMs = limitMs;
    this.close();
    this.used();
  }

  used(): void {
    if (this.#limitMs === undefined) return;
    this.#deadline ??= new Deadline(() => this.#due());
    this.#usedAt = this.#host.logs.clock.wallTime();
    // It looks when it is due how far it was moved since.
    if (!this.#deadline.isSet) this.#host.deadlines.set(this.#deadline, this.#usedAt + this.#limitMs);
  }

  close(): void {
    if (this.#deadline !== undefined) this.#host.deadlines.cancel(this.#deadline);
  }

  #due(): void {
    if (this.#deadline === undefined || this.#limitMs === undefined || this.#isUsed()) return;
    const due = this.#usedAt + this.#limitMs;
    if (due <= this.#host.logs.clock.wallTime()) this.#outlived();
    else this.#host.deadlines.set(this.#deadline, due);
  }
}
