/**
 * Bytes of one connection, in chunks cut anywhere, into frames. Sizes are checked before anything is buffered; a
 * frame that lies whole in its chunk is not copied, and at most one straddling frame is carried over.
 *
 *      0      1         3      7                7+size
 *      ┌──────┬─────────┬──────┬────────────────┬──────┐
 *      │ type │ channel │ size │ payload        │ 0xCE │
 *      └──────┴─────────┴──────┴────────────────┴──────┘
 *
 * A publish whose method, header and only body frame lie in the same chunk is handed over in one step, as the three
 * frames would be; that is the hot path of a broker.
 */
import { copyRange } from '../copy-range.js';
import { readU32 } from '../read-u32.js';
import { FRAME_END, FrameType } from './constants.gen.js';
import { describePayload, FrameError } from './errors.js';

const HEADER_BYTES = 7;
/** Frame header and end octet. */
const OVERHEAD_BYTES = 8;
/** A carried frame up to this size is kept in a buffer that is used again. */
const REUSED_CARRY_BYTES = 4096;
/** Class and method id of basic.publish, as one number. */
const PUBLISH = 0x003c0028;
const BASIC_CLASS = 60;
/** Content header before the properties: class, weight, body size. */
const CONTENT_HEADER_BYTES = 12;

export interface FrameSink {
  /** `bytes[start, end)` is the payload, valid until this returns. */
  onFrame(type: number, channel: number, bytes: Uint8Array, start: number, end: number): void;
  /**
   * A whole publish. All ranges are in `bytes`, valid until this returns. False, with nothing done: the channel is in
   * no state for it, and the frames come one by one.
   */
  onPublish(
    channel: number,
    bytes: Uint8Array,
    argumentsStart: number,
    argumentsEnd: number,
    propertiesStart: number,
    propertiesEnd: number,
    bodyStart: number,
    bodyEnd: number,
  ): boolean;
}

export class FrameParser {
  readonly #sink: FrameSink;
  /** Largest payload taken, in bytes. */
  #maxPayload: number;
  // The carried frame: its header, and once that is complete the payload and end octet.
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerFilled = 0;
  #payload: Uint8Array | undefined;
  #payloadFilled = 0;
  #payloadSize = 0;
  #reusable: Uint8Array | undefined;
  #suspended = false;
  #held: Uint8Array[] = [];

  constructor(sink: FrameSink, maxPayload: number) {
    this.#sink = sink;
    this.#maxPayload = maxPayload;
  }

  /** The limit after tuning. RabbitMQ takes payloads up to frame_max itself, 8 bytes more than is right. */
  set maxPayload(bytes: number) {
    this.#maxPayload = bytes;
  }

  /** Frames stop coming after the present one; what follows is held. */
  suspend(): void {
    this.#suspended = true;
  }

  /** Frames held back come now, unless the sink suspends again. */
  resume(): void {
    this.#suspended = false;
    const held = this.#held;
    this.#held = [];
    for (const bytes of held) this.#push(bytes, 0, bytes.length, true);
  }

  /** Bytes that a suspended parser holds. */
  get heldBytes(): number {
    return this.#held.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  /** Throws FrameError; the parser is of no use afterwards. */
  push(bytes: Uint8Array, start: number, end: number): void {
    this.#push(bytes, start, end, false);
  }

  /** `owned`: the bytes stay valid, so what has to be held of them need not be copied. */
  #push(bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    let at = start;
    if (this.#headerFilled > 0 && !this.#suspended) at = this.#completeCarried(bytes, at, end);
    while (!this.#suspended) {
      if (end - at < HEADER_BYTES) break;
      const size = readU32(bytes, at + 3);
      if (size > this.#maxPayload) this.#refuseSize(bytes[at] as number, size);
      const next = at + OVERHEAD_BYTES + size;
      if (next > end) break;
      if (bytes[next - 1] !== FRAME_END) refuseEnd(bytes, at, next - 1);
      const type = bytes[at] as number;
      const channel = ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
      if (type === FrameType.method && size >= 4 && readU32(bytes, at + HEADER_BYTES) === PUBLISH) {
        const behind = this.#tryPublish(bytes, at, next, end, channel);
        if (behind !== 0) {
          at = behind;
          continue;
        }
      }
      this.#emit(type, channel, bytes, at + HEADER_BYTES, next - 1);
      at = next;
    }
    if (at === end) return;
    if (this.#suspended) this.#held.push(owned ? bytes.subarray(at, end) : copyRange(bytes, at, end));
    else this.#carry(bytes, at, end);
  }

  /** Offset behind the publish that begins at `at` when all of it is here and the sink took it; else 0. */
  #tryPublish(bytes: Uint8Array, at: number, header: number, end: number, channel: number): number {
    const properties = header + HEADER_BYTES + CONTENT_HEADER_BYTES;
    if (end < properties + 1) return 0;
    const headerSize = readU32(bytes, header + 3);
    const body = header + OVERHEAD_BYTES + headerSize;
    const isHeader =
      bytes[header] === FrameType.header &&
      (((bytes[header + 1] as number) << 8) | (bytes[header + 2] as number)) === channel &&
      headerSize >= CONTENT_HEADER_BYTES + 2 &&
      headerSize <= this.#maxPayload &&
      body <= end &&
      bytes[body - 1] === FRAME_END &&
      // Class 60, weight 0.
      readU32(bytes, header + HEADER_BYTES) === BASIC_CLASS << 16 &&
      // A body above 4 GiB is for the assembler to refuse.
      readU32(bytes, header + HEADER_BYTES + 4) === 0;
    if (!isHeader) return 0;
    const bodySize = readU32(bytes, header + HEADER_BYTES + 8);
    let bodyStart = body;
    let behind = body;
    if (bodySize > 0) {
      behind = body + OVERHEAD_BYTES + bodySize;
      const isBody =
        behind <= end &&
        bytes[body] === FrameType.body &&
        (((bytes[body + 1] as number) << 8) | (bytes[body + 2] as number)) === channel &&
        readU32(bytes, body + 3) === bodySize &&
        bodySize <= this.#maxPayload &&
        bytes[behind - 1] === FRAME_END;
      if (!isBody) return 0;
      bodyStart = body + HEADER_BYTES;
    }
    const taken = this.#sink.onPublish(
      channel,
      bytes,
      at + HEADER_BYTES + 4,
      header - 1,
      properties,
      body - 1,
      bodyStart,
      bodyStart + bodySize,
    );
    return taken ? behind : 0;
  }

  #emit(type: number, channel: number, bytes: Uint8Array, start: number, end: number): void {
    if (type !== FrameType.method && type !== FrameType.header && type !== FrameType.body) {
      const heartbeat = type === FrameType.heartbeat && channel === 0;
      if (!heartbeat) {
        const kind = type === FrameType.heartbeat ? 'unexpected-frame' : 'frame-error';
        const suffix = type === FrameType.heartbeat ? '' : ': unknown_frame';
        throw new FrameError(kind, describePayload(type, bytes, start, end) + suffix);
      }
    }
    this.#sink.onFrame(type, channel, bytes, start, end);
  }

  /** Keeps the beginning of a frame whose rest comes with the next chunk. */
  #carry(bytes: Uint8Array, at: number, end: number): void {
    this.#headerFilled = 0;
    const from = this.#fillHeader(bytes, at, end);
    if (this.#payload !== undefined) this.#fillPayload(bytes, from, end);
  }

  /** Continues the carried frame and hands it over once complete. Returns the offset behind what it took. */
  #completeCarried(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    if (this.#payload === undefined) {
      at = this.#fillHeader(bytes, at, end);
      if (this.#payload === undefined) return at;
    }
    at = this.#fillPayload(bytes, at, end);
    const size = this.#payloadSize;
    if (this.#payloadFilled < size + 1) return at;
    const payload = this.#payload as Uint8Array;
    const header = this.#header;
    const type = header[0] as number;
    this.#headerFilled = 0;
    this.#payload = undefined;
    if (payload[size] !== FRAME_END) refuseEndOf(type, payload, 0, size);
    this.#emit(type, ((header[1] as number) << 8) | (header[2] as number), payload, 0, size);
    return at;
  }

  #fillHeader(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (this.#headerFilled < HEADER_BYTES && at < end) this.#header[this.#headerFilled++] = bytes[at++] as number;
    if (this.#headerFilled < HEADER_BYTES) return at;
    const size = readU32(this.#header, 3);
    if (size > this.#maxPayload) this.#refuseSize(this.#header[0] as number, size);
    this.#payloadSize = size;
    this.#payloadFilled = 0;
    this.#payload = this.#carryBuffer(size + 1);
    return at;
  }

  #fillPayload(bytes: Uint8Array, start: number, end: number): number {
    const taken = Math.min(this.#payloadSize + 1 - this.#payloadFilled, end - start);
    this.#payload?.set(bytes.subarray(start, start + taken), this.#payloadFilled);
    this.#payloadFilled += taken;
    return start + taken;
  }

  #carryBuffer(bytes: number): Uint8Array {
    if (bytes > REUSED_CARRY_BYTES) return new Uint8Array(bytes);
    this.#reusable ??= new Uint8Array(REUSED_CARRY_BYTES);
    return this.#reusable;
  }

  #refuseSize(type: number, size: number): never {
    const limit = Math.max(this.#maxPayload - OVERHEAD_BYTES, 0);
    throw new FrameError('frame-error', `type ${type}, all octets = <<>>: {frame_too_large,${size},${limit}}`);
  }
}

function refuseEnd(bytes: Uint8Array, frame: number, end: number): never {
  refuseEndOf(bytes[frame] as number, bytes, frame + HEADER_BYTES, end);
}

function refuseEndOf(type: number, bytes: Uint8Array, start: number, end: number): never {
  const marker = bytes[end] as number;
  throw new FrameError(
    'frame-error',
    `${describePayload(type, bytes, start, end)}: {invalid_frame_end_marker,${marker}}`,
  );
}
