/**
 * What a connection sends, collected over a turn and written at its end as one chunk. `touch` must follow every write
 * to `writer`.
 */
import { ByteWriter } from '../../../protocol/byte-writer.js';
import { copyBytes } from '../../core/log/copy-bytes.js';
import { type Turn, TurnPhase, type TurnTask } from '../../core/turn.js';
import type { Transport } from '../../net/transport.js';

/** Above this many unsent bytes consumers of the connection get nothing more. */
const BACKED_UP_BYTES = 1024 * 1024;
/** Above this many its requests wait too: their answers would only pile up. */
const OVERFLOW_BYTES = 16 * 1024 * 1024;
const NO_CHUNK = Buffer.alloc(0);

export class TurnOutput implements TurnTask {
  deferred = false;
  readonly writer: ByteWriter;
  /** What fits one chunk. */
  readonly largeBytes: number;
  /** The peer reads slower than we write. */
  backedUp = false;
  /** The peer asks without reading the answers. */
  overflowing = false;
  /** Counts the chunks: while it stands, what was written is where it was. */
  generation = 0;
  readonly #transport: Transport;
  readonly #turn: Turn;
  #chunk: Buffer = NO_CHUNK;
  #closed = false;

  constructor(transport: Transport, turn: Turn) {
    this.#transport = transport;
    this.#turn = turn;
    this.largeBytes = transport.chunks.largeBytes;
    this.writer = new ByteWriter(0, (_, needed) => this.#makeRoom(needed));
  }

  /** Something was written: it goes out at the end of this turn. */
  touch(): void {
    if (!this.deferred) this.#turn.defer(TurnPhase.Flush, this);
  }

  runInTurn(): void {
    this.flush();
  }

  flush(): void {
    const length = this.writer.offset;
    const chunk = this.#chunk;
    if (chunk === NO_CHUNK) return;
    this.#chunk = NO_CHUNK;
    this.generation++;
    this.writer.replace(NO_CHUNK, 0);
    if (length === 0 || this.#closed) this.#transport.chunks.release(chunk);
    else this.#transport.write(chunk, length);
    const unsent = this.#transport.unsentBytes;
    // Only `drained` takes them back: whoever waits hears of it there and nowhere else.
    if (unsent > BACKED_UP_BYTES) this.backedUp = true;
    if (unsent > OVERFLOW_BYTES) this.overflowing = true;
  }

  /** The transport sent something; true when that ends the back-up. */
  drained(): boolean {
    if (!this.backedUp || this.#transport.unsentBytes > BACKED_UP_BYTES / 2) return false;
    this.backedUp = false;
    this.overflowing = false;
    return true;
  }

  /** What is still written goes nowhere. */
  close(): void {
    this.#closed = true;
    this.flush();
  }

  /** Bytes of any number, over as many chunks as they take. */
  append(source: Uint8Array, start: number, end: number): void {
    const writer = this.writer;
    let from = start;
    while (from < end) {
      writer.ensure(1);
      const taken = Math.min(end - from, writer.bytes.length - writer.offset);
      writer.offset = copyBytes(writer.bytes, writer.offset, source, from, from + taken);
      from += taken;
    }
  }

  /** A small chunk grows into a large one; a large one is sent. */
  #makeRoom(needed: number): void {
    const { chunks } = this.#transport;
    const used = this.writer.offset;
    const chunk = this.#chunk;
    if (chunk === NO_CHUNK) this.#chunk = needed <= chunks.smallBytes ? chunks.small() : this.#large(needed);
    else if (chunk.length === chunks.smallBytes && used + needed <= this.largeBytes) {
      const large = chunks.large();
      copyBytes(large, 0, chunk, 0, used);
      chunks.release(chunk);
      this.#chunk = large;
      this.writer.replace(large, used);
      return;
    } else {
      this.flush();
      this.#chunk = this.#large(needed);
    }
    this.writer.replace(this.#chunk, 0);
  }

  #large(needed: number): Buffer {
    return needed <= this.largeBytes ? this.#transport.chunks.large() : Buffer.allocUnsafeSlow(needed);
  }
}
