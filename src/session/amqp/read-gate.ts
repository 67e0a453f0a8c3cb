/**
 * Whether a connection's input is looked at. Closed for as long as one reason stands; frames that arrived in the
 * meantime are held and come first when it opens, so none is lost.
 */
import type { FrameParser } from '../../../protocol/amqp/frame-parser.js';
import type { Transport } from '../../net/transport.js';

/** `alarm`: resources run low; `overflow`: the peer does not read our answers; `turn`: it is the turn of others. */
export type GateReason = 'alarm' | 'overflow' | 'turn';

export class ReadGate {
  readonly #parser: FrameParser;
  readonly #transport: Transport;
  readonly #reasons = new Set<GateReason>();

  constructor(parser: FrameParser, transport: Transport) {
    this.#parser = parser;
    this.#transport = transport;
  }

  isClosedFor(reason: GateReason): boolean {
    return this.#reasons.has(reason);
  }

  close(reason: GateReason): void {
    if (this.#reasons.size === 0) {
      this.#parser.suspend();
      this.#transport.pauseReading();
    }
    this.#reasons.add(reason);
  }

  /** Throws what the sink throws for the frames that were held. */
  open(reason: GateReason): void {
    if (!this.#reasons.delete(reason) || this.#reasons.size > 0) return;
    this.#transport.resumeReading();
    this.#parser.resume();
  }

  openForAll(): void {
    for (const reason of [...this.#reasons]) this.open(reason);
  }
}
