import { describe, expect } from 'vitest';
import type { WireClient } from '../support/wire-client.js';
import { test } from './conformance-test.js';
import { bindQueue, consume, declareExchange, declareQueue, drain, exclusiveQueue, publishAll } from './topology.js';

const MISSING = 'conformance.missing';

async function selectConfirms(client: WireClient): Promise<void> {
  await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
}

/** Reads acknowledgements until `count` publishes are confirmed; says which ones, each once. */
async function confirmed(client: WireClient, count: number): Promise<number[]> {
  const open = new Set(Array.from({ length: count }, (_, index) => index + 1));
  const tags: number[] = [];
  while (open.size > 0) {
    const { deliveryTag, multiple } = await client.expect(1, 'basic.ack');
    const covered = multiple ? [...open].filter((tag) => tag <= deliveryTag) : [deliveryTag];
    for (const tag of covered) {
      if (!open.delete(tag)) throw new Error(`publish ${tag} was confirmed twice`);
      tags.push(tag);
    }
  }
  return tags.sort((one, other) => one - other);
}

describe('confirm.select', () => {
  test('is answered, again and again', async ({ client }) => {
    await selectConfirms(client);
    await selectConfirms(client);
  });

  test('with no-wait is not answered', async ({ client }) => {
    client.send(1, { name: 'confirm.select', noWait: true });
    client.publish(1, { routingKey: MISSING });
    await client.expect(1, 'basic.ack', { deliveryTag: 1 });
  });

  test('again does not begin the count again', async ({ client }) => {
    await selectConfirms(client);
    client.publish(1, { routingKey: MISSING });
    await client.expect(1, 'basic.ack', { deliveryTag: 1 });
    await selectConfirms(client);
    client.publish(1, { routingKey: MISSING });
    await client.expect(1, 'basic.ack', { deliveryTag: 2 });
  });

  test('does not count what was published before', async ({ client }) => {
    client.publish(1, { routingKey: MISSING });
    await selectConfirms(client);
    client.publish(1, { routingKey: MISSING });
    await client.expect(1, 'basic.ack', { deliveryTag: 1, multiple: false });
  });

  test('on a transactional channel is refused', async ({ client }) => {
    await client.rpc(1, { name: 'tx.select' }, 'tx.select-ok');
    client.send(1, { name: 'confirm.select' });
    await client.expectChannelClose(1, 406, 'PRECONDITION_FAILED - cannot switch from tx to confirm mode', [85, 10]);
  });

  test('of one channel says nothing about another', async ({ client }) => {
    await client.openChannel(2);
    await selectConfirms(client);
    client.publish(2, { routingKey: MISSING });
    await client.expectNothing(2);
    await client.expectNothing(1);
  });
});

describe('a publish is confirmed', () => {
  test('when it reaches no queue', async ({ client }) => {
    await selectConfirms(client);
    client.publish(1, { routingKey: MISSING });
    await client.expect(1, 'basic.ack', { deliveryTag: 1, multiple: false });
  });

  test('after it was returned', async ({ client }) => {
    await selectConfirms(client);
    client.publish(1, { routingKey: MISSING, mandatory: true });
    await client.expect(1, 'basic.return', { replyCode: 312 });
    await client.expect(1, 'basic.ack', { deliveryTag: 1 });
  });

  test('when a queue has it', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await selectConfirms(client);
    client.publish(1, { routingKey: queue, body: 'x' });
    await client.expect(1, 'basic.ack', { deliveryTag: 1, multiple: false });
    expect(await drain(client, queue)).toEqual(['x']);
  });

  test('when a durable queue has stored it', async ({ client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q'), durable: true });
    await selectConfirms(client);
    client.publish(1, { routingKey: queue, body: 'x', properties: { deliveryMode: 2 } });
    await client.expect(1, 'basic.ack', { deliveryTag: 1, multiple: false });
  });

  test('once, however many queues take it', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type: 'fanout' });
    for (let count = 0; count < 5; count += 1) {
      await bindQueue(client, { queue: await exclusiveQueue(client), exchange });
    }
    await selectConfirms(client);
    client.publish(1, { exchange });
    await client.expect(1, 'basic.ack', { deliveryTag: 1 });
    await client.expectNothing(1);
  });

  test('when it is delivered to a consumer of the same channel', async ({ client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q'), durable: true });
    await consume(client, { queue, noAck: true });
    await selectConfirms(client);
    client.publish(1, { routingKey: queue, properties: { deliveryMode: 2 } });
    const names = [(await client.next(1)).name, (await client.next(1)).name];
    expect(names.sort()).toEqual(['basic.ack', 'basic.deliver']);
  });

  test('and delivery tags are counted apart', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await selectConfirms(client);
    publishAll(client, queue, ['one', 'two', 'three']);
    await confirmed(client, 3);
    await client.rpc(1, { name: 'basic.get', queue }, 'basic.get-ok', { deliveryTag: 1 });
    client.publish(1, { routingKey: queue });
    await client.expect(1, 'basic.ack', { deliveryTag: 4 });
  });

  test.for([
    ['transient', 1],
    ['persistent', 2],
  ] as const)('one by one or together: %s messages', async ([, deliveryMode], { client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q'), durable: true });
    await selectConfirms(client);
    const bodies = Array.from({ length: 100 }, (_, index) => String(index));
    publishAll(client, queue, bodies, { properties: { deliveryMode } });
    expect(await confirmed(client, 100)).toHaveLength(100);
    await client.expectNothing(1);
    expect(await drain(client, queue)).toEqual(bodies);
  });

  test('with routed and unroutable ones mixed', async ({ client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q'), durable: true });
    await selectConfirms(client);
    for (let count = 0; count < 20; count += 1) {
      client.publish(1, { routingKey: count % 2 === 0 ? queue : MISSING, properties: { deliveryMode: 2 } });
    }
    expect(await confirmed(client, 20)).toHaveLength(20);
    await client.expectNothing(1);
  });

  test('when its queue was deleted before it was stored', async ({ client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q'), durable: true });
    await selectConfirms(client);
    publishAll(client, queue, ['one', 'two'], { properties: { deliveryMode: 2 } });
    client.send(1, { name: 'queue.delete', queue, noWait: true });
    expect(await confirmed(client, 2)).toEqual([1, 2]);
  });

  test('but not when it is refused', async ({ client, unique }) => {
    await client.openChannel(2);
    await selectConfirms(client);
    client.publish(1, { exchange: unique('missing') });
    await client.expect(1, 'channel.close', { replyCode: 404 });
    await client.expectNothing(1, { via: 2 });
  });
});

describe('closing the channel', () => {
  test('leaves the messages in the queue, confirmed or not', async ({ client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q'), durable: true });
    await client.openChannel(2);
    await selectConfirms(client);
    publishAll(client, queue, ['one', 'two'], { properties: { deliveryMode: 2 } });
    client.send(1, { name: 'channel.close', replyCode: 200 });
    while ((await client.next(1)).name !== 'channel.close-ok');
    expect(await drain(client, queue, 2)).toEqual(['one', 'two']);
  });
});
