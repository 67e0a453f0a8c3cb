/** The x-recent-history exchange. A RabbitMQ needs its plugin rabbitmq_recent_history_exchange, which is part of it. */
import { describe, expect } from 'vitest';
import { type PlainValue, table } from '../../protocol/amqp/field-table.js';
import type { WireClient } from '../support/wire-client.js';
import { test } from './conformance-test.js';
import {
  bindExchange,
  bindQueue,
  declareExchange,
  drain,
  exclusiveQueue,
  expectQueue,
  getOne,
  isRouted,
} from './topology.js';

type Settings = Readonly<Record<string, PlainValue>>;

async function history(client: WireClient, exchange: string, settings: Settings = {}): Promise<string> {
  return declareExchange(client, { exchange, type: 'x-recent-history', arguments: table(settings) });
}

/** All have passed the exchange when this returns. */
async function publish(client: WireClient, exchange: string, bodies: readonly string[], headers: Settings = {}) {
  for (const body of bodies) {
    await isRouted(client, { exchange, routingKey: 'k', body, properties: { headers: table(headers) } });
  }
}

async function bound(client: WireClient, exchange: string): Promise<string> {
  const queue = await exclusiveQueue(client);
  await bindQueue(client, { queue, exchange, routingKey: 'any' });
  return queue;
}

async function received(client: WireClient, queue: string, count: number): Promise<string[]> {
  await expectQueue(client, queue, { ready: count });
  return drain(client, queue);
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => `${from + index}`);

describe('a recent-history exchange', () => {
  test.beforeEach(({ needsExchangeType }) => needsExchangeType('x-recent-history'));

  test('gives the last 20 messages to a queue that is bound', async ({ client, unique }) => {
    const exchange = await history(client, unique('x'));
    await publish(client, exchange, numbers(1, 25));
    expect(await received(client, await bound(client, exchange), 20)).toEqual(numbers(6, 25));
  });

  test('gives them as they were published, to each binding once', async ({ client, unique }) => {
    const exchange = await history(client, unique('x'));
    await publish(client, exchange, ['m'], { own: 1 });
    const queue = await bound(client, exchange);
    await bindQueue(client, { queue, exchange, routingKey: 'any' });
    await expectQueue(client, queue, { ready: 1 });
    const message = await getOne(client, queue, true);
    expect(message).toMatchObject({ exchange, routingKey: 'k', redelivered: false });
    expect(message.properties.headers).toEqual(table({ own: 1 }));
    await bindQueue(client, { queue, exchange, routingKey: 'another' });
    expect(await received(client, queue, 1)).toEqual(['m']);
  });

  test('is a fanout for what comes later', async ({ client, unique }) => {
    const exchange = await history(client, unique('x'));
    const queue = await bound(client, exchange);
    expect(await isRouted(client, { exchange, routingKey: 'whatever', body: 'm' })).toBe(true);
    expect(await received(client, queue, 1)).toEqual(['m']);
  });

  test('keeps as many as it was declared with', async ({ client, unique }) => {
    const exchange = await history(client, unique('x'), { 'x-recent-history-length': 3 });
    await publish(client, exchange, numbers(1, 5));
    expect(await received(client, await bound(client, exchange), 3)).toEqual(['3', '4', '5']);
  });

  test('keeps no message that asks for that', async ({ client, unique }) => {
    const exchange = await history(client, unique('x'));
    const first = await bound(client, exchange);
    await publish(client, exchange, ['secret'], { 'x-recent-history-no-store': true });
    await publish(client, exchange, ['kept'], { 'x-recent-history-no-store': false });
    await publish(client, exchange, ['kept too'], { 'x-recent-history-no-store': 'true' });
    expect(await received(client, first, 3)).toEqual(['secret', 'kept', 'kept too']);
    expect(await received(client, await bound(client, exchange), 2)).toEqual(['kept', 'kept too']);
  });

  test('returns a mandatory message that has no queue, and keeps it', async ({ client, unique }) => {
    const exchange = await history(client, unique('x'));
    expect(await isRouted(client, { exchange, body: 'm' })).toBe(false);
    expect(await received(client, await bound(client, exchange), 1)).toEqual(['m']);
  });

  test('routes its history through an exchange that is bound', async ({ client, unique, expects }) => {
    const exchange = await history(client, unique('x'));
    await publish(client, exchange, numbers(1, 3));
    const direct = await declareExchange(client, { exchange: unique('direct'), type: 'direct' });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange: direct, routingKey: 'k' });
    await bindExchange(client, direct, exchange);
    const bodies = expects('recent-history-order', { rabbit3: ['3', '2', '1'], default: ['1', '2', '3'] });
    expect(await received(client, queue, 3)).toEqual(bodies);
  });

  test('binds an exchange that routes nothing of it', async ({ client, unique, skipOn3 }) => {
    skipOn3('recent-history-unroutable');
    const exchange = await history(client, unique('x'));
    await publish(client, exchange, ['m']);
    const direct = await declareExchange(client, { exchange: unique('direct'), type: 'direct' });
    await bindExchange(client, direct, exchange);
  });

  test.for([
    [0, '0'],
    [-5, '-5'],
    ['20', '<<"20">>'],
    [true, 'true'],
  ] as const)('of %s messages is refused', async ([length, printed], { client, unique }) => {
    const args = table({ 'x-recent-history-length': length });
    client.send(1, { name: 'exchange.declare', exchange: unique('x'), type: 'x-recent-history', arguments: args });
    const text = `PRECONDITION_FAILED - Invalid argument ${printed}, 'x-recent-history-length' must be a positive integer`;
    await client.expectChannelClose(1, 406, text, [40, 10]);
  });

  test('declared again may have another length', async ({ client, unique }) => {
    const exchange = await history(client, unique('x'), { 'x-recent-history-length': 3 });
    await history(client, exchange, { 'x-recent-history-length': 4 });
  });
});
