/**
 * The frames of one channel into commands: a method, and for a method with content its properties and body. Pure
 * state; a command is complete when `accept` returns true and is read from the fields before the next call.
 */
import { copyRange } from '../copy-range.js';
import { readU32 } from '../read-u32.js';
import { FrameType } from './constants.gen.js';
import { FrameError } from './errors.js';
import { carriesContent } from './methods.gen.js';

/** RabbitMQ's hard limit for a body, whatever the configuration says. */
const LARGEST_BODY_BYTES = 536_870_912;
const CONTENT_HEADER_BYTES = 12;
const FIRST_BODY_BYTES = 64 * 1024;
const NO_BYTES = new Uint8Array(0);

export class CommandAssembler {
  /** Class id in the upper, method id in the lower 16 bits. */
  methodId = 0;
  method: Uint8Array = NO_BYTES;
  /** The method's arguments, behind the ids. */
  argumentsStart = 0;
  argumentsEnd = 0;
  properties: Uint8Array = NO_BYTES;
  propertiesStart = 0;
  propertiesEnd = 0;
  body: Uint8Array = NO_BYTES;
  bodyStart = 0;
  bodyEnd = 0;
  /** As announced by the content header. */
  bodySize = 0;
  readonly #keepUpTo: number;
  #expects: 'method' | 'header' | 'body' = 'method';
  #received = 0;

  /** Bodies above `keepUpTo` bytes are counted but not kept: whoever gets the command refuses it. */
  constructor(keepUpTo: number) {
    this.#keepUpTo = keepUpTo;
  }

  /** True between a method with content and the end of its content. */
  get isAssembling(): boolean {
    return this.#expects !== 'method';
  }

  /** True when the command is complete. Views into `bytes` are valid as long as `bytes` is. Throws FrameError. */
  accept(type: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#expects === 'method') return this.#acceptMethod(type, bytes, start, end);
    if (this.#expects === 'header') return this.#acceptHeader(type, bytes, start, end);
    return this.#acceptBody(type, bytes, start, end);
  }

  /** Lets go of a content that was dealt with: it may be large, and the next one far away. */
  forgetContent(): void {
    this.method = NO_BYTES;
    this.properties = NO_BYTES;
    this.body = NO_BYTES;
  }

  #acceptMethod(type: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (type !== FrameType.method) {
      throw new FrameError('unexpected-frame', 'expected method frame, got non method frame instead');
    }
    if (end - start < 4) throw new FrameError('frame-error', 'method frame too short');
    this.methodId = readU32(bytes, start);
    if (!carriesContent(this.methodId)) {
      this.method = bytes;
      this.argumentsStart = start + 4;
      this.argumentsEnd = end;
      return true;
    }
    // The content comes in later frames, when these bytes may be gone.
    this.method = copyRange(bytes, start + 4, end);
    this.argumentsStart = 0;
    this.argumentsEnd = this.method.length;
    this.#expects = 'header';
    return false;
  }

  #acceptHeader(type: number, bytes: Uint8Array, start: number, end: number): boolean {
    const classId = this.methodId >>> 16;
    if (type !== FrameType.header) {
      throw this.#error(
        'unexpected-frame',
        `expected content header for class ${classId}, got non content header frame instead`,
      );
    }
    if (end - start < CONTENT_HEADER_BYTES + 2) throw new FrameError('frame-error', 'content header frame too short');
    const headerClass = ((bytes[start] as number) << 8) | (bytes[start + 1] as number);
    if (headerClass !== classId) {
      throw this.#error(
        'unexpected-frame',
        `expected content header for class ${classId}, got one for class ${headerClass} instead`,
      );
    }
    const weight = ((bytes[start + 2] as number) << 8) | (bytes[start + 3] as number);
    if (weight !== 0) throw this.#error('unexpected-frame', `expected content header of weight 0, got ${weight}`);
    this.bodySize = readU32(bytes, start + 4) * 0x1_0000_0000 + readU32(bytes, start + 8);
    if (this.bodySize > LARGEST_BODY_BYTES) {
      throw this.#error(
        'frame-error',
        `content body size ${this.bodySize} exceeds maximum allowed size ${LARGEST_BODY_BYTES}`,
      );
    }
    this.#received = 0;
    this.body = NO_BYTES;
    this.bodyStart = 0;
    this.bodyEnd = 0;
    if (this.bodySize === 0) {
      this.properties = bytes;
      this.propertiesStart = start + CONTENT_HEADER_BYTES;
      this.propertiesEnd = end;
      this.#expects = 'method';
      return true;
    }
    this.properties = copyRange(bytes, start + CONTENT_HEADER_BYTES, end);
    this.propertiesStart = 0;
    this.propertiesEnd = this.properties.length;
    this.#expects = 'body';
    return false;
  }

  #acceptBody(type: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (type !== FrameType.body) {
      throw this.#error('unexpected-frame', 'expected content body, got non content body frame instead');
    }
    const length = end - start;
    if (this.#received + length > this.bodySize) {
      throw this.#error('frame-error', 'content body frame exceeds remaining content size');
    }
    const complete = this.#received + length === this.bodySize;
    if (this.bodySize > this.#keepUpTo) this.#received += length;
    else if (complete && this.#received === 0) {
      this.body = bytes;
      this.bodyStart = start;
      this.bodyEnd = end;
    } else this.#keep(bytes, start, end);
    if (complete) this.#expects = 'method';
    return complete;
  }

  /** Grows with what has arrived, not with what was announced. */
  #keep(bytes: Uint8Array, start: number, end: number): void {
    const needed = this.#received + end - start;
    if (needed > this.body.length) {
      const capacity = Math.min(this.bodySize, Math.max(needed, this.body.length * 2, FIRST_BODY_BYTES));
      const larger = new Uint8Array(capacity);
      larger.set(this.body.subarray(0, this.#received));
      this.body = larger;
    }
    this.body.set(bytes.subarray(start, end), this.#received);
    this.#received = needed;
    this.bodyStart = 0;
    this.bodyEnd = needed;
  }

  #error(kind: FrameError['kind'], text: string): FrameError {
    return new FrameError(kind, text, this.methodId >>> 16, this.methodId & 0xffff);
  }
}
