import { describe, expect } from 'vitest';
import { type FieldTable, type FieldValue, table } from '../../protocol/amqp/field-table.js';
import type { Received, WireClient } from '../support/wire-client.js';
import { test } from './conformance-test.js';
import { bindQueue, declareExchange, drain, exclusiveQueue, expectQueue, getOne, publishAll } from './topology.js';

type Settings = Readonly<Record<string, string | number>>;
type Got = Received<'basic.get-ok'>;

/** A queue whose dead letters go to the other, by the default exchange unless the settings say otherwise. */
async function grave(client: WireClient, settings: Settings = {}): Promise<{ queue: string; dead: string }> {
  const dead = await exclusiveQueue(client);
  const to = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead };
  const queue = await exclusiveQueue(client, { arguments: table({ ...to, ...settings }) });
  return { queue, dead };
}

async function reject(client: WireClient, queue: string): Promise<void> {
  const { deliveryTag } = await getOne(client, queue);
  client.send(1, { name: 'basic.reject', deliveryTag, requeue: false });
}

async function deadOne(client: WireClient, dead: string): Promise<Got> {
  await expectQueue(client, dead, { ready: 1 });
  return getOne(client, dead, true);
}

function headersOf(message: Got): FieldTable {
  return message.properties.headers ?? [];
}

function header(message: Got, key: string): FieldValue | undefined {
  return headersOf(message).find(([name]) => name === key)?.[1];
}

/** The entries of x-death as plain objects, with their times left out. */
function deaths(message: Got): Record<string, unknown>[] {
  const value = header(message, 'x-death');
  if (value?.type !== 'A') return [];
  return value.value.map((entry) => {
    if (entry.type !== 'F') throw new Error('an entry of x-death is no table');
    return Object.fromEntries(entry.value.filter(([key]) => key !== 'time').map(([key, each]) => [key, plain(each)]));
  });
}

function plain(value: FieldValue): unknown {
  if (value.type === 'A') return value.value.map(plain);
  return value.type === 'l' ? Number(value.value) : 'value' in value ? value.value : undefined;
}

describe('dead-lettering', () => {
  test('of a rejected message says what happened', async ({ client }) => {
    const { queue, dead } = await grave(client);
    publishAll(client, queue, ['a'], { properties: { messageId: 'm', deliveryMode: 2 } });
    await reject(client, queue);
    const message = await deadOne(client, dead);
    expect(message).toMatchObject({ exchange: '', routingKey: dead, redelivered: false });
    expect(message.properties).toMatchObject({ messageId: 'm', deliveryMode: 2 });
    expect(deaths(message)).toEqual([{ count: 1, reason: 'rejected', queue, exchange: '', 'routing-keys': [queue] }]);
    for (const [key, value] of Object.entries({ reason: 'rejected', queue, exchange: '' })) {
      expect(header(message, `x-first-death-${key}`)).toEqual({ type: 'S', value });
    }
  });

  test('by nack, of several at once, keeps their order', async ({ client }) => {
    const { queue, dead } = await grave(client);
    publishAll(client, queue, ['a', 'b', 'c']);
    for (let count = 0; count < 2; count++) await getOne(client, queue);
    const { deliveryTag } = await getOne(client, queue);
    client.send(1, { name: 'basic.nack', deliveryTag, multiple: true, requeue: false });
    await expectQueue(client, dead, { ready: 3 });
    expect(await drain(client, dead)).toEqual(['a', 'b', 'c']);
  });

  test('of an expired message moves its expiration into the history', async ({ client }) => {
    const { queue, dead } = await grave(client);
    publishAll(client, queue, ['a'], { properties: { expiration: '20' } });
    const message = await deadOne(client, dead);
    expect(message.properties.expiration).toBeUndefined();
    expect(deaths(message)).toMatchObject([{ 'original-expiration': '20', count: 1, reason: 'expired', queue }]);
  });

  test('of the oldest when a queue is too long', async ({ client }) => {
    const { queue, dead } = await grave(client, { 'x-max-length': 1 });
    publishAll(client, queue, ['a', 'b']);
    const message = await deadOne(client, dead);
    expect(String(message.body)).toBe('a');
    expect(deaths(message)).toMatchObject([{ reason: 'maxlen', queue }]);
  });

  test('of what a full queue refuses', async ({ client }) => {
    const { queue, dead } = await grave(client, { 'x-max-length': 1, 'x-overflow': 'reject-publish-dlx' });
    await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
    client.publish(1, { routingKey: queue, body: 'a' });
    await client.expect(1, 'basic.ack');
    client.publish(1, { routingKey: queue, body: 'b' });
    await client.expect(1, 'basic.nack');
    const message = await deadOne(client, dead);
    expect([String(message.body), deaths(message)[0]?.['reason']]).toEqual(['b', 'maxlen']);
  });

  test('without a routing key keeps those of the message, hidden ones too', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('dlx'), type: 'direct' });
    const queues = new Map<string, string>();
    for (const key of ['cc', 'bcc']) {
      const bound = await exclusiveQueue(client);
      await bindQueue(client, { queue: bound, exchange, routingKey: key });
      queues.set(key, bound);
    }
    const queue = await exclusiveQueue(client, { arguments: table({ 'x-dead-letter-exchange': exchange }) });
    const own = await exclusiveQueue(client);
    await bindQueue(client, { queue: own, exchange, routingKey: queue });
    publishAll(client, queue, ['a'], { properties: { headers: table({ CC: ['cc'], BCC: ['bcc'] }) } });
    await reject(client, queue);
    for (const each of [own, ...queues.values()]) {
      const message = await deadOne(client, each);
      expect(message).toMatchObject({ exchange, routingKey: queue });
      expect(deaths(message)).toMatchObject([{ 'routing-keys': [queue, 'cc'] }]);
      expect(header(message, 'BCC')).toBeUndefined();
    }
  });

  test('to an exchange that is not there drops', async ({ client }) => {
    const args = table({ 'x-dead-letter-exchange': 'conformance.missing' });
    const queue = await exclusiveQueue(client, { arguments: args });
    publishAll(client, queue, ['a']);
    await reject(client, queue);
    await expectQueue(client, queue, { ready: 0 });
  });

  test('does not happen to what is purged or deleted with its queue', async ({ client }) => {
    const { queue, dead } = await grave(client);
    publishAll(client, queue, ['a']);
    await client.rpc(1, { name: 'queue.purge', queue }, 'queue.purge-ok');
    publishAll(client, queue, ['b']);
    await client.rpc(1, { name: 'queue.delete', queue }, 'queue.delete-ok');
    await expectQueue(client, dead, { ready: 0 });
  });

  test('goes round as long as somebody rejects', async ({ client, unique }) => {
    const [one, other] = [unique('one'), unique('other')];
    const to = (queue: string) => ({ 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': queue });
    await exclusiveQueue(client, { queue: one, arguments: table(to(other)) });
    await exclusiveQueue(client, { queue: other, arguments: table({ ...to(one), 'x-message-ttl': 10 }) });
    publishAll(client, one, ['a']);
    for (let round = 1; round <= 3; round++) {
      await expectQueue(client, one, { ready: 1 });
      const message = await getOne(client, one);
      expect(deaths(message).map(({ queue, reason, count }) => [queue, reason, count])).toEqual(
        round === 1
          ? []
          : [
              [other, 'expired', round - 1],
              [one, 'rejected', round - 1],
            ],
      );
      client.send(1, { name: 'basic.reject', deliveryTag: message.deliveryTag, requeue: false });
    }
  });

  test('ends where a message would go round by itself', async ({ client, unique }) => {
    const queue = unique('q');
    const args = { 'x-message-ttl': 20, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': queue };
    await exclusiveQueue(client, { queue, arguments: table(args) });
    publishAll(client, queue, ['a']);
    await expectQueue(client, queue, { ready: 0 });
    const witness = await exclusiveQueue(client, { arguments: table({ 'x-message-ttl': 100 }) });
    publishAll(client, witness, ['witness']);
    await expectQueue(client, witness, { ready: 0 });
    expect(await drain(client, queue)).toEqual([]);
  });

  test('starts a new history for a message that a client publishes with one', async ({ client, expects }) => {
    const { queue, dead } = await grave(client);
    publishAll(client, queue, ['a']);
    await reject(client, queue);
    const { properties } = await deadOne(client, dead);
    publishAll(client, queue, ['again'], { properties: { headers: properties.headers ?? [] } });
    await reject(client, queue);
    const counts = deaths(await deadOne(client, dead)).map(({ count }) => count);
    expect(counts).toEqual(expects('dead-letter-history', { rabbit3: [2], default: [1] }));
  });
});
