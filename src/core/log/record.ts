/**
 * A message as bytes: `RecordSource` is what a session hands in to be appended, `RecordReader` what a consumer is
 * given. Both are reused views; nothing here is allocated per message.
 */

import { DELIVERY_COUNT_BYTES, FLAGS_AT, RECORD_HEADER_BYTES, RecordFlag } from './record-layout.js';

const NO_BYTES = new Uint8Array(0);
/** A publish without the `expiration` property. */
export const NO_EXPIRATION = -1;

/** Where the parts of a message to be appended lie. Valid during one call; the log copies what it keeps. */
export class RecordSource {
  /** Exchange and routing key, each with its length octet. */
  route: Uint8Array = NO_BYTES;
  routeStart = 0;
  routeEnd = 0;
  /** Encoded properties, flag words first. */
  properties: Uint8Array = NO_BYTES;
  propertiesStart = 0;
  propertiesEnd = 0;
  body: Uint8Array = NO_BYTES;
  bodyStart = 0;
  bodyEnd = 0;
  persistent = false;
  priority = 0;
  /** The `expiration` property in ms, or NO_EXPIRATION. */
  expirationMs = NO_EXPIRATION;
  /** Keys of the BCC header, which is not delivered, each with its length octet; empty when there are none. */
  hiddenKeys: Uint8Array = NO_BYTES;
  /** `hiddenKeys` begins with how often the message came back (u32, little-endian). */
  hasDeliveryCount = false;
  /** The broker itself wrote the x-death header among the properties. */
  deadLettered = false;
  /** Set while one publish goes to several queues and its body is stored once; 0 when it is not. */
  sharedBodyId = 0;
  /** Set by a queue while it appends: ms since the epoch, 0 for never. */
  expiresAt = 0;
}

/** A reader that is moved over records; valid until the next move. */
export class RecordReader {
  position = 0;
  flags = 0;
  priority = 0;
  enqueuedAt = 0;
  expiresAt = 0;
  redelivered = false;
  bytes: Uint8Array = NO_BYTES;
  /** Of the whole record, so that a copy needs nothing else. */
  start = 0;
  end = 0;
  routeStart = 0;
  routeEnd = 0;
  propertiesStart = 0;
  propertiesEnd = 0;
  /** The extension area; equal when there is none. */
  extensionStart = 0;
  extensionEnd = 0;
  /** The record's own bytes, or the shared body's. */
  body: Uint8Array = NO_BYTES;
  bodyStart = 0;
  bodyEnd = 0;
  sharedBodyId = 0;
  /** Where in `bytes` 8 bytes of the properties differ with every message, as an offset does; 0: nowhere. */
  numberAt = 0;

  /** Shows a message that is in no log, such as a direct reply. */
  showSource(source: RecordSource): void {
    // A reader has one array for all but the body, so they are brought together.
    const { hiddenKeys } = source;
    const routeStart = hiddenKeys.length;
    const propertiesStart = routeStart + source.routeEnd - source.routeStart;
    const bytes = new Uint8Array(propertiesStart + source.propertiesEnd - source.propertiesStart);
    bytes.set(hiddenKeys);
    bytes.set(source.route.subarray(source.routeStart, source.routeEnd), routeStart);
    bytes.set(source.properties.subarray(source.propertiesStart, source.propertiesEnd), propertiesStart);
    this.position = 0;
    this.flags = (source.persistent ? RecordFlag.Persistent : 0) | (source.deadLettered ? RecordFlag.DeadLettered : 0);
    this.priority = source.priority;
    this.redelivered = false;
    this.expiresAt = 0;
    this.extensionStart = 0;
    this.extensionEnd = routeStart;
    this.bytes = bytes;
    this.routeStart = routeStart;
    this.routeEnd = propertiesStart;
    this.propertiesStart = propertiesStart;
    this.propertiesEnd = bytes.length;
    this.body = source.body;
    this.bodyStart = source.bodyStart;
    this.bodyEnd = source.bodyEnd;
    this.sharedBodyId = 0;
  }
}

/** When the record that begins at byte `start` expires; 0 when it does not. */
export function expiryOf(bytes: Uint8Array, start: number): number {
  if (((bytes[start + FLAGS_AT] ?? 0) & RecordFlag.Expires) === 0) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset + start + RECORD_HEADER_BYTES).getFloat64(0, true);
}

/** Where the keys of BCC begin in the extension area. */
export function hiddenKeysStart({ flags, extensionStart }: RecordReader): number {
  return (flags & RecordFlag.DeliveryCount) === 0 ? extensionStart : extensionStart + DELIVERY_COUNT_BYTES;
}
