import { describe, expect, it } from 'vitest';
import type { FieldTable } from '../../../../src/core/field-value.js';
import { RecordReader } from '../../../../src/core/log/record.js';
import { PublishOutcome, type Queue, type QueueOptions } from '../../../../src/core/queue/queue.js';
import { BrokerError } from '../../../../src/errors.js';
import { coreEnvironment } from '../../../support/core-environment.js';
import { type Message, readMessage, sourceOf } from '../../../support/messages.js';
import { type ConsumerTraits, RecordingConsumer } from './consumers.js';

const MIB = 1024 * 1024;

function queueOf(options: Partial<QueueOptions> = {}) {
  const environment = coreEnvironment();
  const owner = {};
  const queue = environment.host.declareQueue(
    'q',
    { durable: false, autoDelete: false, owner: undefined, arguments: [], ...options },
    owner,
  );
  const publish = (...bodies: string[]): void => {
    for (const body of bodies) publishTo(queue, { body });
  };
  const consume = (tag: string, traits: ConsumerTraits = {}): RecordingConsumer => {
    const consumer = new RecordingConsumer(tag, traits);
    queue.addConsumer(consumer);
    return consumer;
  };
  /** Body and redelivered flag of the next ready message. */
  const take = (): string | undefined => {
    const reader = new RecordReader();
    if (!queue.take(reader)) return undefined;
    const { body, redelivered } = readMessage(reader);
    return redelivered ? `${body} again` : body;
  };
  return { ...environment, queue, owner, publish, consume, take };
}

function publishTo(queue: Queue, message: Message): void {
  queue.enqueue(sourceOf(message), new PublishOutcome());
}

function refusal(action: () => void): [string, string] {
  try {
    action();
  } catch (error) {
    if (error instanceof BrokerError) return [error.kind, error.message];
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('delivery', () => {
  it('happens at the end of the turn, in order', () => {
    const { clock, publish, consume, queue } = queueOf();
    const consumer = consume('c');
    publish('a', 'b', 'c');
    expect(consumer.received).toEqual([]);
    clock.endTurn();
    expect(consumer.bodies).toEqual(['a', 'b', 'c']);
    expect([queue.readyCount, queue.unackedCount]).toEqual([0, 3]);
    expect(clock.hasTurnWaiting).toBe(false);
  });

  it('begins with what was there before the consumer', () => {
    const { clock, publish, consume } = queueOf();
    publish('a', 'b');
    const consumer = consume('c');
    clock.endTurn();
    expect(consumer.bodies).toEqual(['a', 'b']);
  });

  it('stops where the credit ends and goes on when woken', () => {
    const { clock, publish, consume, queue } = queueOf();
    const consumer = consume('c', { credit: 2 });
    publish('a', 'b', 'c', 'd');
    clock.settle();
    expect(consumer.bodies).toEqual(['a', 'b']);
    queue.ack(1);
    consumer.credit++;
    queue.wake();
    queue.wake();
    clock.settle();
    expect(consumer.bodies).toEqual(['a', 'b', 'c']);
    expect([queue.readyCount, queue.unackedCount]).toEqual([1, 2]);
  });

  it('spreads over consumers round robin, and over turns without starting again', () => {
    const { clock, publish, consume } = queueOf();
    const [a, b] = [consume('a'), consume('b')];
    publish('1');
    clock.settle();
    publish('2', '3');
    clock.settle();
    expect([a.bodies, b.bodies]).toEqual([['1', '3'], ['2']]);
  });

  it('does not move the round robin on when there is nothing to give', () => {
    const { clock, publish, consume, queue } = queueOf();
    const [a, b] = [consume('a'), consume('b')];
    for (const body of ['1', '2', '3', '4']) {
      publish(body);
      clock.settle();
      queue.wake();
      clock.settle();
    }
    expect([a.bodies, b.bodies]).toEqual([
      ['1', '3'],
      ['2', '4'],
    ]);
  });

  it('settles at once for a consumer without acknowledgements', () => {
    const { clock, publish, consume, queue, logs } = queueOf();
    const consumer = consume('c', { noAck: true });
    publish('a', 'b', 'c');
    clock.settle();
    expect(consumer.bodies).toEqual(['a', 'b', 'c']);
    expect([queue.readyCount, queue.unackedCount, logs.segments.allocatedBytes]).toEqual([0, 0, 256]);
  });

  it('lets the event loop look at others after about a mebibyte', () => {
    const { clock, publish, consume, queue } = queueOf();
    const consumer = consume('c');
    for (let i = 0; i < 50; i++) publish('x'.repeat(MIB / 10));
    clock.endTurn();
    const first = consumer.received.length;
    expect(first).toBeGreaterThanOrEqual(9);
    expect(first).toBeLessThanOrEqual(11);
    expect(queue.readyCount).toBe(50 - first);
    expect(clock.settle()).toBeGreaterThanOrEqual(4);
    expect(consumer.received.length).toBe(50);
  });

  it('counts small messages against the budget, too', () => {
    const { clock, publish, consume } = queueOf();
    const consumer = consume('c');
    for (let i = 0; i < 30_000; i++) publish('');
    clock.endTurn();
    expect(consumer.received.length).toBeLessThan(20_000);
    clock.settle();
    expect(consumer.received.length).toBe(30_000);
  });

  it('ends when the queue is purged or deleted before the turn ends', () => {
    const { clock, host, owner, publish, consume, queue, failures } = queueOf();
    const consumer = consume('c');
    publish('a', 'b');
    expect(queue.purge()).toBe(2);
    clock.settle();
    publish('c');
    host.deleteQueue('q', owner, false, false);
    clock.settle();
    expect([consumer.bodies, failures]).toEqual([[], []]);
  });

  it('is not stopped by a consumer that goes while its delivery waits', () => {
    const { clock, publish, consume, queue } = queueOf();
    const [a, b] = [consume('a'), consume('b')];
    publish('1', '2');
    queue.removeConsumer(a);
    clock.settle();
    expect([a.bodies, b.bodies]).toEqual([[], ['1', '2']]);
  });
});

describe('messages that come back', () => {
  it('take their old place and are marked', () => {
    const { publish, take, queue } = queueOf();
    publish('1', '2', '3', '4');
    expect([take(), take(), take()]).toEqual(['1', '2', '3']);
    queue.requeue(3);
    queue.requeue(1);
    expect([take(), take(), take(), take()]).toEqual(['1 again', '3 again', '4', undefined]);
    queue.ack(1);
    queue.requeue(2);
    expect(take()).toBe('2 again');
    expect([queue.readyCount, queue.unackedCount]).toEqual([0, 3]);
  });

  it('go to a consumer at once', () => {
    const { clock, publish, consume, queue } = queueOf();
    publish('1');
    const consumer = consume('c', { credit: 2 });
    clock.settle();
    queue.requeue(1);
    clock.settle();
    expect(consumer.received.map(({ redelivered }) => redelivered)).toEqual([false, true]);
  });

  it('are gone for good when they are rejected', () => {
    const { publish, take, queue, logs } = queueOf();
    publish('1', '2');
    take();
    take();
    queue.reject(1);
    queue.reject(2);
    expect([take(), queue.unackedCount, logs.segments.allocatedBytes]).toEqual([undefined, 0, 256]);
  });

  it('are purged like all others', () => {
    const { publish, take, queue } = queueOf();
    publish('1', '2', '3', '4', '5');
    for (let i = 0; i < 3; i++) take();
    queue.requeue(1);
    queue.requeue(3);
    expect([queue.purge(), queue.readyCount, queue.unackedCount]).toEqual([4, 0, 1]);
    queue.requeue(2);
    expect(take()).toBe('2 again');
  });

  it('come back to no queue when it was deleted meanwhile', () => {
    const { host, owner, publish, take, queue, logs } = queueOf();
    publish('1', '2', '3');
    for (let i = 0; i < 3; i++) take();
    host.deleteQueue('q', owner, false, false);
    queue.requeue(1);
    queue.ack(2);
    queue.reject(3);
    expect([queue.readyCount, queue.unackedCount, logs.segments.allocatedBytes]).toEqual([0, 0, 0]);
  });
});

describe('consumers', () => {
  const IN_USE = ['access-refused', "queue 'q' in vhost '/' in exclusive use"];

  it('are refused beside an exclusive one, and an exclusive one beside others', () => {
    const { consume, queue } = queueOf();
    const only = consume('a', { exclusive: true });
    expect(refusal(() => consume('b'))).toEqual(IN_USE);
    expect(refusal(() => consume('b', { exclusive: true }))).toEqual(IN_USE);
    queue.removeConsumer(only);
    consume('c');
    expect(refusal(() => consume('d', { exclusive: true }))).toEqual(IN_USE);
    expect(queue.consumerCount).toBe(1);
  });

  it('are never exclusive on a queue with a single active one', () => {
    const args: FieldTable = [['x-single-active-consumer', { type: 't', value: true }]];
    const { consume, queue, publish, clock } = queueOf({ arguments: args });
    expect(refusal(() => consume('a', { exclusive: true }))).toEqual(IN_USE);
    const [first, second] = [consume('a', { credit: 1 }), consume('b')];
    publish('1', '2');
    clock.settle();
    expect([first.bodies, second.bodies]).toEqual([['1'], []]);
    queue.removeConsumer(first);
    clock.settle();
    expect(second.bodies).toEqual(['2']);
  });

  it('are told when the queue goes, each once, and delete no auto-delete queue twice', () => {
    const { host, owner, consume, queue } = queueOf({ autoDelete: true });
    const consumers = ['a', 'b'].map((tag) => consume(tag));
    host.deleteQueue('q', owner, false, false);
    expect(consumers.map(({ cancelledBy }) => cancelledBy)).toEqual([queue, queue]);
    expect([queue.consumerCount, queue.deleted]).toEqual([0, true]);
    for (const consumer of consumers) queue.removeConsumer(consumer);
    expect(host.queueCount).toBe(0);
  });
});

describe('the counters of a queue', () => {
  it('count what went in, out, back and away', () => {
    const { publish, take, queue } = queueOf();
    publish('1', '2', '3');
    take();
    take();
    queue.requeue(1);
    take();
    queue.ack(1);
    queue.reject(2);
    queue.purge();
    expect(queue.counters).toEqual({ published: 3, delivered: 3, acknowledged: 1, redelivered: 1 });
  });
});
