import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { DiskMonitor } from '../../../src/resources/disk-monitor.js';
import { Alarms } from '../../../src/session/shared/flow-control.js';
import { capturedLog } from '../../support/captured-log.js';
import { FakeClock } from '../../support/fake-clock.js';

const MB = 1_000_000;
const LIMIT = 50 * MB;
const PLENTY = 100_000 * MB;

class Disk {
  readonly clock = new FakeClock();
  readonly alarms = new Alarms();
  readonly captured = capturedLog();
  free: number | Error = PLENTY;
  looks = 0;
  readonly monitor = new DiskMonitor({
    clock: this.clock,
    log: this.captured.log,
    alarms: this.alarms,
    directory: '/data',
    limitBytes: LIMIT,
    freeBytes: async () => {
      this.looks++;
      if (this.free instanceof Error) throw this.free;
      return this.free;
    },
  });

  /** Passes time in steps in which a look can end. */
  async advance(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 50) {
      this.clock.advance(50);
      await settled();
    }
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('the disk alarm', () => {
  it('is up when the broker starts on a full disk', async () => {
    const disk = new Disk();
    disk.free = LIMIT - 1;
    await disk.monitor.start();
    expect(disk.alarms.reason).toBe('low on disk');
  });

  it('is raised below the limit and over at it', async () => {
    const disk = new Disk();
    await disk.monitor.start();
    disk.free = LIMIT - 1;
    await disk.advance(1000);
    expect(disk.alarms.active).toBe(true);
    disk.free = LIMIT;
    await disk.advance(100);
    expect(disk.alarms.active).toBe(false);
    expect(disk.captured.lines).toEqual([
      {
        level: 'warn',
        message: 'resource alarm raised: publishers are blocked',
        fields: { source: 'disk', freeBytes: LIMIT - 1, limitBytes: LIMIT },
      },
      {
        level: 'info',
        message: 'resource alarm cleared',
        fields: { source: 'disk', freeBytes: LIMIT, limitBytes: LIMIT },
      },
    ]);
  });

  it('stays while another holds it', async () => {
    const disk = new Disk();
    disk.free = 0;
    await disk.monitor.start();
    disk.alarms.raise('disk', 'store');
    disk.free = PLENTY;
    await disk.advance(100);
    expect(disk.alarms.isRaised('disk')).toBe(true);
    disk.alarms.clear('disk', 'store');
    expect(disk.alarms.isRaised('disk')).toBe(false);
  });

  it('follows a limit that moves, at once', async () => {
    const disk = new Disk();
    await disk.monitor.start();
    disk.monitor.limitBytes = PLENTY + 1;
    await settled();
    expect([disk.monitor.limitBytes, disk.alarms.active]).toEqual([PLENTY + 1, true]);
    disk.monitor.limitBytes = LIMIT;
    await settled();
    expect(disk.alarms.active).toBe(false);
    expect(disk.clock.timerCount).toBe(1);
  });
});

describe('the free space', () => {
  it('is looked at every second, and more often close to the limit', async () => {
    const disk = new Disk();
    await disk.monitor.start();
    await disk.advance(10_000);
    expect(disk.looks).toBe(11);
    disk.free = 4 * LIMIT - 1;
    await disk.advance(1000);
    disk.looks = 0;
    await disk.advance(1000);
    expect(disk.looks).toBe(10);
  });

  it('that cannot be told is logged once and changes nothing', async () => {
    const disk = new Disk();
    disk.free = 0;
    await disk.monitor.start();
    disk.free = new Error('no such device');
    await disk.advance(5000);
    expect([disk.alarms.active, disk.monitor.freeBytes]).toEqual([true, undefined]);
    expect(disk.captured.lines.slice(1)).toEqual([
      { level: 'warn', message: 'free disk space is not known', fields: { err: disk.free, directory: '/data' } },
    ]);
    disk.free = PLENTY;
    await disk.advance(1000);
    expect(disk.alarms.active).toBe(false);
  });

  it('is no longer looked at after close, whose look under way changes nothing', async () => {
    const disk = new Disk();
    disk.free = 0;
    const starting = disk.monitor.start();
    disk.monitor.close();
    await starting;
    expect([disk.alarms.active, disk.clock.timerCount]).toEqual([false, 0]);
  });

  it('can be told of a real folder', async () => {
    const { clock, alarms, captured } = new Disk();
    const options = { clock, log: captured.log, alarms, directory: tmpdir(), limitBytes: 0 };
    const monitor = new DiskMonitor(options);
    await monitor.start();
    monitor.close();
    expect(monitor.freeBytes).toBeGreaterThan(0);
  });
});
