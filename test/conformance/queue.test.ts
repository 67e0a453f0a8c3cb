import { describe, expect } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
import { eventually } from '../support/eventually.js';
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
const locked = (name: string) =>
  `RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '${name}' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.`;
const inequivalent = (arg: string, queue: string, received: string, current: string) =>
  `PRECONDITION_FAILED - inequivalent arg '${arg}' for queue '${queue}' in vhost '/': received '${received}' but current is '${current}'`;

describe('queue.declare', () => {
  test('says the name and that the queue is empty', async ({ client, unique }) => {
    const queue = unique('q');
    const fields = { queue, messageCount: 0, consumerCount: 0 };
    await client.rpc(1, { name: 'queue.declare', queue, exclusive: true }, 'queue.declare-ok', fields);
  });

  test('without a name makes one up', async ({ client }) => {
    const one = await exclusiveQueue(client);
    const two = await exclusiveQueue(client);
    expect(one).toMatch(/^amq\.gen-[A-Za-z0-9_-]{22}$/);
    expect(two).not.toBe(one);
  });

  test('again says how many messages are ready and how many consumers there are', async ({ client, unique }) => {
    const queue = await exclusiveQueue(client, { queue: unique('q') });
    publishAll(client, queue, ['one', 'two', 'three']);
    await getOne(client, queue);
    await expectQueue(client, queue, { ready: 2, consumers: 0 });
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
    await consume(client, { queue });
    await client.expect(1, 'basic.deliver');
    const again = { name: 'queue.declare', queue, exclusive: true } as const;
    await client.rpc(1, again, 'queue.declare-ok', { queue, messageCount: 1, consumerCount: 1 });
  });

  test('again with the same properties is accepted', async ({ client, unique }) => {
    const fields = { queue: unique('q'), durable: true, autoDelete: true };
    await declareQueue(client, fields);
    await declareQueue(client, fields);
  });

  test.for([
    ['durable', { durable: true }, 'true', 'false'],
    ['auto_delete', { autoDelete: true }, 'true', 'false'],
  ] as const)('again with another %s is refused', async ([arg, fields, received, current], { client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q') });
    client.send(1, { name: 'queue.declare', queue, ...fields });
    await client.expectChannelClose(1, 406, inequivalent(arg, queue, received, current), [50, 10]);
  });

  test('compares durable before auto-delete, and exclusive before both', async ({ client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q') });
    client.send(1, { name: 'queue.declare', queue, durable: true, autoDelete: true });
    await client.expectChannelClose(1, 406, inequivalent('durable', queue, 'true', 'false'), [50, 10]);
    await client.openChannel();
    client.send(1, { name: 'queue.declare', queue, durable: true, exclusive: true });
    await client.expectChannelClose(1, 405, locked(queue), [50, 10]);
  });

  test('of a new name beginning with amq. is refused', async ({ client }) => {
    client.send(1, { name: 'queue.declare', queue: 'amq.mine' });
    const text = "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'";
    await client.expectChannelClose(1, 403, text, [50, 10]);
  });

  test('of a name the broker made up is refused, though the queue exists', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    client.send(1, { name: 'queue.declare', queue, exclusive: true });
    const text = `ACCESS_REFUSED - queue name '${queue}' contains reserved prefix 'amq.*'`;
    await client.expectChannelClose(1, 403, text, [50, 10]);
  });

  test('takes carriage returns and line feeds out of the name', async ({ client, unique }) => {
    const queue = unique('q');
    const declared = await exclusiveQueue(client, { queue: `${queue.slice(0, 5)}\r\n${queue.slice(5)}\n` });
    expect(declared).toBe(queue);
  });

  test.for([
    ['255 octets', 'q'.repeat(255)],
    ['spaces, quotes and slashes', ` a 'b' "c" /d `],
    ['other scripts', 'очередь 队列 🐇'],
  ] as const)('takes a name of %s', async ([, queue], { client }) => {
    expect(await exclusiveQueue(client, { queue })).toBe(queue);
    publishAll(client, queue, ['x']);
    expect(await drain(client, queue)).toEqual(['x']);
  });

  test('with no-wait is not answered', async ({ client, unique }) => {
    const queue = unique('q');
    client.send(1, { name: 'queue.declare', queue, exclusive: true, noWait: true });
    await client.expectNothing(1);
    await expectQueue(client, queue, { ready: 0, consumers: 0 });
  });

  test('with no-wait still fails aloud', async ({ client }) => {
    client.send(1, { name: 'queue.declare', queue: 'amq.mine', noWait: true });
    await client.expect(1, 'channel.close', { replyCode: 403, classId: 50, methodId: 10 });
  });

  test('makes it the queue that is meant by no name, on this channel', async ({ client }) => {
    await client.openChannel(2);
    const first = await exclusiveQueue(client);
    const second = await exclusiveQueue(client);
    publishAll(client, second, ['x']);
    await client.rpc(1, { name: 'basic.get', noAck: true }, 'basic.get-ok', { routingKey: second });
    await declareQueue(client, { queue: first, passive: true });
    publishAll(client, first, ['y']);
    await client.rpc(1, { name: 'basic.get', noAck: true }, 'basic.get-ok', { routingKey: first });
    client.send(2, { name: 'basic.get' });
    await client.expectChannelClose(2, 404, 'NOT_FOUND - no previously declared queue', [60, 70]);
  });
});

describe('queue.declare, passive', () => {
  test('looks at nothing but the name', async ({ client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q') });
    const args = table({ 'x-message-ttl': 'nonsense' });
    await declareQueue(client, { queue, passive: true, durable: true, autoDelete: true, arguments: args });
  });

  test('of a queue that does not exist is not found', async ({ client, unique }) => {
    const queue = unique('missing');
    client.send(1, { name: 'queue.declare', queue, passive: true });
    await client.expectChannelClose(1, 404, noQueue(queue), [50, 10]);
  });
});

describe('an exclusive queue', () => {
  test.for([
    ['queue.declare', {}, [50, 10]],
    ['queue.declare', { exclusive: true }, [50, 10]],
    ['queue.declare', { passive: true }, [50, 10]],
    ['queue.bind', { exchange: 'amq.direct', routingKey: 'k' }, [50, 20]],
    ['queue.unbind', { exchange: 'amq.direct', routingKey: 'k' }, [50, 50]],
    ['queue.purge', {}, [50, 30]],
    ['queue.delete', {}, [50, 40]],
    ['basic.consume', {}, [60, 20]],
    ['basic.get', {}, [60, 70]],
  ] as const)('is locked to another connection: %s %o', async ([name, fields, ids], { client, connect, unique }) => {
    const queue = await exclusiveQueue(client, { queue: unique('locked') });
    await bindQueue(client, { queue, exchange: 'amq.direct', routingKey: 'k' });
    const other = await connect();
    await other.openChannel();
    other.send(1, { name, queue, ...fields });
    await other.expectChannelClose(1, 405, locked(queue), ids);
  });

  test('takes the messages of another connection', async ({ client, connect, unique }) => {
    const queue = await exclusiveQueue(client, { queue: unique('mailbox') });
    await consume(client, { queue, noAck: true });
    const other = await connect();
    await other.openChannel();
    publishAll(other, queue, ['x']);
    await client.expect(1, 'basic.deliver', { routingKey: queue });
  });

  test('belongs to all channels of its connection', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['x']);
    await client.expectNothing(1, { queue });
    expect(await drain(client, queue, 2)).toEqual(['x']);
  });

  test('outlives the channel it was declared on', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client);
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    await expectQueue(client, queue, {}, 2);
  });

  test('goes with its connection, even one that just breaks', async ({ client, connect, unique }) => {
    const other = await connect();
    await other.openChannel();
    const queue = await exclusiveQueue(other, { queue: unique('gone') });
    other.destroy();
    await eventually(async () => {
      await client.openChannel(2);
      client.send(2, { name: 'queue.declare', queue, passive: true });
      const { replyCode } = await client.expect(2, 'channel.close');
      client.send(2, { name: 'channel.close-ok' });
      expect(replyCode).toBe(404);
    });
  });

  test('is not the same as a shared one, even for its owner', async ({ client, unique }) => {
    const queue = await exclusiveQueue(client, { queue: unique('q') });
    client.send(1, { name: 'queue.declare', queue });
    await client.expectChannelClose(1, 405, locked(queue), [50, 10]);
  });

  test('may be declared durable, again and again', async ({ client, unique }) => {
    const fields = { queue: unique('q'), durable: true };
    await exclusiveQueue(client, fields);
    await exclusiveQueue(client, fields);
  });
});

describe('an auto-delete queue', () => {
  test('is gone when the cancel of its last consumer is answered', async ({ client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('auto'), autoDelete: true });
    const one = await consume(client, { queue });
    const two = await consume(client, { queue });
    await client.rpc(1, { name: 'basic.cancel', consumerTag: one }, 'basic.cancel-ok');
    await expectQueue(client, queue, { ready: 0, consumers: 1 });
    await client.rpc(1, { name: 'basic.cancel', consumerTag: two }, 'basic.cancel-ok');
    client.send(1, { name: 'queue.declare', queue, passive: true });
    await client.expectChannelClose(1, 404, noQueue(queue), [50, 10]);
  });

  test('goes with the channel of its last consumer', async ({ client, unique }) => {
    await client.openChannel(2);
    const queue = await declareQueue(client, { queue: unique('auto'), autoDelete: true });
    await consume(client, { queue });
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    client.send(2, { name: 'queue.declare', queue, passive: true });
    await client.expectChannelClose(2, 404, noQueue(queue), [50, 10]);
  });

  test('goes with the connection of its last consumer', async ({ client, connect, unique }) => {
    const queue = await declareQueue(client, { queue: unique('auto'), autoDelete: true });
    const other = await connect();
    await other.openChannel();
    await consume(other, { queue });
    await other.close();
    client.send(1, { name: 'queue.declare', queue, passive: true });
    await client.expectChannelClose(1, 404, noQueue(queue), [50, 10]);
  });

  test('stays as long as it never had a consumer', async ({ client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('auto'), autoDelete: true });
    publishAll(client, queue, ['x']);
    expect(await drain(client, queue)).toEqual(['x']);
    await expectQueue(client, queue, {});
  });
});

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
    await client.expectNothing(1, { queue });
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
