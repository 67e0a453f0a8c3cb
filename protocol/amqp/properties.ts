/**
 * Basic properties: decoded, encoded, and, for messages that are relayed as they came, read and changed as raw bytes.
 *
 *   u16 flags, bit 15 first (bit 0: another word of flags follows) | the values whose flag is set, in that order
 *
 * RabbitMQ relays short strings that are not UTF-8, so they are no error here: they decode with question marks.
 */
import { Buffer } from 'node:buffer';
import { ByteReader } from '../byte-reader.js';
import { ByteWriter } from '../byte-writer.js';
import { MalformedError } from '../errors.js';
import { PropertyFlag } from './constants.gen.js';
import { type FieldTable, readTable, writeTable } from './field-table.js';
import { entryEnd, isKeyAt } from './raw-table.js';

export { hasHeader, validateHeaders } from './raw-table.js';

export interface MessageProperties {
  contentType?: string;
  contentEncoding?: string;
  headers?: FieldTable;
  deliveryMode?: number;
  priority?: number;
  correlationId?: string;
  replyTo?: string;
  expiration?: string;
  messageId?: string;
  timestamp?: bigint;
  type?: string;
  userId?: string;
  appId?: string;
  clusterId?: string;
}

const MORE_FLAGS = 0x0001;
/** Bit 1 of the first word names no property; neither does any bit of a later word. */
const UNNAMED_FLAG = 0x0002;

export function decodeProperties(bytes: Uint8Array, start: number, end: number): MessageProperties {
  const reader = new ByteReader(bytes, start, end);
  const flags = reader.u16();
  let unnamed = flags & UNNAMED_FLAG;
  for (let word = flags; word & MORE_FLAGS; unnamed |= word & ~MORE_FLAGS) word = reader.u16();
  const properties: MessageProperties = {};
  if (flags & PropertyFlag.contentType) properties.contentType = reader.lossyShortstr();
  if (flags & PropertyFlag.contentEncoding) properties.contentEncoding = reader.lossyShortstr();
  if (flags & PropertyFlag.headers) properties.headers = readTable(reader);
  if (flags & PropertyFlag.deliveryMode) properties.deliveryMode = reader.u8();
  if (flags & PropertyFlag.priority) properties.priority = reader.u8();
  if (flags & PropertyFlag.correlationId) properties.correlationId = reader.lossyShortstr();
  if (flags & PropertyFlag.replyTo) properties.replyTo = reader.lossyShortstr();
  if (flags & PropertyFlag.expiration) properties.expiration = reader.lossyShortstr();
  if (flags & PropertyFlag.messageId) properties.messageId = reader.lossyShortstr();
  if (flags & PropertyFlag.timestamp) properties.timestamp = reader.bigU64();
  if (flags & PropertyFlag.type) properties.type = reader.lossyShortstr();
  if (flags & PropertyFlag.userId) properties.userId = reader.lossyShortstr();
  if (flags & PropertyFlag.appId) properties.appId = reader.lossyShortstr();
  if (flags & PropertyFlag.clusterId) properties.clusterId = reader.lossyShortstr();
  checkEnd(reader.offset, end, unnamed);
  return properties;
}

export function encodeProperties(properties: MessageProperties): Uint8Array {
  const writer = new ByteWriter(128);
  let flags = 0;
  const shortstr = (flag: number, value: string | undefined): void => {
    if (value === undefined) return;
    flags |= flag;
    writer.shortstr(value);
  };
  const octet = (flag: number, value: number | undefined): void => {
    if (value === undefined) return;
    flags |= flag;
    writer.u8(value);
  };
  writer.u16(0);
  shortstr(PropertyFlag.contentType, properties.contentType);
  shortstr(PropertyFlag.contentEncoding, properties.contentEncoding);
  if (properties.headers !== undefined) {
    flags |= PropertyFlag.headers;
    writeTable(writer, properties.headers);
  }
  octet(PropertyFlag.deliveryMode, properties.deliveryMode);
  octet(PropertyFlag.priority, properties.priority);
  shortstr(PropertyFlag.correlationId, properties.correlationId);
  shortstr(PropertyFlag.replyTo, properties.replyTo);
  shortstr(PropertyFlag.expiration, properties.expiration);
  shortstr(PropertyFlag.messageId, properties.messageId);
  if (properties.timestamp !== undefined) {
    flags |= PropertyFlag.timestamp;
    writer.bigU64(properties.timestamp);
  }
  shortstr(PropertyFlag.type, properties.type);
  shortstr(PropertyFlag.userId, properties.userId);
  shortstr(PropertyFlag.appId, properties.appId);
  shortstr(PropertyFlag.clusterId, properties.clusterId);
  writer.bytes[0] = flags >>> 8;
  writer.bytes[1] = flags;
  return writer.finished();
}

/**
 * What routing and queues ask of raw properties, found in one walk without allocation. Ranges are offsets into the
 * bytes given to `reset`, -1 when the property is absent; numbers are then 0, and `flags` tells the difference.
 * The inside of the headers table is not looked at: that is `validateHeaders`.
 */
export class PropertiesPeek {
  flags = 0;
  deliveryMode = 0;
  priority = 0;
  /** With the table's u32 length. */
  headersStart = -1;
  headersEnd = -1;
  /** Strings without their length octet. */
  replyToStart = -1;
  replyToEnd = -1;
  expirationStart = -1;
  expirationEnd = -1;
  userIdStart = -1;
  userIdEnd = -1;

  reset(bytes: Uint8Array, start: number, end: number): void {
    if (end - start < 2) throw unexpectedEnd();
    const flags = (bytes[start]! << 8) | bytes[start + 1]!;
    this.clear(flags);
    if (flags === 0) checkEnd(start + 2, end, 0);
    else if (flags === PropertyFlag.deliveryMode) this.deliveryModeOnly(bytes, start, end);
    else this.walk(bytes, start, end);
  }

  private clear(flags: number): void {
    this.flags = flags;
    this.deliveryMode = 0;
    this.priority = 0;
    this.headersStart = -1;
    this.headersEnd = -1;
    this.replyToStart = -1;
    this.replyToEnd = -1;
    this.expirationStart = -1;
    this.expirationEnd = -1;
    this.userIdStart = -1;
    this.userIdEnd = -1;
  }

  private deliveryModeOnly(bytes: Uint8Array, start: number, end: number): void {
    if (end - start < 3) throw unexpectedEnd();
    this.deliveryMode = bytes[start + 2]!;
    checkEnd(start + 3, end, 0);
  }

  private walk(bytes: Uint8Array, start: number, end: number): void {
    const flags = this.flags;
    let unnamed = flags & UNNAMED_FLAG;
    let at = start + 2;
    for (let word = flags; word & MORE_FLAGS; unnamed |= word & ~MORE_FLAGS) {
      if (end - at < 2) throw unexpectedEnd();
      word = (bytes[at]! << 8) | bytes[at + 1]!;
      at += 2;
    }
    if (flags & PropertyFlag.contentType) at = shortstrEnd(bytes, at, end);
    if (flags & PropertyFlag.contentEncoding) at = shortstrEnd(bytes, at, end);
    if (flags & PropertyFlag.headers) {
      this.headersStart = at;
      at = this.headersEnd = tableEnd(bytes, at, end);
    }
    if (flags & PropertyFlag.deliveryMode) this.deliveryMode = octet(bytes, at++, end);
    if (flags & PropertyFlag.priority) this.priority = octet(bytes, at++, end);
    if (flags & PropertyFlag.correlationId) at = shortstrEnd(bytes, at, end);
    if (flags & PropertyFlag.replyTo) {
      this.replyToStart = at + 1;
      at = this.replyToEnd = shortstrEnd(bytes, at, end);
    }
    if (flags & PropertyFlag.expiration) {
      this.expirationStart = at + 1;
      at = this.expirationEnd = shortstrEnd(bytes, at, end);
    }
    if (flags & PropertyFlag.messageId) at = shortstrEnd(bytes, at, end);
    if (flags & PropertyFlag.timestamp) at += 8;
    if (flags & PropertyFlag.type) at = shortstrEnd(bytes, at, end);
    if (flags & PropertyFlag.userId) {
      this.userIdStart = at + 1;
      at = this.userIdEnd = shortstrEnd(bytes, at, end);
    }
    if (flags & PropertyFlag.appId) at = shortstrEnd(bytes, at, end);
    if (flags & PropertyFlag.clusterId) at = shortstrEnd(bytes, at, end);
    checkEnd(at, end, unnamed);
  }
}

const READABLE_FLAGS = {
  correlation_id: PropertyFlag.correlationId,
  message_id: PropertyFlag.messageId,
  timestamp: PropertyFlag.timestamp,
} as const;

/**
 * One property as text, without decoding those before it; undefined when there is none. The properties are valid, or
 * no bytes at all.
 */
export function readProperty(
  bytes: Uint8Array,
  start: number,
  end: number,
  name: keyof typeof READABLE_FLAGS,
): string | undefined {
  const flags = end - start < 2 ? 0 : (bytes[start]! << 8) | bytes[start + 1]!;
  if ((flags & READABLE_FLAGS[name]) === 0) return undefined;
  let at = start + 2;
  for (let word = flags; word & MORE_FLAGS; at += 2) word = (bytes[at]! << 8) | bytes[at + 1]!;
  if (flags & PropertyFlag.contentType) at = shortstrEnd(bytes, at, end);
  if (flags & PropertyFlag.contentEncoding) at = shortstrEnd(bytes, at, end);
  if (flags & PropertyFlag.headers) at = tableEnd(bytes, at, end);
  if (flags & PropertyFlag.deliveryMode) at++;
  if (flags & PropertyFlag.priority) at++;
  if (name === 'correlation_id') return new ByteReader(bytes, at, end).lossyShortstr();
  if (flags & PropertyFlag.correlationId) at = shortstrEnd(bytes, at, end);
  if (flags & PropertyFlag.replyTo) at = shortstrEnd(bytes, at, end);
  if (flags & PropertyFlag.expiration) at = shortstrEnd(bytes, at, end);
  if (name === 'message_id') return new ByteReader(bytes, at, end).lossyShortstr();
  if (flags & PropertyFlag.messageId) at = shortstrEnd(bytes, at, end);
  return String(new ByteReader(bytes, at, end).bigU64());
}

/** A copy of raw properties without any header of that name. A table that loses its last header stays, empty. */
export function removeHeader(bytes: Uint8Array, start: number, end: number, key: string): Uint8Array {
  const { headersStart, headersEnd } = peekAt(bytes, start, end);
  if (headersStart < 0) return new Uint8Array(bytes.subarray(start, end));
  const keyBytes = Buffer.from(key, 'utf8');
  const writer = new ByteWriter(end - start);
  writer.raw(bytes.subarray(start, headersStart + 4));
  let next: number;
  for (let at = headersStart + 4; at < headersEnd; at = next) {
    next = entryEnd(bytes, at, headersEnd);
    if (!isKeyAt(bytes, at, headersEnd, keyBytes)) writer.raw(bytes.subarray(at, next));
  }
  const lengthAt = headersStart - start;
  writer.patchU32(lengthAt, writer.offset - lengthAt - 4);
  writer.raw(bytes.subarray(headersEnd, end));
  return writer.finished();
}

/** A copy of raw properties with another reply-to; the same bytes when they have none. */
export function replaceReplyTo(bytes: Uint8Array, start: number, end: number, replyTo: string): Uint8Array {
  const { replyToStart, replyToEnd } = peekAt(bytes, start, end);
  if (replyToStart < 0) return new Uint8Array(bytes.subarray(start, end));
  const writer = new ByteWriter(end - start + replyTo.length);
  writer.raw(bytes.subarray(start, replyToStart - 1));
  writer.shortstr(replyTo);
  writer.raw(bytes.subarray(replyToEnd, end));
  return writer.finished();
}

function peekAt(bytes: Uint8Array, start: number, end: number): PropertiesPeek {
  const peek = new PropertiesPeek();
  peek.reset(bytes, start, end);
  return peek;
}

function octet(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) throw unexpectedEnd();
  return bytes[at]!;
}

function shortstrEnd(bytes: Uint8Array, at: number, end: number): number {
  const next = at + 1 + octet(bytes, at, end);
  if (next > end) throw unexpectedEnd();
  return next;
}

function tableEnd(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 4) throw unexpectedEnd();
  const length = ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  if (length > end - at - 4) throw unexpectedEnd();
  return at + 4 + length;
}

/** Data after the last named property belongs to flags without a name, or to nothing. */
function checkEnd(at: number, end: number, unnamed: number): void {
  if (at > end) throw unexpectedEnd();
  if (at < end && unnamed === 0) throw new MalformedError('data after the properties');
}

function unexpectedEnd(): MalformedError {
  return new MalformedError('unexpected end of data');
}
