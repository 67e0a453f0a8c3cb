/**
 * The eight bytes that open a connection, taken in any pieces. A peer that says something else is known at the first
 * byte that differs from 'AMQP', so an HTTP client or a TLS hello is answered at once.
 */
export const PROTOCOL_HEADER = Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1);
/** The header of 0-9, which RabbitMQ takes for 0-9-1. */
const PROTOCOL_0_9 = Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 1, 1, 0, 9);
const NAME_BYTES = 4;

export class ProtocolHeader {
  verdict: 'incomplete' | 'accepted' | 'refused' = 'incomplete';
  readonly #bytes = Buffer.alloc(PROTOCOL_HEADER.length);
  #filled = 0;

  get hasBegun(): boolean {
    return this.#filled > 0;
  }

  /** Takes what belongs to the header and returns the offset behind it. */
  take(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (this.verdict === 'incomplete' && at < end) {
      this.#bytes[this.#filled] = bytes[at++] as number;
      if (this.#filled < NAME_BYTES && this.#bytes[this.#filled] !== PROTOCOL_HEADER[this.#filled]) {
        this.verdict = 'refused';
      }
      this.#filled++;
      if (this.#filled === this.#bytes.length) {
        const known = this.#bytes.equals(PROTOCOL_HEADER) || this.#bytes.equals(PROTOCOL_0_9);
        this.verdict = known ? 'accepted' : 'refused';
      }
    }
    return at;
  }
}
