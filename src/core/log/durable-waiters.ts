/**
 * Who waits for the next batch to become durable. One listener at the store for all of them: queues come and go.
 */
import type { MessageStore } from '../ports/message-store.js';

export class DurableWaiters {
  #waiting = new Set<() => void>();

  constructor(store: MessageStore) {
    if (store.keepsMessages) store.onDurable(() => this.#tell());
  }

  /** `listener` is called once, and once however often it asks. */
  add(listener: () => void): void {
    this.#waiting.add(listener);
  }

  #tell(): void {
    if (this.#waiting.size === 0) return;
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const listener of waiting) listener();
  }
}
