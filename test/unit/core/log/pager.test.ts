import { describe, expect, it } from 'vitest';
import { type PageableLog, Pager } from '../../../../src/core/log/pager.js';
import { LARGEST_SEGMENT_BYTES, SegmentPool } from '../../../../src/core/log/segment-pool.js';
import { SharedBodies } from '../../../../src/core/log/shared-bodies.js';
import { Turn } from '../../../../src/core/turn.js';
import { MemoryMessageStore } from '../../../../src/store/memory-store.js';
import { ControlledScratch } from '../../../support/controlled-scratch.js';
import { FakeClock } from '../../../support/fake-clock.js';

/** Has segments of 4 KiB to give. */
class GivingLog implements PageableLog {
  pagerIndex = -1;
  asked: boolean[] = [];
  given = 0;
  left: number;
  readonly #segments: SegmentPool;

  constructor(segments: SegmentPool, left: number) {
    this.#segments = segments;
    this.left = left;
    for (let i = 0; i < left; i++) segments.allocate(4096);
  }

  pageOut(hardPressed: boolean): number {
    this.asked.push(hardPressed);
    if (this.left === 0) return 0;
    this.left--;
    this.given++;
    this.#segments.release(Buffer.alloc(4096));
    return 4096;
  }
}

function pagerOf() {
  const clock = new FakeClock();
  const segments = new SegmentPool();
  const scratch = new ControlledScratch();
  const turn = new Turn(clock, (error) => expect(error).toBeUndefined());
  const store = new MemoryMessageStore();
  const pager = new Pager({ turn, segments, bodies: new SharedBodies({ scratch }), store, scratch });
  const logsOf = (count: number, left: number): GivingLog[] =>
    Array.from({ length: count }, () => {
      const log = new GivingLog(segments, left);
      pager.register(log);
      return log;
    });
  return { clock, pager, logsOf };
}

describe('the pager', () => {
  it('asks the logs in turn, and no longer than it has to', () => {
    const { clock, pager, logsOf } = pagerOf();
    const logs = logsOf(5, 20);
    clock.settle();
    expect(logs.every(({ asked }) => asked.length === 0)).toBe(true);
    pager.budgetBytes = 50 * 4096;
    expect(clock.settle()).toBeGreaterThan(2);
    expect(logs.map(({ given }) => given)).toEqual([10, 10, 10, 10, 10]);
    expect(pager.hardPressed).toBe(false);
    pager.noteGrowth();
    expect(clock.hasTurnWaiting).toBe(false);
  });

  it('asks harder when all was in vain, and rests when that is too', () => {
    const { clock, pager, logsOf } = pagerOf();
    const logs = logsOf(3, 1);
    for (const log of logs) log.left = 0;
    pager.budgetBytes = 4096;
    clock.settle();
    expect(logs.map(({ asked }) => asked)).toEqual([
      [false, true],
      [false, true],
      [false, true],
    ]);
    expect([pager.hardPressed, pager.largestSegmentBytes]).toEqual([true, 4096]);
    pager.budgetBytes = 3 * 4096;
    pager.noteGrowth();
    expect([pager.hardPressed, pager.largestSegmentBytes]).toEqual([false, LARGEST_SEGMENT_BYTES]);
  });

  it('asks a bounded number in one turn, and goes on in the next', () => {
    const { clock, pager, logsOf } = pagerOf();
    const logs = logsOf(2000, 0);
    const [last] = logsOf(1, 2);
    pager.budgetBytes = 0;
    clock.endTurn();
    const askedAtOnce = logs.filter(({ asked }) => asked.length > 0).length;
    expect(askedAtOnce).toBeGreaterThan(0);
    expect(askedAtOnce).toBeLessThan(500);
    clock.settle();
    expect([last?.given, pager.residentBytes]).toEqual([2, 0]);
  });

  it('forgets a log that unregisters', () => {
    const { clock, pager, logsOf } = pagerOf();
    const logs = logsOf(4, 1);
    const [first, second, third, fourth] = logs as [GivingLog, GivingLog, GivingLog, GivingLog];
    for (const log of [fourth, first, first, third]) pager.unregister(log);
    pager.register(second);
    expect(logs.map(({ pagerIndex }) => pagerIndex)).toEqual([-1, 0, -1, -1]);
    pager.budgetBytes = 0;
    clock.settle();
    expect(logs.map(({ given }) => given)).toEqual([0, 1, 0, 0]);
    pager.unregister(second);
    pager.register(first);
    pager.noteGrowth();
    clock.settle();
    expect([second.asked.length, first.given]).toEqual([3, 1]);
  });
});
