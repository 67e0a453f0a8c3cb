/**
 * A connection's bytes without a socket. The test is the peer and the kernel: it sends, reads what came, refuses to
 * take output for a while, and hangs up.
 */
import type { Clock } from '../../src/clock.js';
import { ChunkPool } from '../../src/net/chunk-pool.js';
import type { Transport, TransportHandler } from '../../src/net/transport.js';

export class MemoryTransport implements Transport {
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 50_000;
  readonly localAddress = '127.0.0.1';
  readonly localPort = 5672;
  readonly chunks: ChunkPool;
  bytesRead = 0;
  bytesWritten = 0;
  unsentBytes = 0;
  /** While true the kernel takes nothing. */
  stalled = false;
  state: 'open' | 'ending' | 'destroyed' | 'closed' = 'open';
  readonly #clock: Clock;
  #handler: TransportHandler | undefined;
  #pauses = 0;
  #received: Buffer[] = [];
  #incoming: Uint8Array[] = [];

  constructor(clock: Clock, chunks = new ChunkPool()) {
    this.#clock = clock;
    this.chunks = chunks;
  }

  attach(handler: TransportHandler): void {
    this.#handler = handler;
  }

  // --- Transport

  write(chunk: Buffer, length: number): void {
    if (length > chunk.length) throw new RangeError(`${length} bytes of a chunk that has ${chunk.length}`);
    if (this.state === 'open') {
      this.#received.push(Buffer.from(chunk.subarray(0, length)));
      this.bytesWritten += length;
      if (this.stalled) this.unsentBytes += length;
    }
    // A chunk used after it was given away shows in the output.
    chunk.fill(0xdd);
    this.chunks.release(chunk);
  }

  pauseReading(): void {
    this.#pauses++;
  }

  resumeReading(): void {
    if (this.#pauses === 0) throw new Error('reading is resumed more often than it was paused');
    if (--this.#pauses > 0) return;
    const waiting = this.#incoming;
    this.#incoming = [];
    // Like a socket, which never calls back from within resume().
    if (waiting.length > 0) this.#clock.atEndOfTurn(() => this.#arrive(waiting));
  }

  end(): void {
    if (this.state !== 'open') return;
    this.state = 'ending';
    this.#close();
  }

  destroy(): void {
    if (this.state !== 'open' && this.state !== 'ending') return;
    this.state = 'destroyed';
    this.#close();
  }

  // --- for the test

  get readingPaused(): boolean {
    return this.#pauses > 0;
  }

  /** True once the broker has given the connection up. */
  get isClosed(): boolean {
    return this.state !== 'open';
  }

  /** The peer sends. What a paused broker does not read yet is kept. The bytes handed over are void afterwards. */
  send(bytes: Uint8Array): void {
    this.#arrive([bytes]);
  }

  /** The kernel takes what had piled up. */
  drain(): void {
    this.stalled = false;
    this.unsentBytes = 0;
    if (this.state === 'open') this.#handler?.onDrain();
  }

  /** The peer hangs up. */
  disconnect(error?: Error): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.#handler?.onClosed(error);
  }

  /** What was written since the last look. */
  take(): Buffer {
    const bytes = Buffer.concat(this.#received);
    this.#received = [];
    return bytes;
  }

  #arrive(chunks: readonly Uint8Array[]): void {
    for (const bytes of chunks) {
      if (this.state !== 'open') return;
      if (this.#pauses > 0) {
        this.#incoming.push(bytes);
        continue;
      }
      const copy = Uint8Array.from(bytes);
      this.bytesRead += copy.length;
      this.#handler?.onBytes(copy, 0, copy.length);
      copy.fill(0xee);
    }
  }

  #close(): void {
    this.#clock.atEndOfTurn(() => this.disconnect());
  }
}
