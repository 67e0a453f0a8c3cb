/**
 * Memory for segments. A log's segments double in size from `SMALLEST` to `LARGEST` bytes; some of each of the larger
 * sizes are kept for reuse, because fresh pages cost more than copying into them.
 */

export const SMALLEST_SEGMENT_BYTES = 256;
export const LARGEST_SEGMENT_BYTES = 256 * 1024;
/** Smaller ones are left to the garbage collector. */
const SMALLEST_KEPT_BYTES = 4096;
/** Of each size: at most 16 MiB in all. */
const KEPT = 32;

export class SegmentPool {
  readonly #kept = new Map<number, Uint8Array[]>();
  #allocatedBytes = 0;
  #reusableBytes = 0;

  constructor() {
    for (let size = SMALLEST_KEPT_BYTES; size <= LARGEST_SEGMENT_BYTES; size *= 2) this.#kept.set(size, []);
  }

  /** Bytes in use by segments now. */
  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  /** Bytes that no segment uses and that are kept for the next. */
  get reusableBytes(): number {
    return this.#reusableBytes;
  }

  allocate(sizeBytes: number): Uint8Array {
    this.#allocatedBytes += sizeBytes;
    const kept = this.#kept.get(sizeBytes)?.pop();
    // Not from Node's shared slab, which a single live segment would pin.
    if (kept === undefined) return Buffer.allocUnsafeSlow(sizeBytes);
    this.#reusableBytes -= sizeBytes;
    return kept;
  }

  /** For records that come back: a size that can be kept, if there is one. */
  allocateFor(usedBytes: number): Uint8Array {
    if (usedBytes > LARGEST_SEGMENT_BYTES) return this.allocate(usedBytes);
    let size = SMALLEST_SEGMENT_BYTES;
    while (size < usedBytes) size *= 2;
    return this.allocate(size);
  }

  release(bytes: Uint8Array): void {
    this.#allocatedBytes -= bytes.length;
    const kept = this.#kept.get(bytes.length);
    if (kept === undefined || kept.length === KEPT) return;
    kept.push(bytes);
    this.#reusableBytes += bytes.length;
  }
}
