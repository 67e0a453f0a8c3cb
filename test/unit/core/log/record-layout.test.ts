import { describe, expect, it } from 'vitest';
import { RecordReader } from '../../../../src/core/log/record.js';
import * as layout from '../../../../src/core/log/record-layout.js';
import { RECORD_HEADER_BYTES, RecordFlag, recordHeader } from '../../../../src/core/log/record-layout.js';
import { recordLength, Segment } from '../../../../src/core/log/segment.js';
import { sourceOf } from '../../../support/messages.js';

const ENQUEUED_AT = 1_704_067_200_123.5;

describe('the record header', () => {
  it('has its fields where the offsets say', () => {
    const values = {
      length: 0xfedcba98,
      positionDelta: 0x89abcdef,
      flags: 0xa5,
      priority: 0x5a,
      routeLength: 0xfedc,
      propertiesLength: 0xf0e1d2c3,
      enqueuedAt: ENQUEUED_AT,
    };
    const bytes = Buffer.alloc(RECORD_HEADER_BYTES);
    recordHeader.encode(values, bytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    expect({
      length: view.getUint32(layout.LENGTH_AT, true),
      positionDelta: view.getUint32(layout.POSITION_DELTA_AT, true),
      flags: view.getUint8(layout.FLAGS_AT),
      priority: view.getUint8(layout.PRIORITY_AT),
      routeLength: view.getUint16(layout.ROUTE_LENGTH_AT, true),
      propertiesLength: view.getUint32(layout.PROPERTIES_LENGTH_AT, true),
      enqueuedAt: view.getFloat64(layout.ENQUEUED_AT_AT, true),
    }).toEqual(values);
  });

  it('is as drawn: on disk it may never change', () => {
    const header = {
      length: 1,
      positionDelta: 2,
      flags: 3,
      priority: 4,
      routeLength: 5,
      propertiesLength: 6,
      enqueuedAt: 7,
    };
    const bytes = Buffer.alloc(RECORD_HEADER_BYTES);
    recordHeader.encode(header, bytes);
    expect(bytes.toString('hex')).toBe('01000000020000000304050006000000' + '0000000000001c40');
  });
});

describe('a record that a segment wrote', () => {
  /** A segment with one record at position 105 of a log, behind another one. */
  function written(message: Parameters<typeof sourceOf>[0], sharedBodyId = 0) {
    const segment = new Segment(Buffer.alloc(1000, 0xff), 100);
    const before = sourceOf({ body: 'before' });
    segment.append(101, before, recordLength(before), 0);
    const source = sourceOf(message);
    source.sharedBodyId = sharedBodyId;
    const at = segment.written;
    segment.append(105, source, recordLength(source), ENQUEUED_AT);
    return { segment, at, bytes: Buffer.from(segment.bytes.subarray(at, segment.written)) };
  }

  it('is what the layout encodes', () => {
    const properties = Uint8Array.of(0x10, 0, 2);
    const { bytes } = written({
      exchange: 'ex',
      routingKey: 'key',
      properties,
      body: 'body',
      persistent: true,
      priority: 9,
    });
    const expected = Buffer.alloc(RECORD_HEADER_BYTES);
    recordHeader.encode(
      {
        length: RECORD_HEADER_BYTES + 7 + 3 + 4,
        positionDelta: 5,
        flags: RecordFlag.Persistent,
        priority: 9,
        routeLength: 7,
        propertiesLength: 3,
        enqueuedAt: ENQUEUED_AT,
      },
      expected,
    );
    expect(bytes).toEqual(Buffer.concat([expected, Buffer.from('\x02ex\x03key'), properties, Buffer.from('body')]));
  });

  it('names a shared body instead of holding it', () => {
    const { bytes } = written({ body: 'b'.repeat(5000) }, 0xfffffffe);
    const header = recordHeader.decode(bytes);
    expect(header).toMatchObject({ length: bytes.length, flags: RecordFlag.SharedBody, routeLength: 3 });
    expect(bytes.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + 8).toString('hex')).toBe('feffffff88130000');
    expect(bytes).toHaveLength(RECORD_HEADER_BYTES + 8 + 3 + 2);
  });

  it('is read back, whichever of the optional parts it has', () => {
    for (const flags of [0, 2, 4, 6, 8, 10, 12, 14, 1, 15]) {
      const { bytes, reader } = craftedRecord(flags);
      const { position, priority, enqueuedAt } = reader;
      expect({ flags: reader.flags, position, priority, enqueuedAt }).toEqual({
        flags,
        position: 105,
        priority: 3,
        enqueuedAt: ENQUEUED_AT,
      });
      expect(reader.expiresAt).toBe((flags & RecordFlag.Expires) === 0 ? 0 : 12345);
      expect([reader.routeStart, reader.routeEnd].map((at) => at - bytes.length)).toEqual(
        (flags & RecordFlag.SharedBody) === 0 ? [-13, -9] : [-7, -3],
      );
      const part = (start: number, end: number) => bytes.toString('latin1', start, end);
      expect(part(reader.routeStart, reader.routeEnd)).toBe('\x01x\x01k');
      expect(part(reader.propertiesStart, reader.propertiesEnd)).toBe('pqr');
      if ((flags & RecordFlag.SharedBody) !== 0) {
        expect([reader.sharedBodyId, reader.bodyStart, reader.bodyEnd]).toEqual([77, 0, 4321]);
      } else {
        expect(reader.sharedBodyId).toBe(0);
        expect(part(reader.bodyStart, reader.bodyEnd)).toBe('letter');
      }
    }
  });
});

/** A record with any flags, put together by hand and read by a segment. */
function craftedRecord(flags: number): { bytes: Buffer; reader: RecordReader } {
  const parts: Buffer[] = [];
  if ((flags & RecordFlag.Expires) !== 0) {
    const expiry = Buffer.alloc(8);
    expiry.writeDoubleLE(12345);
    parts.push(expiry);
  }
  const shared = (flags & RecordFlag.SharedBody) !== 0;
  if (shared) {
    const reference = Buffer.alloc(8);
    reference.writeUInt32LE(77, 0);
    reference.writeUInt32LE(4321, 4);
    parts.push(reference);
  }
  if ((flags & RecordFlag.Extension) !== 0) parts.push(Buffer.from('\x05\0\0\0extra', 'latin1'));
  parts.push(Buffer.from('\x01x\x01kpqr'));
  if (!shared) parts.push(Buffer.from('letter'));
  const rest = Buffer.concat(parts);
  const header = Buffer.alloc(RECORD_HEADER_BYTES);
  const length = RECORD_HEADER_BYTES + rest.length;
  recordHeader.encode(
    { length, positionDelta: 5, flags, priority: 3, routeLength: 4, propertiesLength: 3, enqueuedAt: ENQUEUED_AT },
    header,
  );
  const bytes = Buffer.concat([header, rest]);
  const segment = new Segment(bytes, 100);
  const reader = new RecordReader();
  expect(segment.readAt(0, reader)).toBe(bytes.length);
  expect([reader.start, reader.end]).toEqual([0, bytes.length]);
  return { bytes, reader };
}
