/**
 * What is due at some time, for a whole broker: one heap and one timer, however many queues wait for something. A
 * deadline belongs to whoever made it and can be moved as often as that one likes.
 */
import type { Clock, Timer } from '../clock.js';

/** Longest wait of one timer: Node's own end after 24.8 days. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;
const NOWHERE = -1;

export class Deadline {
  /** ms since the epoch. */
  at = 0;
  /** Index in the heap. */
  index = NOWHERE;
  readonly onDue: () => void;

  constructor(onDue: () => void) {
    this.onDue = onDue;
  }

  get isSet(): boolean {
    return this.index !== NOWHERE;
  }
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #onFailure: (error: unknown) => void;
  readonly #heap: Deadline[] = [];
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  /** `onFailure` hears of one that threw; the others still come. */
  constructor(clock: Clock, onFailure: (error: unknown) => void) {
    this.#clock = clock;
    this.#onFailure = onFailure;
  }

  get count(): number {
    return this.#heap.length;
  }

  /** Moves the deadline to `at`. */
  set(deadline: Deadline, at: number): void {
    if (deadline.isSet && deadline.at === at) return;
    deadline.at = at;
    if (!deadline.isSet) {
      deadline.index = this.#heap.length;
      this.#heap.push(deadline);
    }
    this.#rise(deadline);
    this.#sink(deadline);
    this.#arm();
  }

  cancel(deadline: Deadline): void {
    if (!deadline.isSet) return;
    const { index } = deadline;
    const last = this.#heap.pop();
    deadline.index = NOWHERE;
    if (last !== undefined && last !== deadline) {
      this.#place(last, index);
      this.#rise(last);
      this.#sink(last);
    } else if (this.#heap.length === 0) this.#disarm();
  }

  close(): void {
    this.#disarm();
    for (const deadline of this.#heap) deadline.index = NOWHERE;
    this.#heap.length = 0;
  }

  #due(): void {
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#clock.refresh();
    const now = this.#clock.coarseWallTime;
    for (let first = this.#heap[0]; first !== undefined && first.at <= now; first = this.#heap[0]) {
      this.cancel(first);
      try {
        first.onDue();
      } catch (error) {
        this.#onFailure(error);
      }
    }
    this.#arm();
  }

  #arm(): void {
    const first = this.#heap[0];
    if (first === undefined || first.at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = first.at;
    const waitMs = Math.min(Math.max(first.at - this.#clock.wallTime(), 0), LONGEST_WAIT_MS);
    this.#timer = this.#clock.after(waitMs, () => this.#due());
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
  }

  #rise(deadline: Deadline): void {
    for (let index = deadline.index; index > 0; ) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#heap[parentIndex] as Deadline;
      if (parent.at <= deadline.at) return;
      this.#place(parent, index);
      this.#place(deadline, parentIndex);
      index = parentIndex;
    }
  }

  #sink(deadline: Deadline): void {
    for (let index = deadline.index; ; ) {
      const left = this.#heap[2 * index + 1];
      const right = this.#heap[2 * index + 2];
      const child = right !== undefined && left !== undefined && right.at < left.at ? right : left;
      if (child === undefined || child.at >= deadline.at) return;
      const childIndex = child.index;
      this.#place(child, index);
      this.#place(deadline, childIndex);
      index = childIndex;
    }
  }

  #place(deadline: Deadline, index: number): void {
    this.#heap[index] = deadline;
    deadline.index = index;
  }
}
