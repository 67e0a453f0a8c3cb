/**
 * Time for the whole broker: nothing else reads `Date`, starts a timer or schedules the end of a turn, so a test can
 * drive all of it. `SystemClock` is the real one.
 */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the epoch. */
  wallTime(): number;
  /** Milliseconds of a clock that never goes back; for intervals and deadlines within this process. */
  monotonicTime(): number;
  /** Wall time as last refreshed: at the end of the last turn, however long ago that was. For the hot path. */
  readonly coarseWallTime: number;
  refresh(): void;
  after(delayMs: number, callback: () => void): Timer;
  every(intervalMs: number, callback: () => void): Timer;
  /** Runs `callback` once the events that are ready now have been handled. */
  atEndOfTurn(callback: () => void): void;
}

export class SystemClock implements Clock {
  coarseWallTime = Date.now();

  wallTime(): number {
    return Date.now();
  }

  monotonicTime(): number {
    return performance.now();
  }

  refresh(): void {
    this.coarseWallTime = Date.now();
  }

  /** Timers never keep the process alive: listeners do. */
  after(delayMs: number, callback: () => void): Timer {
    const handle = setTimeout(callback, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  }

  every(intervalMs: number, callback: () => void): Timer {
    const handle = setInterval(callback, intervalMs);
    handle.unref();
    return { cancel: () => clearInterval(handle) };
  }

  atEndOfTurn(callback: () => void): void {
    setImmediate(callback);
  }
}
