/**
 * Everything deferred runs at the end of the event-loop turn, in one fixed order: dispatch to consumers, close the
 * store's batch, confirm publishes, flush sockets. This file is the answer to 'when does it happen?'.
 *
 * Within a turn phases only move forward: work that an earlier phase needs again waits for the next turn, which lets
 * the event loop read from the other connections in between.
 */
import type { Clock } from '../clock.js';

export const TurnPhase = { Dispatch: 0, Commit: 1, Confirm: 2, Flush: 3 } as const;
export type TurnPhase = (typeof TurnPhase)[keyof typeof TurnPhase];

/** A task belongs to one phase; `deferred` is the turn's own mark that it is already waiting. */
export interface TurnTask {
  deferred: boolean;
  runInTurn(): void;
}

export class Turn {
  readonly #clock: Clock;
  readonly #onFailure: (error: unknown) => void;
  readonly #waiting: TurnTask[][] = [[], [], [], []];
  readonly #spare: TurnTask[][] = [[], [], [], []];
  #scheduled = false;
  readonly #run = (): void => this.run();

  /** `onFailure` hears of a task that threw; the others still run. */
  constructor(clock: Clock, onFailure: (error: unknown) => void) {
    this.#clock = clock;
    this.#onFailure = onFailure;
  }

  /** Idempotent: a task runs once per turn however often it asks. */
  defer(phase: TurnPhase, task: TurnTask): void {
    if (task.deferred) return;
    task.deferred = true;
    this.#waiting[phase]?.push(task);
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#clock.atEndOfTurn(this.#run);
    }
  }

  /** Runs what is waiting now; the clock calls it, and so does a broker that stops. */
  run(): void {
    this.#scheduled = false;
    this.#clock.refresh();
    for (let phase = 0; phase < this.#waiting.length; phase++) this.#runPhase(phase);
  }

  #runPhase(phase: number): void {
    const tasks = this.#waiting[phase];
    const spare = this.#spare[phase];
    if (tasks === undefined || spare === undefined || tasks.length === 0) return;
    this.#waiting[phase] = spare;
    this.#spare[phase] = tasks;
    for (const task of tasks) {
      task.deferred = false;
      try {
        task.runInTurn();
      } catch (error) {
        this.#onFailure(error);
      }
    }
    tasks.length = 0;
  }
}
