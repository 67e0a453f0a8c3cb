import { describe, expect } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
import { test } from './conformance-test.js';
import { bindExchange, bindQueue, declareExchange, exclusiveQueue, getOne } from './topology.js';

const onDefaultExchange = 'ACCESS_REFUSED - operation not permitted on the default exchange';
const noExchange = (name: string) => `NOT_FOUND - no exchange '${name}' in vhost '/'`;
const inequivalent = (arg: string, exchange: string, received: string, current: string) =>
  `PRECONDITION_FAILED - inequivalent arg '${arg}' for exchange '${exchange}' in vhost '/': received '${received}' but current is '${current}'`;

describe('exchange.declare', () => {
  test.for(['direct', 'fanout', 'topic', 'headers'])('knows the type %s', async (type, { client, unique }) => {
    await declareExchange(client, { exchange: unique(type), type });
  });

  test('of an unknown type fails', async ({ client, unique, expects }) => {
    client.send(1, { name: 'exchange.declare', exchange: unique('x'), type: 'foo' });
    await expects('unknown-exchange-type', {
      rabbit3: () =>
        client.expectConnectionClose(503, /^COMMAND_INVALID - (unknown|invalid) exchange type 'foo'$/, [40, 10]),
      default: () =>
        client.expectChannelClose(1, 406, /^PRECONDITION_FAILED - (unknown|invalid) exchange type 'foo'$/, [40, 10]),
    })();
  });

  test('again with the same properties is accepted', async ({ client, unique }) => {
    const fields = { exchange: unique('x'), type: 'topic', durable: true, autoDelete: true, internal: true };
    await declareExchange(client, fields);
    await declareExchange(client, fields);
  });

  test.for([
    ['type', { type: 'fanout' }, 'fanout', 'direct'],
    ['durable', { durable: true }, 'true', 'false'],
    ['auto_delete', { autoDelete: true }, 'true', 'false'],
    ['internal', { internal: true }, 'true', 'false'],
  ] as const)('again with another %s is refused', async ([arg, fields, received, current], { client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    client.send(1, { name: 'exchange.declare', exchange, type: 'direct', ...fields });
    await client.expectChannelClose(1, 406, inequivalent(arg, exchange, received, current), [40, 10]);
  });

  test('compares the alternate exchange', async ({ client, unique }) => {
    const exchange = unique('x');
    await declareExchange(client, { exchange, arguments: table({ 'alternate-exchange': 'a' }) });
    await declareExchange(client, { exchange, arguments: table({ 'alternate-exchange': 'a' }) });
    const other = table({ 'alternate-exchange': 'b' });
    client.send(1, { name: 'exchange.declare', exchange, type: 'direct', arguments: other });
    await client.expectChannelClose(1, 406, inequivalent('alternate-exchange', exchange, 'b', 'a'), [40, 10]);
  });

  test('compares no other argument', async ({ client, unique }) => {
    const exchange = unique('x');
    await declareExchange(client, { exchange, arguments: table({ 'x-own': 1 }) });
    await declareExchange(client, { exchange, arguments: table({ 'x-own': 2, 'x-another': 'y' }) });
    await declareExchange(client, { exchange });
  });

  test('takes only a long string for the alternate exchange', async ({ client, unique }) => {
    const exchange = unique('x');
    const wrong = table({ 'alternate-exchange': 5 });
    client.send(1, { name: 'exchange.declare', exchange, type: 'direct', arguments: wrong });
    const text = `PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange '${exchange}' in vhost '/'`;
    await client.expectChannelClose(1, 406, text, [40, 10]);
  });

  test('takes an alternate exchange that does not exist', async ({ client, unique }) => {
    const alternate = table({ 'alternate-exchange': unique('missing') });
    await declareExchange(client, { exchange: unique('x'), arguments: alternate });
  });

  test('of the default exchange is refused', async ({ client }) => {
    client.send(1, { name: 'exchange.declare', exchange: '', type: 'direct', durable: true });
    await client.expectChannelClose(1, 403, onDefaultExchange, [40, 10]);
  });

  test('of a new name beginning with amq. is refused', async ({ client }) => {
    client.send(1, { name: 'exchange.declare', exchange: 'amq.mine', type: 'direct' });
    const text = "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'";
    await client.expectChannelClose(1, 403, text, [40, 10]);
  });

  test.for([
    ['amq.direct', 'direct', false],
    ['amq.fanout', 'fanout', false],
    ['amq.topic', 'topic', false],
    ['amq.headers', 'headers', false],
    ['amq.match', 'headers', false],
    ['amq.rabbitmq.trace', 'topic', true],
  ] as const)('finds %s there', async ([exchange, type, internal], { client }) => {
    await declareExchange(client, { exchange, type, internal, durable: true });
  });

  test('of a predeclared exchange with another type is refused', async ({ client }) => {
    client.send(1, { name: 'exchange.declare', exchange: 'amq.direct', type: 'topic', durable: true });
    await client.expectChannelClose(1, 406, inequivalent('type', 'amq.direct', 'topic', 'direct'), [40, 10]);
  });

  test('looks at the name before the arguments', async ({ client }) => {
    const args = table({ 'alternate-exchange': 5 });
    client.send(1, { name: 'exchange.declare', exchange: 'amq.mine', type: 'direct', arguments: args });
    await client.expect(1, 'channel.close', { replyCode: 403, replyText: /reserved prefix/ });
  });

  test('compares the type before the flags', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    client.send(1, { name: 'exchange.declare', exchange, type: 'topic', durable: true, internal: true });
    await client.expectChannelClose(1, 406, inequivalent('type', exchange, 'topic', 'direct'), [40, 10]);
  });

  test('takes carriage returns and line feeds out of the name', async ({ client, unique }) => {
    const exchange = unique('x');
    await declareExchange(client, { exchange: `${exchange.slice(0, 5)}\r\n${exchange.slice(5)}\n` });
    await declareExchange(client, { exchange, passive: true });
  });

  test('takes a name of 255 octets', async ({ client, unique }) => {
    await declareExchange(client, { exchange: unique('x'.repeat(255 - unique('').length)) });
  });

  test('with no-wait is not answered', async ({ client, unique }) => {
    const exchange = unique('x');
    client.send(1, { name: 'exchange.declare', exchange, type: 'fanout', noWait: true });
    await client.expectNothing(1);
    await declareExchange(client, { exchange, passive: true });
  });

  test('with no-wait still fails aloud', async ({ client }) => {
    client.send(1, { name: 'exchange.declare', exchange: 'amq.mine', type: 'fanout', noWait: true });
    await client.expect(1, 'channel.close', { replyCode: 403 });
  });
});

describe('exchange.declare, passive', () => {
  test('looks at nothing but the name', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    const fields = { type: 'foo', durable: true, autoDelete: true, internal: true };
    const args = table({ 'alternate-exchange': 5 });
    await declareExchange(client, { exchange, passive: true, arguments: args, ...fields });
  });

  test('of an exchange that does not exist is not found', async ({ client, unique }) => {
    const exchange = unique('missing');
    client.send(1, { name: 'exchange.declare', exchange, type: 'direct', passive: true });
    await client.expectChannelClose(1, 404, noExchange(exchange), [40, 10]);
  });

  test('of the default exchange is refused', async ({ client }) => {
    client.send(1, { name: 'exchange.declare', exchange: '', passive: true });
    await client.expectChannelClose(1, 403, onDefaultExchange, [40, 10]);
  });
});

describe('exchange.delete', () => {
  test('deletes', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    await client.rpc(1, { name: 'exchange.delete', exchange }, 'exchange.delete-ok');
    client.send(1, { name: 'exchange.declare', exchange, passive: true });
    await client.expectChannelClose(1, 404, noExchange(exchange), [40, 10]);
  });

  test('of an exchange that does not exist is accepted', async ({ client, unique }) => {
    await client.rpc(1, { name: 'exchange.delete', exchange: unique('missing') }, 'exchange.delete-ok');
  });

  test('of the default exchange is refused', async ({ client }) => {
    client.send(1, { name: 'exchange.delete', exchange: '' });
    await client.expectChannelClose(1, 403, onDefaultExchange, [40, 20]);
  });

  test('of a system exchange is refused', async ({ client }) => {
    client.send(1, { name: 'exchange.delete', exchange: 'amq.direct' });
    const text = "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed";
    await client.expectChannelClose(1, 403, text, [40, 20]);
  });

  test('if unused fails as long as the exchange is the source of a binding', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange, routingKey: 'k' });
    client.send(1, { name: 'exchange.delete', exchange, ifUnused: true });
    const text = `PRECONDITION_FAILED - exchange '${exchange}' in vhost '/' in use`;
    await client.expectChannelClose(1, 406, text, [40, 20]);
  });

  test('if unused takes no notice of bindings to the exchange', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    await bindExchange(client, exchange, 'amq.direct', exchange);
    await client.rpc(1, { name: 'exchange.delete', exchange, ifUnused: true }, 'exchange.delete-ok');
  });

  test('with no-wait is not answered', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    client.send(1, { name: 'exchange.delete', exchange, noWait: true });
    await client.expectNothing(1);
    client.send(1, { name: 'exchange.declare', exchange, passive: true });
    await client.expectChannelClose(1, 404, noExchange(exchange), [40, 10]);
  });

  test('deletes the bindings from and to the exchange', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type: 'fanout' });
    const source = await declareExchange(client, { exchange: unique('source'), type: 'fanout' });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange });
    await bindExchange(client, exchange, source);
    await client.rpc(1, { name: 'exchange.delete', exchange }, 'exchange.delete-ok');
    await declareExchange(client, { exchange, type: 'fanout' });
    client.publish(1, { exchange, mandatory: true });
    await client.expect(1, 'basic.return', { exchange });
    await bindQueue(client, { queue, exchange });
    client.publish(1, { exchange: source, mandatory: true });
    await client.expect(1, 'basic.return', { exchange: source });
  });
});

describe('an auto-delete exchange', () => {
  test('goes with the last binding from it', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), autoDelete: true });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange, routingKey: 'a' });
    await bindQueue(client, { queue, exchange, routingKey: 'b' });
    await client.rpc(1, { name: 'queue.unbind', queue, exchange, routingKey: 'a' }, 'queue.unbind-ok');
    await declareExchange(client, { exchange, passive: true });
    await client.rpc(1, { name: 'queue.unbind', queue, exchange, routingKey: 'b' }, 'queue.unbind-ok');
    client.send(1, { name: 'exchange.declare', exchange, passive: true });
    await client.expectChannelClose(1, 404, noExchange(exchange), [40, 10]);
  });

  test('goes with the last queue bound to it', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), autoDelete: true });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange });
    await client.rpc(1, { name: 'queue.delete', queue }, 'queue.delete-ok');
    client.send(1, { name: 'exchange.declare', exchange, passive: true });
    await client.expectChannelClose(1, 404, noExchange(exchange), [40, 10]);
  });

  test('goes with the last exchange bound to it', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), autoDelete: true });
    const destination = await declareExchange(client, { exchange: unique('destination') });
    await bindExchange(client, destination, exchange);
    await client.rpc(1, { name: 'exchange.delete', exchange: destination }, 'exchange.delete-ok');
    client.send(1, { name: 'exchange.declare', exchange, passive: true });
    await client.expectChannelClose(1, 404, noExchange(exchange), [40, 10]);
  });

  test('stays as long as it was never bound', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), autoDelete: true });
    const queue = await exclusiveQueue(client);
    await client.rpc(1, { name: 'queue.unbind', queue, exchange, routingKey: 'a' }, 'queue.unbind-ok');
    await declareExchange(client, { exchange, passive: true });
  });

  test('does not count bindings to it', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), autoDelete: true });
    await bindExchange(client, exchange, 'amq.direct', exchange);
    const unbind = {
      name: 'exchange.unbind',
      destination: exchange,
      source: 'amq.direct',
      routingKey: exchange,
    } as const;
    await client.rpc(1, unbind, 'exchange.unbind-ok');
    await declareExchange(client, { exchange, passive: true });
  });

  test('takes along the auto-delete exchange that was bound to nothing else', async ({ client, unique }) => {
    const source = await declareExchange(client, { exchange: unique('source'), type: 'fanout', autoDelete: true });
    const exchange = await declareExchange(client, { exchange: unique('x'), type: 'fanout', autoDelete: true });
    const queue = await exclusiveQueue(client);
    await bindExchange(client, exchange, source);
    await bindQueue(client, { queue, exchange });
    client.publish(1, { exchange: source, body: 'through both' });
    expect(String((await getOne(client, queue)).body)).toBe('through both');
    await client.rpc(1, { name: 'queue.delete', queue }, 'queue.delete-ok');
    client.send(1, { name: 'exchange.declare', exchange: source, passive: true });
    await client.expectChannelClose(1, 404, noExchange(source), [40, 10]);
  });
});
