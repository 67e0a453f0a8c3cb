import { describe, expect } from 'vitest';
import { eventually } from '../support/eventually.js';
import { test } from './conformance-test.js';
import { bindQueue, consume, declareQueue, drain, exclusiveQueue, expectQueue, publishAll } from './topology.js';

const noQueue = (name: string) => `NOT_FOUND - no queue '${name}' in vhost '/'`;
const locked = (name: string) =>
  `RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '${name}' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.`;

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
    await expectQueue(client, queue, { ready: 1 }, 2);
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
