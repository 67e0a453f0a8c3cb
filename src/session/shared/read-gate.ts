/**
 * Whether a connection's input is looked at. Closed for as long as one reason stands; frames that arrived in the
 * meantime are held and come first when it opens, so none is lost.
 */
import type { Transport } from '../../net/transport.js';

/**
 * `alarm`: resources run low; `overflow`: the peer does not read our answers; `turn`: it is the turn of others;
 * `commit`: too much waits for replies that wait for the disk; `throttle`: it
 * publishes more than the disk or memory takes at the moment.
 */
export type GateReason = 'alarm' | 'overflow' | 'turn' | 'commit' | 'throttle';

/** What a parser does while it is closed: frames stop coming, and what follows is held. */
export interface Suspendable {
  suspend(): void;
  /** Throws what the sink throws for the frames that were held. */
  resume(): void;
}

export class ReadGate {
  readonly #parser: Suspendable;
  readonly #transport: Transport;
  readonly #beforeReading: () => void;
  readonly #reasons = new Set<GateReason>();
  #suspended = false;

  /** `beforeReading` runs first when the gate opens, and may close it again. */
  constructor(parser: Suspendable, transport: Transport, beforeReading: () => void) {
    this.#parser = parser;
    this.#transport = transport;
    this.#beforeReading = beforeReading;
  }

  isClosedFor(reason: GateReason): boolean {
    return this.#reasons.has(reason);
  }

  isClosedForOtherThan(reason: GateReason): boolean {
    return this.#reasons.size > (this.#reasons.has(reason) ? 1 : 0);
  }

  close(reason: GateReason): void {
    this.#reasons.add(reason);
    if (this.#suspended) return;
    this.#suspended = true;
    this.#parser.suspend();
    this.#transport.pauseReading();
  }

  /** Throws what the sink throws for the frames that were held. */
  open(reason: GateReason): void {
    if (!this.#reasons.delete(reason)) return;
    if (!this.isClosedForOtherThan('commit')) this.#beforeReading();
    if (this.#reasons.size > 0 || !this.#suspended) return;
    this.#suspended = false;
    this.#transport.resumeReading();
    this.#parser.resume();
  }

  openForAll(): void {
    for (const reason of [...this.#reasons]) this.open(reason);
  }
}
