import { Buffer } from 'node:buffer';
import { describe, expect } from 'vitest';
import { FrameType } from '../../protocol/amqp/constants.gen.js';
import { frame, methodFrame } from '../support/wire-frames.js';
import { test } from './conformance-test.js';
import { declareQueue, exclusiveQueue, expectQueue, getOne, publishAll } from './topology.js';

describe('closing by the client', () => {
  test('is answered with close-ok', async ({ client }) => {
    await client.rpc(0, { name: 'connection.close', replyCode: 200, replyText: 'bye' }, 'connection.close-ok');
  });

  test('frames after connection.close are ignored', async ({ client }) => {
    client.raw(
      Buffer.concat([
        methodFrame(0, { name: 'connection.close', replyCode: 200, replyText: 'bye' }),
        methodFrame(1, { name: 'queue.declare', exclusive: true }),
        methodFrame(2, { name: 'channel.open' }),
      ]),
    );
    await client.expect(0, 'connection.close-ok');
    client.destroy();
    await client.closed();
    expect(client.isSilent).toBe(true);
  });

  test('deletes its exclusive queues before close-ok', async ({ client, connect, unique }) => {
    const queue = await exclusiveQueue(client, { queue: unique('exclusive') });
    const other = await connect();
    await other.openChannel();
    await client.rpc(0, { name: 'connection.close', replyCode: 200 }, 'connection.close-ok');
    other.send(1, { name: 'queue.declare', queue, passive: true });
    await other.expectChannelClose(1, 404, `NOT_FOUND - no queue '${queue}' in vhost '/'`, [50, 10]);
  });

  test('requeues what was not acknowledged before close-ok', async ({ client, connect, unique }) => {
    const queue = await declareQueue(client, { queue: unique('requeue') });
    publishAll(client, queue, ['one']);
    await getOne(client, queue);
    const other = await connect();
    await other.openChannel();
    await client.rpc(0, { name: 'connection.close', replyCode: 200 }, 'connection.close-ok');
    expect(await getOne(other, queue)).toMatchObject({ redelivered: true, body: Buffer.from('one') });
  });

  test('works with channels left in error', async ({ client, unique }) => {
    client.send(1, { name: 'queue.declare', queue: unique('missing'), passive: true });
    await client.expect(1, 'channel.close');
    await client.rpc(0, { name: 'connection.close', replyCode: 200 }, 'connection.close-ok');
  });
});

describe('ending without a close', () => {
  test('deletes exclusive queues and requeues what was not acknowledged', async ({ client, connect, unique }) => {
    const queue = await declareQueue(client, { queue: unique('kept') });
    publishAll(client, queue, ['one']);
    const lost = await connect();
    await lost.openChannel();
    await exclusiveQueue(lost);
    await lost.rpc(1, { name: 'basic.consume', queue }, 'basic.consume-ok');
    await lost.expect(1, 'basic.deliver');
    await client.rpc(1, { name: 'basic.consume', queue, noAck: true }, 'basic.consume-ok');
    lost.destroy();
    const { redelivered } = await client.expect(1, 'basic.deliver');
    expect(redelivered).toBe(true);
    await expectQueue(client, queue, { ready: 0, consumers: 1 });
  });
});

describe('closing by the server', () => {
  test('ends the connection on close-ok', async ({ client }) => {
    client.send(1, { name: 'channel.open' });
    await client.expect(0, 'connection.close', { replyCode: 504 });
    client.send(0, { name: 'connection.close-ok' });
    await client.closed();
  });

  test('ignores every frame before close-ok', async ({ client }) => {
    client.send(1, { name: 'channel.open' });
    await client.expect(0, 'connection.close', { replyCode: 504 });
    client.send(1, { name: 'queue.declare', exclusive: true });
    client.send(2, { name: 'channel.open' });
    client.send(0, { name: 'connection.close-ok' });
    await client.closed();
    expect(client.isSilent).toBe(true);
  });

  test("answers the client's own close meanwhile", async ({ client }) => {
    client.send(1, { name: 'channel.open' });
    await client.expect(0, 'connection.close', { replyCode: 504 });
    await client.rpc(0, { name: 'connection.close', replyCode: 200 }, 'connection.close-ok');
  });
});

describe('channel 0', () => {
  test('connection.open a second time is unexpected', async ({ client }) => {
    client.send(0, { name: 'connection.open', virtualHost: '/' });
    await client.expectConnectionClose(504, 'CHANNEL_ERROR - unexpected method in connection state running', [10, 40]);
  });

  test('connection.tune-ok a second time is unexpected', async ({ client }) => {
    client.send(0, { name: 'connection.tune-ok', channelMax: 10, frameMax: 8192 });
    await client.expectConnectionClose(504, 'CHANNEL_ERROR - unexpected method in connection state running', [10, 31]);
  });

  test("a channel's method is unexpected", async ({ client }) => {
    client.send(0, { name: 'queue.declare', exclusive: true });
    await client.expectConnectionClose(504, 'CHANNEL_ERROR - unexpected method in connection state running', [50, 10]);
  });
});

describe('connection.update-secret', () => {
  test('is accepted at any time', async ({ client }) => {
    const newSecret = Buffer.from('another');
    await client.rpc(0, { name: 'connection.update-secret', newSecret }, 'connection.update-secret-ok');
    await client.expectNothing(0, { via: 1 });
  });
});

describe('heartbeats', () => {
  test('may be sent at any time', async ({ client }) => {
    client.heartbeat();
    client.heartbeat();
    await client.expectNothing(0, { via: 1 });
  });

  test('between the frames of a message are no part of it', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    client.publish(1, { routingKey: queue, body: 'first' });
    client.raw(
      Buffer.concat([
        methodFrame(1, { name: 'basic.publish', routingKey: queue }),
        frame(FrameType.heartbeat, 0, Buffer.alloc(0)),
        frame(FrameType.header, 1, Buffer.from('003c00000000000000000000' + '0000', 'hex')),
      ]),
    );
    await expectQueue(client, queue, { ready: 2 });
  });

  test('on another channel are unexpected', async ({ client }) => {
    client.heartbeat(1);
    await client.expectConnectionClose(505, /^UNEXPECTED_FRAME - /, [0, 0]);
  });

  test.concurrent('are sent when nothing else is', async ({ connect }) => {
    const client = await connect({ heartbeat: 1 });
    await client.expectHeartbeat(3_000);
  });

  test.concurrent('a peer that sends nothing is dropped without a frame', async ({ connect }) => {
    const client = await connect({ heartbeat: 1 });
    await client.closed(8_000);
    expect(client.isSilent).toBe(true);
  });

  test.concurrent('a peer that sends them is kept', async ({ connect }) => {
    const client = await connect({ heartbeat: 1 });
    for (let count = 0; count < 5; count += 1) {
      await client.expectHeartbeat(3_000);
      client.heartbeat();
    }
    await client.openChannel();
  });

  test.concurrent('any other frame counts as one', async ({ connect }) => {
    const client = await connect({ heartbeat: 1 });
    await client.openChannel();
    for (let count = 0; count < 5; count += 1) {
      await client.expectHeartbeat(3_000);
      client.send(1, { name: 'basic.recover-async', requeue: true });
    }
    await client.expectNothing(1);
  });
});
