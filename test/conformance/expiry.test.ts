import { describe, expect } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
import { eventually } from '../support/eventually.js';
import type { WireClient } from '../support/wire-client.js';
import { test } from './conformance-test.js';
import {
  consume,
  declareQueue,
  deliveries,
  drain,
  exclusiveQueue,
  expectQueue,
  getOne,
  publishAll,
} from './topology.js';

const LONG_MS = 60_000;

function mortal(client: WireClient, ttlMs: number): Promise<string> {
  return exclusiveQueue(client, { arguments: table({ 'x-message-ttl': ttlMs }) });
}

describe('the time to live of messages', () => {
  test('ends them, by the queue', async ({ client }) => {
    const queue = await mortal(client, 30);
    publishAll(client, queue, ['a', 'b']);
    await expectQueue(client, queue, { ready: 0 });
    expect(await drain(client, queue)).toEqual([]);
  });

  test('ends them, by their own expiration', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['a'], { properties: { expiration: '30' } });
    await expectQueue(client, queue, { ready: 0 });
  });

  test('is the shorter of the two', async ({ client }) => {
    const [short, long] = [await mortal(client, 30), await mortal(client, LONG_MS)];
    publishAll(client, short, ['a'], { properties: { expiration: String(LONG_MS) } });
    publishAll(client, long, ['b'], { properties: { expiration: '30' } });
    for (const queue of [short, long]) await expectQueue(client, queue, { ready: 0 });
  });

  test('is looked at only at the head', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['stays']);
    publishAll(client, queue, ['expires'], { properties: { expiration: '1' } });
    const witness = await exclusiveQueue(client);
    publishAll(client, witness, ['witness'], { properties: { expiration: '50' } });
    await expectQueue(client, witness, { ready: 0 });
    await expectQueue(client, queue, { ready: 2 });
    expect((await getOne(client, queue, true)).body.toString()).toBe('stays');
    await expectQueue(client, queue, { ready: 0 });
  });

  test('of 0 gives a message to who waits for it, and to nobody else', async ({ client }) => {
    const queue = await mortal(client, 0);
    publishAll(client, queue, ['nobody waits']);
    expect(await drain(client, queue)).toEqual([]);
    await consume(client, { queue, noAck: true });
    publishAll(client, queue, ['somebody waits']);
    expect(await deliveries(client, 1)).toEqual(['somebody waits']);
  });

  test('leaves what is delivered, until it comes back', async ({ client }) => {
    const queue = await mortal(client, 40);
    publishAll(client, queue, ['a']);
    const { deliveryTag } = await getOne(client, queue);
    const witness = await mortal(client, 80);
    publishAll(client, witness, ['witness']);
    await expectQueue(client, witness, { ready: 0 });
    client.send(1, { name: 'basic.nack', deliveryTag, requeue: true });
    await expectQueue(client, queue, { ready: 0 });
    expect(await drain(client, queue)).toEqual([]);
  });

  test('leaves the expiration property as it was', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['a'], { properties: { expiration: String(LONG_MS) } });
    expect((await getOne(client, queue, true)).properties.expiration).toBe(String(LONG_MS));
  });
});

describe('x-expires', () => {
  async function exists(client: WireClient, queue: string, channel: number): Promise<boolean> {
    await client.openChannel(channel);
    client.send(channel, { name: 'queue.declare', queue, passive: true });
    const { name } = await client.next(channel);
    const isThere = name === 'queue.declare-ok';
    if (isThere) await client.rpc(channel, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    else client.send(channel, { name: 'channel.close-ok' });
    return isThere;
  }

  test('deletes a queue that nobody uses', async ({ client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q'), arguments: table({ 'x-expires': 50 }) });
    publishAll(client, queue, ['a']);
    const witness = await mortal(client, 200);
    publishAll(client, witness, ['witness']);
    await expectQueue(client, witness, { ready: 0 });
    expect(await exists(client, queue, 2)).toBe(false);
  });

  test('waits while there is a consumer', async ({ client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q'), arguments: table({ 'x-expires': 50 }) });
    const consumerTag = await consume(client, { queue });
    const witness = await mortal(client, 200);
    publishAll(client, witness, ['witness']);
    await expectQueue(client, witness, { ready: 0 });
    publishAll(client, queue, ['a']);
    expect(await deliveries(client, 1)).toEqual(['a']);
    await client.rpc(1, { name: 'basic.cancel', consumerTag }, 'basic.cancel-ok');
    // Asking is use, so it asks seldom.
    const late = await mortal(client, 200);
    publishAll(client, late, ['witness']);
    await expectQueue(client, late, { ready: 0 });
    expect(await exists(client, queue, 2)).toBe(false);
  });

  test('begins anew with each declaration and each get', async ({ client, unique }) => {
    const fields = { queue: unique('q'), arguments: table({ 'x-expires': 300 }) };
    const queue = await declareQueue(client, fields);
    for (let time = 0; time < 4; time++) {
      const witness = await mortal(client, 150);
      publishAll(client, witness, ['witness']);
      await expectQueue(client, witness, { ready: 0 });
      if (time % 2 === 0) await declareQueue(client, fields);
      else expect(await drain(client, queue)).toEqual([]);
    }
    await eventually(async () => {
      const late = await mortal(client, 600);
      publishAll(client, late, ['witness']);
      await expectQueue(client, late, { ready: 0 });
      expect(await exists(client, queue, 3)).toBe(false);
    });
  });
});
