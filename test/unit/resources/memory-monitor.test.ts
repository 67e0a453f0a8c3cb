import { describe, expect, it } from 'vitest';
import { MemoryMonitor } from '../../../src/resources/memory-monitor.js';
import { Alarms } from '../../../src/session/shared/flow-control.js';
import { capturedLog } from '../../support/captured-log.js';
import { FakeClock } from '../../support/fake-clock.js';

const MIB = 1024 * 1024;
const LIMIT = 1000 * MIB;
const HEAP = 50 * MIB;
const NATIVE = 10 * MIB;

/** A process whose memory the test sets: heap, native memory, buffers, and what malloc keeps. */
class Process {
  readonly clock = new FakeClock();
  readonly alarms = new Alarms();
  readonly paging = { residentBytes: 0, reusableBytes: 0, reservedBytes: 0, droppedBytes: 0, budgetBytes: 0 };
  readonly captured = capturedLog();
  buffers = 0;
  native = NATIVE;
  kept = 0;
  collections = 0;
  onCollect = (): void => {};
  readonly monitor = new MemoryMonitor({
    clock: this.clock,
    log: this.captured.log,
    alarms: this.alarms,
    paging: this.paging,
    limitBytes: LIMIT,
    sample: () => ({
      anonymousBytes: HEAP + this.native + this.buffers + this.kept,
      heapBytes: HEAP,
      bufferBytes: this.buffers,
    }),
    collectGarbage: () => {
      this.collections++;
      this.onCollect();
    },
  });

  /** Segments in memory, all of them in use. */
  hold(bytes: number): void {
    this.buffers = bytes;
    this.paging.residentBytes = bytes;
  }

  next(samples = 1): void {
    this.clock.advance(100 * samples);
  }
}

function started(): Process {
  const process = new Process();
  process.monitor.start();
  return process;
}

describe('the budget of the pager', () => {
  it('is three quarters of the limit without what everything else takes', () => {
    const process = started();
    expect(process.paging.budgetBytes).toBe(750 * MIB - HEAP - NATIVE);
    process.hold(300 * MIB);
    process.paging.reusableBytes = 20 * MIB;
    process.buffers += 20 * MIB;
    process.next();
    expect(process.paging.budgetBytes).toBe(750 * MIB - HEAP - NATIVE);
    process.buffers += 100 * MIB;
    process.next();
    expect(process.paging.budgetBytes).toBe(650 * MIB - HEAP - NATIVE);
  });

  it('never falls below 16 MiB', () => {
    const process = started();
    process.native = 2 * LIMIT;
    process.next();
    expect(process.paging.budgetBytes).toBe(16 * MIB);
  });

  it('follows the limit', () => {
    const process = started();
    process.monitor.limitBytes = 2 * LIMIT;
    expect(process.monitor.limitBytes).toBe(2 * LIMIT);
    process.next();
    expect(process.paging.budgetBytes).toBe(1500 * MIB - HEAP - NATIVE);
  });

  it('does not shrink by what malloc keeps of freed segments', () => {
    const process = started();
    process.hold(600 * MIB);
    process.next();
    process.hold(100 * MIB);
    process.kept = 500 * MIB;
    process.next();
    expect(process.paging.budgetBytes).toBe(750 * MIB - HEAP - NATIVE);
    expect(process.monitor.usedBytes).toBe(100 * MIB + HEAP + NATIVE);
  });

  it('shrinks by native memory that is no freed buffer', () => {
    const process = started();
    process.hold(600 * MIB);
    process.next();
    process.hold(100 * MIB);
    process.next();
    process.native += 300 * MIB;
    process.next();
    expect(process.monitor.usedBytes).toBe(400 * MIB + HEAP + NATIVE);
  });
});

describe('the memory alarm', () => {
  it('is raised at the limit and over below 95% of it', () => {
    const process = started();
    process.hold(LIMIT - HEAP - NATIVE - 1);
    process.next(50);
    expect(process.alarms.active).toBe(false);
    process.hold(LIMIT - HEAP - NATIVE);
    process.next(2);
    expect(process.alarms.reason).toBe('low on memory');
    process.hold(0.95 * LIMIT - HEAP - NATIVE);
    process.next(50);
    expect(process.alarms.active).toBe(true);
    process.hold(0.95 * LIMIT - HEAP - NATIVE - 1);
    process.next();
    expect(process.alarms.active).toBe(false);
    expect(process.captured.lines).toEqual([
      {
        level: 'warn',
        message: 'resource alarm raised: publishers are blocked',
        fields: { source: 'memory', usedBytes: LIMIT, limitBytes: LIMIT },
      },
      {
        level: 'info',
        message: 'resource alarm cleared',
        fields: { source: 'memory', usedBytes: 0.95 * LIMIT - 1, limitBytes: LIMIT },
      },
    ]);
  });

  it('is not raised when a collection helps', () => {
    const process = started();
    process.buffers = LIMIT;
    process.onCollect = () => {
      process.buffers = 0;
    };
    process.next(2);
    expect(process.collections).toBe(1);
    expect(process.captured.lines).toEqual([]);
  });

  it('does not stay because malloc keeps what was freed', () => {
    const process = started();
    process.hold(LIMIT);
    process.next(2);
    expect(process.alarms.active).toBe(true);
    process.hold(10 * MIB);
    process.kept = LIMIT - 10 * MIB;
    process.next();
    expect(process.alarms.active).toBe(false);
    // Messages come back into it, and the alarm with them.
    process.kept = 0;
    process.hold(LIMIT);
    process.next(100);
    expect(process.alarms.active).toBe(true);
  });

  it('follows a limit that moves', () => {
    const process = started();
    process.hold(LIMIT);
    process.next(2);
    process.monitor.limitBytes = 2 * LIMIT;
    process.next();
    expect(process.alarms.active).toBe(false);
    process.monitor.limitBytes = 0;
    process.next(2);
    expect(process.alarms.active).toBe(true);
  });

  it('leaves that of the operator alone', () => {
    const process = started();
    process.alarms.raise('memory');
    process.hold(LIMIT);
    process.next(2);
    process.hold(0);
    process.next();
    expect(process.alarms.isRaised('memory')).toBe(true);
  });
});

describe('a collection', () => {
  it('is asked for when much besides segments has come into memory, at most every 2 s', () => {
    const process = started();
    process.buffers = 900 * MIB;
    process.onCollect = () => {
      process.buffers = 700 * MIB;
    };
    for (let sample = 0; sample < 40; sample++) {
      process.next();
      process.buffers += 10 * MIB;
    }
    // At 0.1 and 2.1 s.
    expect(process.collections).toBe(2);
  });

  it('that freed nothing is asked for again when more has come', () => {
    const process = started();
    process.buffers = 800 * MIB;
    process.next(100);
    expect(process.collections).toBe(1);
    process.buffers += 40 * MIB;
    process.next(100);
    expect(process.collections).toBe(1);
    process.buffers += 10 * MIB;
    process.next(100);
    expect(process.collections).toBe(2);
  });

  it('frees segments that were let go while the alarm is up', () => {
    const process = started();
    process.hold(LIMIT);
    process.next(100);
    expect([process.alarms.active, process.collections]).toEqual([true, 0]);
    process.onCollect = () => process.hold(0);
    process.paging.residentBytes = 0;
    process.next(2);
    expect([process.alarms.active, process.collections]).toEqual([false, 1]);
  });

  it('is not asked for because of segments or native memory', () => {
    const process = started();
    process.hold(800 * MIB);
    process.next(100);
    process.native = LIMIT;
    process.next(100);
    expect(process.collections).toBe(0);
  });

  it('is not asked for while there is plenty', () => {
    const process = started();
    process.buffers = 600 * MIB;
    process.next(100);
    expect(process.collections).toBe(0);
  });
});

describe('a closed monitor', () => {
  it('looks no more', () => {
    const process = started();
    process.monitor.close();
    process.monitor.close();
    expect(process.clock.timerCount).toBe(0);
  });
});

describe('memory that segments gave up', () => {
  it('is collected once there is much of it, and not twice', () => {
    const process = started();
    process.paging.droppedBytes = 63 * MIB;
    process.next(50);
    expect(process.collections).toBe(0);
    process.paging.droppedBytes = 64 * MIB;
    process.next(50);
    expect(process.collections).toBe(1);
    process.paging.droppedBytes = 200 * MIB;
    process.next(50);
    expect(process.collections).toBe(2);
    process.next(50);
    expect(process.collections).toBe(2);
  });

  it('is collected at most every other second', () => {
    const process = started();
    for (let tenth = 0; tenth < 100; tenth++) {
      process.paging.droppedBytes += 100 * MIB;
      process.next();
    }
    expect(process.collections).toBe(5);
  });
});
