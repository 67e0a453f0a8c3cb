/**
 * The properties of a message as the headers of a MESSAGE frame, escaped and in RabbitMQ's order (SEMANTICS 4.7).
 */
import { PropertyFlag } from '../../../protocol/amqp/constants.gen.js';
import { entryEnd } from '../../../protocol/amqp/raw-table.js';
import { ByteReader } from '../../../protocol/byte-reader.js';
import { ByteWriter } from '../../../protocol/byte-writer.js';
import { escapedSize, escapeTo } from '../../../protocol/stomp/header-escaping.js';
import { hasKnownPrefix } from './destinations.js';

const MORE_FLAGS = 0x0001;
const COLON = 0x3a;
const LF = 0x0a;
const LONG_STRING = 0x53;
const SIGNED_INT = 0x49;
const LONG = 0x6c;
const PERSISTENT = 2;
const CONTENT_LENGTH = Buffer.from('content-length');
const REPLY_QUEUE = Buffer.from('/reply-queue/');

/** A copy of the header lines for `bytes[start, end)`, which are well-formed properties. */
export function messageHeaders(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const reader = new ByteReader(bytes, start, end);
  const writer = new ByteWriter(end - start + 128);
  const flags = reader.u16();
  for (let word = flags; word & MORE_FLAGS; ) word = reader.u16();
  const text = (flag: number): Uint8Array | undefined => (flags & flag ? shortString(reader) : undefined);
  const octet = (flag: number): number | undefined => (flags & flag ? reader.u8() : undefined);
  const contentType = text(PropertyFlag.contentType);
  const contentEncoding = text(PropertyFlag.contentEncoding);
  if (flags & PropertyFlag.headers) writeUserHeaders(writer, reader);
  const deliveryMode = octet(PropertyFlag.deliveryMode);
  const priority = octet(PropertyFlag.priority);
  const correlationId = text(PropertyFlag.correlationId);
  const replyTo = text(PropertyFlag.replyTo);
  const expiration = text(PropertyFlag.expiration);
  const messageId = text(PropertyFlag.messageId);
  const timestamp = flags & PropertyFlag.timestamp ? reader.bigU64() : undefined;
  const type = text(PropertyFlag.type);
  const userId = text(PropertyFlag.userId);
  const appId = text(PropertyFlag.appId);
  writeHeader(writer, 'app-id', appId);
  writeHeader(writer, 'user-id', userId);
  writeHeader(writer, 'type', type);
  writeHeader(writer, 'timestamp', timestamp === undefined ? undefined : Buffer.from(String(timestamp)));
  writeHeader(writer, 'amqp-message-id', messageId);
  writeHeader(writer, 'expiration', expiration);
  writeHeader(writer, 'reply-to', replyTo === undefined ? undefined : replyDestination(replyTo));
  writeHeader(writer, 'correlation-id', correlationId);
  writeHeader(writer, 'priority', priority === undefined ? undefined : Buffer.from(String(priority)));
  writeHeader(writer, 'persistent', deliveryMode === PERSISTENT ? Buffer.from('true') : undefined);
  writeHeader(writer, 'content-encoding', contentEncoding);
  writeHeader(writer, 'content-type', contentType);
  return writer.finished();
}

/** Strings and the two integer types that RabbitMQ passes on; all else has no STOMP form. */
function writeUserHeaders(writer: ByteWriter, reader: ByteReader): void {
  const { bytes } = reader;
  const size = reader.u32();
  const end = reader.offset + size;
  for (let at = reader.offset; at < end; ) {
    const next = entryEnd(bytes, at, end);
    reader.offset = at;
    const name = shortString(reader);
    const value = headerValue(reader);
    // The frame has its own.
    if (value !== undefined && !CONTENT_LENGTH.equals(name)) writeEscaped(writer, name, value);
    at = next;
  }
  reader.offset = end;
}

function headerValue(reader: ByteReader): Uint8Array | undefined {
  switch (reader.u8()) {
    case LONG_STRING:
      return reader.longstr();
    case SIGNED_INT:
      return Buffer.from(String(reader.i32()));
    case LONG:
      return Buffer.from(String(reader.bigI64()));
    default:
      return undefined;
  }
}

function replyDestination(name: Uint8Array): Uint8Array {
  const bytes = Buffer.from(name);
  return hasKnownPrefix(bytes.toString('latin1')) ? bytes : Buffer.concat([REPLY_QUEUE, bytes]);
}

function shortString(reader: ByteReader): Uint8Array {
  const length = reader.u8();
  const start = reader.offset;
  reader.skip(length);
  return reader.bytes.subarray(start, start + length);
}

function writeHeader(writer: ByteWriter, name: string, value: Uint8Array | undefined): void {
  if (value !== undefined) writeEscaped(writer, Buffer.from(name), value);
}

function writeEscaped(writer: ByteWriter, name: Uint8Array, value: Uint8Array): void {
  const size = escapedSize(name, 0, name.length) + escapedSize(value, 0, value.length) + 2;
  writer.ensure(size);
  let at = escapeTo(writer.bytes, writer.offset, name, 0, name.length);
  writer.bytes[at++] = COLON;
  at = escapeTo(writer.bytes, at, value, 0, value.length);
  writer.bytes[at++] = LF;
  writer.offset = at;
}
