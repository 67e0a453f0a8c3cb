/**
 * Memory for segments. A log's segments double in size from `SMALLEST` to `LARGEST` bytes; those of the largest size
 * are kept for reuse, up to a bound, because fresh pages cost more than copying into them.
 */

export const SMALLEST_SEGMENT_BYTES = 256;
export const LARGEST_SEGMENT_BYTES = 256 * 1024;
const KEPT = 16;

export class SegmentPool {
  readonly #kept: Uint8Array[] = [];
  #allocatedBytes = 0;

  /** Bytes in use by segments now. */
  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  allocate(sizeBytes: number): Uint8Array {
    this.#allocatedBytes += sizeBytes;
    if (sizeBytes === LARGEST_SEGMENT_BYTES) {
      const kept = this.#kept.pop();
      if (kept !== undefined) return kept;
    }
    // Not from Node's shared slab, which a single live segment would pin.
    return Buffer.allocUnsafeSlow(sizeBytes);
  }

  release(bytes: Uint8Array): void {
    this.#allocatedBytes -= bytes.length;
    if (bytes.length === LARGEST_SEGMENT_BYTES && this.#kept.length < KEPT) this.#kept.push(bytes);
  }
}
