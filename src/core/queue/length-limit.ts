/** x-max-length and x-max-length-bytes of one queue: what is ready counts, what was delivered does not. */
import type { QueueSettings } from './settings.js';

export class LengthLimit {
  readonly #maxLength: number;
  readonly #maxBytes: number;
  #bytes = 0;

  private constructor(maxLength: number, maxBytes: number) {
    this.#maxLength = maxLength;
    this.#maxBytes = maxBytes;
  }

  /** undefined for a queue that has none. One that refuses duplicates has one that is never exceeded. */
  static of({ maxLength, maxLengthBytes, deduplicationHeader }: QueueSettings): LengthLimit | undefined {
    if (maxLength === undefined && maxLengthBytes === undefined && deduplicationHeader === undefined) return undefined;
    return new LengthLimit(maxLength ?? Number.POSITIVE_INFINITY, maxLengthBytes ?? Number.POSITIVE_INFINITY);
  }

  get countsBytes(): boolean {
    return this.#maxBytes !== Number.POSITIVE_INFINITY;
  }

  added(bytes: number): void {
    this.#bytes += bytes;
  }

  removed(bytes: number): void {
    this.#bytes -= bytes;
  }

  emptied(): void {
    this.#bytes = 0;
  }

  /** With so many ready, and so many bytes on top of those that were added. */
  isExceeded(length: number, furtherBytes: number): boolean {
    return length > this.#maxLength || this.#bytes + furtherBytes > this.#maxBytes;
  }
}
