import { describe, expect } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
import type { WireClient } from '../support/wire-client.js';
import { test } from './conformance-test.js';
import { consume, deliveries, drain, exclusiveQueue, expectQueue, getOne } from './topology.js';

type Arguments = Readonly<Record<string, string | number>>;

async function priorityQueue(client: WireClient, max: number, further: Arguments = {}): Promise<string> {
  return exclusiveQueue(client, { arguments: table({ 'x-max-priority': max, ...further }) });
}

/** Bodies such as `3b`: the priority and the place in the order of publishing. */
async function filled(client: WireClient, queue: string, priorities: readonly (number | undefined)[]): Promise<void> {
  priorities.forEach((priority, index) => {
    const properties = priority === undefined ? {} : { priority };
    client.publish(1, { routingKey: queue, body: `${priority ?? '-'}${'abcdefgh'[index]}`, properties });
  });
  await expectQueue(client, queue, { ready: priorities.length });
}

describe('a queue with priorities', () => {
  test('gives the highest first and keeps the order within a level', async ({ client }) => {
    const queue = await priorityQueue(client, 5);
    await filled(client, queue, [1, 5, undefined, 0, 5, 3, 7]);
    expect(await drain(client, queue)).toEqual(['5b', '5e', '7g', '3f', '1a', '-c', '0d']);
  });

  test('gives it to a consumer in that order too', async ({ client }) => {
    const queue = await priorityQueue(client, 9);
    await filled(client, queue, [1, 9, 4]);
    await consume(client, { queue, noAck: true });
    expect(await deliveries(client, 3)).toEqual(['9b', '4c', '1a']);
  });

  test('puts what came back to the front of its level', async ({ client }) => {
    const queue = await priorityQueue(client, 9);
    await filled(client, queue, [1, 1, 2]);
    const high = await getOne(client, queue);
    const low = await getOne(client, queue);
    expect([String(high.body), String(low.body)]).toEqual(['2c', '1a']);
    client.send(1, { name: 'basic.nack', deliveryTag: low.deliveryTag, multiple: true, requeue: true });
    await expectQueue(client, queue, { ready: 3 });
    expect(await drain(client, queue)).toEqual(['2c', '1a', '1b']);
  });

  test('has no levels when the highest is 0', async ({ client }) => {
    const queue = await priorityQueue(client, 0);
    await filled(client, queue, [1, 5, 3]);
    expect(await drain(client, queue)).toEqual(['1a', '5b', '3c']);
  });

  test('ignores priorities where none were asked for', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await filled(client, queue, [1, 5, 3]);
    expect(await drain(client, queue)).toEqual(['1a', '5b', '3c']);
  });

  test('drops its head, the highest, above a limit', async ({ client }) => {
    const queue = await priorityQueue(client, 9, { 'x-max-length': 2 });
    client.publish(1, { routingKey: queue, body: 'low', properties: { priority: 1 } });
    client.publish(1, { routingKey: queue, body: 'high', properties: { priority: 9 } });
    client.publish(1, { routingKey: queue, body: 'lowest', properties: { priority: 0 } });
    await expectQueue(client, queue, { ready: 2 });
    expect(await drain(client, queue)).toEqual(['low', 'lowest']);
  });

  test('tells how many are ready over all levels, and purges them', async ({ client }) => {
    const queue = await priorityQueue(client, 9);
    await filled(client, queue, [1, 9, 4]);
    const { messageCount } = await client.rpc(1, { name: 'queue.purge', queue }, 'queue.purge-ok');
    expect(messageCount).toBe(3);
    await expectQueue(client, queue, { ready: 0 });
  });

  test('dead-letters with the priority kept', async ({ client }) => {
    const dead = await priorityQueue(client, 9);
    const queue = await priorityQueue(client, 9, {
      'x-message-ttl': 20,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': dead,
    });
    for (const priority of [1, 9])
      client.publish(1, { routingKey: queue, body: `${priority}`, properties: { priority } });
    await expectQueue(client, dead, { ready: 2 });
    expect(await drain(client, dead)).toEqual(['9', '1']);
  });
});
