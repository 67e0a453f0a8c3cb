/**
 * MESSAGE frames of one subscription, written in place. What is the same in one message as in the one before,
 * destination and properties mostly, is encoded once; when all but tag and body is, the head is copied within the chunk.
 */
import { copyRange } from '../../../protocol/copy-range.js';
import { escaped } from '../../../protocol/stomp/frame-writer.js';
import { bytesEqual } from '../../../protocol/stomp/names.js';
import { copyBytes } from '../../core/log/copy-bytes.js';
import type { RecordReader } from '../../core/log/record.js';
import type { TurnOutput } from '../shared/turn-output.js';
import { destinationOf } from './destinations.js';
import { messageHeaders } from './message-headers.js';

const LF = 0x0a;
const ZERO = 0x30;
/** Of a delivery tag and of a body's size. */
const MOST_DIGITS = 16;
const REDELIVERED = Buffer.from('\nredelivered:true\n');
const FIRST_DELIVERY = Buffer.from('\nredelivered:false\n');
const ACK = Buffer.from('ack:');
const CONTENT_LENGTH = Buffer.from('content-length:');
const NO_BYTES: Uint8Array = new Uint8Array(0);
/** Properties above this size are encoded for each message: to keep them would take too much. */
const MOST_KEPT_BYTES = 4096;
/** NUL and line feed. */
const END_BYTES = 2;

export interface MessageFrameOptions {
  readonly tag: string;
  readonly id: string | undefined;
  readonly sessionId: string;
  /** With an `ack` header. */
  readonly sendsAck: boolean;
}

export class MessageFrame {
  readonly #output: TurnOutput;
  /** A frame's beginning, up to the destination. */
  readonly #prefix: Uint8Array;
  /** Behind the destination, up to the delivery tag. */
  readonly #messageId: Uint8Array;
  /** The header `ack` up to the delivery tag; empty without it. */
  readonly #ackId: Uint8Array;
  readonly #digits = new Uint8Array(MOST_DIGITS);
  #digitCount = 0;
  // Those of the message before, and what they became.
  #route = NO_BYTES;
  #destination = NO_BYTES;
  #properties = NO_BYTES;
  #headers = NO_BYTES;
  // Where the head of the message before is and what it says, while it is in the same chunk; size 0: it is nowhere.
  #lastGeneration = 0;
  #lastStart = 0;
  #lastSize = 0;
  #lastTagAt = 0;
  #lastAckAt = 0;
  #lastDigitCount = 0;
  #lastBodySize = 0;
  #lastRedelivered = false;

  constructor(output: TurnOutput, { tag, id, sessionId, sendsAck }: MessageFrameOptions) {
    const messageId = Buffer.concat([escaped(Buffer.from(tag)), Buffer.from(`@@${sessionId}@@`)]);
    const subscribed = id === undefined ? [] : [Buffer.from('subscription:'), escaped(Buffer.from(id)), Buffer.of(LF)];
    this.#output = output;
    this.#prefix = Buffer.concat([Buffer.from('MESSAGE\n'), ...subscribed, Buffer.from('destination:')]);
    this.#messageId = Buffer.concat([Buffer.from('\nmessage-id:'), messageId]);
    this.#ackId = sendsAck ? Buffer.concat([ACK, messageId]) : NO_BYTES;
  }

  write(tag: number, record: RecordReader): void {
    const output = this.#output;
    const writer = output.writer;
    this.#readRoute(record);
    const headers = this.#headersOf(record);
    const bodySize = record.bodyEnd - record.bodyStart;
    const most = this.#mostHeadBytes(headers) + bodySize + END_BYTES;
    const whole = most <= output.largeBytes;
    writer.ensure(whole ? most : most - bodySize);
    this.#readDigits(tag);
    const start = writer.offset;
    if (this.#repeatsLast(record, bodySize)) this.#copyHead(start);
    else this.#writeHead(start, headers, record, bodySize);
    if (whole) {
      const bytes = writer.bytes;
      let at = copyBytes(bytes, writer.offset, record.body, record.bodyStart, record.bodyEnd);
      bytes[at++] = 0;
      bytes[at++] = LF;
      writer.offset = at;
    } else {
      output.append(record.body, record.bodyStart, record.bodyEnd);
      writer.u8(0);
      writer.u8(LF);
    }
    output.touch();
  }

  #repeatsLast(record: RecordReader, bodySize: number): boolean {
    return (
      this.#lastSize > 0 &&
      this.#lastGeneration === this.#output.generation &&
      this.#lastBodySize === bodySize &&
      this.#lastDigitCount === this.#digitCount &&
      this.#lastRedelivered === record.redelivered
    );
  }

  #copyHead(start: number): void {
    const writer = this.#output.writer;
    const { bytes } = writer;
    const last = this.#lastStart;
    bytes.copyWithin(start, last, last + this.#lastSize);
    this.#writeDigits(bytes, start + this.#lastTagAt);
    if (this.#lastAckAt > 0) this.#writeDigits(bytes, start + this.#lastAckAt);
    writer.offset = start + this.#lastSize;
  }

  #writeHead(start: number, headers: Uint8Array, record: RecordReader, bodySize: number): void {
    const { writer, generation } = this.#output;
    const { bytes } = writer;
    let at = copyBytes(bytes, start, this.#prefix, 0, this.#prefix.length);
    at = copyBytes(bytes, at, this.#destination, 0, this.#destination.length);
    at = copyBytes(bytes, at, this.#messageId, 0, this.#messageId.length);
    this.#lastTagAt = at - start;
    at = this.#writeDigits(bytes, at);
    const redelivered = record.redelivered ? REDELIVERED : FIRST_DELIVERY;
    at = copyBytes(bytes, at, redelivered, 0, redelivered.length);
    if (this.#ackId.length > 0) {
      at = copyBytes(bytes, at, this.#ackId, 0, this.#ackId.length);
      this.#lastAckAt = at - start;
      at = this.#writeDigits(bytes, at);
      bytes[at++] = LF;
    }
    at = copyBytes(bytes, at, headers, 0, headers.length);
    this.#lastDigitCount = this.#digitCount;
    if (bodySize > 0) {
      at = copyBytes(bytes, at, CONTENT_LENGTH, 0, CONTENT_LENGTH.length);
      this.#readDigits(bodySize);
      at = this.#writeDigits(bytes, at);
      bytes[at++] = LF;
    }
    bytes[at++] = LF;
    writer.offset = at;
    this.#lastGeneration = generation;
    this.#lastStart = start;
    // What is not kept cannot be compared with the next.
    this.#lastSize = headers === this.#headers ? at - start : 0;
    this.#lastBodySize = bodySize;
    this.#lastRedelivered = record.redelivered;
  }

  #mostHeadBytes(headers: Uint8Array): number {
    const ids = this.#messageId.length + this.#ackId.length;
    const fixed = REDELIVERED.length + 1 + CONTENT_LENGTH.length + 3 * (MOST_DIGITS + 1);
    return this.#prefix.length + this.#destination.length + ids + headers.length + fixed;
  }

  #readRoute(record: RecordReader): void {
    const { bytes, routeStart, routeEnd } = record;
    const route = this.#route;
    if (route.length === routeEnd - routeStart && bytesEqual(route, 0, bytes, routeStart, route.length)) return;
    this.#route = copyRange(bytes, routeStart, routeEnd);
    this.#destination = destinationOf(this.#route, 0);
    this.#lastSize = 0;
  }

  #headersOf(record: RecordReader): Uint8Array {
    const { bytes, propertiesStart, propertiesEnd } = record;
    const size = propertiesEnd - propertiesStart;
    const last = this.#properties;
    if (last.length === size && bytesEqual(last, 0, bytes, propertiesStart, size)) return this.#headers;
    const headers = messageHeaders(bytes, propertiesStart, propertiesEnd);
    this.#lastSize = 0;
    if (size <= MOST_KEPT_BYTES) {
      this.#properties = copyRange(bytes, propertiesStart, propertiesEnd);
      this.#headers = headers;
    }
    return headers;
  }

  /** Last digit first. */
  #readDigits(value: number): void {
    const digits = this.#digits;
    let count = 0;
    let rest = value;
    do {
      const next = Math.floor(rest / 10);
      digits[count++] = ZERO + rest - next * 10;
      rest = next;
    } while (rest > 0);
    this.#digitCount = count;
  }

  #writeDigits(bytes: Uint8Array, at: number): number {
    const digits = this.#digits;
    const count = this.#digitCount;
    for (let index = 0; index < count; index++) bytes[at + index] = digits[count - 1 - index] ?? 0;
    return at + count;
  }
}
