import { describe, expect } from 'vitest';
import type { WireClient } from '../support/wire-client.js';
import { test } from './conformance-test.js';
import { consume, deliveries, exclusiveQueue, expectQueue, getOne, publishAll } from './topology.js';

async function qos(client: WireClient, prefetchCount: number, global = false): Promise<void> {
  await client.rpc(1, { name: 'basic.qos', prefetchCount, global }, 'basic.qos-ok');
}

/** A queue with that many messages, whose bodies are their positions. */
async function queueOf(client: WireClient, count: number): Promise<string> {
  const queue = await exclusiveQueue(client);
  publishAll(
    client,
    queue,
    Array.from({ length: count }, (_, index) => String(index)),
  );
  await expectQueue(client, queue, { ready: count });
  return queue;
}

describe('basic.qos', () => {
  test('with a prefetch size is not implemented', async ({ client }) => {
    client.send(1, { name: 'basic.qos', prefetchSize: 10 });
    await client.expectConnectionClose(540, 'NOT_IMPLEMENTED - prefetch_size!=0 (10)', [60, 10]);
  });

  test('with zero is no limit', async ({ client }) => {
    const queue = await queueOf(client, 20);
    await qos(client, 0);
    await consume(client, { queue });
    expect(await deliveries(client, 20)).toHaveLength(20);
  });
});

describe('the prefetch count of a consumer', () => {
  test('limits what it has unacknowledged', async ({ client }) => {
    const queue = await queueOf(client, 5);
    await qos(client, 2);
    await consume(client, { queue });
    expect(await deliveries(client, 2)).toEqual(['0', '1']);
    await client.expectNothing(1, { queue });
    client.send(1, { name: 'basic.ack', deliveryTag: 1 });
    expect(await deliveries(client, 1)).toEqual(['2']);
    await client.expectNothing(1, { queue });
    client.send(1, { name: 'basic.ack', deliveryTag: 3, multiple: true });
    expect(await deliveries(client, 2)).toEqual(['3', '4']);
  });

  test('is the one in force when it began', async ({ client }) => {
    const queue = await queueOf(client, 10);
    await qos(client, 1);
    await consume(client, { queue });
    expect(await deliveries(client, 1)).toEqual(['0']);
    await qos(client, 5);
    await client.expectNothing(1, { queue });
    client.send(1, { name: 'basic.ack', deliveryTag: 1 });
    expect(await deliveries(client, 1)).toEqual(['1']);
    await client.expectNothing(1, { queue });
  });

  test('is its own', async ({ client }) => {
    const one = await queueOf(client, 5);
    const two = await queueOf(client, 5);
    await qos(client, 2);
    await consume(client, { queue: one });
    await deliveries(client, 2);
    await consume(client, { queue: two });
    expect(await deliveries(client, 2)).toEqual(['0', '1']);
    await client.expectNothing(1, { queue: two });
  });

  test('does not limit a consumer without acknowledgements', async ({ client }) => {
    const queue = await queueOf(client, 10);
    await qos(client, 1);
    await consume(client, { queue, noAck: true });
    expect(await deliveries(client, 10)).toHaveLength(10);
  });

  test('does not limit basic.get', async ({ client }) => {
    const queue = await queueOf(client, 3);
    await qos(client, 1);
    for (const body of ['0', '1', '2']) expect(String((await getOne(client, queue)).body)).toBe(body);
  });

  test('does not count what basic.get took', async ({ client }) => {
    const queue = await queueOf(client, 3);
    await qos(client, 1);
    await getOne(client, queue);
    await getOne(client, queue);
    await consume(client, { queue });
    expect(await deliveries(client, 1)).toEqual(['2']);
  });

  test.for([
    ['basic.nack', { requeue: false }],
    ['basic.reject', { requeue: false }],
    ['basic.ack', {}],
  ] as const)('is freed by %s', async ([name, fields], { client }) => {
    const queue = await queueOf(client, 2);
    await qos(client, 1);
    await consume(client, { queue });
    expect(await deliveries(client, 1)).toEqual(['0']);
    client.send(1, { name, deliveryTag: 1, ...fields });
    expect(await deliveries(client, 1)).toEqual(['1']);
  });

  test('may be 65535', async ({ client }) => {
    const queue = await queueOf(client, 3);
    await qos(client, 65_535);
    await consume(client, { queue });
    expect(await deliveries(client, 3)).toHaveLength(3);
  });
});

describe('the prefetch count of a channel', () => {
  test('is shared by its consumers', async ({ client }) => {
    const one = await queueOf(client, 5);
    const two = await queueOf(client, 5);
    await qos(client, 3, true);
    await consume(client, { queue: one, consumerTag: 'one' });
    await deliveries(client, 3);
    await consume(client, { queue: two, consumerTag: 'two' });
    await client.expectNothing(1, { queue: two });
    client.send(1, { name: 'basic.ack', deliveryTag: 3, multiple: true });
    await deliveries(client, 3);
    await client.expectNothing(1, { queue: two });
  });

  test('takes effect for consumers that are there', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await consume(client, { queue });
    await qos(client, 1, true);
    publishAll(client, queue, ['0', '1']);
    expect(await deliveries(client, 1)).toEqual(['0']);
    await client.expectNothing(1, { queue });
    client.send(1, { name: 'basic.ack', deliveryTag: 1 });
    expect(await deliveries(client, 1)).toEqual(['1']);
  });

  test('raised lets more through at once', async ({ client }) => {
    const queue = await queueOf(client, 5);
    await qos(client, 1, true);
    await consume(client, { queue });
    await deliveries(client, 1);
    await qos(client, 3, true);
    expect(await deliveries(client, 2)).toEqual(['1', '2']);
    await client.expectNothing(1, { queue });
  });

  test('holds together with that of a consumer', async ({ client }) => {
    const one = await queueOf(client, 5);
    const two = await queueOf(client, 5);
    await qos(client, 2);
    await qos(client, 3, true);
    await consume(client, { queue: one });
    expect(await deliveries(client, 2)).toEqual(['0', '1']);
    await client.expectNothing(1, { queue: one });
    await consume(client, { queue: two });
    expect(await deliveries(client, 1)).toEqual(['0']);
    await client.expectNothing(1, { queue: two });
  });

  test('is lifted by one for consumers', async ({ client }) => {
    const queue = await queueOf(client, 5);
    await qos(client, 1, true);
    await consume(client, { queue });
    await deliveries(client, 1);
    await qos(client, 10);
    expect(await deliveries(client, 4)).toEqual(['1', '2', '3', '4']);
  });

  test('says nothing about other channels', async ({ client }) => {
    await client.openChannel(2);
    const queue = await queueOf(client, 5);
    await qos(client, 1, true);
    await consume(client, { queue }, 2);
    expect(await deliveries(client, 5, 2)).toHaveLength(5);
  });
});
