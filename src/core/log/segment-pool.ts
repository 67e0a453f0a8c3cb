/**
 * Memory for segments. A log's segments double in size from `SMALLEST` to `LARGEST` bytes; some of each of the middle
 * sizes are kept for reuse, because fresh pages cost more than copying into them.
 *
 * The largest, of which a long queue has thousands, are cut from slabs of 32 MiB. One by one they would come from
 * malloc, which keeps for good what is freed below a block in use: after a burst the process would stay as large as it
 * ever was. A slab is larger than anything that glibc's malloc does not map and unmap by itself, so it goes back to the
 * system once its segments are free and the collector has seen it.
 */

export const SMALLEST_SEGMENT_BYTES = 256;
export const LARGEST_SEGMENT_BYTES = 256 * 1024;
/** Smaller ones are left to the garbage collector. */
const SMALLEST_KEPT_BYTES = 4096;
/** Of each size below the largest: at most 8 MiB in all. */
const KEPT = 32;
const SLAB_BYTES = 32 * 1024 * 1024;
const SEGMENTS_OF_SLAB = SLAB_BYTES / LARGEST_SEGMENT_BYTES;

class Slab {
  readonly #bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
  /** Numbers of the segments that came back; those above `#cut` were never given out and take no memory yet. */
  readonly #free: number[] = [];
  #cut = 0;

  get key(): ArrayBufferLike {
    return this.#bytes.buffer;
  }

  get freeBytes(): number {
    return this.#free.length * LARGEST_SEGMENT_BYTES;
  }

  get isFull(): boolean {
    return this.#free.length === 0 && this.#cut === SEGMENTS_OF_SLAB;
  }

  get isEmpty(): boolean {
    return this.#free.length === this.#cut;
  }

  take(): Uint8Array {
    const start = (this.#free.pop() ?? this.#cut++) * LARGEST_SEGMENT_BYTES;
    return this.#bytes.subarray(start, start + LARGEST_SEGMENT_BYTES);
  }

  giveBack(bytes: Uint8Array): void {
    this.#free.push((bytes.byteOffset - this.#bytes.byteOffset) / LARGEST_SEGMENT_BYTES);
  }
}

export class SegmentPool {
  readonly #kept = new Map<number, Uint8Array[]>();
  readonly #slabs = new Map<ArrayBufferLike, Slab>();
  /** Where the next ones come from: the oldest with room, so that younger ones run empty. */
  #open: Slab | undefined;
  #allocatedBytes = 0;
  #reusableBytes = 0;
  #reservedBytes = 0;
  #droppedBytes = 0;

  constructor() {
    for (let size = SMALLEST_KEPT_BYTES; size < LARGEST_SEGMENT_BYTES; size *= 2) this.#kept.set(size, []);
  }

  /** Bytes in use by segments now. */
  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  /** Bytes that no segment uses and that are kept for the next. */
  get reusableBytes(): number {
    return this.#reusableBytes;
  }

  /** Bytes of slabs that were never given out. */
  get reservedBytes(): number {
    return this.#reservedBytes;
  }

  /** Bytes given up so far; the system has them back after a garbage collection. */
  get droppedBytes(): number {
    return this.#droppedBytes;
  }

  allocate(sizeBytes: number): Uint8Array {
    this.#allocatedBytes += sizeBytes;
    if (sizeBytes === LARGEST_SEGMENT_BYTES) return this.#takeFromSlab();
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
    if (bytes.length === LARGEST_SEGMENT_BYTES) {
      this.#giveBackToSlab(bytes);
      return;
    }
    const kept = this.#kept.get(bytes.length);
    if (kept === undefined || kept.length === KEPT) return;
    kept.push(bytes);
    this.#reusableBytes += bytes.length;
  }

  #takeFromSlab(): Uint8Array {
    const slab = this.#open ?? this.#addSlab();
    if (slab.freeBytes > 0) this.#reusableBytes -= LARGEST_SEGMENT_BYTES;
    else this.#reservedBytes -= LARGEST_SEGMENT_BYTES;
    const bytes = slab.take();
    if (slab.isFull) this.#open = this.#firstWithRoom();
    return bytes;
  }

  #giveBackToSlab(bytes: Uint8Array): void {
    const slab = this.#slabs.get(bytes.buffer);
    if (slab === undefined) throw new Error('a segment of no slab');
    slab.giveBack(bytes);
    this.#reusableBytes += LARGEST_SEGMENT_BYTES;
    this.#open ??= slab;
    // One that is empty is kept for what comes next.
    if (!slab.isEmpty || this.#open === slab) return;
    this.#slabs.delete(slab.key);
    this.#reusableBytes -= slab.freeBytes;
    this.#reservedBytes -= SLAB_BYTES - slab.freeBytes;
    this.#droppedBytes += SLAB_BYTES;
  }

  #addSlab(): Slab {
    const slab = new Slab();
    this.#slabs.set(slab.key, slab);
    this.#open = slab;
    this.#reservedBytes += SLAB_BYTES;
    return slab;
  }

  #firstWithRoom(): Slab | undefined {
    for (const slab of this.#slabs.values()) if (!slab.isFull) return slab;
    return undefined;
  }
}
