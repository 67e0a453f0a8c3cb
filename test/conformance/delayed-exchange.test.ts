/** The x-delayed-message exchange as the community plugin has it. That is in no distribution of RabbitMQ 3. */
import { describe, expect } from 'vitest';
import { type FieldTable, type PlainValue, table } from '../../protocol/amqp/field-table.js';
import type { Received, WireClient } from '../support/wire-client.js';
import { test as base } from './conformance-test.js';
import {
  bindExchange,
  bindQueue,
  consume,
  declareExchange,
  drain,
  exclusiveQueue,
  expectQueue,
  getOne,
  isRouted,
} from './topology.js';

const DELAYED = 'x-delayed-message';
/** Long enough to see that nothing comes before, and short enough to wait for. */
const SHORT_MS = 60;
const LONG_MS = 3_600_000;

const test = base.extend<{ readonly delayed: (label: string, type?: string, settings?: Settings) => Promise<string> }>({
  delayed: async ({ client, unique, skipOn3 }, use) => {
    skipOn3('delayed-exchange');
    await use((label, type = 'fanout', settings = {}) =>
      declareExchange(client, {
        exchange: unique(label),
        type: DELAYED,
        arguments: table({ 'x-delayed-type': type, ...settings }),
      }),
    );
  },
});

type Settings = Readonly<Record<string, PlainValue>>;

function delayedBy(delay: PlainValue): { headers: FieldTable } {
  return { headers: table({ 'x-delay': delay }) };
}

async function boundQueue(client: WireClient, exchange: string, routingKey = ''): Promise<string> {
  const queue = await exclusiveQueue(client);
  await bindQueue(client, { queue, exchange, routingKey });
  return queue;
}

async function arrived(client: WireClient, queue: string): Promise<Received<'basic.get-ok'>> {
  await expectQueue(client, queue, { ready: 1 });
  return getOne(client, queue, true);
}

describe('a delayed message', () => {
  test('comes when its time is over, the shortest delay first', async ({ client, delayed }) => {
    const exchange = await delayed('x');
    const queue = await boundQueue(client, exchange);
    await consume(client, { queue, noAck: true });
    const delays = [3 * SHORT_MS, SHORT_MS, 2 * SHORT_MS, 0];
    for (const delay of delays) client.publish(1, { exchange, body: `${delay}`, properties: delayedBy(delay) });
    const bodies: string[] = [];
    for (const _ of delays) bodies.push(String((await client.expect(1, 'basic.deliver')).body));
    expect(bodies).toEqual([...delays].sort((a, b) => a - b).map(String));
  });

  test('keeps exchange, routing key and properties, and shows its delay negated', async ({ client, delayed }) => {
    const exchange = await delayed('x', 'topic');
    const queue = await boundQueue(client, exchange, 'a.*');
    const headers = table({ own: 'header', 'x-delay': SHORT_MS });
    client.publish(1, {
      exchange,
      routingKey: 'a.b',
      body: 'm',
      properties: { headers, messageId: 'id', deliveryMode: 2 },
    });
    const message = await arrived(client, queue);
    expect(message).toMatchObject({ exchange, routingKey: 'a.b', redelivered: false });
    expect(message.properties).toMatchObject({ messageId: 'id', deliveryMode: 2 });
    const delay = message.properties.headers?.find(([key]) => key === 'x-delay')?.[1];
    expect(delay).toMatchObject({ value: BigInt(-SHORT_MS) });
    expect(message.properties.headers).toContainEqual(['own', { type: 'S', value: 'header' }]);
  });

  test.for([
    ['none', undefined],
    ['zero', 0],
    ['a negative one', -5000],
    ['one of more than 32 bits', 4_294_967_296n],
    ['text that is no number', 'soon'],
    ['a boolean', true],
  ] as const)('with %s as its delay is routed at once', async ([, delay], { client, delayed }) => {
    const exchange = await delayed('x');
    const queue = await boundQueue(client, exchange);
    const publication = { exchange, body: 'm', properties: delay === undefined ? {} : delayedBy(delay) };
    expect(await isRouted(client, publication)).toBe(true);
    expect(await drain(client, queue)).toEqual(['m']);
  });

  test('takes its delay from text too', async ({ client, delayed }) => {
    const exchange = await delayed('x');
    const queue = await boundQueue(client, exchange);
    expect(await isRouted(client, { exchange, properties: delayedBy(`${LONG_MS}`) })).toBe(false);
    client.publish(1, { exchange, body: 'm', properties: delayedBy(`${SHORT_MS}`) });
    expect(String((await arrived(client, queue)).body)).toBe('m');
  });

  test('that is mandatory is returned, confirmed and delayed all the same', async ({ client, delayed }) => {
    const exchange = await delayed('x');
    const queue = await boundQueue(client, exchange);
    await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
    client.publish(1, { exchange, body: 'm', mandatory: true, properties: delayedBy(SHORT_MS) });
    await client.expect(1, 'basic.return', { replyCode: 312, replyText: 'NO_ROUTE' });
    await client.expect(1, 'basic.ack', { deliveryTag: 1 });
    expect(String((await arrived(client, queue)).body)).toBe('m');
  });

  test('is confirmed when it is taken, not when it is routed', async ({ client, delayed }) => {
    const exchange = await delayed('x');
    await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
    client.publish(1, { exchange, properties: { ...delayedBy(LONG_MS), deliveryMode: 2 } });
    await client.expect(1, 'basic.ack', { deliveryTag: 1 });
  });

  test('of a transaction is delayed from its commit, and dropped by a rollback', async ({ client, delayed }) => {
    const exchange = await delayed('x');
    const queue = await boundQueue(client, exchange);
    await client.rpc(1, { name: 'tx.select' }, 'tx.select-ok');
    client.publish(1, { exchange, body: 'dropped', properties: delayedBy(1) });
    await client.rpc(1, { name: 'tx.rollback' }, 'tx.rollback-ok');
    client.publish(1, { exchange, body: 'kept', mandatory: true, properties: delayedBy(SHORT_MS) });
    client.send(1, { name: 'tx.commit' });
    await client.expect(1, 'basic.return', { replyCode: 312 });
    await client.expect(1, 'tx.commit-ok');
    expect(String((await arrived(client, queue)).body)).toBe('kept');
  });

  test('is gone with its exchange', async ({ client, delayed }) => {
    const exchange = await delayed('x');
    const queue = await boundQueue(client, exchange);
    client.publish(1, { exchange, body: 'gone', properties: delayedBy(SHORT_MS) });
    await client.rpc(1, { name: 'exchange.delete', exchange }, 'exchange.delete-ok');
    await declareExchange(client, { exchange, type: DELAYED, arguments: table({ 'x-delayed-type': 'fanout' }) });
    await bindQueue(client, { queue, exchange });
    client.publish(1, { exchange, body: 'new', properties: delayedBy(2 * SHORT_MS) });
    expect(String((await arrived(client, queue)).body)).toBe('new');
  });
});

describe('routing by the type of x-delayed-type', () => {
  test.for([
    ['direct', 'k', 'other'],
    ['topic', 'a.*', 'b'],
  ] as const)('%s uses the routing key', async ([type, pattern, none], { client, delayed }) => {
    const exchange = await delayed('x', type);
    const queue = await boundQueue(client, exchange, pattern);
    for (const routingKey of [pattern, none]) {
      client.publish(1, { exchange, routingKey, body: routingKey, properties: delayedBy(SHORT_MS) });
    }
    expect(String((await arrived(client, queue)).body)).toBe(pattern);
    expect(await isRouted(client, { exchange, routingKey: none })).toBe(false);
  });

  test('follows CC and BCC', async ({ client, delayed }) => {
    const exchange = await delayed('x', 'direct');
    const queues: string[] = [];
    for (const key of ['own', 'cc', 'bcc']) queues.push(await boundQueue(client, exchange, key));
    const headers = table({ 'x-delay': SHORT_MS, CC: ['cc'], BCC: ['bcc'] });
    client.publish(1, { exchange, routingKey: 'own', properties: { headers } });
    for (const queue of queues) {
      const { properties } = await arrived(client, queue);
      expect(properties.headers?.map(([key]) => key).sort()).toEqual(['CC', 'x-delay']);
    }
  });

  test('uses the bindings that there are when the delay is over', async ({ client, delayed }) => {
    const exchange = await delayed('x', 'direct');
    client.publish(1, { exchange, routingKey: 'k', body: 'm', properties: delayedBy(10 * SHORT_MS) });
    const queue = await boundQueue(client, exchange, 'k');
    expect(String((await arrived(client, queue)).body)).toBe('m');
  });
});

describe('a delayed exchange', () => {
  test('behind another one delays', async ({ client, delayed, unique }) => {
    const exchange = await delayed('x');
    const queue = await boundQueue(client, exchange);
    const first = await declareExchange(client, { exchange: unique('first'), type: 'fanout' });
    await bindExchange(client, exchange, first);
    expect(await isRouted(client, { exchange: first, body: 'm', properties: delayedBy(SHORT_MS) })).toBe(false);
    expect(await arrived(client, queue)).toMatchObject({ exchange: first });
  });

  test('delays dead letters', async ({ client, delayed }) => {
    const exchange = await delayed('x');
    const dead = await boundQueue(client, exchange);
    const args = table({ 'x-dead-letter-exchange': exchange });
    const queue = await exclusiveQueue(client, { arguments: args });
    client.publish(1, { routingKey: queue, body: 'm', properties: delayedBy(SHORT_MS) });
    const { deliveryTag } = await getOne(client, queue);
    client.send(1, { name: 'basic.reject', deliveryTag, requeue: false });
    const message = await arrived(client, dead);
    expect(message.properties.headers?.map(([key]) => key)).toContain('x-death');
  });

  test.for([
    ['nothing', {}, "Invalid argument, 'x-delayed-type' must be an existing exchange type"],
    ['a number', { 'x-delayed-type': 5 }, "Invalid argument, 'x-delayed-type' must be an existing exchange type"],
    ['an unknown type', { 'x-delayed-type': 'foo' }, "unknown exchange type 'foo'"],
    [
      'its own type',
      { 'x-delayed-type': DELAYED },
      "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'",
    ],
  ] as const)('with %s as its type is refused', async ([, settings, text], { client, unique, skipOn3 }) => {
    skipOn3('delayed-exchange');
    client.send(1, { name: 'exchange.declare', exchange: unique('x'), type: DELAYED, arguments: table(settings) });
    await client.expectChannelClose(1, 406, `PRECONDITION_FAILED - ${text}`, [40, 10]);
  });

  test('checks bindings as its type does', async ({ client, delayed }) => {
    const exchange = await delayed('x', 'headers');
    const queue = await exclusiveQueue(client);
    client.send(1, { name: 'queue.bind', queue, exchange, arguments: table({ 'x-match': 'foo' }) });
    await client.expectChannelClose(1, 406, /^PRECONDITION_FAILED - Invalid x-match field value/, [50, 20]);
  });

  test('that is internal refuses clients and delays for other exchanges', async ({ client, delayed, unique }) => {
    const first = await delayed('first');
    const inner = await declareExchange(client, {
      exchange: unique('inner'),
      type: DELAYED,
      internal: true,
      arguments: table({ 'x-delayed-type': 'fanout' }),
    });
    await bindExchange(client, inner, first);
    const queue = await boundQueue(client, inner);
    client.publish(1, { exchange: first, properties: delayedBy(SHORT_MS) });
    await arrived(client, queue);
    client.publish(1, { exchange: inner });
    await client.expectChannelClose(1, 403, /^ACCESS_REFUSED - cannot publish to internal/, [60, 40]);
  });

  test('goes with its last binding when it is auto-delete', async ({ client, unique, skipOn3 }) => {
    skipOn3('delayed-exchange');
    const fields = { type: DELAYED, autoDelete: true, arguments: table({ 'x-delayed-type': 'fanout' }) };
    const exchange = await declareExchange(client, { exchange: unique('x'), ...fields });
    const queue = await boundQueue(client, exchange);
    client.publish(1, { exchange, properties: delayedBy(SHORT_MS) });
    await client.rpc(1, { name: 'queue.delete', queue }, 'queue.delete-ok');
    client.send(1, { name: 'exchange.declare', exchange, passive: true });
    await client.expectChannelClose(1, 404, /^NOT_FOUND - no exchange/, [40, 10]);
  });
});
