/**
 * Which filter values the records of one segment have, as a Bloom filter: enough to know that none of them is wanted,
 * and to step over the segment unread.
 */
import type { StreamFilter } from '../stream-subscription.js';

const BITS_A_VALUE = 3;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export class FilterSummary {
  /** Some record has no value. */
  hasUnfiltered = false;
  /** Undefined: none has one. */
  #bits: Uint8Array | undefined;

  add(value: string | undefined, sizeBytes: number): void {
    if (value === undefined) {
      this.hasUnfiltered = true;
      return;
    }
    this.#bits ??= new Uint8Array(sizeBytes);
    const bits = this.#bits;
    const hash = hashOf(value);
    for (let i = 0; i < BITS_A_VALUE; i++) {
      const bit = bitOf(hash, i, bits.length);
      bits[bit >>> 3] = (bits[bit >>> 3] as number) | (1 << (bit & 7));
    }
  }

  mayMatch({ values, matchUnfiltered }: StreamFilter): boolean {
    if (matchUnfiltered && this.hasUnfiltered) return true;
    if (this.#bits === undefined) return false;
    for (const value of values) if (this.#mayHave(value, this.#bits)) return true;
    return false;
  }

  #mayHave(value: string, bits: Uint8Array): boolean {
    const hash = hashOf(value);
    for (let i = 0; i < BITS_A_VALUE; i++) {
      const bit = bitOf(hash, i, bits.length);
      if (((bits[bit >>> 3] as number) & (1 << (bit & 7))) === 0) return false;
    }
    return true;
  }
}

/** FNV-1a. */
function hashOf(value: string): number {
  let hash = FNV_OFFSET;
  for (let i = 0; i < value.length; i++) hash = Math.imul(hash ^ value.charCodeAt(i), FNV_PRIME);
  return hash >>> 0;
}

/** Two halves of one hash make as many as are needed. */
function bitOf(hash: number, number: number, sizeBytes: number): number {
  return ((hash & 0xffff) + number * ((hash >>> 16) | 1)) % (sizeBytes * 8);
}
