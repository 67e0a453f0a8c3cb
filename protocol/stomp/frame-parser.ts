/**
 * Bytes of one connection, in chunks cut anywhere, into STOMP frames. Every limit is checked before memory is taken for
 * what it limits. A frame that lies whole in its chunk is not copied; of one that does not, its lines and then its body
 * are collected.
 *
 *      command LF  (name ':' value LF)*  LF  body NUL         LF and NUL between frames are skipped
 *
 * A SEND with the very head of the SEND before, as one publisher's frames mostly have it, costs one comparison.
 */
import { Buffer } from 'node:buffer';
import { copyRange } from '../copy-range.js';
import { StompSyntaxError } from './errors.js';
import { StompFrame } from './frame.js';
import { nameHeaders } from './frame-headers.js';
import { bytesEqual, commandAt, headerId } from './names.js';

export interface StompLimits {
  readonly headers: number;
  /** Command and headers with their line ends. */
  readonly headBytes: number;
  /** Head and body. */
  readonly frameBytes: number;
}

export interface StompFrameSink {
  /** `frame` is valid until this returns. */
  onFrame(frame: StompFrame): void;
}

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const NO_BYTES = new Uint8Array(0);
const CONTENT_LENGTH = headerId('content-length');
/** Of the collected lines or body, so much room at first. */
const FIRST_ROOM_BYTES = 4096;
/** A head above this size is not compared with the next one. */
const LONGEST_REPEATED_HEAD = 1024;
const UNKNOWN = -1;

export class StompFrameParser {
  /** Blanks before a header's value do not count (STOMP 1.0). */
  trimsValues = false;
  readonly #sink: StompFrameSink;
  #limits: StompLimits;
  readonly #frame: StompFrame;
  /** `between`: frames; `head`, `body`: within one. */
  #state: 'between' | 'head' | 'body' = 'between';
  /** A CR ended the chunk before, between frames. */
  #carriageReturn = false;
  // The lines so far, offsets counted from where the frame begins.
  #lines = 0;
  #lineStart = 0;
  #escaped = false;
  #headLength = 0;
  /** Collected lines, when the head did not come in one chunk. */
  #collected: Uint8Array = NO_BYTES;
  #collectedLength = 0;
  #body: Uint8Array = NO_BYTES;
  #bodyLength = 0;
  /** Announced by content-length, or UNKNOWN. */
  #bodySize = UNKNOWN;
  /** The head that `#frame` shows, when it was taken from one chunk and is to be compared. */
  #shownHead: Uint8Array = NO_BYTES;
  #shownView: DataView = new DataView(NO_BYTES.buffer);
  /** Most chunks lie in one and the same buffer, so its view is kept. */
  #chunk: Uint8Array = NO_BYTES;
  #chunkView: DataView = new DataView(NO_BYTES.buffer);
  #shownBodySize = UNKNOWN;
  #headNumber = 0;
  #suspended = false;
  #held: Uint8Array[] = [];

  constructor(sink: StompFrameSink, limits: StompLimits) {
    this.#sink = sink;
    this.#limits = limits;
    this.#frame = new StompFrame(limits.headers);
  }

  /** The number of headers stays what it was. */
  set limits(limits: StompLimits) {
    this.#limits = limits;
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

  /** Throws StompSyntaxError; the parser is of no use afterwards. */
  push(bytes: Uint8Array, start: number, end: number): void {
    this.#push(bytes, start, end, false);
  }

  /** `owned`: the bytes stay valid, so what has to be held of them need not be copied. */
  #push(bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    let at = start;
    while (at < end && !this.#suspended) {
      if (this.#state === 'between') at = this.#skip(bytes, at, end);
      else if (this.#state === 'head') at = this.#collectLine(bytes, at, end);
      else at = this.#collectBody(bytes, at, end);
    }
    if (at < end) this.#held.push(owned ? bytes.subarray(at, end) : copyRange(bytes, at, end));
  }

  // --- between frames

  /** Skips heart-beats and takes the next frame as far as it is here. */
  #skip(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (this.#carriageReturn && byte !== LF) throw strayReturn();
      this.#carriageReturn = byte === CR;
      if (byte !== LF && byte !== 0 && byte !== CR) break;
    }
    return at < end ? this.#begin(bytes, at, end) : at;
  }

  #begin(bytes: Uint8Array, start: number, end: number): number {
    const shown = this.#shownHead;
    const length = shown.length;
    if (length > 0 && length < end - start && this.#isShownHead(bytes, start)) {
      const behind = this.#repeatHead(bytes, start, end);
      if (behind !== start) return behind;
    }
    this.#beginHead();
    this.#scanLines(bytes, start, end, start);
    if (this.#headLength > 0) return this.#beginBody(bytes, start, end);
    // The frame's bytes so far go along, and the rest of its head joins them line by line.
    this.#checkHead(end - start);
    this.#collected = new Uint8Array(Math.max(FIRST_ROOM_BYTES, end - start));
    this.#collected.set(bytes.subarray(start, end), 0);
    this.#collectedLength = end - start;
    this.#state = 'head';
    return end;
  }

  /** Four bytes at a time: heads are long, and this is done for every frame. */
  #isShownHead(bytes: Uint8Array, start: number): boolean {
    if (bytes !== this.#chunk) {
      this.#chunk = bytes;
      this.#chunkView = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    const shown = this.#shownView;
    const view = this.#chunkView;
    const length = shown.byteLength;
    const words = length - 3;
    let at = 0;
    for (; at < words; at += 4) if (shown.getInt32(at) !== view.getInt32(start + at)) return false;
    return bytesEqual(this.#shownHead, at, bytes, start + at, length - at);
  }

  /** The head is that of the frame before: only its body is new. Returns `start` when the body is not all here. */
  #repeatHead(bytes: Uint8Array, start: number, end: number): number {
    const frame = this.#frame;
    const bodyStart = start + this.#shownHead.length;
    const bodyEnd =
      this.#shownBodySize === UNKNOWN ? indexOfNul(bytes, bodyStart, end) : bodyStart + this.#shownBodySize;
    if (bodyEnd === -1 || bodyEnd >= end) return start;
    if (bytes[bodyEnd] !== 0) throw noEnd();
    this.#checkFrame(bodyEnd - start);
    // Unescaped heads are in memory of their own, which stays as it is.
    if (!this.#escaped) {
      frame.head = bytes;
      frame.headStart = start;
    }
    this.#emit(bytes, bodyStart, bodyEnd);
    return bodyEnd + 1;
  }

  // --- head

  #beginHead(): void {
    this.#frame.clear();
    this.#lines = 0;
    this.#lineStart = 0;
    this.#escaped = false;
    this.#headLength = 0;
    this.#shownHead = NO_BYTES;
  }

  /** Appends up to the end of a line, and reads it when that is there. */
  #collectLine(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && bytes[at] !== LF) at++;
    const complete = at < end;
    const behind = complete ? at + 1 : at;
    this.#checkHead(this.#collectedLength + behind - start);
    this.#collected = withRoom(this.#collected, this.#collectedLength, behind - start, this.#limits.headBytes);
    this.#collected.set(bytes.subarray(start, behind), this.#collectedLength);
    this.#collectedLength += behind - start;
    if (!complete) return behind;
    this.#scanLines(this.#collected, this.#lineStart, this.#collectedLength, 0);
    return this.#headLength > 0 ? this.#beginBody(bytes, behind, end) : behind;
  }

  /** Reads whole lines from `from` on, up to the empty one; `start` is where the frame begins. */
  #scanLines(bytes: Uint8Array, from: number, end: number, start: number): void {
    let lineStart = from;
    let colon = -1;
    for (let at = from; at < end; at++) {
      const byte = bytes[at]!;
      if (byte > BACKSLASH) continue;
      if (byte === LF) {
        const lineEnd = at > lineStart && bytes[at - 1] === CR ? at - 1 : at;
        if (lineEnd === lineStart) {
          this.#checkHead(at + 1 - start);
          this.#headLength = at + 1 - start;
          return;
        }
        this.#takeLine(bytes, lineStart, colon, lineEnd, start);
        lineStart = at + 1;
        colon = -1;
      } else if (byte === COLON) {
        if (colon === -1) colon = at;
      } else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === CR && at + 1 < end && bytes[at + 1] !== LF) throw strayReturn();
    }
    this.#lineStart = lineStart - start;
  }

  #takeLine(bytes: Uint8Array, lineStart: number, colon: number, lineEnd: number, start: number): void {
    if (this.#lines++ === 0) {
      this.#frame.command = commandAt(bytes, lineStart, lineEnd);
      return;
    }
    if (colon === -1) throw new StompSyntaxError('a header without a colon');
    if (this.#frame.headerCount === this.#limits.headers) throw new StompSyntaxError('too many headers');
    this.#frame.add(lineStart - start, colon - start, colon + 1 - start, lineEnd - start);
  }

  /** The head is complete: `bytes` goes on behind it, or is it together with what follows. */
  #beginBody(bytes: Uint8Array, at: number, end: number): number {
    const whole = this.#state === 'between';
    const head = whole ? bytes : this.#collected;
    const headStart = whole ? at : 0;
    const bodyAt = whole ? at + this.#headLength : at;
    nameHeaders(this.#frame, head, headStart, this.#escaped ? this.#headLength : 0, this.trimsValues);
    this.#bodySize = this.#frame.command === 'SEND' ? this.#announcedSize() : UNKNOWN;
    if (this.#bodySize !== UNKNOWN) this.#checkFrame(this.#headLength + this.#bodySize);
    const bodyEnd = this.#bodySize === UNKNOWN ? indexOfNul(bytes, bodyAt, end) : bodyAt + this.#bodySize;
    if (bodyEnd !== -1 && bodyEnd < end) {
      if (bytes[bodyEnd] !== 0) throw noEnd();
      this.#checkFrame(this.#headLength + bodyEnd - bodyAt);
      if (whole) this.#noteHead(bytes, at);
      this.#emit(bytes, bodyAt, bodyEnd);
      return bodyEnd + 1;
    }
    this.#keepHead(head, headStart);
    this.#bodyLength = 0;
    this.#state = 'body';
    return this.#collectBody(bytes, bodyAt, end);
  }

  #announcedSize(): number {
    const text = this.#frame.text(CONTENT_LENGTH)?.trim();
    if (text === undefined) return UNKNOWN;
    const size = text === '' ? Number.NaN : Number(text);
    if (!Number.isInteger(size) || size < 0) throw new StompSyntaxError('content-length is no number');
    return size;
  }

  /** The next frame may have the same head, so it is remembered. */
  #noteHead(bytes: Uint8Array, start: number): void {
    this.#frame.headNumber = 0;
    if (this.#frame.command !== 'SEND' || this.#headLength > LONGEST_REPEATED_HEAD) return;
    const head = copyRange(bytes, start, start + this.#headLength);
    this.#shownHead = head;
    this.#shownView = new DataView(head.buffer, head.byteOffset, head.length);
    this.#shownBodySize = this.#bodySize;
    this.#frame.headNumber = ++this.#headNumber;
  }

  /** What lies in a chunk is void when the body is complete. */
  #keepHead(head: Uint8Array, headStart: number): void {
    const frame = this.#frame;
    frame.headNumber = 0;
    if (frame.head !== head || head === this.#collected) return;
    frame.head = copyRange(head, headStart, headStart + this.#headLength);
    frame.headStart = 0;
  }

  // --- body

  #collectBody(bytes: Uint8Array, start: number, end: number): number {
    const known = this.#bodySize !== UNKNOWN;
    const nul = known ? Math.min(end, start + this.#bodySize - this.#bodyLength) : indexOfNul(bytes, start, end);
    const bodyEnd = nul === -1 ? end : nul;
    const taken = bodyEnd - start;
    this.#checkFrame(this.#headLength + this.#bodyLength + taken);
    const most = known ? this.#bodySize : this.#limits.frameBytes;
    this.#body = withRoom(this.#body, this.#bodyLength, taken, most);
    this.#body.set(bytes.subarray(start, bodyEnd), this.#bodyLength);
    this.#bodyLength += taken;
    if (nul === -1 || bodyEnd === end) return end;
    if (bytes[bodyEnd] !== 0) throw noEnd();
    const body = this.#body;
    this.#body = NO_BYTES;
    this.#emit(body, 0, this.#bodyLength);
    return bodyEnd + 1;
  }

  #emit(body: Uint8Array, start: number, end: number): void {
    const frame = this.#frame;
    this.#state = 'between';
    this.#collected = NO_BYTES;
    frame.body = body;
    frame.bodyStart = start;
    frame.bodyEnd = end;
    this.#sink.onFrame(frame);
    frame.body = NO_BYTES;
  }

  // --- limits

  #checkHead(bytes: number): void {
    if (bytes > this.#limits.headBytes) throw new StompSyntaxError('the headers are too long');
    this.#checkFrame(bytes);
  }

  #checkFrame(bytes: number): void {
    if (bytes > this.#limits.frameBytes) throw new StompSyntaxError('the frame is too large');
  }
}

/** `bytes`, or a larger copy, with room for `more` behind the first `length`; never above `most` without need. */
function withRoom(bytes: Uint8Array, length: number, more: number, most: number): Uint8Array {
  const needed = length + more;
  if (needed <= bytes.length) return bytes;
  const doubled = Math.max(FIRST_ROOM_BYTES, bytes.length * 2);
  const larger = new Uint8Array(Math.max(needed, Math.min(doubled, most)));
  larger.set(bytes.subarray(0, length), 0);
  return larger;
}

/** Short bodies are searched by hand; for long ones a call into Node is faster. */
function indexOfNul(bytes: Uint8Array, start: number, end: number): number {
  const near = Math.min(end, start + 32);
  for (let at = start; at < near; at++) if (bytes[at] === 0) return at;
  if (near === end) return -1;
  const found = Buffer.from(bytes.buffer, bytes.byteOffset + near, end - near).indexOf(0);
  return found === -1 ? -1 : near + found;
}

function strayReturn(): StompSyntaxError {
  return new StompSyntaxError('a carriage return that ends no line');
}

function noEnd(): StompSyntaxError {
  return new StompSyntaxError('no NUL behind the body');
}
