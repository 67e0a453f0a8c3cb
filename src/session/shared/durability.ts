/**
 * Wakes what waits for a commit to reach the disk: confirms, replies to tx.commit. One listener on the store for all
 * sessions; a task that still waits afterwards asks again.
 */
import type { CommitId, MessageStore } from '../../core/ports/message-store.js';
import { type Turn, TurnPhase, type TurnTask } from '../../core/turn.js';
import type { PublishThrottle } from './publish-throttle.js';

/** So many bytes may wait for the disk; each is in memory three times: in its queue, in the batch and in the transaction. */
const MOST_OUTSTANDING_BYTES = 16 * 1024 * 1024;

export class Durability {
  readonly #throttle: PublishThrottle;
  readonly #store: MessageStore;
  readonly #turn: Turn;
  #waiting = new Set<TurnTask>();
  /** The batch that was published to last, what went into it, and what went into the one before and is not durable. */
  #batch: CommitId = 0;
  #batchBytes = 0;
  #earlierBytes = 0;

  constructor(store: MessageStore, turn: Turn, throttle: PublishThrottle) {
    this.#throttle = throttle;
    this.#store = store;
    this.#turn = turn;
    store.onDurable((upTo) => this.#durable(upTo));
  }

  get durableCommit(): number {
    return this.#store.durableCommit;
  }

  /** `task` runs in the confirm phase of the turn in which the next batch becomes durable. */
  wakeNext(task: TurnTask): void {
    this.#waiting.add(task);
  }

  /** So many bytes of messages wait for `commit`. */
  published(commit: CommitId, bytes: number): void {
    if (commit !== this.#batch) {
      this.#earlierBytes = this.#batch > this.durableCommit ? this.#earlierBytes + this.#batchBytes : 0;
      this.#batch = commit;
      this.#batchBytes = 0;
    }
    this.#batchBytes += bytes;
    if (this.#batchBytes + this.#earlierBytes > MOST_OUTSTANDING_BYTES) this.#throttle.set('commits', true);
  }

  #durable(upTo: CommitId): void {
    // One batch is on its way at a time: what is durable is everything before the open one.
    this.#earlierBytes = 0;
    if (this.#batch <= upTo) this.#batchBytes = 0;
    this.#throttle.set('commits', this.#batchBytes > MOST_OUTSTANDING_BYTES);
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const task of waiting) this.#turn.defer(TurnPhase.Confirm, task);
  }
}
