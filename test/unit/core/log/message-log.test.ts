import { describe, expect, it } from 'vitest';
import { MessageLog } from '../../../../src/core/log/message-log.js';
import { Pager } from '../../../../src/core/log/pager.js';
import { RecordReader } from '../../../../src/core/log/record.js';
import { recordLength } from '../../../../src/core/log/segment.js';
import { LARGEST_SEGMENT_BYTES, SegmentPool, SMALLEST_SEGMENT_BYTES } from '../../../../src/core/log/segment-pool.js';
import { SharedBodies } from '../../../../src/core/log/shared-bodies.js';
import { Turn } from '../../../../src/core/turn.js';
import { MemoryMessageStore } from '../../../../src/store/memory-store.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { type Message, readMessage, sourceOf } from '../../../support/messages.js';
import { RecordingStore } from '../../../support/recording-store.js';

const EMPTY_RECORD = recordLength(sourceOf({}));

function logOf({
  store = new MemoryMessageStore(),
  durable = false,
}: {
  store?: RecordingStore | MemoryMessageStore;
  durable?: boolean;
} = {}) {
  const segments = new SegmentPool();
  const bodies = new SharedBodies();
  const clock = new FakeClock();
  const pager = new Pager({ turn: new Turn(clock, () => {}), segments, bodies, store });
  const log = new MessageLog(1, { clock, segments, bodies, store, pager }, durable);
  const reader = new RecordReader();
  const append = (message: Message = {}): number => log.append(sourceOf(message));
  /** Position and body of the record at the cursor; undefined when there is none. */
  const next = (): [number, string] | undefined => {
    if (!log.readNext(reader)) return undefined;
    const { position, body } = readMessage(reader);
    return [position, body];
  };
  const returned = (position: number) => {
    log.readReturned(position, reader);
    return readMessage(reader);
  };
  return { log, segments, bodies, clock, append, next, returned };
}

/** A body that makes its record take exactly so many bytes. */
function filling(recordBytes: number): Message {
  return { body: 'f'.repeat(recordBytes - EMPTY_RECORD) };
}

describe('the memory of a log', () => {
  it('doubles from segment to segment up to the largest size', () => {
    const { log, segments, append } = logOf();
    const sizes: number[] = [];
    let allocated = 0;
    for (let appended = 0; appended < 60_000; appended++) {
      append();
      if (segments.allocatedBytes === allocated) continue;
      sizes.push(segments.allocatedBytes - allocated);
      allocated = segments.allocatedBytes;
    }
    const doubled = Array.from({ length: 11 }, (_, index) => SMALLEST_SEGMENT_BYTES * 2 ** index);
    expect(doubled.at(-1)).toBe(LARGEST_SEGMENT_BYTES);
    expect(sizes.slice(0, 11)).toEqual(doubled);
    expect(new Set(sizes.slice(11))).toEqual(new Set([LARGEST_SEGMENT_BYTES]));
    expect(log.segmentCount).toBe(sizes.length);
  });

  it('does not grow while messages go as they come', () => {
    const { log, segments, append, next } = logOf();
    for (let round = 1; round <= 1000; round++) {
      append({ body: 'b'.repeat(round % 50) });
      expect(next()?.[0]).toBe(round);
      log.settle(round);
    }
    expect([log.segmentCount, segments.allocatedBytes]).toEqual([1, SMALLEST_SEGMENT_BYTES]);
  });

  it('follows a window that slides, and gives back what is behind it', () => {
    const { log, segments, append, next } = logOf();
    for (let round = 1; round <= 2000; round++) {
      append({ body: String(round) });
      expect(next()).toEqual([round, String(round)]);
      if (round > 100) log.settle(round - 100);
    }
    expect(log.segmentCount).toBeLessThan(5);
    for (let position = 1901; position <= 2000; position++) log.settle(position);
    expect([log.segmentCount, segments.allocatedBytes]).toEqual([0, 0]);
  });

  it('is small again after a burst, however large that was', () => {
    const { log, segments, append, next } = logOf();
    for (let position = 1; position <= 20_000; position++) append({ body: 'burst' });
    const burst = segments.allocatedBytes;
    for (let position = 1; position <= 20_000; position++) {
      expect(next()?.[0]).toBe(position);
      log.settle(position);
    }
    expect(burst).toBeGreaterThan(2 * LARGEST_SEGMENT_BYTES);
    expect([log.segmentCount, segments.allocatedBytes]).toEqual([0, 0]);
    const sizes = [];
    for (let position = 20_001; position <= 20_020; position++) {
      append({ body: 'trickle' });
      sizes.push(segments.allocatedBytes);
      expect(next()).toEqual([position, 'trickle']);
      log.settle(position);
    }
    expect(Math.max(...sizes)).toBeLessThanOrEqual(LARGEST_SEGMENT_BYTES);
    expect(sizes.at(-1)).toBeLessThanOrEqual(4096);
  });

  it('is filled to the last byte of a segment', () => {
    const { log, append, next } = logOf();
    append(filling(SMALLEST_SEGMENT_BYTES));
    expect(log.segmentCount).toBe(1);
    append(filling(2 * SMALLEST_SEGMENT_BYTES - EMPTY_RECORD));
    append();
    expect(log.segmentCount).toBe(2);
    append();
    expect(log.segmentCount).toBe(3);
    expect([next()?.[0], next()?.[0], next()?.[0], next()?.[0], next()]).toEqual([1, 2, 3, 4, undefined]);
  });

  it('skips an empty tail that is too small for what comes', () => {
    const { log, segments, append, next } = logOf();
    append();
    next();
    log.settle(1);
    append(filling(SMALLEST_SEGMENT_BYTES + 1));
    expect([log.segmentCount, segments.allocatedBytes]).toEqual([1, 2 * SMALLEST_SEGMENT_BYTES]);
    expect(next()?.[0]).toBe(2);
  });
});

describe('a record larger than any segment', () => {
  const JUMBO = filling(LARGEST_SEGMENT_BYTES + 1000);

  it('has a segment of its own, which goes with it', () => {
    const { log, segments, append, next } = logOf();
    append({ body: 'before' });
    append(JUMBO);
    append({ body: 'after' });
    expect([log.segmentCount, log.unread]).toEqual([3, 3]);
    expect([next()?.[1], next()?.[1].split(' ')[0], next()?.[1]]).toEqual([
      'before',
      String(JUMBO.body?.length),
      'after',
    ]);
    const full = segments.allocatedBytes;
    log.settle(2);
    expect(log.segmentCount).toBe(2);
    expect(full - segments.allocatedBytes).toBe(LARGEST_SEGMENT_BYTES + 1000);
    log.settle(3);
    log.settle(1);
    append({ body: 'later' });
    expect(next()).toEqual([4, 'later']);
  });

  it('is not kept as the tail', () => {
    const { log, segments, append, next } = logOf();
    for (let position = 1; position <= 3; position++) {
      append(JUMBO);
      expect(next()?.[0]).toBe(position);
      log.settle(position);
      expect([log.segmentCount, segments.allocatedBytes]).toEqual([0, 0]);
    }
    append({ body: 'small' });
    expect(segments.allocatedBytes).toBe(SMALLEST_SEGMENT_BYTES);
    expect(next()).toEqual([4, 'small']);
  });

  it('goes before or after its neighbours', () => {
    const orders = [
      [1, 2, 3],
      [1, 3, 2],
      [2, 1, 3],
      [2, 3, 1],
      [3, 1, 2],
      [3, 2, 1],
    ];
    for (const order of orders) {
      for (const delivered of [1, 2, 3]) {
        const { log, segments, append, next } = logOf();
        for (let record = 1; record <= 3; record++) append(JUMBO);
        for (let record = 1; record <= delivered; record++) expect(next()?.[0]).toBe(record);
        for (const position of order) if (position <= delivered) log.settle(position);
        for (let record = delivered + 1; record <= 3; record++) expect(next()?.[0]).toBe(record);
        for (const position of order) if (position > delivered) log.settle(position);
        expect([log.segmentCount, segments.allocatedBytes]).toEqual([0, 0]);
        append({ body: 'next' });
        expect(next()).toEqual([4, 'next']);
      }
    }
  });
});

describe('reading', () => {
  it('moves over every record once, across segments', () => {
    const { log, append, next } = logOf();
    for (let record = 1; record <= 100; record++) append({ body: String(record) });
    for (let record = 1; record <= 100; record++) {
      expect(log.cursorPosition).toBe(record);
      expect(next()).toEqual([record, String(record)]);
      expect(log.unread).toBe(100 - record);
    }
    expect([next(), log.cursorPosition]).toEqual([undefined, 101]);
    append({ body: 'more' });
    expect(log.cursorPosition).toBe(101);
    expect(next()).toEqual([101, 'more']);
  });

  it('goes on behind a gap that was settled while the cursor stood before it', () => {
    const { log, append, next } = logOf();
    for (let record = 1; record <= 30; record++) append(filling(100));
    for (let record = 1; record <= 20; record++) next();
    // Whole segments in the middle go, the first one stays.
    for (let record = 3; record <= 20; record++) log.settle(record);
    expect(log.cursorPosition).toBe(21);
    for (let record = 21; record <= 30; record++) expect(next()?.[0]).toBe(record);
    expect(log.segmentCount).toBeLessThan(5);
  });

  it('finds what was returned wherever it lies, and marks it redelivered', () => {
    const { append, log, next, returned } = logOf();
    for (let record = 1; record <= 50; record++) append({ body: String(record) });
    for (let record = 1; record <= 50; record++) next();
    for (let record = 1; record <= 50; record += 2) log.settle(record);
    for (let record = 2; record <= 50; record += 2) {
      expect(returned(record)).toMatchObject({ position: record, body: String(record), redelivered: true });
    }
  });

  it('keeps the time of the append', () => {
    const { log, clock, append } = logOf();
    const reader = new RecordReader();
    const started = clock.coarseWallTime;
    append();
    clock.advance(1500);
    append();
    clock.refresh();
    append();
    const times = [1, 2, 3].map(() => log.readNext(reader) && reader.enqueuedAt - started);
    expect(times).toEqual([0, 0, 1500]);
  });
});

describe('settling all that is unread', () => {
  it('leaves what was delivered, and goes on', () => {
    const { log, append, next, returned } = logOf();
    for (let record = 1; record <= 40; record++) append({ body: String(record) });
    for (let record = 1; record <= 7; record++) next();
    expect([log.settleUnread(), log.unread, next(), log.cursorPosition]).toEqual([33, 0, undefined, 41]);
    expect(log.settleUnread()).toBe(0);
    for (let record = 1; record <= 7; record++) expect(returned(record).body).toBe(String(record));
    append({ body: 'new' });
    expect(next()).toEqual([41, 'new']);
    for (const record of [1, 2, 3, 4, 5, 6, 7, 41]) log.settle(record);
    expect(log.segmentCount).toBe(1);
  });

  it('gives everything back when nothing was delivered', () => {
    const { log, segments, append, next } = logOf();
    expect(log.settleUnread()).toBe(0);
    for (let round = 0; round < 3; round++) {
      for (let record = 0; record < 5000; record++) append({ body: 'body' });
      expect(log.settleUnread()).toBe(5000);
      expect([log.segmentCount, segments.allocatedBytes]).toEqual([0, 0]);
    }
    append({ body: 'last' });
    expect(next()).toEqual([15_001, 'last']);
  });

  it('releases shared bodies', () => {
    const { log, bodies, append, next } = logOf();
    const body = Buffer.from('shared');
    for (let record = 1; record <= 4; record++) {
      const source = sourceOf({ body });
      source.sharedBodyId = bodies.put(body, 0, body.length);
      log.append(source);
      append();
    }
    expect([next()?.[1], next()?.[1], next()?.[1]]).toEqual(['shared', '', 'shared']);
    expect(log.settleUnread()).toBe(5);
    expect(bodies.count).toBe(2);
    log.settle(2);
    log.settle(3);
    expect(bodies.count).toBe(1);
    log.settle(1);
    expect([bodies.count, bodies.sizeBytes]).toEqual([0, 0]);
  });
});

describe('the end of a log', () => {
  it('gives the last segment back as well', () => {
    const { log, segments, append } = logOf();
    append();
    log.settleUnread();
    log.forget();
    expect([log.segmentCount, segments.allocatedBytes]).toEqual([0, 0]);
    logOf().log.forget();
  });

  it('waits for what is delivered and not settled', () => {
    const { log, segments, append, next, returned } = logOf();
    for (let record = 1; record <= 3; record++) append({ body: String(record) });
    next();
    next();
    log.settleUnread();
    log.forget();
    log.settle(2);
    expect(returned(1).body).toBe('1');
    log.settle(1);
    expect([log.segmentCount, segments.allocatedBytes]).toEqual([0, 0]);
  });

  it('is the last that the store hears of it', () => {
    const store = new RecordingStore();
    const { log, append, next } = logOf({ store, durable: true });
    append({ persistent: true });
    append({ persistent: true });
    next();
    log.settleUnread();
    log.forget();
    const dropping = store.closeBatch();
    expect(store.batches.get(dropping)).toEqual([{ kind: 'dropLog', logId: 1 }]);
    log.settle(1);
    expect([store.enlistedCount, store.batches.get(store.closeBatch())]).toEqual([0, []]);
  });
});

describe('what a log tells the store', () => {
  it('is nothing unless the queue is durable and the message persistent', () => {
    const store = new RecordingStore();
    const transient = logOf({ store });
    expect(transient.append({ persistent: true })).toBe(0);
    const durable = logOf({ store, durable: true });
    expect([durable.append(), durable.append({ persistent: true })]).toEqual([0, store.openBatch]);
    transient.next();
    transient.log.settle(1);
    expect(store.enlistedCount).toBe(1);
    const memory = logOf({ durable: true });
    expect(memory.append({ persistent: true })).toBe(0);
  });

  it('is each change once, in the batch in which it happened', () => {
    const store = new RecordingStore();
    const { log, append, next } = logOf({ store, durable: true });
    const kinds = (): string[] =>
      (store.batches.get(store.closeBatch()) ?? []).map((call) => {
        if (call.kind === 'append') return `append ${call.position}`;
        if (call.kind === 'settle') return `settle ${call.first}-${call.last}`;
        return call.kind === 'markDelivered' ? `delivered ${call.upTo}` : call.kind;
      });
    for (let record = 1; record <= 3; record++) append({ persistent: true });
    expect(kinds()).toEqual(['append 1', 'append 2', 'append 3']);
    next();
    next();
    expect(kinds()).toEqual(['delivered 3']);
    log.settle(2);
    append({ persistent: true });
    expect(kinds()).toEqual(['append 4', 'settle 2-2']);
    // Delivered and settled before it was written: never written.
    append({ persistent: true });
    for (const position of [3, 4, 5]) {
      expect(next()?.[0]).toBe(position);
      log.settle(position);
    }
    expect(kinds()).toEqual(['settle 3-4', 'delivered 6']);
    log.settle(1);
    expect(kinds()).toEqual(['settle 1-1']);
    expect([kinds(), store.enlistedCount]).toEqual([[], 0]);
  });
});
