import { describe, expect, it } from 'vitest';
import { RecordReader } from '../../../../src/core/log/record.js';
import { RECORD_HEADER_BYTES } from '../../../../src/core/log/record-layout.js';
import { recordLength, Segment } from '../../../../src/core/log/segment.js';
import { type Message, readMessage, sourceOf } from '../../../support/messages.js';

function append(segment: Segment, position: number, message: Message = {}): void {
  const source = sourceOf(message);
  segment.append(position, source, recordLength(source), 0);
}

/** Every record from the first to the last, walked as a cursor does. */
function walk(segment: Segment): ReturnType<typeof readMessage>[] {
  const reader = new RecordReader();
  const found: ReturnType<typeof readMessage>[] = [];
  for (let at = 0; at < segment.written; ) {
    at = segment.readAt(at, reader);
    found.push(readMessage(reader));
  }
  return found;
}

describe('a segment', () => {
  it('is empty at first and when it is reset', () => {
    const segment = new Segment(Buffer.alloc(256), 7);
    const empty = { firstPosition: 7, lastPosition: 6, count: 0, live: 0, written: 0, room: 256 };
    expect(segment).toMatchObject(empty);
    expect([segment.indexOf(6), segment.indexOf(7), segment.indexOf(8)]).toEqual([0, 0, 0]);
    const shared = sourceOf({ body: 'shared', persistent: true });
    shared.sharedBodyId = 3;
    segment.append(7, shared, recordLength(shared), 0);
    expect(segment).toMatchObject({ persistentCount: 1, sharedBodyCount: 1, live: 1, count: 1, lastPosition: 7 });
    segment.reset(20);
    expect(segment).toMatchObject({
      ...empty,
      firstPosition: 20,
      lastPosition: 19,
      persistentCount: 0,
      sharedBodyCount: 0,
    });
  });

  it('takes records to the last byte', () => {
    const empty = RECORD_HEADER_BYTES + 3 + 2;
    const segment = new Segment(Buffer.alloc(3 * empty + 10), 1);
    append(segment, 1, { body: '12345' });
    append(segment, 2, { body: '' });
    append(segment, 3, { body: 'abcde' });
    expect([segment.room, segment.written]).toEqual([0, segment.bytes.length]);
    expect(walk(segment).map(({ body }) => body)).toEqual(['12345', '', 'abcde']);
  });

  it('keeps parts of every length, around the point where copying changes its way', () => {
    const lengths = [0, 1, 31, 32, 33, 47, 48, 49, 255];
    const segment = new Segment(Buffer.alloc(100_000), 1);
    const messages = lengths.flatMap((length) => [
      { routingKey: 'k'.repeat(length), body: 'b'.repeat(length * 3) },
      { properties: Buffer.alloc(length + 2, length), body: 'c' },
    ]);
    for (const [index, message] of messages.entries()) append(segment, index + 1, message);
    const read = walk(segment);
    for (const [index, message] of messages.entries()) {
      const alone = new Segment(Buffer.alloc(2000), index + 1);
      append(alone, index + 1, message);
      expect(read[index]).toEqual(walk(alone)[0]);
    }
    expect(read.map(({ position }) => position)).toEqual(messages.map((_, index) => index + 1));
  });

  it('finds records by number and by position, with and without holes', () => {
    const dense = new Segment(Buffer.alloc(10_000), 100);
    for (let position = 100; position < 130; position++) append(dense, position);
    for (let position = 90; position < 140; position++) {
      expect(dense.indexOf(position)).toBe(Math.min(Math.max(position - 100, 0), 30));
    }
    const positions = [100, 103, 104, 110, 150, 151, 152, 400];
    const sparse = new Segment(Buffer.alloc(10_000), 100);
    for (const position of positions) append(sparse, position, { body: String(position) });
    const reader = new RecordReader();
    for (let position = 90; position < 410; position++) {
      const index = positions.filter((other) => other < position).length;
      expect(sparse.indexOf(position)).toBe(index);
      if (index === positions.length) continue;
      sparse.readAt(sparse.offsetOf(index), reader);
      expect(reader.position).toBe(positions[index]);
    }
  });

  it('takes records over as bytes, at another position', () => {
    const from = new Segment(Buffer.alloc(1000), 1);
    append(from, 5, { body: 'first', persistent: true, priority: 4 });
    const shared = sourceOf({ body: 'x' });
    shared.sharedBodyId = 9;
    from.append(6, shared, recordLength(shared), 0);
    const to = new Segment(Buffer.alloc(1000), 50);
    to.appendRecord(60, from.bytes, 0, from.offsetOf(1));
    to.appendRecord(70, from.bytes, from.offsetOf(1), from.written);
    expect(to).toMatchObject({ count: 2, live: 2, persistentCount: 1, sharedBodyCount: 1, lastPosition: 70 });
    expect(to.written).toBe(from.written);
    const reader = new RecordReader();
    to.readAt(to.offsetOf(1), reader);
    expect([reader.position, reader.sharedBodyId]).toEqual([70, 9]);
    to.readAt(0, reader);
    expect(readMessage(reader)).toMatchObject({ position: 60, body: 'first' });
    expect(reader.priority).toBe(4);
  });
});
