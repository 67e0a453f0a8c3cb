import { describe, expect } from 'vitest';
import type { WireClient } from '../support/wire-client.js';
import { test } from './broker-test.js';

const passive = (queue: string) => ({ name: 'queue.declare', queue, passive: true }) as const;

async function declare(client: WireClient, queue: string): Promise<void> {
  await client.rpc(1, { name: 'queue.declare', queue }, 'queue.declare-ok');
}

test.afterEach(({ broker }) => {
  broker.clearAlarm('memory');
  broker.clearAlarm('disk');
});

describe('while an alarm is up, a connection', () => {
  test('is blocked when it publishes, and not before', async ({ broker, connect }) => {
    const client = await connect();
    broker.raiseAlarm('memory');
    await declare(client, 'q');
    await client.expectNothing(0, { via: 1 });
    client.publish(1, { routingKey: 'q' });
    await client.expect(0, 'connection.blocked', { reason: 'low on memory' });
    broker.clearAlarm('memory');
    await client.expect(0, 'connection.unblocked');
    await client.rpc(1, passive('q'), 'queue.declare-ok', { messageCount: 1 });
  });

  test('opened meanwhile is blocked in the same way', async ({ broker, connect }) => {
    broker.raiseAlarm('disk');
    const client = await connect();
    await declare(client, 'q');
    client.publish(1, { routingKey: 'q' });
    await client.expect(0, 'connection.blocked', { reason: 'low on disk' });
  });

  test('has its further requests looked at when the alarm is over', async ({ broker, connect }) => {
    const client = await connect();
    const other = await connect();
    await declare(client, 'q');
    await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
    broker.raiseAlarm('memory');
    client.publish(1, { routingKey: 'q', body: 'blocks' });
    await client.expect(0, 'connection.blocked');
    client.publish(1, { routingKey: 'q', body: 'waits' });
    client.send(1, passive('q'));
    for (let i = 0; i < 5; i++) await other.rpc(1, passive('q'), 'queue.declare-ok', { messageCount: 1 });
    broker.clearAlarm('memory');
    await client.expect(0, 'connection.unblocked');
    const { deliveryTag } = await client.expect(1, 'basic.ack');
    expect(Number(deliveryTag)).toBe(1);
    await client.expect(1, 'queue.declare-ok', { messageCount: 2 });
    await client.expect(1, 'basic.ack', { deliveryTag: 2 });
  });

  test('hears of it once, however much it publishes', async ({ broker, connect }) => {
    const client = await connect();
    await declare(client, 'q');
    broker.raiseAlarm('memory');
    for (let i = 0; i < 100; i++) client.publish(1, { routingKey: 'q' });
    await client.expect(0, 'connection.blocked');
    broker.raiseAlarm('memory');
    broker.clearAlarm('memory');
    await client.expect(0, 'connection.unblocked');
    await client.rpc(1, passive('q'), 'queue.declare-ok', { messageCount: 100 });
    await client.expectNothing(0, { via: 1 });
  });

  test('keeps what it publishes, in order, and gets the confirms afterwards', async ({ broker, connect }) => {
    const client = await connect();
    const other = await connect();
    await declare(client, 'q');
    await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
    broker.raiseAlarm('memory');
    const bodies = Array.from({ length: 500 }, (_, index) => `message ${index}`);
    for (const body of bodies) client.publish(1, { routingKey: 'q', body });
    client.send(1, passive('q'));
    await client.expect(0, 'connection.blocked');
    await other.rpc(1, passive('q'), 'queue.declare-ok', { messageCount: 1 });
    broker.clearAlarm('memory');
    await client.expect(0, 'connection.unblocked');
    for (let confirmed = 0; confirmed < bodies.length; ) {
      const item = await client.next(1);
      if (item.name === 'basic.ack') confirmed = Number(item.deliveryTag);
      else expect(item).toMatchObject({ name: 'queue.declare-ok', messageCount: bodies.length });
    }
    await other.rpc(1, { name: 'basic.consume', queue: 'q', noAck: true }, 'basic.consume-ok');
    for (const body of bodies) expect(String((await other.expect(1, 'basic.deliver')).body)).toBe(body);
    await other.expectNothing(1);
  });

  test('is blocked again by the next alarm', async ({ broker, connect }) => {
    const client = await connect();
    await declare(client, 'q');
    for (const [index, source] of (['memory', 'disk'] as const).entries()) {
      broker.raiseAlarm(source);
      await client.expectNothing(0, { via: 1 });
      client.publish(1, { routingKey: 'q' });
      client.send(1, passive('q'));
      await client.expect(0, 'connection.blocked', { reason: `low on ${source}` });
      broker.clearAlarm(source);
      await client.expect(0, 'connection.unblocked');
      await client.expect(1, 'queue.declare-ok', { messageCount: index + 1 });
    }
  });

  test('hears nothing of an alarm that is over before it publishes', async ({ broker, connect }) => {
    const client = await connect();
    await declare(client, 'q');
    broker.raiseAlarm('memory');
    broker.clearAlarm('memory');
    client.publish(1, { routingKey: 'q' });
    await client.rpc(1, passive('q'), 'queue.declare-ok', { messageCount: 1 });
    await client.expectNothing(0, { via: 1 });
  });

  test('is blocked in the middle of a message as well', async ({ broker, connect }) => {
    const client = await connect();
    await declare(client, 'q');
    broker.raiseAlarm('memory');
    client.publish(1, { routingKey: 'q', body: Buffer.alloc(1_000_000, 7) });
    await client.expect(0, 'connection.blocked');
    broker.clearAlarm('memory');
    await client.expect(0, 'connection.unblocked');
    const { body } = await client.rpc(1, { name: 'basic.get', queue: 'q' }, 'basic.get-ok');
    expect(body.equals(Buffer.alloc(1_000_000, 7))).toBe(true);
  });

  test('that consumes goes on', async ({ broker, connect }) => {
    const client = await connect();
    const consumer = await connect();
    await declare(client, 'q');
    for (let i = 0; i < 10; i++) client.publish(1, { routingKey: 'q' });
    await client.rpc(1, passive('q'), 'queue.declare-ok', { messageCount: 10 });
    broker.raiseAlarm('memory');
    client.publish(1, { routingKey: 'q', body: 'last' });
    await client.expect(0, 'connection.blocked');
    await consumer.rpc(1, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
    await consumer.rpc(1, { name: 'basic.consume', queue: 'q' }, 'basic.consume-ok');
    for (let i = 0; i < 11; i++) {
      const { deliveryTag } = await consumer.expect(1, 'basic.deliver');
      consumer.send(1, { name: 'basic.ack', deliveryTag });
    }
    await consumer.expectNothing(1);
  });

  test('that published through a transaction is blocked too', async ({ broker, connect }) => {
    const client = await connect();
    await declare(client, 'q');
    await client.rpc(1, { name: 'tx.select' }, 'tx.select-ok');
    broker.raiseAlarm('memory');
    client.publish(1, { routingKey: 'q' });
    await client.expect(0, 'connection.blocked');
    client.send(1, { name: 'tx.commit' });
    broker.clearAlarm('memory');
    await client.expect(0, 'connection.unblocked');
    await client.expect(1, 'tx.commit-ok');
  });
});

describe('a connection without the capability connection.blocked', () => {
  test('is blocked without a word', async ({ broker, connect }) => {
    const client = await connect({ capabilities: {} });
    const other = await connect();
    await declare(client, 'q');
    broker.raiseAlarm('memory');
    client.publish(1, { routingKey: 'q' });
    client.publish(1, { routingKey: 'q' });
    client.send(1, passive('q'));
    await other.rpc(1, passive('q'), 'queue.declare-ok');
    broker.clearAlarm('memory');
    await client.expect(1, 'queue.declare-ok', { messageCount: 2 });
    await client.expectNothing(0, { via: 1 });
  });
});

describe('with both alarms up', () => {
  test('the reason has both, and the block ends with the last', async ({ broker, connect }) => {
    const client = await connect();
    await declare(client, 'q');
    broker.raiseAlarm('memory');
    broker.raiseAlarm('disk');
    client.publish(1, { routingKey: 'q' });
    await client.expect(0, 'connection.blocked', { reason: /^low on (memory & disk|disk & memory)$/ });
    client.send(1, passive('q'));
    broker.clearAlarm('memory');
    const other = await connect();
    await other.rpc(1, passive('q'), 'queue.declare-ok');
    expect(client.isSilent).toBe(true);
    broker.clearAlarm('disk');
    await client.expect(0, 'connection.unblocked');
    await client.expect(1, 'queue.declare-ok');
  });
});

describe('a blocked connection', () => {
  test('that closes is answered when the alarm is over', async ({ broker, connect }) => {
    const client = await connect();
    await declare(client, 'q');
    broker.raiseAlarm('memory');
    client.publish(1, { routingKey: 'q' });
    await client.expect(0, 'connection.blocked');
    client.send(0, { name: 'connection.close', replyCode: 200 });
    broker.clearAlarm('memory');
    await client.expect(0, 'connection.unblocked');
    await client.expect(0, 'connection.close-ok');
  });

  test('that fails meanwhile is closed when the alarm is over', async ({ broker, connect }) => {
    const client = await connect();
    await declare(client, 'q');
    broker.raiseAlarm('memory');
    client.publish(1, { routingKey: 'q' });
    await client.expect(0, 'connection.blocked');
    client.publish(1, { routingKey: 'q', immediate: true });
    broker.clearAlarm('memory');
    await client.expect(0, 'connection.unblocked');
    await client.expectConnectionClose(540, 'NOT_IMPLEMENTED - immediate=true', [60, 40]);
  });

  test('whose socket is gone leaves when the alarm is over', async ({ broker, connect }) => {
    const client = await connect();
    const other = await connect();
    await client.rpc(1, { name: 'queue.declare', queue: 'own', exclusive: true }, 'queue.declare-ok');
    broker.raiseAlarm('memory');
    client.publish(1, { routingKey: 'own' });
    await client.expect(0, 'connection.blocked');
    client.destroy();
    broker.clearAlarm('memory');
    for (;;) {
      other.send(1, { name: 'queue.declare', queue: 'own', passive: true });
      const { replyCode } = await other.expect(1, 'channel.close');
      other.send(1, { name: 'channel.close-ok' });
      await other.openChannel();
      if (replyCode === 404) return;
      expect(replyCode).toBe(405);
    }
  });
});
