/**
 * A stream log against an array: random appends, cursors, retention, page-outs, batches that become durable late, and
 * restarts. Every offset must name the message it named before, whatever left memory in between.
 */
import { expect, it } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
import { encodeProperties } from '../../protocol/amqp/properties.js';
import { textHeader } from '../../protocol/amqp/raw-headers.js';
import { RecordReader } from '../../src/core/log/record.js';
import { type StreamLimits, StreamLog } from '../../src/core/log/stream-log.js';
import { StreamCursor } from '../../src/core/log/stream-part.js';
import { bodyOf, sourceOf } from '../support/messages.js';
import { paged } from '../support/paged-logs.js';
import { Random, seedOf } from '../support/random.js';
import { RecordingStore } from '../support/recording-store.js';

const STEPS = 300;
const VALUES = [undefined, 'a', 'b', 'c'];
const KEY = Buffer.from('x-stream-filter-value');

const LIMITS: StreamLimits = {
  maxLengthBytes: 60_000,
  maxAgeMs: undefined,
  maxSegmentBytes: 9_000,
  filterSizeBytes: 16,
};

class StreamModel {
  readonly #random: Random;
  readonly #store: RecordingStore | undefined;
  #place;
  #log: StreamLog;
  /** Of every message that was ever appended, by offset. */
  readonly #values: (string | undefined)[] = [];
  #durable = 0;
  readonly #cursors: StreamCursor[] = [];
  readonly #record = new RecordReader();

  constructor(random: Random, store: RecordingStore | undefined) {
    this.#random = random;
    this.#store = store;
    this.#place = paged(store === undefined ? {} : { store });
    this.#log = this.#open();
  }

  step(): void {
    const draw = this.#random.below(100);
    if (draw < 35) this.#append(1 + this.#random.below(30));
    else if (draw < 50) this.#commit();
    else if (draw < 58) this.#cursors.push(new StreamCursor(this.#log.firstPosition + this.#random.below(60)));
    else if (draw < 85) this.#read();
    else if (draw < 95) this.#pageOut();
    else if (this.#store !== undefined) this.#restart();
    expect(this.#log.nextPosition).toBe(this.#values.length + 1);
    expect(this.#log.durableEnd).toBe(this.#durable + 1);
  }

  #open(): StreamLog {
    const filterValueOf = (bytes: Uint8Array, start: number, end: number) => textHeader(bytes, start, end, KEY);
    const log = new StreamLog(1, this.#place.environment, LIMITS, filterValueOf);
    log.restore();
    log.retain();
    return log;
  }

  #append(count: number): void {
    for (let i = 0; i < count; i++) {
      const value = this.#random.pick(VALUES);
      const headers = value === undefined ? undefined : table({ 'x-stream-filter-value': value });
      const properties = headers === undefined ? undefined : encodeProperties({ headers });
      const body = String(this.#values.length).padEnd(10 + this.#random.below(500));
      this.#log.append(sourceOf({ body, persistent: true, ...(properties && { properties }) }));
      this.#values.push(value);
    }
    if (this.#store === undefined) this.#durable = this.#values.length;
    this.#place.clock.advance(1);
  }

  #commit(): void {
    if (this.#store === undefined) return;
    const appended = this.#values.length;
    this.#store.makeDurable(this.#store.closeBatch());
    this.#durable = appended;
  }

  #pageOut(): void {
    for (let left = this.#random.below(4); left > 0; left--) this.#log.pageOut(this.#random.chance(0.3));
    this.#place.settle();
  }

  #read(): void {
    if (this.#cursors.length === 0) return;
    const cursor = this.#random.pick(this.#cursors);
    const value = this.#random.chance(0.5) ? this.#random.pick(['a', 'b', 'c', 'd']) : undefined;
    const filter = value === undefined ? undefined : { values: new Set([value]), matchUnfiltered: false };
    const end = this.#log.durableEnd;
    for (let left = this.#random.below(80); left > 0; left--) {
      const from = Math.max(cursor.position, this.#log.firstPosition);
      const found = this.#log.readNext(cursor, this.#record, end, filter);
      const reached = found ? this.#record.position : Math.min(cursor.position, end);
      if (filter === undefined) expect(reached).toBe(found ? from : Math.max(Math.min(from, end), reached));
      else expect(this.#values.slice(from - 1, Math.max(from, reached) - 1)).not.toContain(value);
      if (!found) {
        if (cursor.position >= end) return;
        expect(cursor.position).toBeGreaterThan(from);
        continue;
      }
      expect(Number.parseInt(bodyOf(this.#record).toString(), 10)).toBe(reached - 1);
    }
  }

  #restart(): void {
    this.#store?.crash();
    this.#values.length = this.#durable;
    this.#cursors.length = 0;
    const first = this.#log.firstPosition;
    this.#place = paged(this.#store === undefined ? {} : { store: this.#store });
    this.#log = this.#open();
    expect(this.#log.firstPosition).toBeLessThanOrEqual(this.#durable + 1);
    if (first <= this.#durable) expect(this.#log.firstPosition).toBeGreaterThan(0);
  }
}

for (const kept of [true, false]) {
  it(`shows every offset's own message, ${kept ? 'stored' : 'in memory'}`, () => {
    const seed = seedOf('a stream log');
    for (let run = 0; run < 10; run++) {
      const model = new StreamModel(new Random(seed + run), kept ? new RecordingStore() : undefined);
      for (let step = 0; step < STEPS; step++) model.step();
    }
  });
}

it('reads a few segments at once to find that a filter wants none of them, and goes on from there', () => {
  const store = new RecordingStore();
  const limits = { ...LIMITS, maxLengthBytes: undefined };
  const before = new StreamLog(1, paged({ store }).environment, limits, () => 'other');
  for (let i = 0; i < 400; i++) {
    before.append(sourceOf({ body: 'b'.repeat(500), persistent: true }));
    if (i % 20 === 19) store.makeDurable(store.closeBatch());
  }
  const log = new StreamLog(1, paged({ store }).environment, limits, () => 'other');
  log.restore();
  const [cursor, reader, end] = [new StreamCursor(1), new RecordReader(), log.durableEnd];
  const filter = { values: new Set(['wanted']), matchUnfiltered: false };
  const reads: number[] = [];
  for (let seen = 0; cursor.position < end; seen = store.readCount) {
    expect(log.readNext(cursor, reader, end, filter)).toBe(false);
    reads.push(store.readCount - seen);
  }
  expect(reads.length).toBeGreaterThan(1);
  expect(Math.max(...reads)).toBeLessThanOrEqual(4);
});
