import { describe, expect } from 'vitest';
import { type PlainValue, table } from '../../protocol/amqp/field-table.js';
import type { WireClient } from '../support/wire-client.js';
import { test } from './conformance-test.js';
import { bindQueue, declareExchange, drain, exclusiveQueue, getOne, isRouted } from './topology.js';

type Table = Readonly<Record<string, PlainValue>>;

describe('the default exchange', () => {
  test('routes to the queue of that name', async ({ client, unique }) => {
    const queue = await exclusiveQueue(client, { queue: unique('a.b') });
    client.publish(1, { routingKey: queue, body: 'x' });
    expect(await getOne(client, queue)).toMatchObject({ exchange: '', routingKey: queue });
  });

  test('routes nowhere when there is no such queue', async ({ client, unique }) => {
    expect(await isRouted(client, { routingKey: unique('missing') })).toBe(false);
  });
});

describe('a direct exchange', () => {
  test('routes on equal keys only', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange, routingKey: 'a.*' });
    expect(await isRouted(client, { exchange, routingKey: 'a.*' })).toBe(true);
    for (const routingKey of ['a.b', 'A.*', 'a.', '']) {
      expect(await isRouted(client, { exchange, routingKey })).toBe(false);
    }
  });

  test('routes to every queue bound with the key', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    const queues = [await exclusiveQueue(client), await exclusiveQueue(client), await exclusiveQueue(client)];
    for (const queue of queues.slice(0, 2)) await bindQueue(client, { queue, exchange, routingKey: 'k' });
    client.publish(1, { exchange, routingKey: 'k', body: 'x' });
    const received = [];
    for (const queue of queues) received.push(await drain(client, queue));
    expect(received).toEqual([['x'], ['x'], []]);
  });
});

describe('a fanout exchange', () => {
  test('routes whatever the key', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type: 'fanout' });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange, routingKey: 'k' });
    for (const routingKey of ['k', 'other', '']) expect(await isRouted(client, { exchange, routingKey })).toBe(true);
  });

  test('with several bindings to a queue delivers once', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type: 'fanout' });
    const queue = await exclusiveQueue(client);
    for (const routingKey of ['a', 'b', 'c']) await bindQueue(client, { queue, exchange, routingKey });
    client.publish(1, { exchange, body: 'once' });
    expect(await drain(client, queue)).toEqual(['once']);
  });
});

describe('a topic exchange', () => {
  const rows: readonly (readonly [pattern: string, key: string, matches: boolean])[] = [
    ['a.b', 'a.b', true],
    ['a.b', 'a.c', false],
    ['a.b', 'a.b.c', false],
    ['#', '', true],
    ['#', 'a', true],
    ['#', 'a.b.c', true],
    ['*', '', false],
    ['*', 'a', true],
    ['*', 'a.b', false],
    ['', '', true],
    ['', 'a', false],
    ['a.*', 'a.b', true],
    ['a.*', 'a.', true],
    ['a.*', 'a', false],
    ['a.*', 'a.b.c', false],
    ['*.a', '.a', true],
    ['a.#', 'a', true],
    ['a.#', 'a.b.c', true],
    ['a.#', 'b.a', false],
    ['#.a', 'a', true],
    ['#.a', 'b.c.a', true],
    ['#.a', 'a.b', false],
    ['a.#.b', 'a.b', true],
    ['a.#.b', 'a.x.y.b', true],
    ['a.#.b', 'a.x.y', false],
    ['*.#', 'a', true],
    ['*.#', '', false],
    ['a.*.b', 'a..b', true],
    ['a.*.b', 'a.b', false],
    ['#.#.*', 'a', true],
    ['#.*.#', '', false],
    ['#.a.#', 'x.a.y', true],
    ['#.a.#', 'x.y', false],
    ['a*', 'ab', false],
    ['a*', 'a*', true],
    ['a#', 'ab', false],
    ['a.**', 'a.b', false],
    ['..', '..', true],
    ['*.*.*', '..', true],
  ];

  test.for(rows)(
    "with the pattern '%s' and the key '%s': %s",
    async ([pattern, routingKey, matches], { client, unique }) => {
      const exchange = await declareExchange(client, { exchange: unique('x'), type: 'topic' });
      const queue = await exclusiveQueue(client);
      await bindQueue(client, { queue, exchange, routingKey: pattern });
      expect(await isRouted(client, { exchange, routingKey })).toBe(matches);
    },
  );

  test('delivers once when several patterns match', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type: 'topic' });
    const queue = await exclusiveQueue(client);
    for (const routingKey of ['#', 'a.*', '*.b', 'a.b']) await bindQueue(client, { queue, exchange, routingKey });
    client.publish(1, { exchange, routingKey: 'a.b', body: 'once' });
    expect(await drain(client, queue)).toEqual(['once']);
  });

  test('keeps the other patterns when one is unbound', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type: 'topic' });
    const queue = await exclusiveQueue(client);
    for (const routingKey of ['a.*', 'a.#']) await bindQueue(client, { queue, exchange, routingKey });
    await client.rpc(1, { name: 'queue.unbind', queue, exchange, routingKey: 'a.#' }, 'queue.unbind-ok');
    expect(await isRouted(client, { exchange, routingKey: 'a.b' })).toBe(true);
    expect(await isRouted(client, { exchange, routingKey: 'a' })).toBe(false);
  });
});

describe('a headers exchange', () => {
  async function routesOn(
    client: WireClient,
    exchange: string,
    args: Table,
    headers: Table | undefined,
  ): Promise<boolean> {
    await declareExchange(client, { exchange, type: 'headers' });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange, arguments: table(args) });
    return isRouted(client, { exchange, properties: headers === undefined ? {} : { headers: table(headers) } });
  }

  const rows: readonly (readonly [what: string, args: Table, headers: Table | undefined, matches: boolean])[] = [
    ['all of them equal', { 'x-match': 'all', a: 1, b: 'two' }, { a: 1, b: 'two', c: true }, true],
    ['one of all missing', { 'x-match': 'all', a: 1, b: 'two' }, { a: 1 }, false],
    ['one of all different', { 'x-match': 'all', a: 1, b: 'two' }, { a: 1, b: 'three' }, false],
    ['no x-match, which is all', { a: 1, b: 'two' }, { a: 1 }, false],
    ['no x-match and all equal', { a: 1 }, { a: 1 }, true],
    ['any of them equal', { 'x-match': 'any', a: 1, b: 'two' }, { b: 'two' }, true],
    ['any and none equal', { 'x-match': 'any', a: 1, b: 'two' }, { a: 2, b: 'three' }, false],
    ['all of none', { 'x-match': 'all' }, { a: 1 }, true],
    ['all of none and no headers', {}, undefined, true],
    ['any of none', { 'x-match': 'any' }, { a: 1 }, false],
    ['all and no headers', { a: 1 }, undefined, false],
    ['all leaves out x- arguments', { 'x-match': 'all', a: 1, 'x-b': 1 }, { a: 1 }, true],
    ['any leaves out x- arguments', { 'x-match': 'any', a: 1, 'x-b': 1 }, { 'x-b': 1 }, false],
    ['all-with-x wants x- arguments', { 'x-match': 'all-with-x', a: 1, 'x-b': 1 }, { a: 1 }, false],
    ['all-with-x finds x- arguments', { 'x-match': 'all-with-x', a: 1, 'x-b': 1 }, { a: 1, 'x-b': 1 }, true],
    ['any-with-x finds x- arguments', { 'x-match': 'any-with-x', a: 1, 'x-b': 1 }, { 'x-b': 1 }, true],
    ['a void argument and any value', { a: null }, { a: 'whatever' }, true],
    ['a void argument and no such header', { a: null }, { b: 1 }, false],
    ['integers of different width', { a: { type: 'b', value: 1 } }, { a: { type: 'l', value: 1n } }, true],
    ['a string and an integer', { a: '1' }, { a: 1 }, false],
    ['a long string and a byte array', { a: 'one' }, { a: new TextEncoder().encode('one') }, true],
    ['booleans', { a: true }, { a: true }, true],
    ['different booleans', { a: true }, { a: false }, false],
  ];

  test.for(rows)('%s', async ([, args, headers, matches], { client, unique }) => {
    expect(await routesOn(client, unique('x'), args, headers)).toBe(matches);
  });

  test('an integer is not a double', async ({ client, unique, skipOn3 }) => {
    skipOn3('header-number-types');
    expect(await routesOn(client, unique('x'), { a: 1 }, { a: { type: 'd', value: 1 } })).toBe(false);
  });

  test('a timestamp is not an integer', async ({ client, unique, skipOn3 }) => {
    skipOn3('header-number-types');
    expect(await routesOn(client, unique('x'), { a: 5n }, { a: { type: 'T', value: 5n } })).toBe(false);
  });

  test('takes no notice of the routing key', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type: 'headers' });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange, routingKey: 'k', arguments: table({ a: 1 }) });
    const properties = { headers: table({ a: 1 }) };
    expect(await isRouted(client, { exchange, routingKey: 'other', properties })).toBe(true);
    expect(await isRouted(client, { exchange, routingKey: 'k' })).toBe(false);
  });

  test.for([
    [
      { 'x-match': 'foo' },
      'PRECONDITION_FAILED - Invalid x-match field value <<"foo">>; expected all, any, all-with-x, or any-with-x',
    ],
    [{ 'x-match': 3 }, 'PRECONDITION_FAILED - Invalid x-match field type signedint (value 3); expected longstr'],
  ] as const)('refuses to be bound with %o', async ([args, text], { client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type: 'headers' });
    const queue = await exclusiveQueue(client);
    client.send(1, { name: 'queue.bind', queue, exchange, arguments: table(args) });
    await client.expectChannelClose(1, 406, text, [50, 20]);
  });
});

describe('an alternate exchange', () => {
  const alternateTo = (exchange: string) => table({ 'alternate-exchange': exchange });

  test('gets what the exchange routes nowhere', async ({ client, unique }) => {
    const alternate = await declareExchange(client, { exchange: unique('alternate'), type: 'fanout' });
    const exchange = await declareExchange(client, { exchange: unique('x'), arguments: alternateTo(alternate) });
    const [queue, rest] = [await exclusiveQueue(client), await exclusiveQueue(client)];
    await bindQueue(client, { queue, exchange, routingKey: 'k' });
    await bindQueue(client, { queue: rest, exchange: alternate });
    client.publish(1, { exchange, routingKey: 'k', body: 'routed' });
    client.publish(1, { exchange, routingKey: 'other', body: 'left over' });
    expect(await drain(client, queue)).toEqual(['routed']);
    expect(await getOne(client, rest)).toMatchObject({ exchange, routingKey: 'other', messageCount: 0 });
  });

  test('makes the message a routed one', async ({ client, unique }) => {
    const alternate = await declareExchange(client, { exchange: unique('alternate'), type: 'fanout' });
    const exchange = await declareExchange(client, { exchange: unique('x'), arguments: alternateTo(alternate) });
    const queue = await exclusiveQueue(client);
    expect(await isRouted(client, { exchange, routingKey: 'k' })).toBe(false);
    await bindQueue(client, { queue, exchange: alternate });
    expect(await isRouted(client, { exchange, routingKey: 'k' })).toBe(true);
  });

  test('may have one of its own', async ({ client, unique }) => {
    const last = await declareExchange(client, { exchange: unique('last'), type: 'fanout' });
    const middle = await declareExchange(client, { exchange: unique('middle'), arguments: alternateTo(last) });
    const first = await declareExchange(client, { exchange: unique('first'), arguments: alternateTo(middle) });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange: last });
    client.publish(1, { exchange: first, routingKey: 'k', body: 'x' });
    expect(await getOne(client, queue)).toMatchObject({ exchange: first, routingKey: 'k' });
  });

  test('in a circle ends', async ({ client, unique }) => {
    const [one, two] = [unique('one'), unique('two')];
    await declareExchange(client, { exchange: one, arguments: alternateTo(two) });
    await declareExchange(client, { exchange: two, arguments: alternateTo(one) });
    expect(await isRouted(client, { exchange: one, routingKey: 'k' })).toBe(false);
  });

  test('that does not exist leaves the message unroutable', async ({ client, unique }) => {
    const args = alternateTo(unique('missing'));
    const exchange = await declareExchange(client, { exchange: unique('x'), arguments: args });
    expect(await isRouted(client, { exchange, routingKey: 'k' })).toBe(false);
  });

  test('may be internal', async ({ client, unique }) => {
    const alternate = await declareExchange(client, { exchange: unique('in'), type: 'fanout', internal: true });
    const exchange = await declareExchange(client, { exchange: unique('x'), arguments: alternateTo(alternate) });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange: alternate });
    expect(await isRouted(client, { exchange, routingKey: 'k' })).toBe(true);
  });
});

describe('sender-selected distribution', () => {
  test('routes to the keys in CC and BCC too', async ({ client }) => {
    const queues = [await exclusiveQueue(client), await exclusiveQueue(client), await exclusiveQueue(client)] as const;
    const headers = table({ CC: [queues[1]], BCC: [queues[2]] });
    client.publish(1, { routingKey: queues[0], body: 'x', properties: { headers } });
    for (const queue of queues) expect(await drain(client, queue)).toEqual(['x']);
  });

  test('delivers once to a queue named twice', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    const headers = table({ CC: [queue, queue], BCC: [queue] });
    client.publish(1, { routingKey: queue, body: 'once', properties: { headers } });
    expect(await drain(client, queue)).toEqual(['once']);
  });

  test('works with a topic exchange', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type: 'topic' });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange, routingKey: 'a.*' });
    const properties = { headers: table({ CC: ['a.b'] }) };
    expect(await isRouted(client, { exchange, routingKey: 'other', properties })).toBe(true);
  });

  test('shows the key the message was published with', async ({ client }) => {
    const [first, copied] = [await exclusiveQueue(client), await exclusiveQueue(client)];
    client.publish(1, { routingKey: first, properties: { headers: table({ CC: [copied] }) } });
    expect(await getOne(client, copied)).toMatchObject({ exchange: '', routingKey: first });
  });

  test('hides BCC and keeps CC', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    const headers = table({ BCC: ['b'], CC: ['c'], own: 1 });
    client.publish(1, { routingKey: queue, properties: { headers } });
    expect((await getOne(client, queue)).properties.headers).toEqual(table({ CC: ['c'], own: 1 }));
  });

  test('leaves an empty table when BCC was all there was', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    client.publish(1, { routingKey: queue, properties: { headers: table({ BCC: ['b'] }) } });
    expect((await getOne(client, queue)).properties.headers).toEqual([]);
  });

  test('uses only the long strings of an array', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    const properties = { headers: table({ CC: [5, queue, true] }) };
    expect(await isRouted(client, { routingKey: 'conformance.missing', properties })).toBe(true);
  });

  test.for([
    ['CC', 'a key', 'longstr'],
    ['BCC', 'a key', 'longstr'],
    ['CC', 5, 'signedint'],
  ] as const)('refuses a %s that is no array', async ([header, value, type], { client }) => {
    const queue = await exclusiveQueue(client);
    client.publish(1, { routingKey: queue, properties: { headers: table({ [header]: value }) } });
    const text = `PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"${header}",${type}}`;
    await client.expectChannelClose(1, 406, text, [60, 40]);
  });

  test('is refused for CC when BCC is wrong too', async ({ client }) => {
    const headers = table({ BCC: 'a', CC: 'b' });
    client.publish(1, { routingKey: 'k', properties: { headers } });
    const text = 'PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",longstr}';
    await client.expectChannelClose(1, 406, text, [60, 40]);
  });
});
