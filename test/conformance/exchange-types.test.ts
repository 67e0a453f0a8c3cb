/** The exchange types that choose one of their bindings, each left out where the broker lacks it. */
import { describe, expect } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
import { test } from './conformance-test.js';
import { fanOf, keys, spread, spreadKeys } from './spread.js';
import {
  bindExchange,
  bindQueue,
  declareExchange,
  declareQueue,
  drain,
  exclusiveQueue,
  expectQueue,
  isRouted,
} from './topology.js';

describe.for(['x-consistent-hash', 'x-random', 'x-local-random', 'x-modulus-hash'])(
  'an exchange of type %s',
  (type) => {
    const bindingKey = type === 'x-local-random' ? '' : '1';
    test.beforeEach(({ needsExchangeType }) => needsExchangeType(type));

    test('sends each message to one queue, and some to each', async ({ client, unique }) => {
      const bindingKeys = Array<string>(4).fill(bindingKey);
      const { exchange, queues } = await fanOf(client, { exchange: unique('x'), type }, bindingKeys);
      const properties = { headers: table({ CC: ['a', 'b', 'c'] }) };
      const publications = keys(200).map((key) => ({ exchange, routingKey: key, body: key, properties }));
      expect(new Set((await spread(client, queues, publications)).values()).size).toBe(4);
    });

    test('asks its alternate exchange when nothing is bound', async ({ client, unique }) => {
      const alternate = await declareExchange(client, { exchange: unique('ae'), type: 'fanout' });
      const other = await exclusiveQueue(client);
      await bindQueue(client, { queue: other, exchange: alternate });
      const exchange = unique('x');
      await declareExchange(client, { exchange, type, arguments: table({ 'alternate-exchange': alternate }) });
      client.publish(1, { exchange, routingKey: 'a', body: 'unbound' });
      const queue = await exclusiveQueue(client);
      await bindQueue(client, { queue, exchange, routingKey: bindingKey });
      client.publish(1, { exchange, routingKey: 'a', body: 'bound' });
      await expectQueue(client, queue, { ready: 1 });
      expect([await drain(client, other), await drain(client, queue)]).toEqual([['unbound'], ['bound']]);
    });

    test('is routed to by other exchanges', async ({ client, unique }) => {
      const { exchange, queues } = await fanOf(client, { exchange: unique('x'), type }, [bindingKey, bindingKey]);
      const source = await declareExchange(client, { exchange: unique('source'), type: 'fanout' });
      await bindExchange(client, exchange, source);
      const publications = keys(50).map((key) => ({ exchange: source, routingKey: key, body: key }));
      expect(new Set((await spread(client, queues, publications)).values()).size).toBe(2);
    });

    test('returns a mandatory message that has no queue', async ({ client, unique }) => {
      const exchange = await declareExchange(client, { exchange: unique('x'), type });
      expect(await isRouted(client, { exchange, routingKey: 'a' })).toBe(false);
      const queue = await exclusiveQueue(client);
      await bindQueue(client, { queue, exchange, routingKey: bindingKey });
      expect(await isRouted(client, { exchange, routingKey: 'a' })).toBe(true);
    });
  },
);

describe.for(['x-consistent-hash', 'x-random', 'x-modulus-hash'])('an exchange of type %s', (type) => {
  test('chooses among exchanges as well', async ({ client, unique, needsExchangeType }) => {
    await needsExchangeType(type);
    const exchange = await declareExchange(client, { exchange: unique('x'), type });
    const queues: string[] = [];
    for (const label of ['a', 'b']) {
      const { exchange: destination, queues: bound } = await fanOf(
        client,
        { exchange: unique(label), type: 'fanout' },
        [''],
      );
      await bindExchange(client, destination, exchange, '1');
      queues.push(...bound);
    }
    expect(new Set((await spreadKeys(client, exchange, queues, 50)).values()).size).toBe(2);
  });
});

describe('a modulus hash exchange', () => {
  test('sends a key to the same queue each time', async ({ client, unique, needsExchangeType }) => {
    await needsExchangeType('x-modulus-hash');
    const { exchange, queues } = await fanOf(client, { exchange: unique('x'), type: 'x-modulus-hash' }, [
      'a',
      'b',
      'c',
    ]);
    const first = await spreadKeys(client, exchange, queues, 100);
    expect(new Set(first.values()).size).toBe(3);
    expect(await spreadKeys(client, exchange, queues, 100)).toEqual(first);
  });
});

describe('a random exchange', () => {
  test('does not look at the key', async ({ client, unique, needsExchangeType }) => {
    await needsExchangeType('x-random');
    const { exchange, queues } = await fanOf(client, { exchange: unique('x'), type: 'x-random' }, ['a', 'b']);
    const publications = keys(50).map((body) => ({ exchange, routingKey: 'a', body }));
    expect(new Set((await spread(client, queues, publications)).values()).size).toBe(2);
  });
});

describe('a local random exchange', () => {
  const type = 'x-local-random';
  test.beforeEach(({ needsExchangeType }) => needsExchangeType(type));

  test('takes no binding key', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type });
    const queue = await exclusiveQueue(client, { queue: unique('q') });
    client.send(1, { name: 'queue.bind', queue, exchange, routingKey: 'k' });
    const text = "PRECONDITION_FAILED - Non empty binding 'k' key not permitted";
    await client.expectChannelClose(1, 406, text, [50, 20]);
  });

  test('takes no exchange for a destination', async ({ client, unique }) => {
    const source = await declareExchange(client, { exchange: unique('x'), type });
    const destination = await declareExchange(client, { exchange: unique('y'), type: 'fanout' });
    client.send(1, { name: 'exchange.bind', destination, source, routingKey: '' });
    await client.expectChannelClose(1, 406, 'PRECONDITION_FAILED - Destination not found', [40, 30]);
  });

  test('takes classic queues only', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type });
    const fields = { queue: unique('q'), durable: true, arguments: table({ 'x-queue-type': 'quorum' }) };
    const queue = await declareQueue(client, fields);
    client.send(1, { name: 'queue.bind', queue, exchange, routingKey: '' });
    const text = 'PRECONDITION_FAILED - Queue type rabbit_quorum_queue not valid for this exchange type';
    await client.expectChannelClose(1, 406, text, [50, 20]);
  });
});
