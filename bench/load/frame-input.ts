/**
 * The buffer that a socket reads into, and the frames in it. A frame that is cut at the end of a chunk is moved in front
 * of where the next chunk begins, so that every frame lies whole in one place:
 *
 *      0                            largest frame
 *      ┌───────────────┬────────────┬─────────────────────────────┐
 *      │               │ cut frame  │ next chunk                  │
 *      └───────────────┴────────────┴─────────────────────────────┘
 */
import { FRAME_END } from '../../protocol/amqp/constants.gen.js';
import { readU32 } from '../../protocol/read-u32.js';

/** Frame header and end octet. */
const OVERHEAD_BYTES = 8;
const HEADER_BYTES = 7;

export interface FrameReceiver {
  /** False: nothing more is wanted. */
  readonly isOpen: boolean;
  /** Takes whole frames that it knows, and answers the offset behind them. */
  scan(bytes: Uint8Array, at: number, end: number): number;
  /** `bytes[start, end)` is the payload, valid until this returns. */
  onFrame(type: number, channel: number, bytes: Uint8Array, start: number, end: number): void;
}

export class FrameInput {
  readonly largestFrameBytes: number;
  /** Where the socket puts each chunk, from its beginning. */
  readonly chunk: Uint8Array;
  readonly #bytes: Uint8Array;
  #carriedBytes = 0;

  constructor(largestFrameBytes: number, readBytes: number) {
    // Not from the pool, and not touched before it is used: thousands of idle connections cost no memory.
    this.#bytes = Buffer.allocUnsafeSlow(largestFrameBytes + readBytes);
    this.largestFrameBytes = largestFrameBytes;
    this.chunk = this.#bytes.subarray(largestFrameBytes);
  }

  /** That many bytes are in `chunk`. Throws when they are no frames. */
  received(count: number, receiver: FrameReceiver): void {
    const chunkAt = this.largestFrameBytes;
    const end = chunkAt + count;
    const at = this.#read(chunkAt - this.#carriedBytes, end, receiver);
    // `#read` has refused a frame that does not fit there.
    this.#carriedBytes = end - at;
    this.#bytes.copyWithin(chunkAt - this.#carriedBytes, at, end);
  }

  /** Answers the offset of the first frame that is not all there. */
  #read(start: number, end: number, receiver: FrameReceiver): number {
    const bytes = this.#bytes;
    let at = start;
    while (receiver.isOpen) {
      at = receiver.scan(bytes, at, end);
      if (end - at < OVERHEAD_BYTES) return at;
      const next = at + OVERHEAD_BYTES + readU32(bytes, at + 3);
      if (next - at > this.largestFrameBytes) throw new Error(`a frame of ${next - at} bytes`);
      if (next > end) return at;
      if (bytes[next - 1] !== FRAME_END) throw new Error('a frame without its end octet');
      const channel = ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
      receiver.onFrame(bytes[at] ?? 0, channel, bytes, at + HEADER_BYTES, next - 1);
      at = next;
    }
    return end;
  }
}
