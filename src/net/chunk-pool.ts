/**
 * Output buffers, shared by all connections: a connection owns one only from its first write in a turn until the
 * kernel has taken the bytes. Most turns write little, so there are two sizes.
 */

const SMALL_CHUNK_BYTES = 4 * 1024;
const LARGE_CHUNK_BYTES = 128 * 1024;
const KEPT_SMALL = 256;
const KEPT_LARGE = 32;

export class ChunkPool {
  readonly smallBytes = SMALL_CHUNK_BYTES;
  readonly largeBytes = LARGE_CHUNK_BYTES;
  readonly #small: Buffer[] = [];
  readonly #large: Buffer[] = [];

  small(): Buffer {
    return this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL_CHUNK_BYTES);
  }

  large(): Buffer {
    return this.#large.pop() ?? Buffer.allocUnsafeSlow(LARGE_CHUNK_BYTES);
  }

  release(chunk: Buffer): void {
    if (chunk.length === SMALL_CHUNK_BYTES) {
      if (this.#small.length < KEPT_SMALL) this.#small.push(chunk);
    } else if (chunk.length === LARGE_CHUNK_BYTES && this.#large.length < KEPT_LARGE) this.#large.push(chunk);
  }
}
