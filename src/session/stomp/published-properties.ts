/**
 * The headers of a SEND as AMQP basic properties, encoded as the core keeps them (SEMANTICS 4.6). One reused object a
 * session; its bytes are valid until the next `encode`.
 */
import { PropertyFlag } from '../../../protocol/amqp/constants.gen.js';
import { ByteWriter } from '../../../protocol/byte-writer.js';
import type { StompFrame } from '../../../protocol/stomp/frame.js';
import { HEADER_COUNT, type HeaderName, headerId } from '../../../protocol/stomp/names.js';
import { copyBytes } from '../../core/log/copy-bytes.js';
import { processingError } from './errors.js';
import { booleanHeader, integerHeader } from './frame-headers.js';

/** In the order of their values. */
const BEFORE_HEADERS = texts([
  ['content-type', PropertyFlag.contentType],
  ['content-encoding', PropertyFlag.contentEncoding],
]);
const BEFORE_REPLY_TO = texts([['correlation-id', PropertyFlag.correlationId]]);
const BEFORE_TIMESTAMP = texts([
  ['expiration', PropertyFlag.expiration],
  ['amqp-message-id', PropertyFlag.messageId],
]);
const LAST = texts([
  ['type', PropertyFlag.type],
  ['user-id', PropertyFlag.userId],
  ['app-id', PropertyFlag.appId],
]);
const REPLY_TO = headerId('reply-to');
const NUMBERS: readonly HeaderName[] = ['persistent', 'priority', 'timestamp'];

/** Headers that do not become AMQP headers, by number. */
const IS_PROPERTY = new Uint8Array(HEADER_COUNT);
for (const { id } of [...BEFORE_HEADERS, ...BEFORE_REPLY_TO, ...BEFORE_TIMESTAMP, ...LAST]) IS_PROPERTY[id] = 1;
for (const name of [...NUMBERS, 'destination', 'reply-to'] as const) IS_PROPERTY[headerId(name)] = 1;

const LONGEST_SHORT_STRING = 255;
const PERSISTENT = 2;
const LONG_STRING = 0x53;

interface TextProperty {
  readonly id: number;
  readonly flag: number;
}

export class PublishedProperties {
  readonly #writer = new ByteWriter(512);
  #flags = 0;

  get bytes(): Uint8Array {
    return this.#writer.bytes;
  }

  get end(): number {
    return this.#writer.offset;
  }

  /** `replyTo` stands for the frame's own reply-to when that is a temporary queue. Throws StompError. */
  encode(frame: StompFrame, replyTo: Uint8Array | undefined): void {
    const writer = this.#writer;
    writer.offset = 0;
    this.#flags = PropertyFlag.headers;
    writer.u16(0);
    this.#texts(frame, BEFORE_HEADERS);
    this.#headers(frame);
    this.#octets(frame);
    this.#texts(frame, BEFORE_REPLY_TO);
    this.#replyTo(frame, replyTo);
    this.#texts(frame, BEFORE_TIMESTAMP);
    this.#timestamp(frame);
    this.#texts(frame, LAST);
    writer.bytes[0] = this.#flags >>> 8;
    writer.bytes[1] = this.#flags;
  }

  /** In the frame's order; a table without any stays, as with RabbitMQ. */
  #headers(frame: StompFrame): void {
    const writer = this.#writer;
    const lengthAt = writer.offset;
    writer.u32(0);
    for (let index = 0; index < frame.headerCount; index++) {
      const id = frame.idAt(index);
      if (id !== -1 && IS_PROPERTY[id] === 1) continue;
      this.#shortString(frame.head, frame.nameStart(index), frame.nameEnd(index));
      const valueStart = frame.valueStart(index);
      const size = frame.valueEnd(index) - valueStart;
      writer.ensure(5 + size);
      writer.u8(LONG_STRING);
      writer.u32(size);
      writer.offset = copyBytes(writer.bytes, writer.offset, frame.head, valueStart, valueStart + size);
    }
    writer.patchU32(lengthAt, writer.offset - lengthAt - 4);
  }

  #octets(frame: StompFrame): void {
    if (booleanHeader(frame, 'persistent') === true) {
      this.#flags |= PropertyFlag.deliveryMode;
      this.#writer.u8(PERSISTENT);
    }
    const priority = integerHeader(frame, 'priority');
    if (priority === undefined) return;
    if (priority < 0 || priority > 255) throw processingError();
    this.#flags |= PropertyFlag.priority;
    this.#writer.u8(priority);
  }

  #replyTo(frame: StompFrame, replyTo: Uint8Array | undefined): void {
    const index = frame.indexOf(REPLY_TO);
    if (index === -1) return;
    this.#flags |= PropertyFlag.replyTo;
    if (replyTo !== undefined) this.#shortString(replyTo, 0, replyTo.length);
    else this.#shortString(frame.head, frame.valueStart(index), frame.valueEnd(index));
  }

  #timestamp(frame: StompFrame): void {
    const timestamp = integerHeader(frame, 'timestamp');
    if (timestamp === undefined) return;
    if (timestamp < 0) throw processingError();
    this.#flags |= PropertyFlag.timestamp;
    this.#writer.u64(timestamp);
  }

  #texts(frame: StompFrame, properties: readonly TextProperty[]): void {
    for (let at = 0; at < properties.length; at++) {
      const property = properties[at];
      if (property === undefined) continue;
      const index = frame.indexOf(property.id);
      if (index === -1) continue;
      this.#flags |= property.flag;
      this.#shortString(frame.head, frame.valueStart(index), frame.valueEnd(index));
    }
  }

  #shortString(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length > LONGEST_SHORT_STRING) throw processingError();
    const writer = this.#writer;
    writer.ensure(1 + length);
    writer.u8(length);
    writer.offset = copyBytes(writer.bytes, writer.offset, source, start, end);
  }
}

function texts(properties: readonly (readonly [HeaderName, number])[]): readonly TextProperty[] {
  return properties.map(([name, flag]) => ({ id: headerId(name), flag }));
}
