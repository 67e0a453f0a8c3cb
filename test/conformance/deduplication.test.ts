/** Message deduplication as the community plugin has it. That is in no distribution of RabbitMQ 3. */
import { describe, expect } from 'vitest';
import { type PlainValue, table } from '../../protocol/amqp/field-table.js';
import { eventually } from '../support/eventually.js';
import type { Publication, WireClient } from '../support/wire-client.js';
import { test } from './conformance-test.js';
import { bindQueue, declareExchange, drain, exclusiveQueue, expectQueue, getOne, isRouted } from './topology.js';

type Settings = Readonly<Record<string, PlainValue>>;

const EXCHANGE_TYPE = 'x-message-deduplication';

function identified(value: PlainValue, others: Settings = {}): Pick<Publication, 'properties'> {
  return { properties: { headers: table({ 'x-deduplication-header': value, ...others }) } };
}

async function deduplicating(client: WireClient, exchange: string, settings: Settings = {}): Promise<string> {
  const args = table({ 'x-cache-size': 100, ...settings });
  await declareExchange(client, { exchange, type: EXCHANGE_TYPE, arguments: args });
  const queue = await exclusiveQueue(client);
  await bindQueue(client, { queue, exchange, routingKey: 'any' });
  return queue;
}

describe('a deduplication exchange', () => {
  test('routes each value once', async ({ client, unique, skipOn3 }) => {
    skipOn3('deduplication');
    const exchange = unique('x');
    const queue = await deduplicating(client, exchange);
    for (const value of ['a', 'b', 'a', 'b', 'c']) client.publish(1, { exchange, body: value, ...identified(value) });
    expect(await drain(client, queue)).toEqual(['a', 'b', 'c']);
  });

  test('routes all that has no value', async ({ client, unique, skipOn3 }) => {
    skipOn3('deduplication');
    const exchange = unique('x');
    const queue = await deduplicating(client, exchange);
    for (const body of ['1', '2']) client.publish(1, { exchange, routingKey: 'k', body });
    expect(await drain(client, queue)).toEqual(['1', '2']);
  });

  test('confirms a duplicate, and returns it when it is mandatory', async ({ client, unique, skipOn3 }) => {
    skipOn3('deduplication');
    const exchange = unique('x');
    await deduplicating(client, exchange);
    await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
    client.publish(1, { exchange, ...identified('a') });
    await client.expect(1, 'basic.ack', { deliveryTag: 1 });
    client.publish(1, { exchange, ...identified('a') });
    await client.expect(1, 'basic.ack', { deliveryTag: 2 });
    client.publish(1, { exchange, mandatory: true, ...identified('a') });
    await client.expect(1, 'basic.return', { replyCode: 312 });
    await client.expect(1, 'basic.ack', { deliveryTag: 3 });
  });

  test('forgets the oldest value when it is full', async ({ client, unique, skipOn3 }) => {
    skipOn3('deduplication');
    const exchange = unique('x');
    const queue = await deduplicating(client, exchange, { 'x-cache-size': 1 });
    for (const value of ['a', 'b', 'a']) client.publish(1, { exchange, body: value, ...identified(value) });
    expect(await drain(client, queue)).toEqual(['a', 'b', 'a']);
  });

  test('forgets a value after the time that the message gives', async ({ client, unique, skipOn3 }) => {
    skipOn3('deduplication');
    const exchange = unique('x');
    await deduplicating(client, exchange, { 'x-cache-ttl': 3_600_000 });
    const publication = { exchange, ...identified('a', { 'x-cache-ttl': 20 }) };
    expect(await isRouted(client, publication)).toBe(true);
    await eventually(async () => expect(await isRouted(client, publication)).toBe(true));
  });

  test.for([
    ['no size', {}, "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0"],
    [
      'a size of 0',
      { 'x-cache-size': 0 },
      "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0",
    ],
    [
      'a time to live of 0',
      { 'x-cache-size': 1, 'x-cache-ttl': 0 },
      "Invalid argument, 'x-cache-ttl' must be an integer greater than 0",
    ],
    [
      'another persistence',
      { 'x-cache-size': 1, 'x-cache-persistence': 'paper' },
      "Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'",
    ],
  ] as const)('with %s is refused', async ([, settings, text], { client, unique, skipOn3 }) => {
    skipOn3('deduplication');
    const fields = { exchange: unique('x'), type: EXCHANGE_TYPE, arguments: table(settings) };
    client.send(1, { name: 'exchange.declare', ...fields });
    await client.expectChannelClose(1, 406, `PRECONDITION_FAILED - ${text}`, [40, 10]);
  });
});

describe('a queue with x-message-deduplication', () => {
  const args = table({ 'x-message-deduplication': true });

  test('takes no value that is in it already, and confirms the duplicate', async ({ client, skipOn3 }) => {
    skipOn3('deduplication');
    const queue = await exclusiveQueue(client, { arguments: args });
    await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
    for (const [index, value] of ['a', 'a', 'b'].entries()) {
      client.publish(1, { routingKey: queue, body: `${index}`, mandatory: true, ...identified(value) });
      await client.expect(1, 'basic.ack', { deliveryTag: index + 1 });
    }
    expect(await drain(client, queue)).toEqual(['0', '2']);
  });

  test('takes it again when the message was acknowledged, and not before', async ({ client, skipOn3 }) => {
    skipOn3('deduplication');
    const queue = await exclusiveQueue(client, { arguments: args });
    const publish = (body: string) => client.publish(1, { routingKey: queue, body, ...identified('a') });
    publish('1');
    const { deliveryTag } = await getOne(client, queue);
    publish('2');
    await expectQueue(client, queue, { ready: 0 });
    client.send(1, { name: 'basic.ack', deliveryTag });
    publish('3');
    expect(await drain(client, queue)).toEqual(['3']);
  });

  test('takes back what it gave out, and no other with its value', async ({ client, skipOn3 }) => {
    skipOn3('deduplication');
    const queue = await exclusiveQueue(client, { arguments: args });
    client.publish(1, { routingKey: queue, body: '1', ...identified('a') });
    const { deliveryTag } = await getOne(client, queue);
    client.send(1, { name: 'basic.nack', deliveryTag, requeue: true });
    await expectQueue(client, queue, { ready: 1 });
    client.publish(1, { routingKey: queue, body: '2', ...identified('a') });
    expect(await drain(client, queue)).toEqual(['1']);
  });
});
