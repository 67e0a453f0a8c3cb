import { describe, expect, it } from 'vitest';
import * as layouts from '../../src/store/lmdb/layouts.js';
import { Run } from '../../src/store/lmdb/run.js';
import { StoredLog } from '../../src/store/lmdb/stored-log.js';

/** Above 2^32, to see both halves. */
const POSITION = 0x12_3456_789a;

describe('layouts of the data directory', () => {
  it('keys of runs are as defined and as drawn, and sort by log and position', () => {
    const key = layouts.runKey(0xabcdef01, POSITION);
    expect(layouts.runKeyLayout.decode(key)).toEqual({ logId: 0xabcdef01, firstPosition: POSITION });
    expect(key.toString('hex')).toBe('abcdef01000000123456789a');
    const sorted = [layouts.runKey(1, 2), layouts.runKey(1, 0x1_0000_0000), layouts.runKey(2, 1)];
    expect([...sorted].reverse().sort(Buffer.compare)).toEqual(sorted);
  });

  it('keys of logs and bodies', () => {
    const key = layouts.numberKey(0x89abcdef);
    expect(layouts.numberKeyLayout.decode(key)).toEqual({ id: 0x89abcdef });
    expect(key.toString('hex')).toBe('89abcdef');
  });

  it('run headers are written where the definition reads them', () => {
    const run = new Run(3, POSITION);
    run.add(POSITION, 100, 0);
    run.add(POSITION + 1, 200, 77);
    run.add(POSITION + 5, 300, 0);
    run.earliestExpiry = 1_700_000_000_001;
    run.firstEnqueuedAt = 1_700_000_000_000;
    run.checksum = 0xfedcba98;
    const bytes = run.header();
    expect(layouts.runHeaderLayout.decode(bytes)).toEqual({
      lastDelta: 5,
      count: 3,
      sizeBytes: 600,
      bodyCount: 1,
      rangeCount: 2,
      checksum: 0xfedcba98,
      earliestExpiry: 1_700_000_000_001,
      firstEnqueuedAt: 1_700_000_000_000,
    });
    let at = layouts.RUN_HEADER_BYTES;
    expect(layouts.rangeLayout.decode(bytes, at)).toEqual({ firstDelta: 0, lastDelta: 1 });
    at += layouts.RANGE_BYTES;
    expect(layouts.rangeLayout.decode(bytes, at)).toEqual({ firstDelta: 5, lastDelta: 5 });
    at += layouts.RANGE_BYTES;
    expect(layouts.bodyUseLayout.decode(bytes, at)).toEqual({ positionDelta: 1, bodyId: 77 });
    expect(bytes.length).toBe(at + layouts.BODY_USE_BYTES);
    // On disk this may never change.
    expect(bytes.toString('hex')).toBe(
      '050000000300000058020000010000000200000098badcfe' +
        doubleHex(1_700_000_000_001) +
        doubleHex(1_700_000_000_000) +
        '0000000001000000050000000500000001000000' +
        '4d000000',
    );
  });

  it('a run comes back from its header', () => {
    const run = new Run(3, 10);
    for (let position = 10; position < 20; position++) run.add(position, 50, position === 12 ? 5 : 0);
    const released: number[] = [];
    run.settle(11, 13, (id) => released.push(id));
    expect(released).toEqual([5]);
    const again = Run.fromHeader(3, 10, run.header());
    expect({ ...again }).toEqual({ ...run, value: undefined });
    expect([10, 11, 13, 14].map((position) => again.isLive(position))).toEqual([true, false, false, true]);
  });

  it('refuses a header that does not add up', () => {
    const run = new Run(3, 10);
    run.add(10, 50, 0);
    const bytes = run.header();
    expect(() => Run.fromHeader(3, 10, bytes.subarray(0, bytes.length - 1))).toThrow(RangeError);
    expect(() => Run.fromHeader(3, 10, bytes.subarray(0, 10))).toThrow(RangeError);
    bytes.writeUInt32LE(9, layouts.RUN_HEADER_BYTES + 4);
    expect(() => Run.fromHeader(3, 10, bytes)).toThrow('10 of 1 records');
  });

  it('log states', () => {
    const log = new StoredLog(1);
    log.deliveredUpTo = 7;
    log.tombstones = [{ first: 3, last: POSITION }];
    const bytes = log.state();
    expect(layouts.logStateLayout.decode(bytes)).toEqual({ deliveredUpTo: 7, tombstoneCount: 1, reserved: 0 });
    expect(layouts.tombstoneLayout.decode(bytes, layouts.logStateLayout.span)).toEqual({ first: 3, last: POSITION });
    const again = new StoredLog(1);
    again.restoreState(bytes);
    expect(again).toEqual({ ...log });
  });
});

function doubleHex(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes.toString('hex');
}
