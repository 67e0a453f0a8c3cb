import { describe, expect } from 'vitest';
import { type PlainValue, table } from '../../protocol/amqp/field-table.js';
import type { Publication } from '../support/wire-client.js';
import { test } from './conformance-test.js';
import { countIn, fanOf, keys, spread, spreadKeys } from './spread.js';
import { bindQueue, declareExchange, drain, exclusiveQueue, expectQueue, getOne } from './topology.js';

type Arguments = Readonly<Record<string, PlainValue>>;

describe('a consistent hash exchange', () => {
  const type = 'x-consistent-hash';
  test.beforeEach(({ needsExchangeType }) => needsExchangeType(type));

  test('sends a key to the same queue each time', async ({ client, unique }) => {
    const { exchange, queues } = await fanOf(client, { exchange: unique('x'), type }, ['1', '1', '1']);
    const first = await spreadKeys(client, exchange, queues, 100);
    expect(new Set(first.values()).size).toBe(3);
    expect(await spreadKeys(client, exchange, queues, 100)).toEqual(first);
  });

  test('gives a queue a share by its weight', async ({ client, unique }) => {
    const { exchange, queues } = await fanOf(client, { exchange: unique('x'), type }, ['10', '30']);
    const places = await spreadKeys(client, exchange, queues, 2000);
    expect(Math.abs(countIn(places, 1) - 1500)).toBeLessThan(100);
  });

  test('moves messages to a queue that comes, and hardly to others', async ({ client, unique }) => {
    const { exchange, queues } = await fanOf(client, { exchange: unique('x'), type }, ['1', '1', '1']);
    const before = await spreadKeys(client, exchange, queues, 1000);
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange, routingKey: '1' });
    const after = await spreadKeys(client, exchange, [...queues, queue], 1000);
    const moved = [...after].filter(([key, place]) => place !== before.get(key));
    expect(Math.abs(moved.length - 250)).toBeLessThan(60);
    expect(moved.filter(([, place]) => place !== 3).length).toBeLessThan(20);
  });

  test('leaves the messages of the others alone when a queue goes', async ({ client, unique, skipOn3 }) => {
    skipOn3('hash-removal');
    const { exchange, queues } = await fanOf(client, { exchange: unique('x'), type }, ['1', '1', '1', '1']);
    const before = await spreadKeys(client, exchange, queues, 1000);
    await client.rpc(1, { name: 'queue.delete', queue: queues[0] ?? '' }, 'queue.delete-ok');
    const after = await spreadKeys(client, exchange, queues.slice(1), 1000);
    const moved = [...before].filter(([key, place]) => place !== 0 && place !== (after.get(key) ?? 0) + 1);
    expect(moved.length).toBeLessThan(20);
  });

  test('counts a queue once', async ({ client, unique }) => {
    const { exchange, queues } = await fanOf(client, { exchange: unique('x'), type }, ['10', '10']);
    await bindQueue(client, { queue: queues[0] ?? '', exchange, routingKey: '10', arguments: table({ again: true }) });
    const places = await spreadKeys(client, exchange, queues, 1000);
    expect(Math.abs(countIn(places, 0) - 500)).toBeLessThan(80);
  });

  test('counts the largest weight of a queue', async ({ client, unique, skipOn3 }) => {
    skipOn3('hash-several-weights');
    const { exchange, queues } = await fanOf(client, { exchange: unique('x'), type }, ['10', '10']);
    const [queue = ''] = queues;
    await bindQueue(client, { queue, exchange, routingKey: '30' });
    expect(Math.abs(countIn(await spreadKeys(client, exchange, queues, 1000), 0) - 750)).toBeLessThan(70);
    await client.rpc(1, { name: 'queue.unbind', queue, exchange, routingKey: '30' }, 'queue.unbind-ok');
    expect(Math.abs(countIn(await spreadKeys(client, exchange, queues, 1000), 0) - 500)).toBeLessThan(80);
  });

  test('chooses once, by the first of several keys', async ({ client, unique }) => {
    const { exchange, queues } = await fanOf(client, { exchange: unique('x'), type }, ['1', '1', '1']);
    const first = await spreadKeys(client, exchange, queues, 50);
    const properties = { headers: table({ CC: ['other', 'another'] }) };
    const publications = keys(50).map((key) => ({ exchange, routingKey: key, body: key, properties }));
    expect(await spread(client, queues, publications)).toEqual(first);
  });

  const hashed: readonly (readonly [string, Arguments, (value: string) => Publication])[] = [
    ['a header', { 'hash-header': 'h' }, (value) => ({ properties: { headers: table({ h: value }) } })],
    ['correlation_id', { 'hash-property': 'correlation_id' }, (value) => ({ properties: { correlationId: value } })],
    ['message_id', { 'hash-property': 'message_id' }, (value) => ({ properties: { messageId: value } })],
    [
      'timestamp',
      { 'hash-property': 'timestamp' },
      (value) => ({ properties: { timestamp: BigInt(Number(value.slice(4)) + 1) } }),
    ],
  ];

  test.for(hashed)('hashes %s instead of the key', async ([, args, of], { client, unique }) => {
    const fields = { exchange: unique('x'), type, arguments: table(args) };
    const { exchange, queues } = await fanOf(client, fields, ['1', '1', '1']);
    const varied = keys(50).map((value) => ({ exchange, routingKey: 'same', body: value, ...of(value) }));
    expect(new Set((await spread(client, queues, varied)).values()).size).toBe(3);
    const constant = keys(50).map((routingKey) => ({ exchange, routingKey, body: routingKey, ...of('key 7') }));
    expect(new Set((await spread(client, queues, constant)).values()).size).toBe(1);
    const missing = keys(50).map((routingKey) => ({ exchange, routingKey, body: routingKey }));
    expect(new Set((await spread(client, queues, missing)).values()).size).toBe(1);
  });

  test('takes integers of any width for the same', async ({ client, unique, skipOn3 }) => {
    skipOn3('hash-header-type');
    const fields = { exchange: unique('x'), type, arguments: table({ 'hash-header': 'h' }) };
    const { exchange, queues } = await fanOf(client, fields, ['10', '10', '10', '10']);
    const place = async (value: PlainValue) => {
      const message = { exchange, body: 'x', properties: { headers: table({ h: value }) } };
      return (await spread(client, queues, [message])).get('x');
    };
    for (let value = 0; value < 10; value++) expect(await place(value)).toBe(await place(BigInt(value)));
  });

  test.for(hashed)('hashes %s of a dead letter', async ([, args, of], { client, unique }) => {
    const fields = { exchange: unique('x'), type, arguments: table(args) };
    const { exchange, queues } = await fanOf(client, fields, ['1', '1', '1']);
    const published = keys(30).map((key) => ({ exchange, body: key, ...of(key) }));
    const before = await spread(client, queues, published);
    const queue = await exclusiveQueue(client, { arguments: table({ 'x-dead-letter-exchange': exchange }) });
    for (const publication of published) client.publish(1, { ...publication, exchange: '', routingKey: queue });
    await client.rpc(1, { name: 'tx.commit' }, 'tx.commit-ok');
    for (const _ of published) {
      const { deliveryTag } = await getOne(client, queue);
      client.send(1, { name: 'basic.reject', deliveryTag, requeue: false });
    }
    await client.rpc(1, { name: 'tx.commit' }, 'tx.commit-ok');
    for (const [index, each] of queues.entries()) {
      await expectQueue(client, each, { ready: countIn(before, index) });
      for (const body of await drain(client, each)) expect(before.get(body)).toBe(index);
    }
  });

  test.for<readonly [Arguments, string]>([
    [{ 'hash-property': 'app_id' }, 'Unsupported property: app_id'],
    [{ 'hash-header': 'h', 'hash-property': 'message_id' }, 'hash-header and hash-property are mutually exclusive'],
    [{ 'hash-header': 'h', 'hash-property': 'app_id' }, 'hash-header and hash-property are mutually exclusive'],
  ])('is not declared with %j', async ([args, text], { client, unique }) => {
    client.send(1, { name: 'exchange.declare', exchange: unique('x'), type, arguments: table(args) });
    await client.expectChannelClose(1, 406, `PRECONDITION_FAILED - ${text}`, [40, 10]);
  });

  test('is not declared with an argument that is no string', async ({ client, unique, expects }) => {
    client.send(1, { name: 'exchange.declare', exchange: unique('x'), type, arguments: table({ 'hash-header': 1 }) });
    const text = "PRECONDITION_FAILED - invalid type 'signedint' for arg 'hash-header'";
    await expects('hash-argument-type', {
      rabbit3: () => client.expectConnectionClose(541, 'INTERNAL_ERROR', [0, 0]),
      default: () => client.expectChannelClose(1, 406, text, [40, 10]),
    })();
  });

  test('looks at its arguments only when it is new', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type });
    for (const args of [{ 'hash-header': 'h' }, { 'hash-property': 'app_id' }]) {
      await declareExchange(client, { exchange, type, arguments: table(args) });
    }
  });

  test.for([
    ['abc', 'The binding key must be an integer: <<"abc">>'],
    ['', 'The binding key must be an integer: <<>>'],
    ['1.5', 'The binding key must be an integer: <<"1.5">>'],
    ['0', 'The binding key must be greater than 0'],
    ['-1', 'The binding key must be greater than 0'],
  ] as const)('refuses the weight %j', async ([routingKey, text], { client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type });
    const queue = await exclusiveQueue(client, { queue: unique('q') });
    client.send(1, { name: 'queue.bind', queue, exchange, routingKey });
    await client.expectChannelClose(1, 406, `PRECONDITION_FAILED - ${text}`, [50, 20]);
  });

  test('refuses a weight above 10000', async ({ client, unique, skipOn3 }) => {
    skipOn3('hash-largest-weight');
    const exchange = await declareExchange(client, { exchange: unique('x'), type });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange, routingKey: '10000' });
    client.send(1, { name: 'queue.bind', queue, exchange, routingKey: '10001' });
    const text = 'PRECONDITION_FAILED - The binding key must not exceed 10000';
    await client.expectChannelClose(1, 406, text, [50, 20]);
  });
});
