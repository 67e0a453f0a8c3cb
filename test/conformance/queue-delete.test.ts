import { describe, expect } from 'vitest';
import { test } from './conformance-test.js';
import {
  bindQueue,
  consume,
  declareQueue,
  drain,
  exclusiveQueue,
  expectQueue,
  getOne,
  publishAll,
} from './topology.js';

const noQueue = (name: string) => `NOT_FOUND - no queue '${name}' in vhost '/'`;

describe('queue.delete', () => {
  test('says how many messages were ready', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['one', 'two', 'three']);
    await getOne(client, queue);
    await client.rpc(1, { name: 'queue.delete', queue }, 'queue.delete-ok', { messageCount: 2 });
  });

  test('of a queue that does not exist is accepted', async ({ client, unique }) => {
    const queue = unique('missing');
    await client.rpc(1, { name: 'queue.delete', queue }, 'queue.delete-ok', { messageCount: 0 });
  });

  test('without a name means the queue declared last', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['x']);
    await client.rpc(1, { name: 'queue.delete' }, 'queue.delete-ok', { messageCount: 1 });
  });

  test('if unused fails when there is a consumer', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await consume(client, { queue });
    client.send(1, { name: 'queue.delete', queue, ifUnused: true });
    await client.expectChannelClose(1, 406, `PRECONDITION_FAILED - queue '${queue}' in vhost '/' in use`, [50, 40]);
  });

  test('if empty fails when there is a ready message', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['x']);
    client.send(1, { name: 'queue.delete', queue, ifEmpty: true });
    await client.expectChannelClose(1, 406, `PRECONDITION_FAILED - queue '${queue}' in vhost '/' not empty`, [50, 40]);
  });

  test('if unused and if empty looks at the messages first', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
    await consume(client, { queue });
    publishAll(client, queue, ['one', 'two']);
    await client.expect(1, 'basic.deliver');
    client.send(1, { name: 'queue.delete', queue, ifUnused: true, ifEmpty: true });
    await client.expectChannelClose(1, 406, `PRECONDITION_FAILED - queue '${queue}' in vhost '/' not empty`, [50, 40]);
  });

  test('if empty takes no notice of unacknowledged messages', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['x']);
    await getOne(client, queue);
    await client.rpc(1, { name: 'queue.delete', queue, ifEmpty: true, ifUnused: true }, 'queue.delete-ok');
  });

  test('with no-wait is not answered', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    client.send(1, { name: 'queue.delete', queue, noWait: true });
    await client.expectNothing(1);
    client.send(1, { name: 'queue.declare', queue, passive: true });
    await client.expectChannelClose(1, 404, noQueue(queue), [50, 10]);
  });

  test('cancels the consumers', async ({ client, connect, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q') });
    const other = await connect();
    await other.openChannel();
    await consume(other, { queue, consumerTag: 'mine' });
    await client.rpc(1, { name: 'queue.delete', queue }, 'queue.delete-ok');
    await other.expect(1, 'basic.cancel', { consumerTag: 'mine', noWait: true });
    await other.expectNothing(1);
  });

  test('says nothing to consumers of a client that does not know basic.cancel', async ({ client, connect, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q') });
    const other = await connect({ capabilities: {} });
    await other.openChannel();
    await consume(other, { queue, consumerTag: 'mine' });
    await client.rpc(1, { name: 'queue.delete', queue }, 'queue.delete-ok');
    await other.expectNothing(1);
  });

  test('leaves the tag of a cancelled consumer free', async ({ client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q') });
    await client.openChannel(2);
    await consume(client, { queue, consumerTag: 'mine' }, 2);
    await client.rpc(1, { name: 'queue.delete', queue }, 'queue.delete-ok');
    await client.expect(2, 'basic.cancel', { consumerTag: 'mine' });
    await consume(client, { queue: await exclusiveQueue(client), consumerTag: 'mine' }, 2);
  });

  test('makes later acknowledgements of its messages meaningless, not wrong', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['one', 'two']);
    const { deliveryTag } = await getOne(client, queue);
    const second = await getOne(client, queue);
    await client.rpc(1, { name: 'queue.delete', queue }, 'queue.delete-ok');
    client.send(1, { name: 'basic.ack', deliveryTag });
    client.send(1, { name: 'basic.nack', deliveryTag: second.deliveryTag, requeue: true });
    await client.expectNothing(1);
  });

  test('works on a name the broker made up', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    expect(queue).toMatch(/^amq\./);
    await client.rpc(1, { name: 'queue.delete', queue }, 'queue.delete-ok');
  });

  test('and a new declaration make a new queue', async ({ client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q') });
    publishAll(client, queue, ['old']);
    await bindQueue(client, { queue, exchange: 'amq.direct', routingKey: queue });
    await client.rpc(1, { name: 'queue.delete', queue }, 'queue.delete-ok', { messageCount: 1 });
    await exclusiveQueue(client, { queue, durable: true });
    await expectQueue(client, queue, { ready: 0, consumers: 0 });
  });
});

describe('queue.purge', () => {
  test('removes what is ready and says how much that was', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['one', 'two', 'three']);
    const { deliveryTag } = await getOne(client, queue);
    await client.rpc(1, { name: 'queue.purge', queue }, 'queue.purge-ok', { messageCount: 2 });
    await expectQueue(client, queue, { ready: 0 });
    client.send(1, { name: 'basic.reject', deliveryTag, requeue: true });
    await expectQueue(client, queue, { ready: 1 });
    expect(await drain(client, queue)).toEqual(['one']);
  });

  test('of an empty queue removes nothing', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await client.rpc(1, { name: 'queue.purge', queue }, 'queue.purge-ok', { messageCount: 0 });
  });

  test('without a name means the queue declared last', async ({ client }) => {
    publishAll(client, await exclusiveQueue(client), ['x']);
    await client.rpc(1, { name: 'queue.purge' }, 'queue.purge-ok', { messageCount: 1 });
  });

  test('of a queue that does not exist is not found', async ({ client, unique }) => {
    const queue = unique('missing');
    client.send(1, { name: 'queue.purge', queue });
    await client.expectChannelClose(1, 404, noQueue(queue), [50, 30]);
  });

  test('with no-wait is not answered', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['x']);
    client.send(1, { name: 'queue.purge', queue, noWait: true });
    await client.expectNothing(1);
    await expectQueue(client, queue, { ready: 0 });
  });
});
