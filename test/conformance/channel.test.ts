import { Buffer } from 'node:buffer';
import { describe, expect } from 'vitest';
import type { WireClient } from '../support/wire-client.js';
import { methodFrame, rawMethodFrame } from '../support/wire-frames.js';
import { test } from './conformance-test.js';
import { consume, declareQueue, drain, exclusiveQueue, expectQueue, getOne, publishAll } from './topology.js';

const MISSING = 'conformance.no-such-queue';

/** Makes the broker close the channel; the channel.close stays to be read. */
function provokeChannelError(client: WireClient, channel = 1): void {
  client.send(channel, { name: 'queue.declare', queue: MISSING, passive: true });
}

describe('channel.open', () => {
  test.for([1, 2, 2048, 40_000, 65_535])('takes the number %i', async (channel, { connect }) => {
    const client = await connect();
    await client.openChannel(channel);
    await client.rpc(channel, { name: 'basic.qos' }, 'basic.qos-ok');
  });

  test('a second time on a channel is an error', async ({ client }) => {
    client.send(1, { name: 'channel.open' });
    await client.expectConnectionClose(504, "CHANNEL_ERROR - second 'channel.open' seen", [20, 10]);
  });

  test('beyond the negotiated number of channels is not allowed', async ({ connect }) => {
    const client = await connect({ channelMax: 3 });
    for (const channel of [5, 600, 7]) await client.openChannel(channel);
    client.send(8, { name: 'channel.open' });
    const text = 'NOT_ALLOWED - number of channels opened (3) has reached the negotiated channel_max (3)';
    await client.expectConnectionClose(530, text, [0, 0]);
  });

  test('is possible again when another channel was closed', async ({ connect }) => {
    const client = await connect({ channelMax: 2 });
    await client.openChannel(5);
    await client.openChannel(6);
    await client.rpc(5, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    await client.openChannel(7);
  });
});

describe('a channel that is not open', () => {
  test.for([
    [{ name: 'queue.declare' }, [50, 10]],
    [{ name: 'basic.get', queue: MISSING }, [60, 70]],
    [{ name: 'basic.ack', deliveryTag: 1 }, [60, 80]],
    [{ name: 'channel.close', replyCode: 200 }, [20, 40]],
    [{ name: 'channel.flow', active: true }, [20, 20]],
    [{ name: 'tx.select' }, [90, 10]],
  ] as const)('takes no $0.name', async ([method, ids], { client }) => {
    client.send(2, method);
    await client.expectConnectionClose(504, "CHANNEL_ERROR - expected 'channel.open'", ids);
  });

  test('is every channel after its close', async ({ client }) => {
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    client.send(1, { name: 'basic.qos' });
    await client.expectConnectionClose(504, "CHANNEL_ERROR - expected 'channel.open'", [60, 10]);
  });
});

describe('methods that clients do not send', () => {
  test('channel.close-ok on an open channel is not implemented', async ({ client }) => {
    client.send(1, { name: 'channel.close-ok' });
    await client.expectConnectionClose(503, 'COMMAND_INVALID - unimplemented method', [20, 41]);
  });

  test.for([
    ['queue.declare-ok', [50, 11]],
    ['basic.get-empty', [60, 72]],
    ['exchange.bind-ok', [40, 31]],
    ['confirm.select-ok', [85, 11]],
  ] as const)('%s is not implemented', async ([name, ids], { client }) => {
    client.send(1, { name });
    await client.expectConnectionClose(503, 'COMMAND_INVALID - unimplemented method', ids);
  });
});

describe('channel.flow', () => {
  test('active is answered', async ({ client }) => {
    await client.rpc(1, { name: 'channel.flow', active: true }, 'channel.flow-ok', { active: true });
  });

  test('inactive is not implemented', async ({ client }) => {
    client.send(1, { name: 'channel.flow', active: false });
    await client.expectConnectionClose(540, 'NOT_IMPLEMENTED - active=false', [20, 20]);
  });
});

describe('access.request', () => {
  test('gives ticket 1 for any realm', async ({ client }) => {
    const request = { name: 'access.request', realm: '/data', read: true, write: true } as const;
    await client.rpc(1, request, 'access.request-ok', { ticket: 1 });
  });
});

describe('channel.close by the client', () => {
  test('is answered with close-ok', async ({ client }) => {
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
  });

  test('frees the number', async ({ client }) => {
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    client.raw(Buffer.concat([methodFrame(1, { name: 'channel.open' }), methodFrame(1, { name: 'basic.qos' })]));
    await client.expect(1, 'channel.open-ok');
    await client.expect(1, 'basic.qos-ok');
  });

  test('requeues what was not acknowledged', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['one', 'two']);
    await getOne(client, queue);
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    const message = await getOne(client, queue, false, 2);
    expect(message).toMatchObject({ redelivered: true, body: Buffer.from('one'), messageCount: 1 });
  });

  test('ends its consumers without basic.cancel', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client);
    await consume(client, { queue });
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    await client.expectNothing(1, { via: 2 });
    await expectQueue(client, queue, { ready: 0, consumers: 0 }, 2);
  });

  test('delivery tags begin at 1 again afterwards', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['one', 'two']);
    await getOne(client, queue, true);
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    await client.openChannel();
    expect((await getOne(client, queue, true)).deliveryTag).toBe(1);
  });

  test('confirms begin at 1 again afterwards, when selected', async ({ client }) => {
    await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
    client.publish(1, { routingKey: MISSING });
    await client.expect(1, 'basic.ack', { deliveryTag: 1 });
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    await client.openChannel();
    client.publish(1, { routingKey: MISSING });
    await client.expectNothing(1);
    await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
    client.publish(1, { routingKey: MISSING });
    await client.expect(1, 'basic.ack', { deliveryTag: 1 });
  });

  test('the prefetch count is unlimited again afterwards', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    await client.openChannel();
    publishAll(client, queue, ['one', 'two']);
    await consume(client, { queue });
    await client.expect(1, 'basic.deliver', { deliveryTag: 1 });
    await client.expect(1, 'basic.deliver', { deliveryTag: 2 });
  });

  test('the last declared queue is forgotten afterwards', async ({ client }) => {
    await exclusiveQueue(client);
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    await client.openChannel();
    client.send(1, { name: 'queue.purge' });
    await client.expectChannelClose(1, 404, 'NOT_FOUND - no previously declared queue', [50, 30]);
  });
});

describe('a channel in error', () => {
  test('ignores everything until close-ok', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client, {}, 2);
    provokeChannelError(client);
    await client.expect(1, 'channel.close', { replyCode: 404 });
    client.send(1, { name: 'basic.qos' });
    client.send(1, { name: 'basic.ack', deliveryTag: 7 });
    client.publish(1, { routingKey: queue, body: 'ignored' });
    await client.expectNothing(1, { via: 2 });
    client.send(1, { name: 'channel.close-ok' });
    await client.openChannel();
    expect(await drain(client, queue)).toEqual([]);
  });

  test('leaves other channels alone', async ({ client }) => {
    await client.openChannel(2);
    provokeChannelError(client);
    await client.expect(1, 'channel.close', { replyCode: 404 });
    await client.rpc(2, { name: 'basic.qos' }, 'basic.qos-ok');
  });

  test('ignores what was sent along with the cause', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client, {}, 2);
    provokeChannelError(client);
    client.publish(1, { routingKey: queue, body: 'ignored' });
    client.send(1, { name: 'basic.qos' });
    await client.expectChannelClose(1, 404, `NOT_FOUND - no queue '${MISSING}' in vhost '/'`, [50, 10]);
    await client.openChannel();
    await expectQueue(client, queue, { ready: 0 });
  });

  test('frees its number with close-ok', async ({ client }) => {
    provokeChannelError(client);
    await client.expect(1, 'channel.close');
    client.raw(Buffer.concat([methodFrame(1, { name: 'channel.close-ok' }), methodFrame(1, { name: 'channel.open' })]));
    await client.expect(1, 'channel.open-ok');
  });

  test("answers the client's own close and still waits for close-ok", async ({ client }) => {
    await client.openChannel(2);
    provokeChannelError(client);
    await client.expect(1, 'channel.close');
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    client.send(1, { name: 'basic.qos' });
    await client.expectNothing(1, { via: 2 });
    client.send(1, { name: 'channel.close-ok' });
    await client.openChannel();
  });

  test('cannot be opened before close-ok', async ({ client }) => {
    provokeChannelError(client);
    await client.expect(1, 'channel.close');
    client.send(1, { name: 'channel.open' });
    await client.expectConnectionClose(504, "CHANNEL_ERROR - second 'channel.open' seen", [20, 10]);
  });

  test('still has its frames checked', async ({ client }) => {
    provokeChannelError(client);
    await client.expect(1, 'channel.close');
    client.raw(rawMethodFrame(1, 60, 10, Buffer.from([0, 0])));
    await client.expectConnectionClose(501, /^FRAME_ERROR - /, [60, 10]);
  });

  test('requeues what was not acknowledged before close-ok', async ({ client, connect, unique }) => {
    const queue = await declareQueue(client, { queue: unique('requeue') });
    await consume(client, { queue });
    publishAll(client, queue, ['one']);
    await client.expect(1, 'basic.deliver');
    const other = await connect();
    await other.openChannel();
    await consume(other, { queue, noAck: true });
    provokeChannelError(client);
    await other.expect(1, 'basic.deliver', { redelivered: true });
    await client.expect(1, 'channel.close');
  });

  test('ends its consumers before close-ok, without basic.cancel', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client);
    await consume(client, { queue });
    provokeChannelError(client);
    await client.expect(1, 'channel.close');
    await client.expectNothing(1, { via: 2 });
    await client.expectNothing(1, { via: 2, queue });
    await expectQueue(client, queue, { ready: 0, consumers: 0 }, 2);
  });

  test('says the ids of the method that failed', async ({ client }) => {
    client.send(1, { name: 'basic.get', queue: MISSING });
    await client.expectChannelClose(1, 404, `NOT_FOUND - no queue '${MISSING}' in vhost '/'`, [60, 70]);
  });

  test('gets a reply text of at most 255 octets', async ({ client }) => {
    const queue = 'q'.repeat(255);
    client.send(1, { name: 'queue.declare', queue, passive: true });
    const { replyText } = await client.expect(1, 'channel.close', { replyCode: 404 });
    expect(replyText).toMatch(/^NOT_FOUND - no queue 'q+\.\.\.$/);
    expect(replyText).toHaveLength(255);
  });
});

describe('pipelining', () => {
  test('methods need not wait for each other', async ({ client, unique }) => {
    const queue = unique('pipelined');
    client.raw(
      Buffer.concat([
        methodFrame(1, { name: 'queue.declare', queue, exclusive: true }),
        methodFrame(1, { name: 'queue.bind', queue, exchange: 'amq.direct', routingKey: queue }),
        methodFrame(1, { name: 'basic.qos', prefetchCount: 3 }),
      ]),
    );
    client.publish(1, { exchange: 'amq.direct', routingKey: queue, body: 'x' });
    client.send(1, { name: 'basic.get', queue, noAck: true });
    client.send(1, { name: 'channel.close', replyCode: 200 });
    await client.expect(1, 'queue.declare-ok');
    await client.expect(1, 'queue.bind-ok');
    await client.expect(1, 'basic.qos-ok');
    await client.expect(1, 'basic.get-ok');
    await client.expect(1, 'channel.close-ok');
  });
});
