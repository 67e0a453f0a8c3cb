import { Buffer } from 'node:buffer';
import { describe, expect } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
import { test } from './conformance-test.js';
import {
  bindQueue,
  consume,
  declareExchange,
  drain,
  exclusiveQueue,
  expectQueue,
  getOne,
  publishAll,
} from './topology.js';

const MISSING = 'conformance.missing';
const FAILED = 'PRECONDITION_FAILED - ';
const LARGEST_MESSAGE = 16_777_216;

describe('basic.publish', () => {
  test('keeps the order of one channel', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    const bodies = Array.from({ length: 200 }, (_, index) => String(index));
    publishAll(client, queue, bodies);
    expect(await drain(client, queue)).toEqual(bodies);
  });

  test('delivers exchange, routing key, properties and body', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type: 'topic' });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange, routingKey: '#' });
    const properties = { contentType: 'text/plain', correlationId: 'c-1', headers: table({ a: 1 }) };
    client.publish(1, { exchange, routingKey: 'a.b', body: 'hello', properties });
    const message = await getOne(client, queue);
    expect(message).toMatchObject({ exchange, routingKey: 'a.b', redelivered: false, properties });
    expect(String(message.body)).toBe('hello');
  });

  test('to an exchange that does not exist is not found', async ({ client, unique }) => {
    const exchange = unique('missing');
    client.publish(1, { exchange, routingKey: 'k' });
    await client.expectChannelClose(1, 404, `NOT_FOUND - no exchange '${exchange}' in vhost '/'`, [60, 40]);
  });

  test('to an internal exchange is refused', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), internal: true });
    client.publish(1, { exchange, routingKey: 'k' });
    const text = `ACCESS_REFUSED - cannot publish to internal exchange '${exchange}' in vhost '/'`;
    await client.expectChannelClose(1, 403, text, [60, 40]);
  });

  test('immediate is not implemented', async ({ client }) => {
    client.publish(1, { routingKey: 'k', immediate: true });
    await client.expectConnectionClose(540, 'NOT_IMPLEMENTED - immediate=true', [60, 40]);
  });

  test('of a body of 300000 octets is delivered in frames as large as may be', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    const body = Buffer.alloc(300_000, 'abcdefg');
    client.publish(1, { routingKey: queue, body });
    await consume(client, { queue });
    const delivered = await client.expect(1, 'basic.deliver');
    expect(delivered.bodyFrameSizes).toEqual([131_064, 131_064, 37_872]);
    expect(delivered.body.equals(body)).toBe(true);
  });

  test('of the largest message allowed is accepted', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    client.publish(1, { routingKey: queue, body: Buffer.alloc(LARGEST_MESSAGE) });
    await expectQueue(client, queue, { ready: 1 });
  });

  test('of a larger message is refused', async ({ client, skipOn3 }) => {
    skipOn3('message-size');
    const queue = await exclusiveQueue(client);
    client.publish(1, { routingKey: queue, body: Buffer.alloc(LARGEST_MESSAGE + 1) });
    const text = `${FAILED}message size 16777217 is larger than configured max size 16777216`;
    await client.expectChannelClose(1, 406, text, [60, 40]);
  });
});

describe('mandatory', () => {
  test('a message that reaches no queue is returned as it was', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    const properties = { messageId: 'm-1', headers: table({ a: 1 }), deliveryMode: 2 };
    client.publish(1, { exchange, routingKey: 'k', mandatory: true, body: 'back', properties });
    const returned = await client.expect(1, 'basic.return', {
      replyCode: 312,
      replyText: 'NO_ROUTE',
      exchange,
      routingKey: 'k',
    });
    expect(returned.properties).toEqual(properties);
    expect(String(returned.body)).toBe('back');
  });

  test('an empty message is returned without a body frame', async ({ client }) => {
    client.publish(1, { routingKey: MISSING, mandatory: true });
    expect((await client.expect(1, 'basic.return')).bodyFrameSizes).toEqual([]);
  });

  test('a message that reaches a queue is not returned', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    client.publish(1, { routingKey: queue, mandatory: true });
    await client.expectNothing(1);
  });

  test('not mandatory, a message that reaches no queue is dropped', async ({ client }) => {
    client.publish(1, { routingKey: MISSING });
    await client.expectNothing(1);
  });
});

describe('expiration', () => {
  test.for([
    ['abc', 'no_integer'],
    ['', 'no_integer'],
    ['-1', '{value_negative,-1}'],
    ['10ms', '{leftover_string,"ms"}'],
    ['1.5', '{leftover_string,".5"}'],
    ['400000000000', '{value_too_large,400000000000}'],
  ] as const)("'%s' is invalid", async ([expiration, reason], { client }) => {
    const queue = await exclusiveQueue(client);
    client.publish(1, { routingKey: queue, properties: { expiration } });
    await client.expectChannelClose(1, 406, `${FAILED}invalid expiration '${expiration}': ${reason}`, [60, 40]);
  });

  test.for(['60000', '+60000', '315360000000', '060000'])(
    "'%s' is delivered as it was",
    async (expiration, { client }) => {
      const queue = await exclusiveQueue(client);
      client.publish(1, { routingKey: queue, properties: { expiration } });
      expect((await getOne(client, queue)).properties).toEqual({ expiration });
    },
  );

  test.for(['0', '-0'])("'%s' is valid", async (expiration, { client }) => {
    const queue = await exclusiveQueue(client);
    client.publish(1, { routingKey: queue, properties: { expiration } });
    await client.expectNothing(1);
  });
});

describe('user-id', () => {
  test('must be the user of the connection', async ({ client }) => {
    client.publish(1, { routingKey: MISSING, properties: { userId: 'bob' } });
    const text = `${FAILED}user_id property set to 'bob' but authenticated user was 'guest'`;
    await client.expectChannelClose(1, 406, text, [60, 40]);
  });

  test('of the connection is delivered', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    client.publish(1, { routingKey: queue, properties: { userId: 'guest' } });
    expect((await getOne(client, queue)).properties).toEqual({ userId: 'guest' });
  });
});

describe('delivery-mode', () => {
  test.for([1, 2])('%i is delivered', async (deliveryMode, { client }) => {
    const queue = await exclusiveQueue(client);
    client.publish(1, { routingKey: queue, properties: { deliveryMode } });
    expect((await getOne(client, queue)).properties).toEqual({ deliveryMode });
  });

  test('any other is taken for transient', async ({ client, expects }) => {
    const queue = await exclusiveQueue(client);
    client.publish(1, { routingKey: queue, properties: { deliveryMode: 7 } });
    await expects('delivery-mode', {
      rabbit3: () => client.expectChannelClose(1, 406, `${FAILED}invalid message: {delivery_mode_unknown,7}`, [60, 40]),
      default: async () => expect(await drain(client, queue)).toEqual(['']),
    })();
  });
});

describe('a message with several faults is refused for', () => {
  const badExpiration = { expiration: 'abc' };
  const badCopies = { headers: table({ CC: 'no array' }) };
  const badUser = { userId: 'bob' };

  test('the missing exchange before its expiration', async ({ client, unique }) => {
    client.publish(1, { exchange: unique('missing'), properties: badExpiration });
    await client.expect(1, 'channel.close', { replyCode: 404 });
  });

  test('the internal exchange before its expiration', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), internal: true });
    client.publish(1, { exchange, properties: badExpiration });
    await client.expect(1, 'channel.close', { replyCode: 403 });
  });

  test('its reply-to before its expiration', async ({ client }) => {
    client.publish(1, { properties: { ...badExpiration, replyTo: 'amq.rabbitmq.reply-to' } });
    await client.expect(1, 'channel.close', { replyText: `${FAILED}fast reply consumer does not exist` });
  });

  test('its expiration before its copies', async ({ client }) => {
    client.publish(1, { routingKey: MISSING, properties: { ...badExpiration, ...badCopies } });
    await client.expect(1, 'channel.close', { replyText: `${FAILED}invalid expiration 'abc': no_integer` });
  });

  test('its expiration before its user', async ({ client, expects }) => {
    client.publish(1, { routingKey: MISSING, properties: { ...badExpiration, ...badUser } });
    const replyText = expects('user-id-order', { rabbit3: /user_id property/, default: /invalid expiration/ });
    await client.expect(1, 'channel.close', { replyText });
  });

  test('its copies before its user', async ({ client, expects }) => {
    client.publish(1, { routingKey: MISSING, properties: { ...badCopies, ...badUser } });
    const replyText = expects('user-id-order', { rabbit3: /user_id property/, default: /unacceptable_type_in_header/ });
    await client.expect(1, 'channel.close', { replyText });
  });

  test('its user, though it would reach no queue', async ({ client }) => {
    client.publish(1, { routingKey: MISSING, properties: badUser, mandatory: true });
    await client.expect(1, 'channel.close', { replyText: /^PRECONDITION_FAILED - user_id property set to 'bob'/ });
  });
});
