/**
 * Messages of one queue that expire (SEMANTICS 3.3): only the head is looked at, and its deadline wakes the queue when
 * nobody else comes for it. A queue has one of these from its first message with a deadline on.
 */
import { Deadline } from '../deadlines.js';
import type { RecordReader } from '../log/record.js';
import type { Backlog } from './backlog.js';
import type { QueueHost } from './queue-type.js';

/** How many messages may expire before the event loop looks at the others. */
const EXPIRED_AT_ONCE = 2000;

export interface ExpiringQueue {
  readonly deleted: boolean;
  /** Gives up the head as expired. */
  dropExpiredHead(): void;
  /** More have expired than may at once. */
  expireLater(): void;
}

export class MessageExpiry {
  readonly #queue: ExpiringQueue;
  readonly #backlog: Backlog;
  readonly #host: QueueHost;
  /** Shows the head; the queue's, used by it for what is dropped. */
  readonly #head: RecordReader;
  readonly #deadline = new Deadline(() => this.#due());

  constructor(queue: ExpiringQueue, backlog: Backlog, host: QueueHost, head: RecordReader) {
    this.#queue = queue;
    this.#backlog = backlog;
    this.#host = host;
    this.#head = head;
  }

  /** Drops what has expired at the head, at most so many; false when there may be more. */
  dropExpired(most = EXPIRED_AT_ONCE): boolean {
    const now = this.#host.logs.clock.coarseWallTime;
    for (let dropped = 0; dropped < most; dropped++) {
      const deadline = this.#headDeadline();
      if (deadline === undefined || deadline > now) return true;
      this.#queue.dropExpiredHead();
    }
    return false;
  }

  /** Nobody may come for the head: its deadline then wakes the queue. */
  awaitHead(): void {
    const deadline = this.#headDeadline();
    if (deadline === undefined) this.cancel();
    else this.awaitUntil(deadline);
  }

  awaitUntil(time: number): void {
    this.#host.deadlines.set(this.#deadline, time);
  }

  cancel(): void {
    this.#host.deadlines.cancel(this.#deadline);
  }

  /** When the head expires; undefined when it does not, or there is none. */
  #headDeadline(): number | undefined {
    const head = this.#head;
    return this.#backlog.peekHead(head) && head.expiresAt !== 0 ? head.expiresAt : undefined;
  }

  #due(): void {
    if (this.#queue.deleted) return;
    if (this.dropExpired()) this.awaitHead();
    else this.#queue.expireLater();
  }
}
