import { describe, expect, it } from 'vitest';
import { type PlainValue, table } from '../../../../protocol/amqp/field-table.js';
import { reachesQueue } from '../../../../src/core/router.js';
import { RecordingStore } from '../../../support/recording-store.js';
import { keepingHost } from './keeping.js';
import { messageOf } from './routing.js';

const DEDUPLICATION = 'x-message-deduplication';
type Settings = Readonly<Record<string, PlainValue>>;

function deduplicating(settings: Settings = { 'x-cache-size': 100 }) {
  const core = keepingHost();
  core.declare('x', DEDUPLICATION, settings);
  const q = core.queue('q');
  core.bind('x', 'q', 'any key');
  /** The values that get through, numbered by the order in which they were published. */
  const through = (...values: readonly PlainValue[]): string[] => {
    for (const [index, value] of values.entries()) {
      core.publish('x', { headers: { 'x-deduplication-header': value }, body: `${index}` });
    }
    return core.bodies(q);
  };
  return { ...core, q, through };
}

describe('the deduplication exchange', () => {
  it('routes what it has not seen yet, whatever the routing key', () => {
    const { through } = deduplicating();
    expect(through('a', 'b', 'a', 'c', 'b')).toEqual(['0', '1', '3']);
    expect(through('c', 'd')).toEqual(['1']);
  });

  it('routes all that has no value', () => {
    const { publish, bodies, q } = deduplicating();
    for (const body of ['1', '2']) publish('x', { body, headers: { other: 'a' } });
    expect(bodies(q)).toEqual(['1', '2']);
  });

  it('compares values, not the way they are written', () => {
    const { through } = deduplicating();
    const integer = { type: 'l', value: 1n } as const;
    expect(through(1, integer, '1', Buffer.from('1'), 1.5, true, 'true', null, null)).toEqual([
      '0',
      '2',
      '4',
      '5',
      '6',
      '7',
    ]);
    expect(through(Uint8Array.of(0xff), 'x/w==', Uint8Array.of(0xff))).toEqual(['0', '1']);
  });

  it('tells long values apart', () => {
    const { through } = deduplicating();
    const long = 'v'.repeat(1000);
    expect(through(`${long}1`, `${long}2`, `${long}1`)).toEqual(['0', '1']);
  });

  it('looks at the header that an argument names', () => {
    const { publish, bodies, q, through } = deduplicating({ 'x-cache-size': 10, 'x-deduplication-header': 'id' });
    expect(through('a', 'a')).toEqual(['0', '1']);
    for (const body of ['1', '2']) publish('x', { body, headers: { id: 'a' } });
    expect(bodies(q)).toEqual(['1']);
  });

  it('does not look at lists and tables', () => {
    const { through } = deduplicating();
    expect(through(['a'], ['a'], { a: 1 }, { a: 1 })).toEqual(['0', '1', '2', '3']);
  });

  it('forgets the oldest when it is full', () => {
    const { through } = deduplicating({ 'x-cache-size': 2 });
    expect(through('a', 'b', 'c')).toEqual(['0', '1', '2']);
    expect(through('b', 'c', 'a', 'c', 'b')).toEqual(['2', '4']);
  });

  it('forgets after the time that it was declared with, counted from the first', () => {
    const { through, clock } = deduplicating({ 'x-cache-size': '10', 'x-cache-ttl': 1000 });
    expect(through('a')).toEqual(['0']);
    clock.advance(999);
    expect(through('a')).toEqual([]);
    clock.advance(1);
    expect(through('a', 'a')).toEqual(['0']);
  });

  it('forgets after the time that the message gives', () => {
    const { publish, clock, bodies, q } = deduplicating({ 'x-cache-size': 10, 'x-cache-ttl': 1000 });
    const headers = { 'x-deduplication-header': 'a', 'x-cache-ttl': 10 };
    publish('x', { headers, body: '1' });
    publish('x', { headers, body: '2' });
    clock.advance(10);
    publish('x', { headers, body: '3' });
    expect(bodies(q)).toEqual(['1', '3']);
  });

  it('gives a duplicate to the alternate exchange, and without one it is unroutable', () => {
    const { declare, queue, bind, publish, bodies, host } = keepingHost();
    declare('alternate', 'fanout');
    bind('alternate', queue('duplicates').name);
    declare('x', DEDUPLICATION, { 'x-cache-size': 10, 'alternate-exchange': 'alternate' });
    declare('y', DEDUPLICATION, { 'x-cache-size': 10 });
    for (const source of ['x', 'y']) bind(source, queue('q').name);
    const headers = { 'x-deduplication-header': 'a' };
    for (const body of ['1', '2']) publish('x', { headers, body });
    expect([bodies(queue('q')), bodies(queue('duplicates'))]).toEqual([['1'], ['2']]);
    const message = messageOf('', { headers: table({ 'x-deduplication-header': 'a' }) });
    const routed = () => reachesQueue(host.route(host.exchange('y'), message, []).targets);
    expect([routed(), routed()]).toEqual([true, false]);
  });

  describe('over a restart', () => {
    const HOUR_MS = 3_600_000;

    function restarted(persistence: string, durable = true) {
      const store = new RecordingStore();
      const before = keepingHost(store);
      const settings = { 'x-cache-size': 3, 'x-cache-persistence': persistence, 'x-cache-ttl': HOUR_MS };
      before.declare('x', DEDUPLICATION, settings, durable);
      const early = Array.from({ length: 200 }, (_, index) => `early ${index}`);
      for (const value of [...early, 'first', 'second', 'third', 'fourth', 'second']) {
        if (value.endsWith('0')) store.closeBatch();
        before.publish('x', { headers: { 'x-deduplication-header': value } });
      }
      before.publish('x', { headers: { 'x-deduplication-header': 'short', 'x-cache-ttl': 10 } });
      store.makeDurable(store.closeBatch());
      store.crash();
      const after = keepingHost(store, before.definitions);
      after.declare('x', DEDUPLICATION, settings, durable);
      after.bind('x', after.queue('q').name);
      /** Whether the exchange has seen it; now it has. */
      const seen = (value: string): boolean => {
        after.publish('x', { headers: { 'x-deduplication-header': value } });
        return after.bodies(after.queue('q')).length === 0;
      };
      return { store, after, seen };
    }

    it('knows the latest when they are kept on disk, for as long as they had', () => {
      const { store, after, seen } = restarted('disk');
      expect([seen('third'), seen('fourth'), seen('short')]).toEqual([true, true, true]);
      after.clock.advance(10);
      expect([seen('short'), seen('fourth')]).toEqual([false, true]);
      // Full: the oldest goes, on disk too.
      expect([seen('fifth'), seen('third')]).toEqual([false, false]);
      after.clock.advance(HOUR_MS);
      expect(seen('fifth')).toBe(false);
      store.closeBatch();
      expect(store.rebuild(after.host.exchange('x').logId ?? 0)).toHaveLength(3);
      after.host.deleteExchange('x', false);
      after.host.deleteQueue('q', {}, false, false);
      expect(after.logs.segments.allocatedBytes).toBe(0);
    });

    it('has forgotten them when they are kept in memory, or the exchange is not durable', () => {
      for (const { seen } of [restarted('memory'), restarted('disk', false)]) {
        expect([seen('third'), seen('third')]).toEqual([false, true]);
      }
    });
  });

  it.each<[Settings, string]>([
    [{}, "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0"],
    [{ 'x-cache-size': 0 }, "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0"],
    [{ 'x-cache-size': 'ten' }, "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0"],
    [{ 'x-cache-size': 1, 'x-cache-ttl': 0 }, "Invalid argument, 'x-cache-ttl' must be an integer greater than 0"],
    [
      { 'x-cache-size': 1, 'x-cache-persistence': 'paper' },
      "Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'",
    ],
  ])('cannot be declared with %o', (settings, text) => {
    expect(() => keepingHost().declare('x', DEDUPLICATION, settings)).toThrow(text);
  });
});
