import { describe, expect } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
import type { WireClient } from '../support/wire-client.js';
import { test } from './conformance-test.js';
import { consume, declareQueue, deliveries, drain, exclusiveQueue, expectQueue, publishAll } from './topology.js';

/** Which consumers the next deliveries go to. */
async function consumersOf(client: WireClient, count: number): Promise<string[]> {
  const tags: string[] = [];
  while (tags.length < count) tags.push((await client.expect(1, 'basic.deliver')).consumerTag);
  return tags;
}

const inUse = (queue: string) => `ACCESS_REFUSED - queue '${queue}' in vhost '/' in exclusive use`;

describe('basic.consume', () => {
  test('delivers what is in the queue and what comes', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['before']);
    const consumerTag = await consume(client, { queue });
    publishAll(client, queue, ['after']);
    const fields = { consumerTag, redelivered: false, exchange: '', routingKey: queue };
    expect(String((await client.expect(1, 'basic.deliver', { ...fields, deliveryTag: 1 })).body)).toBe('before');
    expect(String((await client.expect(1, 'basic.deliver', { ...fields, deliveryTag: 2 })).body)).toBe('after');
  });

  test('without a tag makes one up', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    const one = await consume(client, { queue });
    const two = await consume(client, { queue });
    expect(one).toMatch(/^amq\.ctag-[A-Za-z0-9_-]{22}$/);
    expect(two).not.toBe(one);
  });

  test('with a tag uses it', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    expect(await consume(client, { queue, consumerTag: 'mine' })).toBe('mine');
  });

  test('with a tag of the channel is not allowed', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await consume(client, { queue, consumerTag: 'mine' });
    client.send(1, { name: 'basic.consume', queue, consumerTag: 'mine' });
    await client.expectConnectionClose(530, "NOT_ALLOWED - attempt to reuse consumer tag 'mine'", [60, 20]);
  });

  test('with a tag of another channel is accepted', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client);
    await consume(client, { queue, consumerTag: 'mine' });
    await consume(client, { queue, consumerTag: 'mine' }, 2);
  });

  test('with the tag of a cancelled consumer is accepted', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await consume(client, { queue, consumerTag: 'mine' });
    await client.rpc(1, { name: 'basic.cancel', consumerTag: 'mine' }, 'basic.cancel-ok');
    await consume(client, { queue, consumerTag: 'mine' });
  });

  test('without a name means the queue declared last', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await client.rpc(1, { name: 'basic.consume' }, 'basic.consume-ok');
    await expectQueue(client, queue, { consumers: 1 });
  });

  test('without a name fails when no queue was declared', async ({ client }) => {
    client.send(1, { name: 'basic.consume' });
    await client.expectChannelClose(1, 404, 'NOT_FOUND - no previously declared queue', [60, 20]);
  });

  test('of a queue that does not exist is not found', async ({ client, unique }) => {
    const queue = unique('missing');
    client.send(1, { name: 'basic.consume', queue });
    await client.expectChannelClose(1, 404, `NOT_FOUND - no queue '${queue}' in vhost '/'`, [60, 20]);
  });

  test('with no-wait is not answered and delivers', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['x']);
    client.send(1, { name: 'basic.consume', queue, consumerTag: 'mine', noWait: true });
    await client.expect(1, 'basic.deliver', { consumerTag: 'mine' });
  });

  test('is answered before its first delivery', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['x']);
    await expectQueue(client, queue, { ready: 1 });
    client.send(1, { name: 'basic.consume', queue });
    await client.expect(1, 'basic.consume-ok');
    await client.expect(1, 'basic.deliver');
  });

  test('with no-ack leaves nothing to acknowledge', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await consume(client, { queue, noAck: true });
    publishAll(client, queue, ['x']);
    const { deliveryTag } = await client.expect(1, 'basic.deliver');
    client.send(1, { name: 'basic.ack', deliveryTag });
    await client.expectChannelClose(1, 406, 'PRECONDITION_FAILED - unknown delivery tag 1', [60, 80]);
    await client.openChannel();
    expect(await drain(client, queue)).toEqual([]);
  });

  test('takes no notice of no-local', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await consume(client, { queue, noLocal: true });
    publishAll(client, queue, ['own']);
    expect(await deliveries(client, 1)).toEqual(['own']);
  });

  test('takes arguments it knows nothing of', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await consume(client, { queue, arguments: table({ 'x-own': 1, own: 'a' }) });
  });

  test('delivers to several channels of one connection', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client);
    await consume(client, { queue });
    await consume(client, { queue }, 2);
    publishAll(client, queue, ['one', 'two']);
    expect(await deliveries(client, 1)).toEqual(['one']);
    expect(await deliveries(client, 1, 2)).toEqual(['two']);
  });
});

describe('consumers of one queue', () => {
  test('take turns in the order they came', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    for (const consumerTag of ['a', 'b', 'c']) await consume(client, { queue, consumerTag, noAck: true });
    publishAll(client, queue, ['0', '1', '2', '3', '4', '5', '6']);
    expect(await consumersOf(client, 7)).toEqual(['a', 'b', 'c', 'a', 'b', 'c', 'a']);
  });

  test('are passed over while their prefetch count is reached', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
    await consume(client, { queue, consumerTag: 'a' });
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 0 }, 'basic.qos-ok');
    await consume(client, { queue, consumerTag: 'b' });
    publishAll(client, queue, ['0', '1', '2', '3']);
    expect((await consumersOf(client, 4)).sort()).toEqual(['a', 'b', 'b', 'b']);
  });

  test('with a higher priority come first', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    const priority = (value: number) => table({ 'x-priority': value });
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 2 }, 'basic.qos-ok');
    await consume(client, { queue, consumerTag: 'low', arguments: priority(-5) });
    await consume(client, { queue, consumerTag: 'none' });
    await consume(client, { queue, consumerTag: 'high', arguments: priority(10) });
    publishAll(client, queue, ['0', '1', '2', '3', '4', '5', '6']);
    expect(await consumersOf(client, 6)).toEqual(['high', 'high', 'none', 'none', 'low', 'low']);
    client.send(1, { name: 'basic.ack', deliveryTag: 1 });
    expect(await consumersOf(client, 1)).toEqual(['high']);
  });

  test('with the same priority take turns', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    const args = table({ 'x-priority': 3 });
    for (const consumerTag of ['a', 'b']) await consume(client, { queue, consumerTag, noAck: true, arguments: args });
    await consume(client, { queue, consumerTag: 'low', noAck: true });
    publishAll(client, queue, ['0', '1', '2', '3']);
    expect(await consumersOf(client, 4)).toEqual(['a', 'b', 'a', 'b']);
  });

  test('may have a priority of any integer type, and no other', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await consume(client, { queue, arguments: table({ 'x-priority': { type: 'b', value: 1 } }) });
    await consume(client, { queue, arguments: table({ 'x-priority': 5n }) });
    client.send(1, { name: 'basic.consume', queue, arguments: table({ 'x-priority': 'high' }) });
    const text = `PRECONDITION_FAILED - invalid arg 'x-priority' for queue '${queue}' in vhost '/': "expected integer, got longstr"`;
    await client.expectChannelClose(1, 406, text, [60, 20]);
  });

  test('take no argument of streams', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    client.send(1, { name: 'basic.consume', queue, arguments: table({ 'x-stream-offset': 'first' }) });
    const text = `PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue '${queue}' in vhost '/' of queue type rabbit_classic_queue`;
    await client.expectChannelClose(1, 406, text, [60, 20]);
  });
});

describe('an exclusive consumer', () => {
  test('keeps others out', async ({ client, connect, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q') });
    await consume(client, { queue, exclusive: true });
    const other = await connect();
    await other.openChannel();
    other.send(1, { name: 'basic.consume', queue });
    await other.expectChannelClose(1, 403, inUse(queue), [60, 20]);
  });

  test('is refused where there are others', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await consume(client, { queue });
    client.send(1, { name: 'basic.consume', queue, exclusive: true });
    await client.expectChannelClose(1, 403, inUse(queue), [60, 20]);
  });

  test('leaves the queue free when it is cancelled', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    const consumerTag = await consume(client, { queue, exclusive: true });
    await client.rpc(1, { name: 'basic.cancel', consumerTag }, 'basic.cancel-ok');
    await consume(client, { queue });
  });

  test('does not keep basic.get out', async ({ client, connect, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q') });
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
    await consume(client, { queue, exclusive: true });
    publishAll(client, queue, ['one', 'two']);
    await deliveries(client, 1);
    const other = await connect();
    await other.openChannel();
    await expectQueue(other, queue, { ready: 1 });
    expect(await drain(other, queue)).toEqual(['two']);
  });
});

describe('a queue with a single active consumer', () => {
  const single = table({ 'x-single-active-consumer': true });

  test('delivers to the first one only', async ({ client }) => {
    const queue = await exclusiveQueue(client, { arguments: single });
    for (const consumerTag of ['a', 'b']) await consume(client, { queue, consumerTag, noAck: true });
    publishAll(client, queue, ['0', '1', '2']);
    expect(await consumersOf(client, 3)).toEqual(['a', 'a', 'a']);
  });

  test('goes on with the next one when the first is cancelled', async ({ client }) => {
    const queue = await exclusiveQueue(client, { arguments: single });
    for (const consumerTag of ['a', 'b', 'c']) await consume(client, { queue, consumerTag, noAck: true });
    await client.rpc(1, { name: 'basic.cancel', consumerTag: 'a' }, 'basic.cancel-ok');
    publishAll(client, queue, ['0', '1']);
    expect(await consumersOf(client, 2)).toEqual(['b', 'b']);
  });

  test('goes on with the next one when the channel of the first is closed, and requeues', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client, { arguments: single });
    await consume(client, { queue, consumerTag: 'a' }, 2);
    await consume(client, { queue, consumerTag: 'b', noAck: true });
    publishAll(client, queue, ['0']);
    await deliveries(client, 1, 2);
    await client.rpc(2, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    await client.expect(1, 'basic.deliver', { consumerTag: 'b', redelivered: true });
  });

  test('refuses an exclusive consumer', async ({ client }) => {
    const queue = await exclusiveQueue(client, { arguments: single });
    client.send(1, { name: 'basic.consume', queue, exclusive: true });
    await client.expectChannelClose(1, 403, inUse(queue), [60, 20]);
  });

  test('stays with the first one while its prefetch count is reached', async ({ client }) => {
    const queue = await exclusiveQueue(client, { arguments: single });
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
    for (const consumerTag of ['a', 'b']) await consume(client, { queue, consumerTag });
    publishAll(client, queue, ['0', '1']);
    expect(await consumersOf(client, 1)).toEqual(['a']);
    await client.expectNothing(1, { queue });
    client.send(1, { name: 'basic.ack', deliveryTag: 1 });
    expect(await consumersOf(client, 1)).toEqual(['a']);
  });
});

describe('basic.cancel', () => {
  test('ends the deliveries', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    const consumerTag = await consume(client, { queue });
    await client.rpc(1, { name: 'basic.cancel', consumerTag }, 'basic.cancel-ok', { consumerTag });
    publishAll(client, queue, ['x']);
    await expectQueue(client, queue, { ready: 1, consumers: 0 });
    await client.expectNothing(1, { queue });
  });

  test('of an unknown tag is accepted', async ({ client }) => {
    const fields = { consumerTag: 'never' };
    await client.rpc(1, { name: 'basic.cancel', ...fields }, 'basic.cancel-ok', fields);
  });

  test('with no-wait is not answered', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    const consumerTag = await consume(client, { queue });
    client.send(1, { name: 'basic.cancel', consumerTag, noWait: true });
    await client.expectNothing(1);
    await expectQueue(client, queue, { consumers: 0 });
  });

  test('leaves its messages unacknowledged', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['one', 'two']);
    const consumerTag = await consume(client, { queue });
    await deliveries(client, 2);
    await client.rpc(1, { name: 'basic.cancel', consumerTag }, 'basic.cancel-ok');
    await expectQueue(client, queue, { ready: 0 });
    client.send(1, { name: 'basic.ack', deliveryTag: 1 });
    client.send(1, { name: 'basic.nack', deliveryTag: 2, requeue: true });
    await expectQueue(client, queue, { ready: 1 });
    expect(await drain(client, queue)).toEqual(['two']);
  });

  test('leaves the other consumers', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    for (const consumerTag of ['a', 'b']) await consume(client, { queue, consumerTag, noAck: true });
    await client.rpc(1, { name: 'basic.cancel', consumerTag: 'a' }, 'basic.cancel-ok');
    publishAll(client, queue, ['0', '1']);
    expect(await consumersOf(client, 2)).toEqual(['b', 'b']);
  });
});
