import { describe, expect } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
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
  publishAll,
} from './topology.js';

const onDefaultExchange = 'ACCESS_REFUSED - operation not permitted on the default exchange';
const noExchange = (name: string) => `NOT_FOUND - no exchange '${name}' in vhost '/'`;
const noQueue = (name: string) => `NOT_FOUND - no queue '${name}' in vhost '/'`;

describe('queue.bind', () => {
  test('routes', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange, routingKey: 'k' });
    client.publish(1, { exchange, routingKey: 'k', body: 'routed' });
    expect(await drain(client, queue)).toEqual(['routed']);
  });

  test('twice is one binding', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange, routingKey: 'k' });
    await bindQueue(client, { queue, exchange, routingKey: 'k' });
    client.publish(1, { exchange, routingKey: 'k', body: 'once' });
    expect(await drain(client, queue)).toEqual(['once']);
    await client.rpc(1, { name: 'queue.unbind', queue, exchange, routingKey: 'k' }, 'queue.unbind-ok');
    expect(await isRouted(client, { exchange, routingKey: 'k' })).toBe(false);
  });

  test('with other arguments is another binding, and the message still comes once', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    const queue = await exclusiveQueue(client);
    const other = table({ own: 1 });
    await bindQueue(client, { queue, exchange, routingKey: 'k' });
    await bindQueue(client, { queue, exchange, routingKey: 'k', arguments: other });
    client.publish(1, { exchange, routingKey: 'k', body: 'once' });
    expect(await drain(client, queue)).toEqual(['once']);
    const unbind = { name: 'queue.unbind', queue, exchange, routingKey: 'k' } as const;
    await client.rpc(1, unbind, 'queue.unbind-ok');
    expect(await isRouted(client, { exchange, routingKey: 'k' })).toBe(true);
    await client.rpc(1, { ...unbind, arguments: other }, 'queue.unbind-ok');
    expect(await isRouted(client, { exchange, routingKey: 'k' })).toBe(false);
  });

  test('to the default exchange is refused', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    client.send(1, { name: 'queue.bind', queue, exchange: '', routingKey: 'k' });
    await client.expectChannelClose(1, 403, onDefaultExchange, [50, 20]);
  });

  test('of a queue that does not exist is not found', async ({ client, unique }) => {
    const queue = unique('missing');
    client.send(1, { name: 'queue.bind', queue, exchange: 'amq.direct', routingKey: 'k' });
    await client.expectChannelClose(1, 404, noQueue(queue), [50, 20]);
  });

  test('to an exchange that does not exist is not found', async ({ client, unique }) => {
    const queue = await exclusiveQueue(client);
    const exchange = unique('missing');
    client.send(1, { name: 'queue.bind', queue, exchange, routingKey: 'k' });
    await client.expectChannelClose(1, 404, noExchange(exchange), [50, 20]);
  });

  test('without a name means the queue declared last', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await client.rpc(1, { name: 'queue.bind', exchange: 'amq.direct', routingKey: queue }, 'queue.bind-ok');
    client.publish(1, { exchange: 'amq.direct', routingKey: queue, body: 'x' });
    expect(await drain(client, queue)).toEqual(['x']);
  });

  test('without a name and a routing key takes the name for the key', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await client.rpc(1, { name: 'queue.bind', exchange: 'amq.direct' }, 'queue.bind-ok');
    client.publish(1, { exchange: 'amq.direct', routingKey: queue, body: 'x' });
    expect(await drain(client, queue)).toEqual(['x']);
  });

  test('with a name and no routing key binds with the empty key', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    const queue = await exclusiveQueue(client);
    await client.rpc(1, { name: 'queue.bind', queue, exchange }, 'queue.bind-ok');
    expect(await isRouted(client, { exchange, routingKey: queue })).toBe(false);
    expect(await isRouted(client, { exchange, routingKey: '' })).toBe(true);
  });

  test('without a name fails when no queue was declared', async ({ client }) => {
    client.send(1, { name: 'queue.bind', exchange: 'amq.direct', routingKey: 'k' });
    await client.expectChannelClose(1, 404, 'NOT_FOUND - no previously declared queue', [50, 20]);
  });

  test('with no-wait is not answered', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    const queue = await exclusiveQueue(client);
    client.send(1, { name: 'queue.bind', queue, exchange, routingKey: 'k', noWait: true });
    await client.expectNothing(1);
    expect(await isRouted(client, { exchange, routingKey: 'k' })).toBe(true);
  });

  test('is undone when the queue is deleted', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    const queue = await exclusiveQueue(client, { queue: unique('q') });
    await bindQueue(client, { queue, exchange, routingKey: 'k' });
    await client.rpc(1, { name: 'queue.delete', queue }, 'queue.delete-ok');
    await exclusiveQueue(client, { queue });
    expect(await isRouted(client, { exchange, routingKey: 'k' })).toBe(false);
  });
});

describe('queue.unbind', () => {
  test('of what was not bound does not ask whose queue it is', async ({ client, connect }) => {
    const queue = await exclusiveQueue(client);
    const other = await connect();
    await other.openChannel();
    const unbind = { name: 'queue.unbind', queue, exchange: 'amq.direct', routingKey: 'never' } as const;
    await other.rpc(1, unbind, 'queue.unbind-ok');
    await bindQueue(client, { queue, exchange: 'amq.direct', routingKey: 'never' });
    other.send(1, unbind);
    await other.expectChannelClose(1, 405, /^RESOURCE_LOCKED/, [50, 50]);
  });

  test('removes the binding and leaves the messages', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type: 'fanout' });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange });
    client.publish(1, { exchange, body: 'before' });
    await client.rpc(1, { name: 'queue.unbind', queue, exchange }, 'queue.unbind-ok');
    client.publish(1, { exchange, body: 'after' });
    expect(await drain(client, queue)).toEqual(['before']);
  });

  test('leaves the bindings with other keys', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange, routingKey: 'a' });
    await bindQueue(client, { queue, exchange, routingKey: 'b' });
    await client.rpc(1, { name: 'queue.unbind', queue, exchange, routingKey: 'a' }, 'queue.unbind-ok');
    expect(await isRouted(client, { exchange, routingKey: 'a' })).toBe(false);
    expect(await isRouted(client, { exchange, routingKey: 'b' })).toBe(true);
  });

  test('of a binding that does not exist is accepted', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    const unbind = { name: 'queue.unbind', queue, exchange: 'amq.direct', routingKey: 'never' } as const;
    await client.rpc(1, unbind, 'queue.unbind-ok');
  });

  test('of a queue that does not exist is accepted', async ({ client, unique }) => {
    const unbind = { name: 'queue.unbind', queue: unique('missing'), exchange: 'amq.direct' } as const;
    await client.rpc(1, unbind, 'queue.unbind-ok');
  });

  test('from an exchange that does not exist is accepted', async ({ client, unique }) => {
    const queue = await exclusiveQueue(client);
    await client.rpc(1, { name: 'queue.unbind', queue, exchange: unique('missing') }, 'queue.unbind-ok');
  });

  test('from the default exchange is refused', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    client.send(1, { name: 'queue.unbind', queue, exchange: '', routingKey: queue });
    await client.expectChannelClose(1, 403, onDefaultExchange, [50, 50]);
  });

  test('without a name means the queue declared last', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange, routingKey: 'k' });
    await client.rpc(1, { name: 'queue.unbind', exchange, routingKey: 'k' }, 'queue.unbind-ok');
    expect(await isRouted(client, { exchange, routingKey: 'k' })).toBe(false);
  });
});

describe('exchange.bind', () => {
  test('routes from source to destination', async ({ client, unique }) => {
    const source = await declareExchange(client, { exchange: unique('source'), type: 'topic' });
    const destination = await declareExchange(client, { exchange: unique('destination'), type: 'fanout' });
    const queue = await exclusiveQueue(client);
    await bindExchange(client, destination, source, 'a.*');
    await bindQueue(client, { queue, exchange: destination });
    publishAll(client, 'a.b', ['matching'], { exchange: source, routingKey: 'a.b' });
    publishAll(client, 'b.b', ['other'], { exchange: source, routingKey: 'b.b' });
    const { exchange, routingKey, body } = await getOne(client, queue);
    expect({ exchange, routingKey, body: String(body) }).toEqual({
      exchange: source,
      routingKey: 'a.b',
      body: 'matching',
    });
    await expectQueue(client, queue, { ready: 0 });
  });

  test('is undone by exchange.unbind', async ({ client, unique }) => {
    const source = await declareExchange(client, { exchange: unique('source'), type: 'fanout' });
    const destination = await declareExchange(client, { exchange: unique('destination'), type: 'fanout' });
    const queue = await exclusiveQueue(client);
    await bindExchange(client, destination, source);
    await bindQueue(client, { queue, exchange: destination });
    expect(await isRouted(client, { exchange: source })).toBe(true);
    await client.rpc(1, { name: 'exchange.unbind', destination, source }, 'exchange.unbind-ok');
    expect(await isRouted(client, { exchange: source })).toBe(false);
  });

  test('in a circle visits each exchange once', async ({ client, unique }) => {
    const one = await declareExchange(client, { exchange: unique('one'), type: 'fanout' });
    const two = await declareExchange(client, { exchange: unique('two'), type: 'fanout' });
    const queue = await exclusiveQueue(client);
    await bindExchange(client, one, two);
    await bindExchange(client, two, one);
    await bindExchange(client, one, one);
    await bindQueue(client, { queue, exchange: two });
    client.publish(1, { exchange: one, body: 'once' });
    expect(await drain(client, queue)).toEqual(['once']);
  });

  test('delivers once however many ways lead to the queue', async ({ client, unique }) => {
    const source = await declareExchange(client, { exchange: unique('source'), type: 'fanout' });
    const left = await declareExchange(client, { exchange: unique('left'), type: 'fanout' });
    const right = await declareExchange(client, { exchange: unique('right'), type: 'fanout' });
    const queue = await exclusiveQueue(client);
    for (const destination of [left, right]) {
      await bindExchange(client, destination, source);
      await bindQueue(client, { queue, exchange: destination });
    }
    client.publish(1, { exchange: source, body: 'once' });
    expect(await drain(client, queue)).toEqual(['once']);
  });

  test('reaches internal exchanges', async ({ client, unique }) => {
    const source = await declareExchange(client, { exchange: unique('source'), type: 'fanout' });
    const destination = await declareExchange(client, { exchange: unique('in'), type: 'fanout', internal: true });
    const queue = await exclusiveQueue(client);
    await bindExchange(client, destination, source);
    await bindQueue(client, { queue, exchange: destination });
    client.publish(1, { exchange: source, body: 'in' });
    expect(await drain(client, queue)).toEqual(['in']);
  });

  test('with no-wait is not answered, nor is exchange.unbind', async ({ client, unique }) => {
    const source = await declareExchange(client, { exchange: unique('source'), type: 'fanout' });
    client.send(1, { name: 'exchange.bind', destination: 'amq.fanout', source, noWait: true });
    await client.expectNothing(1);
    client.send(1, { name: 'exchange.unbind', destination: 'amq.fanout', source, noWait: true });
    await client.expectNothing(1);
  });

  test.for([
    ['source', { destination: 'amq.direct', source: '' }],
    ['destination', { destination: '', source: 'amq.direct' }],
  ] as const)('with the default exchange as the %s is refused', async ([, ends], { client }) => {
    client.send(1, { name: 'exchange.bind', routingKey: 'k', ...ends });
    await client.expectChannelClose(1, 403, onDefaultExchange, [40, 30]);
  });

  test('from an exchange that does not exist is not found', async ({ client, unique }) => {
    const source = unique('missing');
    client.send(1, { name: 'exchange.bind', destination: 'amq.direct', source });
    await client.expectChannelClose(1, 404, noExchange(source), [40, 30]);
  });

  test('to an exchange that does not exist is not found', async ({ client, unique }) => {
    const destination = unique('missing');
    client.send(1, { name: 'exchange.bind', destination, source: 'amq.direct' });
    await client.expectChannelClose(1, 404, noExchange(destination), [40, 30]);
  });
});

describe('exchange.unbind', () => {
  test('of a binding that does not exist is accepted', async ({ client }) => {
    const unbind = {
      name: 'exchange.unbind',
      destination: 'amq.direct',
      source: 'amq.topic',
      routingKey: 'never',
    } as const;
    await client.rpc(1, unbind, 'exchange.unbind-ok');
  });

  test('of exchanges that do not exist is accepted', async ({ client, unique }) => {
    const unbind = { name: 'exchange.unbind', destination: unique('missing'), source: unique('missing') } as const;
    await client.rpc(1, unbind, 'exchange.unbind-ok');
  });

  test('from the default exchange is refused', async ({ client }) => {
    client.send(1, { name: 'exchange.unbind', destination: 'amq.direct', source: '' });
    await client.expectChannelClose(1, 403, onDefaultExchange, [40, 40]);
  });
});
