import { describe, expect, it } from 'vitest';
import { table } from '../../../../protocol/amqp/field-table.js';
import { decodeProperties, encodeProperties } from '../../../../protocol/amqp/properties.js';
import type { RecordReader } from '../../../../src/core/log/record.js';
import type { Queue } from '../../../../src/core/queue/queue.js';
import { settingsOf } from '../../../../src/core/queue/settings.js';
import type { StreamOffset, StreamSubscription } from '../../../../src/core/stream-subscription.js';
import { type CoreEnvironment, coreEnvironment } from '../../../support/core-environment.js';
import { RecordingStore } from '../../../support/recording-store.js';
import { type ConsumerTraits, RecordingConsumer } from './consumers.js';
import { declare, publish, type Settings } from './queue-operations.js';

const FIRST: StreamSubscription = { offset: { kind: 'first' }, filter: undefined };
const SECOND_MS = 1000;

/** Also keeps the offsets that it was shown. */
class StreamConsumer extends RecordingConsumer {
  readonly offsets: number[] = [];
  readonly headers: string[] = [];

  override deliver(queue: Queue, record: RecordReader): void {
    const properties = decodeProperties(record.bytes, record.propertiesStart, record.propertiesEnd);
    const offsets = (properties.headers ?? []).filter(([key]) => key === 'x-stream-offset');
    expect(offsets).toEqual([['x-stream-offset', { type: 'l', value: BigInt(record.position - 1) }]]);
    expect(record.redelivered).toBe(false);
    this.offsets.push(record.position - 1);
    this.headers.push((properties.headers ?? []).map(([key]) => key).join());
    super.deliver(queue, record);
  }
}

function stream(core: CoreEnvironment, settings: Settings = {}): Queue {
  return declare(core, 's', { 'x-queue-type': 'stream', ...settings }, true);
}

function add(core: CoreEnvironment, queue: Queue, traits: ConsumerTraits = {}): StreamConsumer {
  const consumer = new StreamConsumer('c', { stream: FIRST, ...traits });
  queue.addConsumer(consumer);
  core.clock.settle();
  return consumer;
}

function from(offset: StreamOffset): ConsumerTraits {
  return { stream: { offset, filter: undefined } };
}

function wanting(values: readonly string[], matchUnfiltered = false): ConsumerTraits {
  return { stream: { ...FIRST, filter: { values: new Set(values), matchUnfiltered } } };
}

/** Publishes each body in a turn of its own, a second apart. */
function fill(core: CoreEnvironment, queue: Queue, bodies: readonly string[]): void {
  for (const body of bodies) {
    publish(core, queue, { body });
    core.clock.advance(SECOND_MS);
    core.turn.run();
  }
}

function withValue(value: string): Uint8Array {
  return encodeProperties({ headers: table({ 'x-stream-filter-value': value }) });
}

describe('a stream', () => {
  it('gives every consumer everything, and keeps it', () => {
    const core = coreEnvironment();
    const queue = stream(core);
    fill(core, queue, ['a', 'b', 'c']);
    const [one, two] = [add(core, queue), add(core, queue)];
    expect([one.bodies, two.bodies]).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ]);
    expect([one.offsets, queue.readyCount, queue.unackedCount]).toEqual([[0, 1, 2], 3, 6]);
    for (const { position } of one.received) queue.ack(position);
    expect([queue.readyCount, queue.unackedCount]).toEqual([3, 3]);
    fill(core, queue, ['d']);
    core.clock.settle();
    expect([one.bodies.at(-1), two.bodies.at(-1)]).toEqual(['d', 'd']);
  });

  it('goes on where a consumer has credit again, whatever became of what it had', () => {
    const core = coreEnvironment();
    const queue = stream(core);
    fill(core, queue, ['a', 'b', 'c', 'd']);
    const consumer = add(core, queue, { credit: 1 });
    for (const give of [() => queue.ack(1), () => queue.requeue(2), () => queue.reject(3)]) {
      give();
      consumer.credit++;
      queue.wake();
      core.clock.settle();
    }
    expect([consumer.bodies, queue.unackedCount]).toEqual([['a', 'b', 'c', 'd'], 1]);
  });

  const START = Date.UTC(2024, 0, 1);
  const offsets: readonly (readonly [string, StreamOffset, number])[] = [
    ['first', { kind: 'first' }, 0],
    ['last', { kind: 'last' }, 4],
    ['next', { kind: 'next' }, 5],
    ['an offset', { kind: 'offset', offset: 2 }, 2],
    ['a negative offset', { kind: 'offset', offset: -2 }, 0],
    ['an offset to come', { kind: 'offset', offset: 7 }, 7],
    ['a time between two', { kind: 'timestamp', timeMs: START + 1500 }, 2],
    ['the time of one', { kind: 'timestamp', timeMs: START + 2000 }, 2],
    ['a time before', { kind: 'timestamp', timeMs: 0 }, 0],
    ['a time to come', { kind: 'timestamp', timeMs: START + 3_600_000 }, 5],
    ['an age', { kind: 'age', ageMs: 2500 }, 3],
  ];
  it.each(offsets)('can be read from %s', (_, offset, expected) => {
    const core = coreEnvironment();
    const queue = stream(core);
    fill(core, queue, ['0', '1', '2', '3', '4']);
    const consumer = add(core, queue, from(offset));
    fill(core, queue, ['5', '6', '7', '8']);
    core.clock.settle();
    expect(consumer.offsets).toEqual(range(expected, 8));
    expect(consumer.bodies).toEqual(consumer.offsets.map(String));
  });

  it('takes for the last chunk what came in the same turn', () => {
    const store = new RecordingStore();
    const core = coreEnvironment(store);
    const queue = stream(core);
    fill(core, queue, ['a', 'b']);
    for (const body of ['c', 'd']) publish(core, queue, { body });
    store.makeDurable(store.closeBatch());
    expect(add(core, queue, from({ kind: 'last' })).bodies).toEqual(['c', 'd']);
    const after = coreEnvironment(store, core.definitions);
    expect(add(after, after.host.queue('s', {}), from({ kind: 'last' })).bodies).toEqual(['c', 'd']);
  });

  it('begins an empty one at the beginning, wherever a consumer wants to begin', () => {
    for (const kind of ['first', 'last', 'next'] as const) {
      const core = coreEnvironment();
      const queue = stream(core);
      const consumer = add(core, queue, from({ kind }));
      fill(core, queue, ['a']);
      core.clock.settle();
      expect(consumer.offsets).toEqual([0]);
    }
  });

  it('adds the offset to the headers there are, in place of one that came with the message', () => {
    const core = coreEnvironment();
    const queue = stream(core);
    const headers = table({ a: 'x', 'x-stream-offset': 'mine', b: 1 });
    const everything = encodeProperties({ contentType: 'text', contentEncoding: 'gzip', headers, messageId: 'id' });
    publish(core, queue, { properties: everything, body: 'm' });
    const consumer = add(core, queue);
    expect(consumer.headers).toEqual(['x-stream-offset,a,b']);
  });

  it('shows only what is durable', () => {
    const store = new RecordingStore();
    const core = coreEnvironment(store);
    const queue = stream(core);
    const consumer = add(core, queue);
    publish(core, queue, { body: 'a', persistent: false });
    core.clock.settle();
    const batch = store.closeBatch();
    publish(core, queue, { body: 'b' });
    core.clock.settle();
    expect(consumer.bodies).toEqual([]);
    store.makeDurable(batch);
    core.clock.settle();
    expect(consumer.bodies).toEqual(['a']);
    store.makeDurable(store.closeBatch());
    core.clock.settle();
    expect(consumer.bodies).toEqual(['a', 'b']);
  });

  it('refuses what streams cannot do', () => {
    const core = coreEnvironment();
    const queue = stream(core);
    const place = "queue 's' in vhost '/'";
    expect(() => queue.purge()).toThrow(`queue.purge not supported by stream queues ${place}`);
    expect(() => queue.take(undefined as never)).toThrow(`basic.get not supported by stream queues ${place}`);
    expect(() => add(core, queue, { noAck: true })).toThrow(
      `automatic acknowledgement not supported by stream ${place}`,
    );
  });

  it('tells its consumers when it is deleted, and gives its memory back', () => {
    const store = new RecordingStore();
    const core = coreEnvironment(store);
    const queue = stream(core);
    fill(core, queue, ['a'.repeat(5000)]);
    const consumer = add(core, queue);
    expect(core.host.deleteQueue('s', {}, true, true)).toBe(0);
    expect(consumer.cancelledBy).toBe(queue);
    core.clock.settle();
    expect(core.logs.segments.allocatedBytes).toBe(0);
    store.closeBatch();
    expect(store.rebuild(queue.id)).toEqual([]);
    expect(core.failures).toEqual([]);
  });

  it('has its own copy of a body that others have too', () => {
    const core = coreEnvironment();
    const [queue, other] = [stream(core), declare(core, 'other')];
    const body = 'b'.repeat(10_000);
    publish(core, [queue, other], { body });
    other.purge();
    expect(core.logs.bodies.count).toBe(0);
    expect(add(core, queue).received.map(({ body: got }) => got)).toEqual([expect.stringContaining('10000 bytes')]);
  });

  it('shares a turn among its consumers', () => {
    const core = coreEnvironment();
    const queue = stream(core);
    for (let count = 0; count < 3000; count++) publish(core, queue, { body: 'x'.repeat(1000) });
    const consumers = [1, 2, 3].map((number) => new StreamConsumer(`c${number}`, { stream: FIRST }));
    for (const consumer of consumers) queue.addConsumer(consumer);
    core.clock.endTurn();
    const counts = consumers.map(({ offsets: got }) => got.length);
    expect(Math.min(...counts)).toBeGreaterThan(0);
    expect(Math.max(...counts)).toBeLessThan(3000);
    core.clock.settle();
    for (const consumer of consumers) expect(consumer.offsets).toEqual(range(0, 2999));
  });
});

describe('a filter', () => {
  function filled(core: CoreEnvironment): Queue {
    const queue = stream(core);
    const values = ['a', 'b', undefined, 'a', 'c', undefined];
    values.forEach((value, index) => {
      publish(core, queue, { body: `${index}`, ...(value === undefined ? {} : { properties: withValue(value) }) });
    });
    return queue;
  }

  it.each([
    [['a'], false, ['0', '3']],
    [['b', 'c'], false, ['1', '4']],
    [['a'], true, ['0', '2', '3', '5']],
    [[], true, ['2', '5']],
    [[], false, []],
    [['zz'], false, []],
  ] as const)('for %o, unfiltered as well: %o', (values, matchUnfiltered, expected) => {
    const core = coreEnvironment();
    expect(add(core, filled(core), wanting(values, matchUnfiltered)).bodies).toEqual(expected);
  });

  it('costs no credit for what it leaves out, and does not read segments without any match', () => {
    const store = new RecordingStore();
    const core = coreEnvironment(store);
    const queue = stream(core);
    const body = 'x'.repeat(1000);
    for (let round = 0; round < 100; round++) {
      const properties = withValue(round === 50 ? 'rare' : 'common');
      for (let count = 0; count < 250; count++) publish(core, queue, { body, properties });
      store.makeDurable(store.closeBatch());
      core.clock.settle();
    }
    const reads = store.readCount;
    const consumer = add(core, queue, { ...wanting(['rare']), credit: 250 });
    expect(consumer.offsets).toEqual(range(12_500, 12_749));
    expect(store.readCount - reads).toBeLessThan(5);
    fill(core, queue, ['last']);
    expect(consumer.received).toHaveLength(250);
  });
});

describe('retention', () => {
  const SEGMENTED: Settings = { 'x-stream-max-segment-size-bytes': 500 };

  function bodiesOf(core: CoreEnvironment, queue: Queue): StreamConsumer {
    const consumer = add(core, queue);
    queue.removeConsumer(consumer);
    return consumer;
  }

  it('removes whole segments from the front, by bytes, and never the last', () => {
    const core = coreEnvironment();
    const queue = stream(core, { ...SEGMENTED, 'x-max-length-bytes': 2000 });
    for (let index = 0; index < 100; index++) publish(core, queue, { body: 'x'.repeat(100) });
    const { offsets: kept } = bodiesOf(core, queue);
    expect(kept.length).toBeGreaterThan(5);
    expect(kept.length).toBeLessThan(25);
    expect(kept).toEqual(range(kept[0] ?? 0, 99));
    expect(queue.readyCount).toBe(kept.length);
    queue.configure(settingsOf(table({ ...SEGMENTED, 'x-max-length-bytes': 0 })));
    expect(queue.readyCount).toBeGreaterThan(0);
  });

  it('removes what is too old when a segment begins, and when somebody declares it', () => {
    const core = coreEnvironment();
    const settings = { ...SEGMENTED, 'x-max-age': '10s' };
    const queue = stream(core, settings);
    for (let index = 0; index < 10; index++) fill(core, queue, ['x'.repeat(500)]);
    expect(queue.readyCount).toBe(10);
    core.clock.advance(5500);
    stream(core, settings);
    expect(queue.readyCount).toBe(4);
    fill(
      core,
      queue,
      ['a', 'b'].map((letter) => letter.repeat(500)),
    );
    expect(bodiesOf(core, queue).offsets.at(-1)).toBe(11);
    core.clock.advance(60_000);
    stream(core, settings);
    expect(queue.readyCount).toBe(1);
  });

  it('moves consumers on to what is left', () => {
    const core = coreEnvironment();
    const queue = stream(core, SEGMENTED);
    for (let index = 0; index < 20; index++) publish(core, queue, { body: 'x'.repeat(500) });
    const consumer = add(core, queue, { credit: 2 });
    queue.configure(settingsOf(table({ ...SEGMENTED, 'x-max-length-bytes': 1200 })));
    consumer.credit = 100;
    queue.wake();
    core.clock.settle();
    expect(consumer.offsets).toEqual([0, 1, 18, 19]);
  });

  it('goes on after a restart, at the same offsets', () => {
    const store = new RecordingStore();
    const core = coreEnvironment(store);
    const settings = { ...SEGMENTED, 'x-max-age': '10s' };
    const queue = stream(core, settings);
    for (let index = 0; index < 6; index++) {
      fill(core, queue, ['x'.repeat(500)]);
      store.makeDurable(store.closeBatch());
    }
    store.crash();
    core.clock.advance(6500);
    const after = coreEnvironment(store, core.definitions, undefined, core.clock);
    const again = after.host.queue('s', {});
    expect(bodiesOf(after, again).offsets).toEqual([3, 4, 5]);
    publish(after, again, { body: 'new' });
    store.makeDurable(store.closeBatch());
    expect(add(after, again, from({ kind: 'last' })).offsets).toEqual([6]);
    expect(store.rebuild(again.id).map(({ position }) => position - 1)).toEqual([3, 4, 5, 6]);
  });
});

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
