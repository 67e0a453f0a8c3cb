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

  it('is made again of what a store kept, with holes', () => {
    const from = new Segment(Buffer.alloc(1000), 1);
    append(from, 5, { body: 'first', persistent: true, priority: 4 });
    const shared = sourceOf({ body: 'x', persistent: true });
    shared.sharedBodyId = 9;
    from.append(6, shared, recordLength(shared), 0);
    const run = {
      firstPosition: 50,
      lastPosition: 65,
      live: 1,
      sizeBytes: from.offsetOf(1),
      sharedBodyCount: 0,
      earliestExpiry: 0,
      firstEnqueuedAt: 0,
    };
    const next = {
      firstPosition: 70,
      lastPosition: 79,
      live: 2,
      sizeBytes: 100,
      sharedBodyCount: 2,
      earliestExpiry: 0,
      firstEnqueuedAt: 0,
    };
    const to = Segment.ofStored(run);
    expect([to.join(next, from.offsetOf(1) + 99), to.join({ ...next, lastPosition: 2 ** 32 + 50 }, 1e6)]).toEqual([
      false,
      false,
    ]);
    expect(to.join(next, from.offsetOf(1) + 100)).toBe(true);
    const known = { firstPosition: 50, lastPosition: 79, live: 3, persistentCount: 3, sharedBodyCount: 2 };
    expect(to).toMatchObject({ ...known, hot: false, inStore: true, count: 0, written: from.offsetOf(1) + 100 });
    to.refill(Buffer.alloc(from.written));
    to.takeBack(60, from.bytes, 0, from.offsetOf(1));
    to.takeBack(72, from.bytes, from.offsetOf(1), from.written);
    expect(() => to.takeBack(79, from.bytes, 0, from.offsetOf(1))).toThrow();
    expect(to).toMatchObject({ ...known, hot: true, count: 2, written: from.written });
    expect([50, 60, 61, 72, 73].map((position) => to.indexOf(position))).toEqual([0, 0, 1, 1, 2]);
    const reader = new RecordReader();
    to.readAt(to.offsetOf(1), reader);
    expect([reader.position, reader.sharedBodyId]).toEqual([72, 9]);
    to.readAt(0, reader);
    expect(readMessage(reader)).toMatchObject({ position: 60, body: 'first' });
    expect(reader.priority).toBe(4);
  });

  it('is the same again after its bytes were elsewhere', () => {
    const segment = new Segment(Buffer.alloc(2000), 3);
    for (let position = 3; position < 20; position++) append(segment, position, { body: `body ${position}` });
    const before = walk(segment);
    segment.live = 4;
    const bytes = Buffer.from(segment.cool());
    const known = { firstPosition: 3, lastPosition: 19, live: 4 };
    expect(segment).toMatchObject({ ...known, hot: false, count: 0 });
    expect([segment.adopt(Buffer.alloc(2000)), segment.hot]).toEqual([false, false]);
    expect(segment.adopt(bytes)).toBe(true);
    expect(segment).toMatchObject({ ...known, hot: true, count: 17 });
    expect(walk(segment)).toEqual(before);
    expect([segment.indexOf(3), segment.indexOf(19), segment.offsetOf(0)]).toEqual([0, 16, 0]);
  });
});
