/**
 * Transactions of one session: frames that are held back and handled one by one at COMMIT, as RabbitMQ does it
 * (SEMANTICS 4.9). What they ask for is only looked at then, and a failure undoes none of the others; this is not
 * the all-or-nothing of `session/shared/transaction.ts`.
 */
import type { StompFrame } from '../../../protocol/stomp/frame.js';
import { StompError } from './errors.js';

const MOST_TRANSACTIONS = 16;
const MOST_FRAMES = 1024;
/** Of all the transactions of a session. */
const MOST_BYTES = 64 * 1024 * 1024;
/** What a held frame takes beside its bytes. */
const OBJECT_BYTES = 512;

interface HeldTransaction {
  readonly frames: StompFrame[];
  bytes: number;
}

export class HeldTransactions {
  readonly #open = new Map<string, HeldTransaction>();
  #bytes = 0;

  /** One of that name begins anew. */
  begin(name: string): void {
    if (!this.#open.has(name) && this.#open.size >= MOST_TRANSACTIONS) {
      throw new StompError(
        'Transaction limit exceeded',
        `Too many concurrent transactions (limit ${MOST_TRANSACTIONS})`,
      );
    }
    this.#forget(name);
    this.#open.set(name, { frames: [], bytes: 0 });
  }

  add(name: string, frame: StompFrame): void {
    const transaction = this.#find(name);
    if (transaction.frames.length >= MOST_FRAMES) {
      throw new StompError('Transaction too large', `Too many actions in transaction (limit ${MOST_FRAMES})`);
    }
    const copy = frame.copy();
    const bytes = copy.head.length + copy.body.length + OBJECT_BYTES;
    if (this.#bytes + bytes > MOST_BYTES) {
      throw new StompError('Transaction too large', `Too many bytes in transactions (limit ${MOST_BYTES})`);
    }
    transaction.frames.push(copy);
    transaction.bytes += bytes;
    this.#bytes += bytes;
  }

  /** Ends it and returns what it held. */
  take(name: string): readonly StompFrame[] {
    const { frames } = this.#find(name);
    this.#forget(name);
    return frames;
  }

  #find(name: string): HeldTransaction {
    const transaction = this.#open.get(name);
    if (transaction === undefined) {
      throw new StompError('Bad transaction', `Invalid transaction identifier: "${name}"\n`);
    }
    return transaction;
  }

  #forget(name: string): void {
    this.#bytes -= this.#open.get(name)?.bytes ?? 0;
    this.#open.delete(name);
  }
}
