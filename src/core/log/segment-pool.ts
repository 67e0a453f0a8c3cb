/**
 * Memory for segments. A log's segments double in size from `SMALLEST` to `LARGEST` bytes; some of each of the larger
 * sizes are kept for reuse, because fresh pages cost more than copying into them.
 */

export const SMALLEST_SEGMENT_BYTES = 256;
export const LARGEST_SEGMENT_BYTES = 256 * 1024;
/** Smaller ones are left to the garbage collector. */
const SMALLEST_KEPT_BYTES = 4096;
/** Of each size. */
const KEPT = 16;

export class SegmentPool {
  readonly #kept = new Map<number, Uint8Array[]>();
  #allocatedBytes = 0;

  constructor() {
    for (let size = SMALLEST_KEPT_BYTES; size <= LARGEST_SEGMENT_BYTES; size *= 2) this.#kept.set(size, []);
  }

  /** Bytes in use by segments now. */
  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  allocate(sizeBytes: number): Uint8Array {
    this.#allocatedBytes += sizeBytes;
    // Not from Node's shared slab, which a single live segment would pin.
    return this.#kept.get(sizeBytes)?.pop() ?? Buffer.allocUnsafeSlow(sizeBytes);
  }

  release(bytes: Uint8Array): void {
    this.#allocatedBytes -= bytes.length;
    const kept = this.#kept.get(bytes.length);
    if (kept !== undefined && kept.length < KEPT) kept.push(bytes);
  }
}
