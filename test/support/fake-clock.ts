/**
 * A clock that stands still until the test moves it. Timers run inside `advance`, in the order of their deadlines, and
 * the end of a turn comes when the test says so.
 */
import type { Clock, Timer } from '../../src/clock.js';

interface PendingTimer {
  due: number;
  /** 0: runs once. */
  readonly intervalMs: number;
  readonly callback: () => void;
}

/** Turns after which something that asks for another one each time is taken for a loop. */
const MOST_TURNS = 10_000;

export class FakeClock implements Clock {
  coarseWallTime: number;
  #wall: number;
  #monotonic = 0;
  #timers: PendingTimer[] = [];
  #atEndOfTurn: (() => void)[] = [];

  constructor(startAt = Date.UTC(2024, 0, 1)) {
    this.#wall = startAt;
    this.coarseWallTime = startAt;
  }

  wallTime(): number {
    return this.#wall;
  }

  monotonicTime(): number {
    return this.#monotonic;
  }

  refresh(): void {
    this.coarseWallTime = this.#wall;
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#start({ due: this.#monotonic + delayMs, intervalMs: 0, callback });
  }

  every(intervalMs: number, callback: () => void): Timer {
    return this.#start({ due: this.#monotonic + intervalMs, intervalMs, callback });
  }

  atEndOfTurn(callback: () => void): void {
    this.#atEndOfTurn.push(callback);
  }

  // --- for the test

  get timerCount(): number {
    return this.#timers.length;
  }

  get hasTurnWaiting(): boolean {
    return this.#atEndOfTurn.length > 0;
  }

  /** Lets time pass; timers that fall due run at their own time. */
  advance(ms: number): void {
    const end = this.#monotonic + ms;
    for (let timer = this.#nextDue(end); timer !== undefined; timer = this.#nextDue(end)) {
      this.#moveTo(timer.due);
      if (timer.intervalMs > 0) timer.due += timer.intervalMs;
      else this.#timers.splice(this.#timers.indexOf(timer), 1);
      timer.callback();
    }
    this.#moveTo(end);
  }

  /** Moves wall time alone, as an administrator would. */
  setWallTime(time: number): void {
    this.#wall = time;
  }

  /** One end of turn: what is asked for meanwhile waits for the next. */
  endTurn(): void {
    const callbacks = this.#atEndOfTurn;
    this.#atEndOfTurn = [];
    for (const callback of callbacks) callback();
  }

  /** Ends turns until nothing is waiting, and returns how many that were. */
  settle(): number {
    for (let turns = 0; turns < MOST_TURNS; turns++) {
      if (!this.hasTurnWaiting) return turns;
      this.endTurn();
    }
    throw new Error(`still busy after ${MOST_TURNS} turns`);
  }

  #start(timer: PendingTimer): Timer {
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  #nextDue(end: number): PendingTimer | undefined {
    let next: PendingTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.due <= end && (next === undefined || timer.due < next.due)) next = timer;
    }
    return next;
  }

  #moveTo(time: number): void {
    this.#wall += time - this.#monotonic;
    this.#monotonic = time;
  }
}
