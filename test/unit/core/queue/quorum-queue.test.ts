/** What a quorum queue does otherwise than a classic one. */
import { describe, expect, it } from 'vitest';
import { table } from '../../../../protocol/amqp/field-table.js';
import { decodeProperties, encodeProperties } from '../../../../protocol/amqp/properties.js';
import { RecordReader } from '../../../../src/core/log/record.js';
import type { Queue } from '../../../../src/core/queue/queue.js';
import { settingsOf } from '../../../../src/core/queue/settings.js';
import { type CoreEnvironment, coreEnvironment } from '../../../support/core-environment.js';
import { bodyOf } from '../../../support/messages.js';
import { RecordingStore } from '../../../support/recording-store.js';
import { declare, publish, type Settings, takeAll } from './queue-operations.js';

function quorum(core: CoreEnvironment, settings: Settings = {}): Queue {
  return declare(core, 'q', { 'x-queue-type': 'quorum', ...settings }, true);
}

/** Takes one message and says what it is, and how often it came back. */
function next(queue: Queue, reader = new RecordReader()): readonly [body: string, count: unknown] {
  if (!queue.take(reader)) throw new Error('nothing is ready');
  const { headers = [] } = decodeProperties(reader.bytes, reader.propertiesStart, reader.propertiesEnd);
  const count = headers.find(([key]) => key === 'x-delivery-count')?.[1];
  expect(reader.redelivered).toBe(count !== undefined);
  return [bodyOf(reader).toString(), count?.type === 'l' ? Number(count.value) : count];
}

const TO_DEAD: Settings = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' };

describe('a quorum queue', () => {
  it('tells how often a message came back, from the second delivery on, beside its own headers', () => {
    const core = coreEnvironment();
    const queue = quorum(core);
    const headers = table({ mine: 'kept' });
    publish(core, queue, { body: 'm', properties: encodeProperties({ headers, contentType: 'text/plain' }) });
    const reader = new RecordReader();
    const seen = [0, 1, 2, 3].map(() => {
      const [, count] = next(queue, reader);
      queue.requeue(reader.position);
      return count;
    });
    expect(seen).toEqual([undefined, 1, 2, 3]);
    next(queue, reader);
    const properties = decodeProperties(reader.bytes, reader.propertiesStart, reader.propertiesEnd);
    expect(properties.contentType).toBe('text/plain');
    expect(properties.headers?.find(([key]) => key === 'mine')?.[1]).toEqual({ type: 'S', value: 'kept' });
    queue.ack(reader.position);
    expect([queue.readyCount, queue.unackedCount]).toEqual([0, 0]);
  });

  it('puts its own number in the place of a forged one', () => {
    const core = coreEnvironment();
    const queue = quorum(core);
    publish(core, queue, { body: 'm', properties: encodeProperties({ headers: table({ 'x-delivery-count': 'x' }) }) });
    const reader = new RecordReader();
    queue.take(reader);
    queue.requeue(reader.position);
    expect(next(queue)).toEqual(['m', 1]);
  });

  it('gives out what came back first', () => {
    const core = coreEnvironment();
    const queue = quorum(core);
    for (const body of ['a', 'b', 'c']) publish(core, queue, { body });
    const [first, second] = [new RecordReader(), new RecordReader()];
    next(queue, first);
    next(queue, second);
    queue.requeue(second.position);
    queue.requeue(first.position);
    expect(takeAll(queue)).toEqual(['b', 'a', 'c']);
  });

  it('gives a message up that came back too often', () => {
    const core = coreEnvironment();
    const [queue, dead] = [quorum(core, { ...TO_DEAD, 'x-delivery-limit': 2 }), declare(core, 'dead')];
    publish(core, queue, { body: 'm' });
    const reader = new RecordReader();
    for (const count of [undefined, 1, 2]) {
      expect(next(queue, reader)).toEqual(['m', count]);
      queue.requeue(reader.position);
    }
    expect([queue.readyCount, queue.unackedCount, dead.readyCount]).toEqual([0, 0, 1]);
    dead.take(reader);
    const { headers } = decodeProperties(reader.bytes, reader.propertiesStart, reader.propertiesEnd);
    expect(headers?.find(([key]) => key === 'x-first-death-reason')?.[1]).toEqual({
      type: 'S',
      value: 'delivery_limit',
    });
  });

  it('gives a message up after twenty returns by default, and never when the limit is negative', () => {
    const core = coreEnvironment();
    const queue = quorum(core);
    publish(core, queue, { body: 'm' });
    const reader = new RecordReader();
    let deliveries = 0;
    for (; queue.take(reader); deliveries++) queue.requeue(reader.position);
    expect(deliveries).toBe(21);
    queue.configure(settingsOf(table({ 'x-delivery-limit': -1 })));
    publish(core, queue, { body: 'm' });
    for (deliveries = 0; deliveries < 100 && queue.take(reader); deliveries++) queue.requeue(reader.position);
    expect([deliveries, queue.readyCount]).toEqual([100, 1]);
  });

  it('keeps a transient message and its count over a restart; one that was out has come back once more', () => {
    const store = new RecordingStore();
    const before = coreEnvironment(store);
    const queue = quorum(before);
    for (const body of ['out', 'back', 'ready']) publish(before, queue, { body });
    const [out, back] = [new RecordReader(), new RecordReader()];
    queue.take(out);
    queue.take(back);
    queue.requeue(back.position);
    before.clock.settle();
    store.makeDurable(store.closeBatch());
    queue.take(back);
    queue.requeue(back.position);
    before.clock.settle();
    store.makeDurable(store.closeBatch());
    store.crash();

    const after = coreEnvironment(store, before.definitions);
    const again = after.host.queue('q', {});
    expect([0, 1, 2].map(() => next(again))).toEqual([
      ['back', 2],
      ['out', 1],
      ['ready', undefined],
    ]);
  });

  it('counts the bytes of what came back towards its limit', () => {
    const core = coreEnvironment();
    const queue = quorum(core, { 'x-max-length-bytes': 10 });
    publish(core, queue, { body: '12345' });
    const reader = new RecordReader();
    next(queue, reader);
    queue.requeue(reader.position);
    publish(core, queue, { body: '67890' });
    expect(queue.readyCount).toBe(2);
    publish(core, queue, { body: 'x' });
    expect(takeAll(queue)).toEqual(['67890', 'x']);
  });

  it('shares a body with others, and gives it back', () => {
    const core = coreEnvironment();
    const [queue, other] = [quorum(core), declare(core, 'other')];
    const body = 'b'.repeat(10_000);
    core.host.bind('amq.fanout', { kind: 'queue', name: 'q' }, '', [], {});
    core.host.bind('amq.fanout', { kind: 'queue', name: 'other' }, '', [], {});
    publish(core, [queue, other], { body });
    const reader = new RecordReader();
    for (let count = 0; count < 3; count++) {
      queue.take(reader);
      queue.requeue(reader.position);
    }
    other.purge();
    queue.take(reader);
    expect(bodyOf(reader).toString()).toBe(body);
    queue.ack(reader.position);
    expect(core.logs.bodies.count).toBe(0);
  });

  it('has to outlive the broker', () => {
    const core = coreEnvironment();
    const args = table({ 'x-queue-type': 'quorum' });
    const declared = (durable: boolean, autoDelete: boolean, owner?: object) => () =>
      core.host.declareQueue('q', { durable, autoDelete, owner, arguments: args }, owner ?? {});
    const refused = (property: string): string => `invalid property '${property}' for queue 'q' in vhost '/'`;
    expect(declared(false, false)).toThrow(refused('non-durable'));
    expect(declared(true, true)).toThrow(refused('auto-delete'));
    expect(declared(true, false, {})).toThrow(refused('exclusive-owner'));
  });
});

describe('what a queue gives up', () => {
  it('is the message as it was published, without the number of its deliveries', () => {
    const core = coreEnvironment();
    const [queue, dead] = [quorum(core, { ...TO_DEAD, 'x-message-ttl': 10 }), declare(core, 'dead')];
    publish(core, queue, { body: 'm' });
    const reader = new RecordReader();
    next(queue, reader);
    queue.requeue(reader.position);
    core.clock.advance(10);
    dead.take(reader);
    const { headers } = decodeProperties(reader.bytes, reader.propertiesStart, reader.propertiesEnd);
    expect(headers?.map(([key]) => key)).not.toContain('x-delivery-count');
  });

  it('stays persistent when it was refused', () => {
    const store = new RecordingStore();
    const core = coreEnvironment(store);
    const dead = declare(core, 'dead', {}, true);
    const settings = { ...TO_DEAD, 'x-max-length': 0, 'x-overflow': 'reject-publish-dlx' };
    const queue = declare(core, 'full', settings, true);
    publish(core, queue, { body: 'm', persistent: true });
    store.closeBatch();
    expect(store.rebuild(dead.id)).toHaveLength(1);
  });
});

describe('a quorum queue that dead-letters at least once', () => {
  const AT_LEAST_ONCE: Settings = {
    ...TO_DEAD,
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
    'x-max-length': 3,
  };

  function rejected(core: CoreEnvironment, queue: Queue): void {
    publish(core, queue, { body: 'm' });
    const reader = new RecordReader();
    queue.take(reader);
    queue.reject(reader.position);
    expect([queue.readyCount, queue.unackedCount]).toEqual([0, 0]);
  }

  it('keeps a dead letter until there is a queue for it', () => {
    const store = new RecordingStore();
    const core = coreEnvironment(store);
    const queue = quorum(core, AT_LEAST_ONCE);
    rejected(core, queue);
    core.clock.advance(5000);
    store.closeBatch();
    expect(store.rebuild(queue.id)).toHaveLength(1);
    const dead = declare(core, 'dead', {}, true);
    core.clock.advance(1000);
    expect(dead.readyCount).toBe(1);
    store.closeBatch();
    expect(store.rebuild(queue.id)).toHaveLength(0);
    core.clock.advance(5000);
    expect([dead.readyCount, core.clock.timerCount]).toEqual([1, 0]);
  });

  it('keeps it while the queue for it is full', () => {
    const core = coreEnvironment();
    const queue = quorum(core, AT_LEAST_ONCE);
    const dead = declare(core, 'dead', { 'x-max-length': 0, 'x-overflow': 'reject-publish' });
    rejected(core, queue);
    core.clock.advance(5000);
    expect(dead.readyCount).toBe(0);
    dead.configure(settingsOf([]));
    core.clock.advance(1000);
    expect(dead.readyCount).toBe(1);
  });

  it('gives it up at once without the overflow behaviour that belongs to it', () => {
    const store = new RecordingStore();
    const core = coreEnvironment(store);
    const queue = quorum(core, { ...AT_LEAST_ONCE, 'x-overflow': 'drop-head' });
    rejected(core, queue);
    store.closeBatch();
    expect(store.rebuild(queue.id)).toHaveLength(0);
  });

  it('leaves nothing behind when it is deleted', () => {
    const core = coreEnvironment();
    rejected(core, quorum(core, AT_LEAST_ONCE));
    core.host.deleteQueue('q', {}, false, false);
    core.clock.advance(5000);
    expect([core.clock.timerCount, core.failures]).toEqual([0, []]);
  });
});
