/** The x-delayed-message exchange where the clock is the test's, and over a restart. */
import { describe, expect, it } from 'vitest';
import { type PlainValue, table } from '../../../../protocol/amqp/field-table.js';
import { EMPTY_TABLE } from '../../../../src/core/field-value.js';
import { PublishOutcome } from '../../../../src/core/queue/queue.js';
import { reachesQueue } from '../../../../src/core/router.js';
import { sourceOf } from '../../../support/messages.js';
import { RecordingStore } from '../../../support/recording-store.js';
import { keepingHost } from './keeping.js';
import { messageOf } from './routing.js';

const DELAYED = 'x-delayed-message';
const by = (ms: number | string) => ({ 'x-delay': ms });

/** One delayed exchange `x` with a queue `q` bound to it by the key `k`. */
function delaying(type = 'direct') {
  const core = keepingHost();
  core.declare('x', DELAYED, { 'x-delayed-type': type });
  const q = core.queue('q');
  core.bind('x', 'q', 'k');
  return { ...core, q };
}

describe('a delayed message', () => {
  it('is routed when its time has come, and not before', () => {
    const { publish, clock, q, bodies } = delaying();
    publish('x', { key: 'k', headers: by(5000), body: 'late' });
    publish('x', { key: 'k', headers: by(1000), body: 'soon' });
    publish('x', { key: 'k', body: 'at once' });
    publish('x', { key: 'k', headers: by(0), body: 'at once too' });
    expect(bodies(q)).toEqual(['at once', 'at once too']);
    clock.advance(999);
    expect(q.readyCount).toBe(0);
    clock.advance(1);
    expect(bodies(q)).toEqual(['soon']);
    clock.advance(3999);
    expect(q.readyCount).toBe(0);
    clock.advance(1);
    expect(bodies(q)).toEqual(['late']);
    expect(clock.timerCount).toBe(0);
  });

  it('keeps its place among those due at the same time', () => {
    const { publish, clock, q, bodies } = delaying();
    for (let index = 0; index < 5; index++) {
      publish('x', { key: 'k', headers: by(100 - index), body: `${index}` });
      clock.advance(1);
    }
    clock.advance(100);
    expect(bodies(q)).toEqual(['0', '1', '2', '3', '4']);
  });

  it('comes as it was published, with the delay negated', () => {
    const { publish, clock, q, take } = delaying();
    publish('x', { key: 'k', headers: { a: 1, ...by('250'), b: 'text' }, body: 'm', persistent: true });
    clock.advance(250);
    const headers = table({ a: 1, 'x-delay': -250n, b: 'text' });
    expect(take(q)).toEqual([{ body: 'm', route: '\x01x\x01k', properties: { headers, deliveryMode: 2 } }]);
  });

  it('begins to expire when it is routed', () => {
    const { publish, clock, q } = delaying();
    publish('x', { key: 'k', headers: by(1000), expiration: '50' });
    clock.advance(1000);
    expect(q.readyCount).toBe(1);
    clock.advance(50);
    expect(q.readyCount).toBe(0);
  });

  it('is waited for longer than a timer can run', () => {
    const { publish, clock, q } = delaying();
    publish('x', { key: 'k', headers: by(4_294_967_295) });
    clock.advance(4_294_967_294);
    expect(q.readyCount).toBe(0);
    clock.advance(1);
    expect(q.readyCount).toBe(1);
  });

  it('counts as unroutable, though the exchange took it', () => {
    const { host, publish } = delaying();
    expect(publish('x', { key: 'k', headers: by(10) })).toMatchObject({ routed: true, rejected: false });
    const routed = (headers: Readonly<Record<string, PlainValue>>) =>
      reachesQueue(host.route(host.exchange('x'), messageOf('k', { headers: table(headers) }), []).targets);
    expect([routed(by(10)), routed({})]).toEqual([false, true]);
  });

  it('goes with its exchange', () => {
    const { host, declare, publish, clock, logs, bind, q } = delaying();
    for (let index = 0; index < 1000; index++)
      publish('x', { key: 'k', headers: by(index + 1), body: 'x'.repeat(100) });
    expect(logs.segments.allocatedBytes).toBeGreaterThan(100_000);
    host.deleteExchange('x', false);
    expect([clock.timerCount, logs.segments.allocatedBytes]).toEqual([0, 0]);
    declare('x', DELAYED, { 'x-delayed-type': 'direct' });
    bind('x', 'q', 'k');
    clock.advance(1000);
    expect(q.readyCount).toBe(0);
  });

  it('that a transaction routed before the exchange went is dropped', () => {
    const { host, clock, q, failures, logs } = delaying();
    const targets = [...host.route(host.exchange('x'), messageOf('k', { headers: table(by(10)) }), []).targets];
    host.deleteExchange('x', false);
    host.deliver(targets, sourceOf({ exchange: 'x', routingKey: 'k' }), new PublishOutcome());
    expect([clock.timerCount, logs.segments.allocatedBytes]).toEqual([0, 0]);
    clock.advance(10);
    expect([q.readyCount, failures]).toEqual([0, []]);
  });

  it('is waited for by one timer, and thousands come a few at a time', () => {
    const { publish, clock, q, bodies } = delaying();
    for (let index = 0; index < 5000; index++) publish('x', { key: 'k', headers: by(10), body: `${index}` });
    expect(clock.timerCount).toBe(1);
    clock.advance(10);
    expect(q.readyCount).toBe(2000);
    publish('x', { key: 'k', headers: by(1), body: 'later' });
    clock.endTurn();
    expect(q.readyCount).toBe(4000);
    clock.settle();
    clock.advance(1);
    expect(bodies(q)).toEqual([...Array.from({ length: 5000 }, (_, index) => `${index}`), 'later']);
  });

  it('with a large body shares it, and the body goes with the last', () => {
    const { queue, bind, publish, clock, q, bodies, logs } = delaying('fanout');
    const body = 'b'.repeat(10_000);
    bind('x', queue('r').name);
    bind('amq.fanout', 'x');
    bind('amq.fanout', queue('s').name);
    publish('amq.fanout', { headers: by(10), body });
    clock.advance(10);
    expect([bodies(q), bodies(queue('r')), bodies(queue('s'))]).toEqual([[body], [body], [body]]);
    expect(logs.bodies.count).toBe(0);
  });
});

describe('routing when the delay is over', () => {
  it('uses the bindings of then', () => {
    const { host, queue, bind, publish, clock, q } = delaying();
    publish('x', { key: 'k', headers: by(10) });
    host.unbind('x', { kind: 'queue', name: 'q' }, 'k', EMPTY_TABLE, {});
    bind('x', queue('new').name, 'k');
    clock.advance(10);
    expect([q.readyCount, queue('new').readyCount]).toEqual([0, 1]);
  });

  it.each([
    ['direct', 'k', ['k']],
    ['fanout', 'other', ['k']],
    ['topic', 'a.b', ['a.*', '#']],
  ])('is that of the type %s', (type, key, patterns) => {
    const { queue, bind, publish, clock } = delaying(type);
    for (const pattern of patterns) bind('x', queue(pattern).name, pattern);
    publish('x', { key, headers: by(10) });
    clock.advance(10);
    expect(patterns.map((pattern) => queue(pattern).readyCount)).toEqual(patterns.map(() => 1));
  });

  it('by headers looks at those of the message', () => {
    const { queue, bind, publish, clock, q } = delaying('headers');
    bind('x', queue('match').name, '', table({ colour: 'red' }));
    bind('x', queue('other').name, '', table({ colour: 'blue' }));
    publish('x', { headers: { ...by(10), colour: 'red' } });
    clock.advance(10);
    // A headers binding without arguments takes everything.
    expect([queue('match').readyCount, queue('other').readyCount, q.readyCount]).toEqual([1, 0, 1]);
  });

  it('follows the keys of CC and BCC, once', () => {
    const { queue, bind, publish, clock, q } = delaying();
    for (const name of ['cc', 'bcc']) bind('x', queue(name).name, name);
    publish('x', { key: 'k', headers: { ...by(10), CC: ['cc', 'k'] }, hiddenKeys: ['bcc'] });
    publish('x', { key: 'none', headers: { CC: ['cc'] } });
    expect([q.readyCount, queue('cc').readyCount]).toEqual([0, 1]);
    clock.advance(10);
    expect([q.readyCount, queue('cc').readyCount, queue('bcc').readyCount]).toEqual([1, 2, 1]);
  });

  it('goes on to other exchanges, which delay it no more', () => {
    const { declare, queue, bind, publish, clock } = delaying('fanout');
    declare('y', DELAYED, { 'x-delayed-type': 'fanout' });
    bind('x', 'y');
    bind('y', queue('behind').name);
    publish('x', { headers: by(10) });
    clock.advance(10);
    expect(queue('behind').readyCount).toBe(1);
  });

  it('falls back on the alternate exchange then and not before', () => {
    const { declare, queue, bind, publish, clock } = keepingHost();
    declare('alternate', 'fanout');
    bind('alternate', queue('lost').name);
    declare('x', DELAYED, { 'x-delayed-type': 'direct', 'alternate-exchange': 'alternate' });
    publish('x', { headers: by(10) });
    expect(queue('lost').readyCount).toBe(0);
    clock.advance(10);
    expect(queue('lost').readyCount).toBe(1);
  });

  it('nowhere loses the message', () => {
    const { publish, clock, failures, q } = delaying();
    publish('x', { key: 'none', headers: by(10) });
    clock.advance(10);
    expect([q.readyCount, failures, clock.timerCount]).toEqual([0, [], 0]);
  });
});

describe('a delayed exchange that something else leads to', () => {
  it('delays behind a binding, and the message reaches other queues at once', () => {
    const { queue, bind, publish, clock, q } = delaying('fanout');
    bind('amq.fanout', 'x');
    bind('amq.fanout', queue('direct').name);
    publish('amq.fanout', { headers: by(10) });
    expect([q.readyCount, queue('direct').readyCount]).toEqual([0, 1]);
    clock.advance(10);
    expect(q.readyCount).toBe(1);
  });

  it('delays as an alternate exchange', () => {
    const { declare, publish, clock, q } = delaying('fanout');
    declare('first', 'direct', { 'alternate-exchange': 'x' });
    publish('first', { headers: by(10) });
    expect(q.readyCount).toBe(0);
    clock.advance(10);
    expect(q.readyCount).toBe(1);
  });

  it('delays dead letters, which keep their history', () => {
    const { queue, bind, publish, clock, q, take } = delaying('fanout');
    queue('dying', { 'x-dead-letter-exchange': 'x', 'x-message-ttl': 5 });
    bind(
      'x',
      queue('again', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'end', 'x-message-ttl': 5 }).name,
    );
    publish('', { key: 'dying', headers: by(100) });
    clock.advance(5);
    clock.settle();
    expect(q.readyCount).toBe(0);
    clock.advance(100);
    const [dead] = take(q);
    expect(dead?.properties.headers).toContainEqual(['x-delay', { type: 'l', value: -100n }]);
    queue('end');
    clock.advance(5);
    clock.settle();
    const deaths = take(queue('end'))[0]?.properties.headers?.find(([key]) => key === 'x-death')?.[1];
    expect(deaths).toMatchObject({ type: 'A', value: [{}, {}] });
  });
});

describe('over a restart', () => {
  function durable(store: RecordingStore) {
    const core = keepingHost(store);
    core.declare('x', DELAYED, { 'x-delayed-type': 'fanout' }, true);
    core.bind('x', core.queue('q', {}, true).name);
    return core;
  }

  it('persistent messages wait on, overdue ones come at once and in order', () => {
    const store = new RecordingStore();
    const before = durable(store);
    const { publish } = before;
    expect(publish('x', { headers: by(5000), body: 'later', persistent: true }).commit).toBe(store.openBatch);
    publish('x', { headers: by(200), body: 'second', persistent: true });
    publish('x', { headers: by(100), body: 'first', persistent: true });
    expect(publish('x', { headers: by(100), body: 'transient' }).commit).toBe(0);
    store.makeDurable(store.closeBatch());
    store.crash();

    const after = keepingHost(store, before.definitions);
    after.clock.advance(1000);
    const q = after.host.queue('q', {});
    expect(after.bodies(q)).toEqual(['first', 'second']);
    after.clock.advance(4000);
    expect(after.bodies(q)).toEqual(['later']);
    store.makeDurable(store.closeBatch());
    expect(store.rebuild(after.host.exchange('x').logId ?? 0)).toEqual([]);
    // What comes then is not taken for what was there.
    after.publish('x', { headers: by(10), body: 'new', persistent: true });
    after.clock.advance(10);
    expect(after.bodies(q)).toEqual(['new']);
  });

  it('a message is in the exchange or in its queue, whenever the broker is killed', () => {
    const store = new RecordingStore();
    const before = durable(store);
    before.publish('x', { headers: by(100), body: 'm', persistent: true });
    const exchangeLog = before.host.exchange('x').logId ?? 0;
    const queueLog = before.host.queue('q', {}).id;
    expect(exchangeLog).not.toBe(queueLog);
    const counts = () => [store.rebuild(exchangeLog).length, store.rebuild(queueLog).length];
    store.closeBatch();
    expect(counts()).toEqual([1, 0]);
    before.clock.advance(100);
    expect(counts()).toEqual([1, 0]);
    store.closeBatch();
    expect(counts()).toEqual([0, 1]);
  });

  it('nothing is left of an exchange that was deleted', () => {
    const store = new RecordingStore();
    const { host, publish } = durable(store);
    publish('x', { headers: by(100), body: 'm', persistent: true });
    const logId = host.exchange('x').logId ?? 0;
    store.closeBatch();
    host.deleteExchange('x', false);
    expect(store.batches.get(store.closeBatch())).toEqual([{ kind: 'dropLog', logId }]);
  });

  it('nothing is read into memory, and no message is delayed any longer', () => {
    const store = new RecordingStore();
    const before = durable(store);
    for (let index = 0; index < 2000; index++) before.publish('x', { headers: by(index), body: 'm', persistent: true });
    store.makeDurable(store.closeBatch());
    store.crash();
    const after = keepingHost(store, before.definitions);
    expect(after.logs.segments.allocatedBytes).toBe(0);
    after.clock.advance(999);
    after.clock.settle();
    // The one without a delay went at once.
    expect(after.host.queue('q', {}).readyCount).toBe(1000);
  });

  it('ids of logs go on above those of exchanges', () => {
    const store = new RecordingStore();
    const before = keepingHost(store);
    before.queue('q', {}, true);
    before.declare('x', DELAYED, { 'x-delayed-type': 'fanout' }, true);
    const after = keepingHost(store, before.definitions);
    expect(after.queue('r').id).toBeGreaterThan(before.host.exchange('x').logId ?? Number.POSITIVE_INFINITY);
  });

  it('a message that cannot be read is tried again, and those behind it are not lost', () => {
    const store = new RecordingStore();
    const before = durable(store);
    for (const body of ['a', 'b']) before.publish('x', { headers: by(10), body, persistent: true });
    store.makeDurable(store.closeBatch());
    store.crash();
    const after = keepingHost(store, before.definitions);
    const read = store.read;
    store.read = () => {
      throw new Error('the disk is gone');
    };
    after.clock.advance(10);
    expect([after.host.queue('q', {}).readyCount, after.failures.map(String)]).toEqual([
      0,
      ['Error: the disk is gone'],
    ]);
    store.read = read;
    after.clock.advance(1000);
    expect(after.bodies(after.host.queue('q', {}))).toEqual(['a', 'b']);
  });
});

describe('the declaration', () => {
  const refused = (settings: Readonly<Record<string, string | number>>): string => {
    const { declare, host } = keepingHost();
    try {
      declare('x', DELAYED, settings);
    } catch (error) {
      expect([host.findExchange('x'), error]).toMatchObject([undefined, { kind: 'precondition-failed' }]);
      return (error as Error).message;
    }
    throw new Error('it was declared');
  };

  it('needs a type that there is', () => {
    const text = "Invalid argument, 'x-delayed-type' must be an existing exchange type";
    expect(refused({})).toBe(text);
    expect(refused({ 'x-delayed-type': 5 })).toBe(text);
    expect(refused({ 'x-delayed-type': 'foo' })).toBe("unknown exchange type 'foo'");
    expect(refused({ 'x-delayed-type': DELAYED })).toBe(
      "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'",
    );
  });

  it('needs the arguments of that type', () => {
    expect(refused({ 'x-delayed-type': 'x-message-deduplication' })).toContain("'x-cache-size'");
  });

  it('has bindings checked as that type does', () => {
    const { bind, queue } = delaying('headers');
    queue('r');
    expect(() => bind('x', 'r', '', table({ 'x-match': 'foo' }))).toThrow('Invalid x-match field value');
  });

  it('again needs no equal type, as for any argument of an exchange', () => {
    const { declare } = delaying();
    expect(() => declare('x', DELAYED, { 'x-delayed-type': 'fanout' })).not.toThrow();
    expect(() => declare('x', 'direct')).toThrow("inequivalent arg 'type'");
  });
});
