import { describe, expect } from 'vitest';
import type { WireClient } from '../support/wire-client.js';
import { test } from './conformance-test.js';
import { consume, deliveries, drain, exclusiveQueue, expectQueue, getOne, publishAll } from './topology.js';

const unknownTag = (tag: number) => `PRECONDITION_FAILED - unknown delivery tag ${tag}`;

/** A queue of which the channel has got the first `taken` messages, tags 1 to `taken`; bodies are positions. */
async function takenFrom(client: WireClient, { ready, taken }: { ready: number; taken: number }): Promise<string> {
  const queue = await exclusiveQueue(client);
  publishAll(
    client,
    queue,
    Array.from({ length: ready + taken }, (_, index) => String(index)),
  );
  for (let count = 0; count < taken; count += 1) await getOne(client, queue);
  return queue;
}

async function reopen(client: WireClient): Promise<void> {
  await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
  await client.openChannel();
}

describe('basic.ack', () => {
  test('removes the message', async ({ client }) => {
    const queue = await takenFrom(client, { ready: 0, taken: 2 });
    client.send(1, { name: 'basic.ack', deliveryTag: 1 });
    await reopen(client);
    expect(await drain(client, queue)).toEqual(['1']);
  });

  test('multiple removes all up to it', async ({ client }) => {
    const queue = await takenFrom(client, { ready: 0, taken: 4 });
    client.send(1, { name: 'basic.ack', deliveryTag: 3, multiple: true });
    await reopen(client);
    expect(await drain(client, queue)).toEqual(['3']);
  });

  test('multiple of zero removes all there are', async ({ client }) => {
    const queue = await takenFrom(client, { ready: 0, taken: 3 });
    client.send(1, { name: 'basic.ack', deliveryTag: 0, multiple: true });
    await reopen(client);
    expect(await drain(client, queue)).toEqual([]);
  });

  test('multiple of zero is accepted when there are none', async ({ client }) => {
    client.send(1, { name: 'basic.ack', deliveryTag: 0, multiple: true });
    await client.expectNothing(1);
  });

  test('multiple passes over those already acknowledged', async ({ client }) => {
    const queue = await takenFrom(client, { ready: 0, taken: 3 });
    client.send(1, { name: 'basic.ack', deliveryTag: 1 });
    client.send(1, { name: 'basic.ack', deliveryTag: 3, multiple: true });
    await client.expectNothing(1);
    await reopen(client);
    expect(await drain(client, queue)).toEqual([]);
  });

  test('of a lower tag does not disturb the higher ones', async ({ client }) => {
    await takenFrom(client, { ready: 0, taken: 3 });
    for (const deliveryTag of [3, 1, 2]) client.send(1, { name: 'basic.ack', deliveryTag });
    await client.expectNothing(1);
  });
});

describe('an unknown delivery tag', () => {
  test.for([
    ['basic.ack', [60, 80]],
    ['basic.nack', [60, 120]],
    ['basic.reject', [60, 90]],
  ] as const)('is an error for %s', async ([name, ids], { client }) => {
    client.send(1, { name, deliveryTag: 5 });
    await client.expectChannelClose(1, 406, unknownTag(5), ids);
  });

  test.for([
    ['basic.ack', [60, 80]],
    ['basic.nack', [60, 120]],
    ['basic.reject', [60, 90]],
  ] as const)('is what a tag becomes when it was settled, for %s', async ([name, ids], { client }) => {
    await takenFrom(client, { ready: 0, taken: 2 });
    client.send(1, { name, deliveryTag: 1 });
    client.send(1, { name, deliveryTag: 1 });
    await client.expectChannelClose(1, 406, unknownTag(1), ids);
  });

  test('zero is one for a single message', async ({ client }) => {
    await takenFrom(client, { ready: 0, taken: 1 });
    client.send(1, { name: 'basic.ack', deliveryTag: 0 });
    await client.expectChannelClose(1, 406, unknownTag(0), [60, 80]);
  });

  test('is an error for multiple too, though lower ones are outstanding', async ({ client }) => {
    await takenFrom(client, { ready: 0, taken: 2 });
    client.send(1, { name: 'basic.ack', deliveryTag: 7, multiple: true });
    await client.expectChannelClose(1, 406, unknownTag(7), [60, 80]);
  });

  test('settled, it is an error for multiple too', async ({ client }) => {
    await takenFrom(client, { ready: 0, taken: 3 });
    client.send(1, { name: 'basic.ack', deliveryTag: 2 });
    client.send(1, { name: 'basic.nack', deliveryTag: 2, multiple: true, requeue: true });
    await client.expectChannelClose(1, 406, unknownTag(2), [60, 120]);
  });

  test('is one of another channel', async ({ client }) => {
    await client.openChannel(2);
    await takenFrom(client, { ready: 0, taken: 1 });
    client.send(2, { name: 'basic.ack', deliveryTag: 1 });
    await client.expectChannelClose(2, 406, unknownTag(1), [60, 80]);
  });
});

describe('basic.reject and basic.nack', () => {
  test.for(['basic.reject', 'basic.nack'] as const)(
    '%s without requeue drops the message',
    async (name, { client }) => {
      const queue = await takenFrom(client, { ready: 1, taken: 1 });
      client.send(1, { name, deliveryTag: 1, requeue: false });
      await reopen(client);
      expect(await drain(client, queue)).toEqual(['1']);
    },
  );

  test.for(['basic.reject', 'basic.nack'] as const)(
    '%s with requeue puts it back in its place',
    async (name, { client }) => {
      const queue = await takenFrom(client, { ready: 2, taken: 2 });
      client.send(1, { name, deliveryTag: 2, requeue: true });
      expect(await getOne(client, queue, true)).toMatchObject({ redelivered: true, messageCount: 2 });
      client.send(1, { name, deliveryTag: 1, requeue: true });
      expect(await drain(client, queue)).toEqual(['0', '2', '3']);
    },
  );

  test('nack multiple requeues all up to it, in order', async ({ client }) => {
    const queue = await takenFrom(client, { ready: 1, taken: 4 });
    client.send(1, { name: 'basic.nack', deliveryTag: 3, multiple: true, requeue: true });
    await expectQueue(client, queue, { ready: 4 });
    expect(await drain(client, queue)).toEqual(['0', '1', '2', '4']);
  });

  test('nack multiple of zero takes all there are', async ({ client }) => {
    const queue = await takenFrom(client, { ready: 1, taken: 3 });
    client.send(1, { name: 'basic.nack', deliveryTag: 0, multiple: true, requeue: true });
    expect(await drain(client, queue)).toEqual(['0', '1', '2', '3']);
  });

  test('nack multiple without requeue drops all up to it', async ({ client }) => {
    const queue = await takenFrom(client, { ready: 0, taken: 3 });
    client.send(1, { name: 'basic.nack', deliveryTag: 2, multiple: true, requeue: false });
    await reopen(client);
    expect(await drain(client, queue)).toEqual(['2']);
  });

  test('a requeued message may come back to the same consumer, with a new tag', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await consume(client, { queue });
    publishAll(client, queue, ['x']);
    await client.expect(1, 'basic.deliver', { deliveryTag: 1, redelivered: false });
    client.send(1, { name: 'basic.reject', deliveryTag: 1, requeue: true });
    await client.expect(1, 'basic.deliver', { deliveryTag: 2, redelivered: true });
  });

  test('a message whose channel ends goes to another consumer', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client);
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
    await consume(client, { queue });
    publishAll(client, queue, ['0', '1']);
    await deliveries(client, 1);
    await consume(client, { queue, noAck: true }, 2);
    expect(await deliveries(client, 1, 2)).toEqual(['1']);
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    await client.expect(2, 'basic.deliver', { redelivered: true });
  });
});

describe('redelivered', () => {
  test('is not set for a message that waited behind a requeued one', async ({ client }) => {
    const queue = await takenFrom(client, { ready: 1, taken: 1 });
    client.send(1, { name: 'basic.nack', deliveryTag: 1, requeue: true });
    expect(await getOne(client, queue)).toMatchObject({ redelivered: true });
    expect(await getOne(client, queue)).toMatchObject({ redelivered: false });
  });

  test('is set for all that a channel had, in their order', async ({ client }) => {
    const queue = await takenFrom(client, { ready: 1, taken: 2 });
    await reopen(client);
    const flags = [];
    for (let count = 0; count < 3; count += 1) {
      const { body, redelivered } = await getOne(client, queue, true);
      flags.push([String(body), redelivered]);
    }
    expect(flags).toEqual([
      ['0', true],
      ['1', true],
      ['2', false],
    ]);
  });
});

describe('basic.recover', () => {
  test('requeues what the channel has and delivers it again after recover-ok', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await consume(client, { queue });
    publishAll(client, queue, ['0', '1']);
    await deliveries(client, 2);
    await client.rpc(1, { name: 'basic.recover', requeue: true }, 'basic.recover-ok');
    await client.expect(1, 'basic.deliver', { deliveryTag: 3, redelivered: true });
    await client.expect(1, 'basic.deliver', { deliveryTag: 4, redelivered: true });
    client.send(1, { name: 'basic.ack', deliveryTag: 4, multiple: true });
    await client.expectNothing(1);
  });

  test('also requeues what basic.get took', async ({ client }) => {
    const queue = await takenFrom(client, { ready: 1, taken: 2 });
    await client.rpc(1, { name: 'basic.recover', requeue: true }, 'basic.recover-ok');
    expect(await drain(client, queue)).toEqual(['0', '1', '2']);
  });

  test('with nothing unacknowledged is answered', async ({ client }) => {
    await client.rpc(1, { name: 'basic.recover', requeue: true }, 'basic.recover-ok');
  });

  test('without requeue is not implemented', async ({ client }) => {
    client.send(1, { name: 'basic.recover', requeue: false });
    await client.expectConnectionClose(540, 'NOT_IMPLEMENTED - requeue=false', [60, 110]);
  });

  test('asynchronous does the same without an answer', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await consume(client, { queue });
    publishAll(client, queue, ['x']);
    await deliveries(client, 1);
    client.send(1, { name: 'basic.recover-async', requeue: true });
    await client.expect(1, 'basic.deliver', { deliveryTag: 2, redelivered: true });
  });

  test('asynchronous without requeue is not implemented', async ({ client }) => {
    client.send(1, { name: 'basic.recover-async', requeue: false });
    await client.expectConnectionClose(540, 'NOT_IMPLEMENTED - requeue=false', [60, 100]);
  });
});
