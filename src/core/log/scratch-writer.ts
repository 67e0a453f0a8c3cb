/**
 * Writes to the scratch store, a bounded number at a time. After one that failed they go one by one until one succeeds,
 * and only the first failure is told of.
 */
import type { ScratchPage, ScratchStore } from '../ports/scratch-store.js';

const MOST_WRITES = 64;
const MOST_BYTES = 8 * 1024 * 1024;

export interface ScratchWriterListener {
  /** A write has ended; `done` of it has been called. */
  written(succeeded: boolean): void;
  writesFail(): void;
}

export class ScratchWriter {
  readonly #scratch: ScratchStore | undefined;
  readonly #listener: ScratchWriterListener;
  #outstanding = 0;
  #outstandingBytes = 0;
  #failing = false;

  constructor(scratch: ScratchStore | undefined, listener: ScratchWriterListener) {
    this.#scratch = scratch;
    this.#listener = listener;
  }

  /** Bytes being written: they leave memory soon. */
  get outstandingBytes(): number {
    return this.#outstandingBytes;
  }

  get ready(): boolean {
    if (this.#scratch === undefined) return false;
    return this.#failing
      ? this.#outstanding === 0
      : this.#outstanding < MOST_WRITES && this.#outstandingBytes < MOST_BYTES;
  }

  /** It will be ready when something was written. */
  get busy(): boolean {
    return this.#outstanding > 0 && !this.ready;
  }

  /** Only while `ready`. See `ScratchStore.write`. */
  write(bytes: Uint8Array, length: number, done: (page: ScratchPage | undefined) => void): void {
    this.#outstanding++;
    this.#outstandingBytes += bytes.length;
    this.#scratch?.write(bytes, length, (page) => {
      this.#outstanding--;
      this.#outstandingBytes -= bytes.length;
      done(page);
      const failedBefore = this.#failing;
      this.#failing = page === undefined;
      if (this.#failing && !failedBefore) this.#listener.writesFail();
      this.#listener.written(!this.#failing);
    });
  }
}
