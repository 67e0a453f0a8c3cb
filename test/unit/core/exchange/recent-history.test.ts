import { describe, expect, it } from 'vitest';
import { table } from '../../../../protocol/amqp/field-table.js';
import { PublishOutcome } from '../../../../src/core/queue/queue.js';
import { sourceOf } from '../../../support/messages.js';
import { RecordingStore } from '../../../support/recording-store.js';
import { keepingHost } from './keeping.js';
import { messageOf } from './routing.js';

const HISTORY = 'x-recent-history';

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}`);
}

/** A history `x` through which so many messages went, numbered from 1. */
function withHistory(count: number, settings: Readonly<Record<string, number>> = {}) {
  const core = keepingHost();
  core.declare('x', HISTORY, settings);
  for (const body of numbers(1, count)) core.publish('x', { key: 'k', body });
  return core;
}

describe('a recent history', () => {
  it('goes to a queue that is bound later, the oldest first', () => {
    const { queue, bind, bodies, take, publish } = withHistory(25);
    const q = queue('q');
    bind('x', 'q', 'any');
    expect(bodies(q)).toEqual(numbers(6, 25));
    publish('x', { key: 'k', body: 'new', headers: { a: 1 } });
    bind('x', queue('r').name);
    expect([bodies(q), bodies(queue('r'))]).toEqual([['new'], [...numbers(7, 25), 'new']]);
    bind('x', 'q', 'another');
    const last = take(q).at(-1);
    expect(last).toMatchObject({ body: 'new', route: '\x01x\x01k', properties: { headers: table({ a: 1 }) } });
  });

  it('goes there once for each binding', () => {
    const { queue, bind, bodies } = withHistory(2);
    const q = queue('q');
    bind('x', 'q');
    bind('x', 'q');
    expect(bodies(q)).toEqual(['1', '2']);
  });

  it('is as long as the exchange was declared', () => {
    const { queue, bind, bodies } = withHistory(100, { 'x-recent-history-length': 60 });
    bind('x', queue('q').name);
    expect(bodies(queue('q'))).toEqual(numbers(41, 100));
  });

  it('leaves out what is not to be stored', () => {
    const { queue, bind, bodies, publish } = withHistory(1);
    bind('x', queue('q').name);
    publish('x', { body: 'secret', headers: { 'x-recent-history-no-store': true } });
    publish('x', { body: 'kept', headers: { 'x-recent-history-no-store': false } });
    publish('x', { body: 'kept too', headers: { 'x-recent-history-no-store': 'true' } });
    expect(bodies(queue('q'))).toEqual(['1', 'secret', 'kept', 'kept too']);
    bind('x', queue('r').name);
    expect(bodies(queue('r'))).toEqual(['1', 'kept', 'kept too']);
  });

  it('is routed by an exchange that is bound', () => {
    const { declare, queue, bind, bodies, publish } = withHistory(2);
    declare('topic', 'topic');
    bind('topic', queue('a').name, 'a.*');
    bind('topic', queue('k').name, 'k');
    publish('x', { key: 'a.b', body: '3', headers: { CC: ['k'] } });
    publish('x', { key: 'none', body: '4' });
    bind('x', 'topic');
    expect([bodies(queue('k')), bodies(queue('a'))]).toEqual([['1', '2', '3'], ['3']]);
  });

  it('behind another exchange keeps what comes through that', () => {
    const { declare, queue, bind, bodies, publish } = withHistory(0);
    declare('first', 'fanout');
    bind('first', 'x');
    publish('first', { body: 'm' });
    bind('x', queue('q').name);
    expect(bodies(queue('q'))).toEqual(['m']);
  });

  it('is no destination: a message that no queue takes is unroutable', () => {
    const { declare, queue, bind, bodies, publish } = keepingHost();
    declare('alternate', 'fanout');
    bind('alternate', queue('lost').name);
    declare('x', HISTORY, { 'alternate-exchange': 'alternate' });
    publish('x', { body: 'm' });
    bind('x', queue('q').name);
    expect([bodies(queue('lost')), bodies(queue('q'))]).toEqual([['m'], ['m']]);
  });

  it('of large messages is bounded in bytes', () => {
    const { declare, queue, bind, publish, logs } = keepingHost();
    declare('x', HISTORY);
    const body = 'b'.repeat(10 * 1024 * 1024);
    for (let count = 0; count < 10; count++) publish('x', { body });
    expect(logs.segments.allocatedBytes).toBeLessThan(70 * 1024 * 1024);
    bind('x', queue('q').name);
    expect(queue('q').readyCount).toBe(6);
    publish('x', { body: 'b'.repeat(70 * 1024 * 1024) });
    bind('x', queue('r').name);
    expect(queue('r').readyCount).toBe(1);
  });

  it('counts shared bodies among the bytes and lets go of them', () => {
    const { declare, queue, bind, publish, host, logs } = keepingHost();
    declare('x', HISTORY, { 'x-recent-history-length': 2 });
    for (const name of ['q', 'r']) bind('x', queue(name).name);
    for (let count = 0; count < 5; count++) publish('x', { body: 'b'.repeat(5000) });
    for (const name of ['q', 'r']) queue(name).purge();
    expect(logs.bodies.count).toBe(2);
    host.deleteExchange('x', false);
    expect(logs.bodies.count).toBe(0);
  });

  it('survives that what it gives to full queues comes back to it and drives out what is to follow', () => {
    const { declare, queue, bind, publish, failures } = keepingHost();
    declare('x', HISTORY);
    for (const body of numbers(1, 20)) publish('x', { body: body.padEnd(300_000) });
    declare('y', 'fanout');
    const full = ['q', 'r'].map((name) => queue(name, { 'x-max-length': 1, 'x-dead-letter-exchange': 'x' }));
    for (const { name } of full) bind('y', name);
    bind('x', 'y');
    expect([full.map(({ readyCount }) => readyCount), failures]).toEqual([[1, 1], []]);
  });

  it('takes nothing after its exchange went, as a transaction may ask it to', () => {
    const { host, logs } = withHistory(1);
    const targets = [...host.route(host.exchange('x'), messageOf(''), []).targets];
    host.deleteExchange('x', false);
    host.deliver(targets, sourceOf({ exchange: 'x', body: 'late' }), new PublishOutcome());
    expect(logs.segments.allocatedBytes).toBe(0);
  });

  it.each([
    [0, '0'],
    [-1, '-1'],
    ['20', '<<"20">>'],
    [{ type: 'i', value: 5 } as const, '5'],
  ])('cannot be %o long', (length, printed) => {
    const { declare } = keepingHost();
    expect(() => declare('x', HISTORY, { 'x-recent-history-length': length })).toThrow(
      `Invalid argument ${printed}, 'x-recent-history-length' must be a positive integer`,
    );
  });
});

describe('over a restart', () => {
  it('a durable exchange keeps the persistent messages of its history', () => {
    const store = new RecordingStore();
    const before = keepingHost(store);
    before.declare('x', HISTORY, { 'x-recent-history-length': 3 }, true);
    for (const body of numbers(1, 5)) before.publish('x', { body, persistent: true });
    before.publish('x', { body: 'transient' });
    store.makeDurable(store.closeBatch());
    before.publish('x', { body: '6', persistent: true });
    store.makeDurable(store.closeBatch());
    store.crash();

    const after = keepingHost(store, before.definitions);
    after.bind('x', after.queue('q').name);
    expect(after.bodies(after.queue('q'))).toEqual(['5', '6']);
    for (const body of ['7', '8']) after.publish('x', { body });
    after.bind('x', after.queue('r').name);
    expect(after.bodies(after.queue('r'))).toEqual(['6', '7', '8']);
  });

  it('the bytes of a history stay bounded', () => {
    const store = new RecordingStore();
    const before = keepingHost(store);
    before.declare('x', HISTORY, {}, true);
    const body = 'b'.repeat(15 * 1024 * 1024);
    for (let count = 0; count < 3; count++) before.publish('x', { body, persistent: true });
    store.makeDurable(store.closeBatch());
    store.crash();
    const after = keepingHost(store, before.definitions);
    for (let count = 0; count < 3; count++) after.publish('x', { body });
    after.bind('x', after.queue('q').name);
    expect(after.queue('q').readyCount).toBe(4);
  });

  it('what a restart binds again gets no history', () => {
    const store = new RecordingStore();
    const before = keepingHost(store);
    before.declare('x', HISTORY, {}, true);
    before.bind('x', before.queue('q', {}, true).name);
    before.publish('x', { body: 'm', persistent: true });
    store.makeDurable(store.closeBatch());
    store.crash();
    const after = keepingHost(store, before.definitions);
    expect(after.bodies(after.host.queue('q', {}))).toEqual(['m']);
  });
});
