/**
 * What the channels of one connection hold back while replies wait for the disk (`pending-replies.ts`). When it is too
 * much, nothing more is read. Held frames are handled before anything that is read after them, so whenever the
 * connection reads, each frame that is still held waits for a reply.
 */

import type { ReadGate } from '../shared/read-gate.js';
import type { PendingReplies } from './pending-replies.js';

/** Above this many bytes the connection is not read, until it is half of it. */
const MOST_BYTES = 1024 * 1024;

export class HeldInput {
  readonly #gate: ReadGate;
  readonly #openGate: () => void;
  readonly #whenEmpty: () => void;
  /** Channels that wait, also those that were closed meanwhile: what opens them again may be among their frames. */
  readonly #waiting = new Set<PendingReplies>();
  #bytes = 0;
  #continuing = false;

  /** `openGate` opens the gate for the reason 'commit'; `whenEmpty` hears when no channel waits any more. */
  constructor(gate: ReadGate, openGate: () => void, whenEmpty: () => void) {
    this.#gate = gate;
    this.#openGate = openGate;
    this.#whenEmpty = whenEmpty;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** False while the connection is not read for a reason that holds for these frames too. */
  get mayContinue(): boolean {
    return !this.#gate.isClosedForOtherThan('commit');
  }

  add(replies: PendingReplies, bytes: number): void {
    this.#waiting.add(replies);
    this.#bytes += bytes;
    if (this.#bytes > MOST_BYTES) this.#gate.close('commit');
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }

  settled(replies: PendingReplies): void {
    this.#waiting.delete(replies);
  }

  /** Handles what need not wait any more. */
  continue(): void {
    if (this.#continuing) return;
    this.#continuing = true;
    try {
      for (const replies of this.#waiting) {
        if (!this.mayContinue) break;
        replies.continue();
      }
    } finally {
      this.#continuing = false;
    }
    if (this.#bytes <= MOST_BYTES / 2) this.#openGate();
    if (this.isEmpty) this.#whenEmpty();
  }

  /** The connection is over. */
  drop(): void {
    for (const replies of [...this.#waiting]) replies.drop();
  }
}
