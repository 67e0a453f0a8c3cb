import { describe, expect } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
import { test } from './conformance-test.js';
import { consume, drain, exclusiveQueue, expectQueue, getOne, publishAll } from './topology.js';

describe('basic.get', () => {
  test('of an empty queue is answered with get-empty', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await client.rpc(1, { name: 'basic.get', queue }, 'basic.get-empty');
  });

  test('takes the oldest message and says how many are left', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['one', 'two', 'three']);
    const first = await getOne(client, queue);
    expect(first).toMatchObject({
      deliveryTag: 1,
      redelivered: false,
      exchange: '',
      routingKey: queue,
      messageCount: 2,
    });
    expect(String(first.body)).toBe('one');
    expect(await getOne(client, queue)).toMatchObject({ deliveryTag: 2, messageCount: 1 });
  });

  test('counts delivery tags together with deliveries', async ({ client }) => {
    const [one, two] = [await exclusiveQueue(client), await exclusiveQueue(client)];
    publishAll(client, one, ['a', 'b']);
    await getOne(client, one, true);
    await consume(client, { queue: two, noAck: true });
    publishAll(client, two, ['c']);
    await client.expect(1, 'basic.deliver', { deliveryTag: 2 });
    expect((await getOne(client, one)).deliveryTag).toBe(3);
  });

  test('with no-ack removes the message', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['x']);
    await getOne(client, queue, true);
    client.send(1, { name: 'basic.ack', deliveryTag: 1 });
    await client.expectChannelClose(1, 406, 'PRECONDITION_FAILED - unknown delivery tag 1', [60, 80]);
    await client.openChannel();
    expect(await drain(client, queue)).toEqual([]);
  });

  test('leaves the message unacknowledged until the channel ends', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['x']);
    await getOne(client, queue);
    await expectQueue(client, queue, { ready: 0 }, 2);
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    expect(await getOne(client, queue, true, 2)).toMatchObject({ redelivered: true });
  });

  test('without a name means the queue declared last', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['x']);
    await client.rpc(1, { name: 'basic.get' }, 'basic.get-ok', { routingKey: queue });
  });

  test('without a name fails when no queue was declared', async ({ client }) => {
    client.send(1, { name: 'basic.get' });
    await client.expectChannelClose(1, 404, 'NOT_FOUND - no previously declared queue', [60, 70]);
  });

  test('of a queue that does not exist is not found', async ({ client, unique }) => {
    const queue = unique('missing');
    client.send(1, { name: 'basic.get', queue });
    await client.expectChannelClose(1, 404, `NOT_FOUND - no queue '${queue}' in vhost '/'`, [60, 70]);
  });

  test('works beside a single active consumer', async ({ client }) => {
    const queue = await exclusiveQueue(client, { arguments: table({ 'x-single-active-consumer': true }) });
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
    await consume(client, { queue });
    publishAll(client, queue, ['one', 'two']);
    await client.expect(1, 'basic.deliver');
    expect(await drain(client, queue)).toEqual(['two']);
  });
});
