/**
 * The fixed part of a message record: the same bytes in memory, in a commit and on disk. `recordHeader` is the
 * definition; hot code reads and writes at the offsets derived from it (little-endian), and a unit test holds both to
 * the same bytes.
 *
 *      0        4               8       9          10            12                 16           24
 *      ┌────────┬───────────────┬───────┬──────────┬─────────────┬──────────────────┬────────────┐
 *      │ length │ positionDelta │ flags │ priority │ routeLength │ propertiesLength │ enqueuedAt │
 *      └────────┴───────────────┴───────┴──────────┴─────────────┴──────────────────┴────────────┘
 *      [expiresAt f64]  [sharedBodyId u32, sharedBodyLength u32]  [extension: u32 length, bytes]
 *      route  properties  body
 *
 * - `length`: bytes of the whole record. The body has what is left of it.
 * - `positionDelta`: position within the log minus the segment's first position.
 * - `route`: exchange and routing key, each with its length octet, as they go on the wire.
 * - `properties`: encoded properties, flag words first. `enqueuedAt` and `expiresAt`: ms since the epoch.
 * - The parts in brackets are there when their flag is set; with a shared body the record itself holds none.
 * - `extension`: with `DeliveryCount` how often the message came back (u32), then the keys of a BCC header, each with its
 *   length octet. `DeadLettered`: the broker wrote the x-death header.
 */
import * as layout from 'buffer-layout';

export interface RecordHeader {
  length: number;
  positionDelta: number;
  flags: number;
  priority: number;
  routeLength: number;
  propertiesLength: number;
  enqueuedAt: number;
}

export const recordHeader = layout.struct<RecordHeader>([
  layout.u32('length'),
  layout.u32('positionDelta'),
  layout.u8('flags'),
  layout.u8('priority'),
  layout.u16('routeLength'),
  layout.u32('propertiesLength'),
  layout.f64('enqueuedAt'),
]);

export const RecordFlag = {
  Persistent: 1,
  Expires: 2,
  SharedBody: 4,
  Extension: 8,
  DeadLettered: 16,
  DeliveryCount: 32,
} as const;

export const RECORD_HEADER_BYTES = recordHeader.span;
export const EXPIRY_BYTES = 8;
export const SHARED_BODY_BYTES = 8;
export const EXTENSION_LENGTH_BYTES = 4;
export const DELIVERY_COUNT_BYTES = 4;

function offsetOf(property: keyof RecordHeader): number {
  const offset = recordHeader.offsetOf(property);
  if (offset === undefined) throw new Error(`record header has no '${property}'`);
  return offset;
}

export const LENGTH_AT = offsetOf('length');
export const POSITION_DELTA_AT = offsetOf('positionDelta');
export const FLAGS_AT = offsetOf('flags');
export const PRIORITY_AT = offsetOf('priority');
export const ROUTE_LENGTH_AT = offsetOf('routeLength');
export const PROPERTIES_LENGTH_AT = offsetOf('propertiesLength');
export const ENQUEUED_AT_AT = offsetOf('enqueuedAt');
