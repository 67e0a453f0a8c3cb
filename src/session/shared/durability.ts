/**
 * Wakes what waits for a commit to reach the disk: confirms, replies to tx.commit. One listener on the store for all
 * sessions; a task that still waits afterwards asks again.
 */
import type { MessageStore } from '../../core/ports/message-store.js';
import { type Turn, TurnPhase, type TurnTask } from '../../core/turn.js';

export class Durability {
  readonly #store: MessageStore;
  readonly #turn: Turn;
  #waiting = new Set<TurnTask>();

  constructor(store: MessageStore, turn: Turn) {
    this.#store = store;
    this.#turn = turn;
    store.onDurable(() => this.#wake());
  }

  get durableCommit(): number {
    return this.#store.durableCommit;
  }

  /** `task` runs in the confirm phase of the turn in which the next batch becomes durable. */
  wakeNext(task: TurnTask): void {
    this.#waiting.add(task);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const task of waiting) this.#turn.defer(TurnPhase.Confirm, task);
  }
}
