import { describe, expect } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
import { test } from './conformance-test.js';
import { consume, declareQueue, drain, exclusiveQueue, expectQueue, getOne, publishAll } from './topology.js';

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

  test('takes an exclusive queue for the same, durable or not', async ({ client, unique }) => {
    const queue = unique('q');
    for (const durable of [false, true, false]) {
      await client.rpc(1, { name: 'queue.declare', queue, exclusive: true, durable }, 'queue.declare-ok', { queue });
    }
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

  test('looks at the name before the arguments', async ({ client }) => {
    client.send(1, { name: 'queue.declare', queue: 'amq.mine', arguments: table({ 'x-message-ttl': -1 }) });
    await client.expect(1, 'channel.close', { replyCode: 403, replyText: /reserved prefix/ });
  });

  test('compares the properties before the arguments', async ({ client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q') });
    client.send(1, { name: 'queue.declare', queue, durable: true, arguments: table({ 'x-message-ttl': 1 }) });
    await client.expectChannelClose(1, 406, inequivalent('durable', queue, 'true', 'false'), [50, 10]);
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

describe('an exclusive queue', () => {
  test('is the same whether it was to be durable or not', async ({ client, unique }) => {
    const queue = unique('exclusive');
    for (const durable of [true, false, true]) await declareQueue(client, { queue, exclusive: true, durable });
  });
});

describe('queue.declare, passive', () => {
  test('does not take an empty name for the last one declared', async ({ client }) => {
    await exclusiveQueue(client);
    client.send(1, { name: 'queue.declare', passive: true });
    await client.expectChannelClose(1, 404, "NOT_FOUND - no queue '' in vhost '/'", [50, 10]);
  });

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
