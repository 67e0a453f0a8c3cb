import { describe, expect } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
import type { WireClient } from '../support/wire-client.js';
import { test } from './conformance-test.js';
import {
  bindQueue,
  consume,
  declareQueue,
  deliveries,
  drain,
  exclusiveQueue,
  expectQueue,
  getOne,
  publishAll,
} from './topology.js';

type Limit = Readonly<Record<string, string | number>>;

function limited(client: WireClient, limit: Limit): Promise<string> {
  return exclusiveQueue(client, { arguments: table(limit) });
}

async function selectConfirms(client: WireClient): Promise<void> {
  await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
}

/** 'ack' or 'nack' of each publish, one after the other. */
async function outcomes(client: WireClient, queue: string, bodies: readonly string[]): Promise<string[]> {
  const names: string[] = [];
  for (const body of bodies) {
    client.publish(1, { routingKey: queue, body });
    names.push((await client.next(1)).name);
  }
  return names;
}

describe('x-max-length', () => {
  test('drops the oldest that are ready', async ({ client }) => {
    const queue = await limited(client, { 'x-max-length': 2 });
    publishAll(client, queue, ['a', 'b', 'c', 'd']);
    expect(await drain(client, queue)).toEqual(['c', 'd']);
  });

  test('does not count what is delivered and not acknowledged', async ({ client }) => {
    const queue = await limited(client, { 'x-max-length': 1 });
    publishAll(client, queue, ['a']);
    await getOne(client, queue);
    publishAll(client, queue, ['b']);
    expect(await drain(client, queue)).toEqual(['b']);
  });

  test('applies to what is given back', async ({ client }) => {
    const queue = await limited(client, { 'x-max-length': 1 });
    publishAll(client, queue, ['a']);
    const { deliveryTag } = await getOne(client, queue);
    publishAll(client, queue, ['b']);
    await expectQueue(client, queue, { ready: 1 });
    client.send(1, { name: 'basic.nack', deliveryTag, requeue: true });
    expect(await drain(client, queue)).toEqual(['b']);
  });

  test('is kept by what is given back before a consumer gets it again', async ({ client }) => {
    const queue = await limited(client, { 'x-max-length': 2 });
    await consume(client, { queue });
    publishAll(client, queue, ['a', 'b', 'c']);
    expect(await deliveries(client, 3)).toEqual(['a', 'b', 'c']);
    client.send(1, { name: 'basic.recover', requeue: true });
    await client.expect(1, 'basic.recover-ok');
    expect(await deliveries(client, 2)).toEqual(['b', 'c']);
    await client.expectNothing(1, { queue });
  });

  test('of 0 lets only through what a consumer takes at once', async ({ client }) => {
    const queue = await limited(client, { 'x-max-length': 0 });
    await selectConfirms(client);
    expect(await outcomes(client, queue, ['lost'])).toEqual(['basic.ack']);
    await expectQueue(client, queue, { ready: 0 });
    await consume(client, { queue, noAck: true });
    client.publish(1, { routingKey: queue, body: 'through' });
    const seen = [await client.next(1), await client.next(1)].map(({ name }) => name);
    expect(seen.sort()).toEqual(['basic.ack', 'basic.deliver']);
  });

  test('does not stand in the way of a consumer that keeps up', async ({ client }) => {
    const queue = await limited(client, { 'x-max-length': 1 });
    await consume(client, { queue, noAck: true });
    const bodies = Array.from({ length: 100 }, (_, index) => String(index));
    publishAll(client, queue, bodies);
    expect(await deliveries(client, 100)).toEqual(bodies);
  });
});

describe('x-max-length-bytes', () => {
  test('counts the bodies of what is ready', async ({ client }) => {
    const queue = await limited(client, { 'x-max-length-bytes': 10 });
    publishAll(client, queue, ['aaaa', 'bbbb', 'cccc']);
    expect(await drain(client, queue)).toEqual(['bbbb', 'cccc']);
  });

  test('drops a message that is larger than the whole', async ({ client }) => {
    const queue = await limited(client, { 'x-max-length-bytes': 10 });
    publishAll(client, queue, ['aaaa', 'b'.repeat(11)]);
    expect(await drain(client, queue)).toEqual([]);
    publishAll(client, queue, ['c'.repeat(10)]);
    expect(await drain(client, queue)).toEqual(['c'.repeat(10)]);
  });

  test('knows what was purged, taken and given back', async ({ client }) => {
    const queue = await limited(client, { 'x-max-length-bytes': 8 });
    publishAll(client, queue, ['aaaa', 'bbbb']);
    await client.rpc(1, { name: 'queue.purge', queue }, 'queue.purge-ok');
    publishAll(client, queue, ['cccc', 'dddd']);
    const { deliveryTag } = await getOne(client, queue);
    client.send(1, { name: 'basic.nack', deliveryTag, requeue: true });
    await expectQueue(client, queue, { ready: 2 });
    publishAll(client, queue, ['eeee']);
    expect(await drain(client, queue)).toEqual(['dddd', 'eeee']);
  });
});

describe('reject-publish', () => {
  const full = { 'x-max-length': 1, 'x-overflow': 'reject-publish' };

  test('refuses what comes to a full queue, and says so to confirms', async ({ client }) => {
    const queue = await limited(client, full);
    await selectConfirms(client);
    expect(await outcomes(client, queue, ['a', 'b', 'c'])).toEqual(['basic.ack', 'basic.nack', 'basic.nack']);
    expect(await drain(client, queue)).toEqual(['a']);
    expect(await outcomes(client, queue, ['d'])).toEqual(['basic.ack']);
  });

  test('refuses by bytes', async ({ client }) => {
    const queue = await limited(client, { 'x-max-length-bytes': 5, 'x-overflow': 'reject-publish' });
    await selectConfirms(client);
    expect(await outcomes(client, queue, ['aaaa', 'bb', 'c'])).toEqual(['basic.ack', 'basic.nack', 'basic.ack']);
    expect(await drain(client, queue)).toEqual(['aaaa', 'c']);
  });

  test('says nothing without confirms', async ({ client }) => {
    const queue = await limited(client, full);
    publishAll(client, queue, ['a', 'b']);
    expect(await drain(client, queue)).toEqual(['a']);
  });

  test('of one queue is a nack, though others took the message', async ({ client, unique }) => {
    const refusing = await declareQueue(client, { queue: unique('full'), arguments: table(full) });
    const other = await exclusiveQueue(client);
    for (const queue of [refusing, other]) await bindQueue(client, { queue, exchange: 'amq.fanout' });
    await selectConfirms(client);
    const names: string[] = [];
    for (const body of ['a', 'b']) {
      client.publish(1, { exchange: 'amq.fanout', body });
      names.push((await client.next(1)).name);
    }
    expect(names).toEqual(['basic.ack', 'basic.nack']);
    expect([await drain(client, refusing), await drain(client, other)]).toEqual([['a'], ['a', 'b']]);
  });

  test('is no reason to return a mandatory message', async ({ client }) => {
    const queue = await limited(client, full);
    await selectConfirms(client);
    expect(await outcomes(client, queue, ['a'])).toEqual(['basic.ack']);
    client.publish(1, { routingKey: queue, body: 'b', mandatory: true });
    expect((await client.next(1)).name).toBe('basic.nack');
  });
});
