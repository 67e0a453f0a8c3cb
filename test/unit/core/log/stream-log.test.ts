import { describe, expect, it } from 'vitest';
import { RecordReader } from '../../../../src/core/log/record.js';
import { LARGEST_SEGMENT_BYTES } from '../../../../src/core/log/segment-pool.js';
import { StreamLog } from '../../../../src/core/log/stream-log.js';
import { StreamCursor } from '../../../../src/core/log/stream-part.js';
import { ControlledScratch } from '../../../support/controlled-scratch.js';
import { coreEnvironment } from '../../../support/core-environment.js';
import { bodyOf, sourceOf } from '../../../support/messages.js';
import { RecordingStore } from '../../../support/recording-store.js';

const BODY_BYTES = 16 * 1024;
const LIMITS = { maxLengthBytes: undefined, maxAgeMs: undefined, maxSegmentBytes: 2 ** 30, filterSizeBytes: 16 };
const PERSISTENT = { persistent: true };
/** What stays in memory: 64 segments, the one being filled, and one in hand. */
const MOST_KEPT = 66 * LARGEST_SEGMENT_BYTES;

function environment(store?: RecordingStore) {
  const scratch = new ControlledScratch();
  const core = coreEnvironment(store, undefined, scratch);
  const log = new StreamLog(1, core.logs, LIMITS, () => undefined);
  log.restore();
  const reader = new RecordReader();
  const append = (count: number): void => {
    for (let i = 0; i < count; i++) {
      log.append(sourceOf({ ...PERSISTENT, body: String(log.nextPosition).padEnd(BODY_BYTES) }));
    }
  };
  /** The cursor reads so many; every body is checked. */
  const read = (cursor: StreamCursor, count: number): void => {
    for (let i = 0; i < count; i++) {
      const expected = cursor.position;
      expect(log.readNext(cursor, reader, log.durableEnd)).toBe(true);
      expect(Number.parseInt(bodyOf(reader).toString(), 10)).toBe(expected);
    }
  };
  const memory = (): number => core.logs.segments.allocatedBytes;
  return { core, log, append, read, memory, scratch };
}

function filled(store: RecordingStore, batches: number) {
  const env = environment(store);
  for (let batch = 0; batch < batches; batch++) {
    env.append(50);
    store.makeDurable(store.closeBatch());
    env.core.clock.settle();
  }
  return env;
}

describe('the log of a stream', () => {
  it('keeps no more than its end in memory, whatever is in it and whoever reads it', () => {
    const { append: _, read, memory } = filled(new RecordingStore(), 60);
    expect(memory()).toBeLessThanOrEqual(MOST_KEPT);
    const cursors = [1, 700, 1500].map((position) => new StreamCursor(position));
    for (let round = 0; round < 50; round++) for (const cursor of cursors) read(cursor, 30);
    expect(memory()).toBeLessThanOrEqual(MOST_KEPT + 4 * LARGEST_SEGMENT_BYTES);
  });

  it('reads a segment once for all that are in it', () => {
    const store = new RecordingStore();
    const { core, read, memory } = filled(store, 20);
    core.logs.pager.budgetBytes = 0;
    core.clock.settle();
    expect(memory()).toBeLessThanOrEqual(LARGEST_SEGMENT_BYTES);
    core.logs.pager.budgetBytes = Number.POSITIVE_INFINITY;
    const before = store.readCount;
    read(new StreamCursor(1), 500);
    const { readCount } = store;
    expect(readCount).toBeGreaterThan(before);
    for (const position of [1, 2, 250]) read(new StreamCursor(position), 250);
    expect(store.readCount).toBe(readCount);
    expect(store.prefetched.length).toBeGreaterThan(0);
  });

  it('goes to pages where nothing is stored', () => {
    const { core, append, read, memory, scratch } = environment();
    append(200);
    core.logs.pager.budgetBytes = 0;
    for (let round = 0; round < 20; round++) {
      core.clock.settle();
      scratch.endAll();
    }
    expect(memory()).toBeLessThan(3 * LARGEST_SEGMENT_BYTES);
    core.logs.pager.budgetBytes = Number.POSITIVE_INFINITY;
    read(new StreamCursor(1), 200);
    append(10);
    read(new StreamCursor(190), 20);
  });
});
