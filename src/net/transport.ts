/**
 * One connection's bytes, without what they mean. Sessions see `Transport` and implement `TransportHandler`.
 * `SocketTransport` is the one over a TCP socket: a read budget per turn so that a busy peer cannot starve the others,
 * and chunks that go back to the pool as soon as the kernel has taken them.
 */
import type { Socket } from 'node:net';
import { type Turn, TurnPhase, type TurnTask } from '../core/turn.js';
import type { ChunkPool } from './chunk-pool.js';

export interface Transport {
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  /** Totals since the connection began; heartbeats watch them change. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Bytes written here that the kernel has not taken. */
  readonly unsentBytes: number;
  readonly chunks: ChunkPool;
  /** Sends `chunk[0, length)` and takes the chunk over, which came from `chunks`. */
  write(chunk: Buffer, length: number): void;
  /** Counted: reading goes on when every pause was undone. */
  pauseReading(): void;
  resumeReading(): void;
  /** Closes once everything written is sent. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

export interface TransportHandler {
  /** `bytes[start, end)` is valid until this returns. */
  onBytes(bytes: Uint8Array, start: number, end: number): void;
  /** The kernel took output that had piled up. */
  onDrain(): void;
  /** Nothing comes any more and nothing can be sent. Called once. */
  onClosed(error: Error | undefined): void;
}

/** What a connection may read in one turn before the others have theirs. */
const READ_BUDGET_BYTES = 512 * 1024;

export class SocketTransport implements Transport, TurnTask {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  bytesRead = 0;
  bytesWritten = 0;
  unsentBytes = 0;
  deferred = false;
  readonly chunks: ChunkPool;
  readonly #socket: Socket;
  readonly #turn: Turn;
  #handler: TransportHandler | undefined;
  readonly #inFlight: Buffer[] = [];
  readonly #onWritten = (): void => this.#written();
  #readInTurn = 0;
  #pauses = 0;
  #error: Error | undefined;

  constructor(socket: Socket, chunks: ChunkPool, turn: Turn) {
    this.#socket = socket;
    this.chunks = chunks;
    this.#turn = turn;
    this.remoteAddress = socket.remoteAddress ?? '';
    this.remotePort = socket.remotePort ?? 0;
    this.localAddress = socket.localAddress ?? '';
    this.localPort = socket.localPort ?? 0;
    socket.on('error', (error) => {
      this.#error = error;
    });
    // Who ends its side while it leaves our output unread will not read it, and would keep the socket for good.
    socket.on('end', () => {
      if (this.unsentBytes > 0) socket.destroy();
    });
    socket.on('close', () => this.#handler?.onClosed(this.#error));
  }

  attach(handler: TransportHandler): void {
    this.#handler = handler;
  }

  /** The listener calls it with what arrived. */
  received(bytes: Uint8Array, length: number): void {
    this.bytesRead += length;
    if (this.#readInTurn === 0) this.#turn.defer(TurnPhase.Flush, this);
    const before = this.#readInTurn;
    this.#readInTurn += length;
    if (before < READ_BUDGET_BYTES && this.#readInTurn >= READ_BUDGET_BYTES) this.pauseReading();
    this.#handler?.onBytes(bytes, 0, length);
  }

  /** End of the turn: the read budget is fresh. */
  runInTurn(): void {
    const spent = this.#readInTurn >= READ_BUDGET_BYTES;
    this.#readInTurn = 0;
    if (spent) this.resumeReading();
  }

  write(chunk: Buffer, length: number): void {
    const socket = this.#socket;
    if (socket.destroyed || !socket.writable) {
      this.chunks.release(chunk);
      return;
    }
    this.bytesWritten += length;
    const idle = this.#inFlight.length === 0;
    this.#inFlight.push(chunk);
    socket.write(length === chunk.length ? chunk : chunk.subarray(0, length), this.#onWritten);
    this.unsentBytes = socket.writableLength;
    // The kernel took all of it at once: the chunk is free although the callback is yet to come.
    if (idle && this.unsentBytes === 0) this.#releaseFirst();
  }

  pauseReading(): void {
    if (this.#pauses++ === 0) this.#socket.pause();
  }

  resumeReading(): void {
    if (--this.#pauses === 0 && !this.#socket.destroyed) this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #early = 0;

  #releaseFirst(): void {
    const chunk = this.#inFlight.shift();
    if (chunk !== undefined) this.chunks.release(chunk);
    this.#early++;
  }

  #written(): void {
    // Callbacks come in the order of the writes; those of chunks released early are passed over.
    if (this.#early > 0) {
      this.#early--;
      return;
    }
    const chunk = this.#inFlight.shift();
    if (chunk !== undefined) this.chunks.release(chunk);
    const before = this.unsentBytes;
    this.unsentBytes = this.#socket.writableLength;
    if (this.unsentBytes < before) this.#handler?.onDrain();
  }
}
