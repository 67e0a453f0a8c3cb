/**
 * Back-pressure on publishers for what ends by itself, soon: more was published than the disk has taken yet, or than
 * memory has room for while messages are written out. Connections that publish much are read no further until it is
 * over; unlike with an alarm, nobody is told.
 */
import { type Turn, TurnPhase, type TurnTask } from '../../core/turn.js';

export type ThrottleReason = 'commits' | 'paging';

/** What a connection may send on while publishers are held: one that publishes little is not the cause. */
const ALLOWED_BYTES = 64 * 1024;

export class PublishThrottle {
  active = false;
  /** Counts the times that it became active. */
  generation = 0;
  readonly #turn: Turn;
  readonly #reasons = new Set<ThrottleReason>();
  #waiting = new Set<TurnTask>();

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  set(reason: ThrottleReason, holds: boolean): void {
    if (holds) this.#reasons.add(reason);
    else this.#reasons.delete(reason);
    const active = this.#reasons.size > 0;
    if (active === this.active) return;
    this.active = active;
    if (active) this.generation++;
    else this.#wake();
  }

  /** `task` runs when publishers may go on. */
  wakeWhenOver(task: TurnTask): void {
    this.#waiting.add(task);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const task of waiting) this.#turn.defer(TurnPhase.Confirm, task);
  }
}

/** What one connection has published since the throttle became active. */
export class ThrottledPublisher {
  readonly #throttle: PublishThrottle;
  #generation = 0;
  #bytesBefore = 0;

  constructor(throttle: PublishThrottle) {
    this.#throttle = throttle;
  }

  /** Whether it is to be held, having read `bytesRead` in all. Only asked while the throttle is active. */
  mustWait(bytesRead: number): boolean {
    const { generation } = this.#throttle;
    if (generation !== this.#generation) {
      this.#generation = generation;
      this.#bytesBefore = bytesRead;
    }
    return bytesRead - this.#bytesBefore > ALLOWED_BYTES;
  }
}
