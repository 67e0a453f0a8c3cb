import { describe, expect, it } from 'vitest';
import { Pager } from '../../../../src/core/log/pager.js';
import { LARGEST_SEGMENT_BYTES, SegmentPool } from '../../../../src/core/log/segment-pool.js';
import { SharedBodies } from '../../../../src/core/log/shared-bodies.js';
import { Turn } from '../../../../src/core/turn.js';
import { MemoryMessageStore } from '../../../../src/store/memory-store.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { KIB, paged, range } from '../../../support/paged-logs.js';

describe('a log that memory has no room for', () => {
  it('keeps what is near its cursor and its end, and comes back ahead of the cursor', () => {
    const { pager, scratch, segments, logOf, settle } = paged();
    const log = logOf(1);
    pager.budgetBytes = 8 * LARGEST_SEGMENT_BYTES;
    for (let round = 0; round < 200; round++) {
      log.append(100);
      settle();
      expect(pager.residentBytes).toBeLessThanOrEqual(9 * LARGEST_SEGMENT_BYTES);
    }
    expect(scratch?.pageCount).toBeGreaterThan(60);
    for (let next = 1; next <= 20_000; next += 100) {
      expect(log.read(100)).toEqual(range(next, next + 99));
      log.settle(range(next, next + 99));
      settle();
    }
    // One reading ahead was enough.
    expect([scratch?.readCount, scratch?.pageCount, segments.allocatedBytes]).toEqual([0, 0, 0]);
  });

  it('gives the newest first', () => {
    const { pager, scratch, clock, logOf, settle } = paged();
    const log = logOf(1);
    log.append(10_000);
    pager.budgetBytes = pager.residentBytes - 3 * LARGEST_SEGMENT_BYTES;
    settle();
    expect(scratch?.pageCount).toBe(3);
    log.read(8_500);
    expect([scratch?.readCount, scratch?.readAheadCount]).toEqual([0, 0]);
    log.read(1_499);
    clock.settle();
    expect(log.read(1)).toEqual([10_000]);
    expect(scratch?.readCount).toBeGreaterThan(0);
  });

  it('takes a bounded part out in one turn', () => {
    const { pager, scratch, clock, logOf } = paged();
    logOf(1).append(100_000);
    clock.settle();
    pager.budgetBytes = 0;
    clock.endTurn();
    const once = scratch?.writeCount ?? 0;
    expect(once).toBeLessThanOrEqual(40);
    clock.settle();
    // Nothing more is written before something has been, and nobody is pressed for that.
    expect(scratch?.writeCount).toBeLessThanOrEqual(40);
    expect(pager.hardPressed).toBe(false);
    scratch?.end();
    clock.settle();
    expect(scratch?.writeCount).toBeLessThanOrEqual(40);
  });

  it('says when messages come faster than they can be written out, and when that is over', () => {
    const { pager, scratch, logOf, settle } = paged();
    const heard: boolean[] = [];
    pager.onCongestion = (congested) => heard.push(congested);
    const log = logOf(1);
    pager.budgetBytes = 8 * LARGEST_SEGMENT_BYTES;
    log.append(30_000);
    expect(heard).toEqual([true]);
    settle();
    expect(heard).toEqual([true, false]);
    expect(scratch?.pageCount).toBeGreaterThan(50);
  });

  it('does not wait for what cannot be written', () => {
    const { pager, scratch, clock, logOf } = paged();
    const heard: boolean[] = [];
    pager.onCongestion = (congested) => heard.push(congested);
    pager.budgetBytes = 8 * LARGEST_SEGMENT_BYTES;
    logOf(1).append(30_000);
    clock.settle();
    while (scratch !== undefined && scratch.writeCount > 0) scratch.end(0, false);
    clock.settle();
    expect(heard.at(-1)).toBe(false);
  });

  it('is treated like the others', () => {
    const { pager, logOf, settle, scratch } = paged();
    const logs = range(1, 20).map(logOf);
    for (const log of logs) log.append(2000);
    pager.budgetBytes = pager.residentBytes - 40 * LARGEST_SEGMENT_BYTES;
    settle();
    expect(scratch?.pageCount).toBe(40);
    for (const log of logs) expect(log.read(2000)).toEqual(range(1, 2000));
  });

  it('may be delivered as a whole and not acknowledged', () => {
    const { pager, segments, scratch, logOf, settle } = paged();
    const log = logOf(1);
    log.append(5000);
    log.read(5000);
    pager.budgetBytes = 0;
    settle();
    expect(pager.residentBytes).toBeLessThanOrEqual(2 * LARGEST_SEGMENT_BYTES);
    const reads = scratch?.readCount;
    log.settle(range(1, 2000));
    expect(scratch?.readCount).toBe(reads);
    for (const position of [2001, 4000, 3000]) expect(log.readReturned(position)).toBe(position);
    log.settle(range(2001, 5000));
    settle();
    expect([scratch?.pageCount, segments.allocatedBytes]).toEqual([0, 0]);
  });

  it('is purged without a look at it', () => {
    const { pager, segments, scratch, logOf, settle } = paged();
    const log = logOf(1);
    log.append(5000);
    log.read(10);
    pager.budgetBytes = 0;
    settle();
    expect(log.log.settleUnread()).toBe(4990);
    // The first segments are small; five have a message that was delivered.
    expect([scratch?.readCount, scratch?.pageCount]).toEqual([0, 5]);
    log.append(1);
    expect(log.read(1)).toEqual([5001]);
    log.settle([...range(1, 10), 5001]);
    settle();
    expect([scratch?.pageCount, segments.allocatedBytes, log.log.segmentCount]).toEqual([0, 0, 0]);
  });

  it('may be of messages larger than any segment', () => {
    const { pager, segments, logOf, settle } = paged();
    const log = logOf(1);
    log.append(20, 400 * KIB);
    pager.budgetBytes = 3 * LARGEST_SEGMENT_BYTES;
    settle();
    expect(segments.allocatedBytes).toBeLessThanOrEqual(5 * 401 * KIB);
    expect(log.read(20)).toEqual(range(1, 20));
  });

  it('leaves memory as a whole when it is idle and nothing else is left to give', () => {
    const { clock, pager, scratch, logOf, settle } = paged();
    const logs = range(1, 50).map(logOf);
    for (const log of logs) {
      log.append(300);
      log.read(130);
    }
    pager.budgetBytes = LARGEST_SEGMENT_BYTES;
    settle();
    expect(pager.residentBytes).toBeGreaterThan(50 * 100 * KIB);
    for (let look = 0; look < 3; look++) {
      clock.advance(600);
      clock.refresh();
      pager.budgetBytes = LARGEST_SEGMENT_BYTES;
      settle();
    }
    expect(pager.residentBytes).toBeLessThanOrEqual(LARGEST_SEGMENT_BYTES);
    for (const log of logs) {
      log.append(1);
      expect(log.read(171)).toEqual(range(131, 301));
      expect(log.readReturned(130)).toBe(130);
      log.settle(range(1, 301));
    }
    settle();
    expect(scratch?.pageCount).toBe(0);
  });

  it('stays in memory when there is nowhere to go', () => {
    const memory = new Pager({
      turn: new Turn(new FakeClock(), () => {}),
      segments: new SegmentPool(),
      bodies: new SharedBodies(),
      store: new MemoryMessageStore(),
    });
    memory.budgetBytes = -1;
    memory.segmentOpened();
    expect([memory.deferred, memory.residentBytes, memory.reusableBytes]).toEqual([false, 0, 0]);
  });
});

describe('a segment on its way', () => {
  it('that goes before it is written keeps its memory until then, and no page', () => {
    const { clock, pager, segments, scratch, logOf } = paged();
    const log = logOf(1);
    log.append(2000);
    pager.budgetBytes = 0;
    clock.settle();
    expect(scratch?.writeCount).toBeGreaterThan(0);
    log.log.settleUnread();
    // Other logs get other memory meanwhile.
    logOf(2).append(500);
    scratch?.endAll();
    expect(scratch?.pageCount).toBe(0);
    expect(segments.allocatedBytes).toBeLessThan(3 * LARGEST_SEGMENT_BYTES);
  });

  it('is read at once when it is needed before it is there, and goes while it is read', () => {
    const { clock, pager, segments, scratch, logOf, settle } = paged();
    const log = logOf(1);
    log.append(5000);
    pager.budgetBytes = 0;
    settle();
    pager.budgetBytes = Number.POSITIVE_INFINITY;
    pager.noteGrowth();
    clock.settle();
    expect(log.read(2000)).toEqual(range(1, 2000));
    expect([scratch?.readAheadCount, scratch?.readCount].every((count) => (count ?? 0) > 0)).toBe(true);
    log.log.settleUnread();
    log.settle(range(1, 2000));
    scratch?.endAll();
    expect([scratch?.pageCount, segments.allocatedBytes]).toEqual([0, 0]);
  });

  it('stays when it cannot be written, which is told once', () => {
    const { clock, pager, scratch, logOf, settle, writeFailures } = paged();
    const log = logOf(1);
    log.append(5000);
    pager.budgetBytes = LARGEST_SEGMENT_BYTES;
    clock.settle();
    while ((scratch?.writeCount ?? 0) > 0) scratch?.end(0, false);
    clock.settle();
    expect([writeFailures(), scratch?.pageCount, scratch?.writeCount]).toEqual([1, 0, 0]);
    log.append(500);
    clock.settle();
    expect(scratch?.writeCount).toBe(1);
    scratch?.end(0, false);
    expect(writeFailures()).toBe(1);
    log.append(500);
    settle();
    expect(pager.residentBytes).toBeLessThanOrEqual(5 * LARGEST_SEGMENT_BYTES);
    expect(log.read(6000)).toEqual(range(1, 6000));
  });
});
