/** Time to live, limits and dead-lettering where the clock is the test's, and over a restart. */
import { describe, expect, it } from 'vitest';
import { table } from '../../../../protocol/amqp/field-table.js';
import { decodeProperties } from '../../../../protocol/amqp/properties.js';
import { RecordReader } from '../../../../src/core/log/record.js';
import type { Queue } from '../../../../src/core/queue/queue.js';
import { settingsOf } from '../../../../src/core/queue/settings.js';
import { coreEnvironment } from '../../../support/core-environment.js';
import { RecordingStore } from '../../../support/recording-store.js';
import { RecordingConsumer } from './consumers.js';
import { declare, publish, type Settings, takeAll } from './queue-operations.js';

const TO_DEAD = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' };

describe('messages that come back', () => {
  it.each([
    ['classic', []],
    ['quorum', ['m']],
  ])('meet the limit of a %s queue, or a consumer', (type, delivered) => {
    const core = coreEnvironment();
    const queue = declare(core, 'q', { 'x-max-length': 0, 'x-queue-type': type }, true);
    const [first, second] = [new RecordingConsumer('first', { credit: 1 }), new RecordingConsumer('second')];
    queue.addConsumer(first);
    publish(core, queue, { body: 'm' });
    core.clock.settle();
    expect(first.bodies).toEqual(['m']);
    queue.addConsumer(second);
    queue.requeue(0);
    core.clock.settle();
    expect([second.bodies, queue.readyCount]).toEqual([delivered, 0]);
  });
});

describe('messages that expire', () => {
  it('go at their time, with one timer for all queues', () => {
    const core = coreEnvironment();
    const queues = Array.from({ length: 100 }, (_, index) =>
      declare(core, `q${index}`, { 'x-message-ttl': 100 + index }),
    );
    for (const queue of queues) for (let count = 0; count < 3; count++) publish(core, queue, { body: 'm' });
    expect(core.clock.timerCount).toBe(1);
    core.clock.advance(149);
    core.clock.settle();
    expect(queues.filter(({ readyCount }) => readyCount > 0)).toHaveLength(50);
    core.clock.advance(100);
    core.clock.settle();
    expect([queues.filter(({ readyCount }) => readyCount > 0), core.clock.timerCount]).toEqual([[], 0]);
  });

  it('go a few thousand at a time, so that others have their turn', () => {
    const core = coreEnvironment();
    const [queue, dead] = [declare(core, 'q', { ...TO_DEAD, 'x-message-ttl': 10 }), declare(core, 'dead')];
    for (let count = 0; count < 5000; count++) publish(core, queue, { body: 'm' });
    core.clock.advance(10);
    expect([queue.readyCount, dead.readyCount]).toEqual([3000, 2000]);
    core.clock.endTurn();
    expect([queue.readyCount, dead.readyCount]).toEqual([1000, 4000]);
    core.clock.settle();
    expect([queue.readyCount, dead.readyCount]).toEqual([0, 5000]);
  });

  it('are not delivered late by a turn that comes before their timer', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q', { 'x-message-ttl': 10 });
    const consumer = new RecordingConsumer('c', { credit: 0 });
    queue.addConsumer(consumer);
    publish(core, queue, { body: 'late' });
    core.clock.setWallTime(core.clock.wallTime() + 50);
    core.clock.refresh();
    publish(core, queue, { body: 'in time' });
    consumer.credit = 10;
    queue.wake();
    core.clock.settle();
    expect(consumer.bodies).toEqual(['in time']);
  });

  it('live as long after the broker had nothing to do', () => {
    const core = coreEnvironment();
    const [queue, consumer] = [declare(core, 'q'), new RecordingConsumer('c')];
    queue.addConsumer(consumer);
    core.clock.settle();
    core.clock.setWallTime(core.clock.wallTime() + 10_000);
    publish(core, queue, { body: 'in time' }, 5000);
    core.clock.settle();
    expect(consumer.bodies).toEqual(['in time']);
  });

  it('are looked at with the time of the get', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q');
    publish(core, queue, { body: 'late' }, 10);
    core.clock.settle();
    core.clock.setWallTime(core.clock.wallTime() + 50);
    expect(queue.take(new RecordReader())).toBe(false);
  });

  it('are not counted as ready when one is taken', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q');
    publish(core, queue, { body: 'lives' });
    publish(core, queue, { body: 'dies' }, 10);
    core.clock.advance(20);
    core.clock.refresh();
    expect(queue.readyCount).toBe(2);
    expect(queue.take(new RecordReader())).toBe(true);
    expect(queue.readyCount).toBe(0);
  });

  it('are waited for anew when the head changes', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q');
    publish(core, queue, { body: 'long' }, 60_000);
    publish(core, queue, { body: 'short' }, 1000);
    const reader = new RecordReader();
    queue.take(reader);
    core.clock.advance(1000);
    expect(queue.readyCount).toBe(0);
    queue.requeue(reader.position);
    core.clock.advance(58_999);
    expect(queue.readyCount).toBe(1);
    core.clock.advance(1);
    expect(queue.readyCount).toBe(0);
  });

  it('are waited for anew when the head is dropped to make room', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q', { 'x-max-length': 2 });
    publish(core, queue, { body: 'long' }, 60_000);
    publish(core, queue, { body: 'short' }, 1000);
    publish(core, queue, { body: 'stays' });
    expect(queue.readyCount).toBe(2);
    core.clock.advance(1000);
    expect(takeAll(queue)).toEqual(['stays']);
  });

  it('expire after a restart at the time they had, and nothing is read before', () => {
    const store = new RecordingStore();
    const before = coreEnvironment(store);
    const queue = declare(before, 'q', TO_DEAD, true);
    declare(before, 'dead', {}, true);
    publish(before, queue, { body: 'first', persistent: true }, 5000);
    publish(before, queue, { body: 'second', persistent: true });
    before.clock.settle();
    store.makeDurable(store.closeBatch());
    store.crash();

    const after = coreEnvironment(store, before.definitions);
    const [again, dead] = [after.host.queue('q', {}), after.host.queue('dead', {})];
    after.clock.advance(4999);
    expect([again.readyCount, dead.readyCount]).toEqual([2, 0]);
    after.clock.advance(1);
    expect([again.readyCount, dead.readyCount]).toEqual([1, 1]);
    expect([takeAll(again), takeAll(dead)]).toEqual([['second'], ['first']]);
  });
});

describe('a chain of limited queues', () => {
  it('passes on what each drops, however long it is', () => {
    const core = coreEnvironment();
    const LENGTH = 2000;
    const queues = Array.from({ length: LENGTH }, (_, index) =>
      declare(core, `q${index}`, {
        'x-max-length': 1,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': `q${index + 1}`,
      }),
    );
    for (const queue of queues) publish(core, queue, { body: queue.name });
    const first = queues[0] as Queue;
    publish(core, first, { body: 'new' });
    expect(takeAll(first)).toEqual(['new']);
    expect(takeAll(queues[1] as Queue)).toEqual(['q0']);
    expect(takeAll(queues[LENGTH - 1] as Queue)).toEqual([`q${LENGTH - 2}`]);
  });

  it('of two that drop into each other ends', () => {
    const core = coreEnvironment();
    const into = (name: string): Settings => ({
      'x-max-length': 1,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': name,
    });
    const [one, other] = [declare(core, 'one', into('other')), declare(core, 'other', into('one'))];
    for (const body of ['a', 'b', 'c', 'd']) publish(core, one, { body });
    expect([one.readyCount, other.readyCount]).toEqual([1, 1]);
    expect(takeAll(one)).toEqual(['d']);
  });
});

describe('a dead letter routing key that is too long for the wire', () => {
  it('leads nowhere', () => {
    const core = coreEnvironment();
    const key = 'k'.repeat(256);
    const queue = declare(core, 'q', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': key });
    publish(core, queue, { body: 'm' }, 5);
    core.clock.advance(5);
    expect([queue.readyCount, core.failures]).toEqual([0, []]);
  });
});

describe('the history of a dead letter', () => {
  it('is kept over a restart, and goes on', () => {
    const store = new RecordingStore();
    const before = coreEnvironment(store);
    const queue = declare(before, 'q', TO_DEAD, true);
    declare(before, 'dead', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'q' }, true);
    publish(before, queue, { body: 'm', persistent: true });
    const reader = new RecordReader();
    queue.take(reader);
    queue.reject(reader.position);
    before.clock.settle();
    store.makeDurable(store.closeBatch());
    store.crash();

    const after = coreEnvironment(store, before.definitions);
    const dead = after.host.queue('dead', {});
    expect(dead.take(reader)).toBe(true);
    dead.reject(reader.position);
    expect(after.host.queue('q', {}).take(reader)).toBe(true);
    const { headers } = decodeProperties(reader.bytes, reader.propertiesStart, reader.propertiesEnd);
    const history = headers?.find(([key]) => key === 'x-death')?.[1];
    expect(history?.type === 'A' ? history.value.length : 0).toBe(2);
  });
});

describe('a queue whose settings change', () => {
  it('counts the bytes that are ready and gives up the oldest above the new limit', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q');
    for (const body of ['aa', 'bbb', 'c', 'dd']) publish(core, queue, { body });
    const reader = new RecordReader();
    queue.take(reader);
    queue.take(reader);
    queue.requeue(reader.position);
    queue.configure(settingsOf(table({ 'x-max-length-bytes': 5 })));
    expect(takeAll(queue)).toEqual(['c', 'dd']);
  });

  it('goes when it was unused for as long as the new settings say', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q');
    core.clock.advance(500);
    queue.configure(settingsOf(table({ 'x-expires': 100 })));
    core.clock.advance(99);
    expect(queue.deleted).toBe(false);
    core.clock.advance(1);
    expect(queue.deleted).toBe(true);
    const other = declare(core, 'q', { 'x-expires': 100 });
    other.configure(settingsOf([]));
    core.clock.advance(1000);
    expect(other.deleted).toBe(false);
  });
});
