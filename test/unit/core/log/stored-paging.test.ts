import { describe, expect, it } from 'vitest';
import { LARGEST_SEGMENT_BYTES } from '../../../../src/core/log/segment-pool.js';
import { sourceOf } from '../../../support/messages.js';
import { KIB, type LogUnderTest, paged, range } from '../../../support/paged-logs.js';
import { RecordingStore } from '../../../support/recording-store.js';

describe('a stored log', () => {
  const PERSISTENT = { persistent: true };

  it('leaves memory unwritten, but not before it is durable', () => {
    const store = new RecordingStore();
    const { pager, scratch, logOf, settle } = paged({ store });
    const log = logOf(1);
    log.append(1500, KIB, PERSISTENT);
    pager.budgetBytes = 0;
    settle();
    const all = pager.residentBytes;
    expect(all).toBeGreaterThan(1500 * KIB);
    store.closeBatch();
    settle();
    expect(pager.residentBytes).toBe(all);
    store.makeDurable(1);
    settle();
    expect(pager.residentBytes).toBeLessThan(2 * LARGEST_SEGMENT_BYTES);
    const tail = pager.residentBytes;
    log.append(1500, KIB, PERSISTENT);
    store.closeBatch();
    settle();
    // What is in the second batch stays, what was in the first may go.
    expect(pager.residentBytes).toBeGreaterThan(1400 * KIB);
    store.makeDurable(2);
    settle();
    expect(pager.residentBytes).toBeLessThanOrEqual(tail + LARGEST_SEGMENT_BYTES);
    expect([scratch?.pageCount, scratch?.writeCount]).toEqual([0, 0]);
    pager.budgetBytes = 1024 * LARGEST_SEGMENT_BYTES;
    expect(log.read(3000)).toEqual(range(1, 3000));
    expect(store.prefetched.length).toBeGreaterThan(0);
  });

  it('stays in memory when a batch failed and was closed again with another, until both are durable', () => {
    const store = new RecordingStore();
    const { pager, logOf, settle } = paged({ store });
    const log = logOf(1);
    pager.budgetBytes = 0;
    log.append(1500, KIB, PERSISTENT);
    store.closeBatch();
    log.append(1500, KIB, PERSISTENT);
    store.closeBatch();
    settle();
    expect(pager.residentBytes).toBeGreaterThan(3000 * KIB);
    store.makeDurable(2);
    settle();
    expect(pager.residentBytes).toBeLessThan(2 * LARGEST_SEGMENT_BYTES);
    expect(log.read(3000)).toEqual(range(1, 3000));
  });

  it('keeps only its beginning in memory when it grows long, whatever the budget', () => {
    const store = new RecordingStore();
    const { pager, scratch, logOf, clock } = paged({ store });
    const log = logOf(1);
    for (let batch = 0; batch < 200; batch++) {
      log.append(250, KIB, PERSISTENT);
      store.makeDurable(store.closeBatch());
      clock.settle();
    }
    expect(pager.residentBytes).toBeLessThan(68 * LARGEST_SEGMENT_BYTES);
    expect(scratch?.writeCount).toBe(0);
    expect(log.read(50_000)).toEqual(range(1, 50_000));
  });

  it('goes to pages with its transient messages', () => {
    const store = new RecordingStore();
    const { pager, scratch, logOf, settle } = paged({ store });
    const log = logOf(1);
    for (let i = 0; i < 1500; i++) {
      log.append(1, KIB, PERSISTENT);
      log.append(1);
    }
    store.makeDurable(store.closeBatch());
    pager.budgetBytes = 0;
    settle();
    expect(scratch?.pageCount).toBeGreaterThan(5);
    expect(log.read(3000)).toEqual(range(1, 3000));
    expect(store.readCount).toBe(0);
  });

  it('comes back after a restart without being read, segment by segment', () => {
    const store = new RecordingStore();
    const before = paged({ store });
    const written = before.logOf(1);
    for (let batch = 0; batch < 100; batch++) {
      written.append(30, KIB, PERSISTENT);
      store.makeDurable(store.closeBatch());
    }
    written.read(100);
    written.settle(range(1, 40));
    store.closeBatch();
    const { pager, logOf } = paged({ store });
    const log = logOf(1);
    expect([log.log.unread, pager.residentBytes, store.readCount]).toEqual([2960, 0, 0]);
    expect(log.log.segmentCount).toBeLessThan(15);
    expect(log.read(1)).toEqual([41]);
    expect([store.readCount, pager.residentBytes]).toEqual([1, LARGEST_SEGMENT_BYTES]);
    // The next two, and some further ahead in one piece.
    const [next, second, far, ...others] = store.prefetched;
    expect(others).toEqual([]);
    expect(second?.[0]).toBe((next?.[1] ?? 0) + 1);
    expect(far?.[0]).toBeGreaterThan((second?.[1] ?? 0) + 500);
    expect((far?.[1] ?? 0) - (far?.[0] ?? 0)).toBeGreaterThan(600);
    expect(log.read(2959)).toEqual(range(42, 3000));
    log.append(1, KIB, PERSISTENT);
    expect(log.read(1)).toEqual([3001]);
    log.settle(range(41, 3001));
    expect(log.log.segmentCount).toBe(1);
    expect(pager.residentBytes).toBeLessThan(4096);
  });

  it('lets go of the bodies of messages that only the store had when it is forgotten', () => {
    const store = new RecordingStore();
    const { bodies, pager, logOf, settle } = paged({ store });
    const logs = [logOf(1), logOf(2)];
    for (let i = 1; i <= 5000; i++) {
      const source = sourceOf({ persistent: true });
      const body = Buffer.from(String(i).padEnd(20));
      source.sharedBodyId = bodies.put(body, 0, body.length);
      [source.body, source.bodyStart, source.bodyEnd] = [body, 0, body.length];
      for (const { log } of logs) log.append(source);
    }
    store.makeDurable(store.closeBatch());
    const [first, second] = logs as [LogUnderTest, LogUnderTest];
    first.read(5000);
    // Some of it the store knows, some not.
    first.settle(range(1000, 1499));
    store.makeDurable(store.closeBatch());
    first.settle(range(1500, 1999));
    pager.budgetBytes = 0;
    settle();
    first.log.forget();
    first.settle([...range(1, 999), ...range(2000, 5000)]);
    expect(bodies.count).toBe(5000);
    expect(second.read(5000)).toEqual(range(1, 5000));
    second.settle(range(1, 5000));
    expect([bodies.count, bodies.sizeBytes, bodies.residentBytes]).toEqual([0, 0, 0]);
  });
});

describe('a log with shared bodies', () => {
  it('pages them before its segments, and has them again when they are read', () => {
    const { bodies, pager, scratch, logOf, settle } = paged();
    const logs = [logOf(1), logOf(2)];
    pager.budgetBytes = 1024 * KIB;
    for (let i = 1; i <= 2000; i++) {
      const source = sourceOf({});
      const body = Buffer.from(String(i).padEnd(8 * KIB));
      source.sharedBodyId = bodies.put(body, 0, body.length);
      [source.body, source.bodyStart, source.bodyEnd] = [body, 0, body.length];
      for (const { log } of logs) log.append(source);
      if (i % 100 === 0) settle();
    }
    expect(pager.residentBytes).toBeLessThanOrEqual(1024 * KIB);
    expect(bodies.sizeBytes).toBe(2000 * 8 * KIB);
    for (const log of logs) {
      for (let next = 1; next <= 2000; next += 100) {
        expect(log.read(100)).toEqual(range(next, next + 99));
        settle();
        expect(pager.residentBytes).toBeLessThanOrEqual(1024 * KIB);
      }
    }
    for (const log of logs) log.settle(range(1, 2000));
    settle();
    expect([bodies.count, scratch?.pageCount]).toEqual([0, 0]);
  });
});
