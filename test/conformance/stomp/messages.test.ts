import { describe, expect } from 'vitest';
import { type FieldTable, table } from '../../../protocol/amqp/field-table.js';
import { declareExchange, declareQueue, exclusiveQueue, expectQueue, getOne } from '../topology.js';
import { test } from './stomp-test.js';

/** As one object: the order of headers is a matter of the broker. */
function asObject(headers: FieldTable | undefined): Record<string, unknown> {
  return Object.fromEntries((headers ?? []).map(([name, value]) => [name, 'value' in value ? value.value : null]));
}

describe('SEND to an AMQP client', () => {
  test('turns headers into properties, and the others into AMQP headers', async ({ stomp, client }) => {
    const queue = await exclusiveQueue(client);
    const properties = {
      'content-type': 'text/plain',
      'content-encoding': 'identity',
      'correlation-id': 'c',
      'reply-to': 'r',
      expiration: '60000',
      type: 't',
      'user-id': 'guest',
      'app-id': 'a',
      'amqp-message-id': 'm',
      persistent: 'true',
      priority: '7',
      timestamp: '1700000000',
    };
    const others = { foo: 'bar', 'x-max': '5', durable: 'maybe', 'content-length': '4', 'a:b': 'c\nd' };
    stomp.send('SEND', { destination: `/amq/queue/${queue}`, ...properties, ...others }, 'body');
    await expectQueue(client, queue, { ready: 1 });
    const message = await getOne(client, queue, true);
    const { headers, ...rest } = message.properties;
    expect(rest).toEqual({
      contentType: 'text/plain',
      contentEncoding: 'identity',
      correlationId: 'c',
      replyTo: 'r',
      expiration: '60000',
      type: 't',
      userId: 'guest',
      appId: 'a',
      messageId: 'm',
      deliveryMode: 2,
      priority: 7,
      timestamp: 1700000000n,
    });
    expect(asObject(headers)).toEqual(others);
    expect(String(message.body)).toBe('body');
  });

  test('has no delivery mode unless it is persistent', async ({ stomp, client }) => {
    const queue = await exclusiveQueue(client);
    stomp.send('SEND', { destination: `/amq/queue/${queue}`, persistent: 'false', receipt: 'r' }, 'x');
    await stomp.expect('RECEIPT');
    await expectQueue(client, queue, { ready: 1 });
    const { properties } = await getOne(client, queue, true);
    expect(properties.deliveryMode).toBeUndefined();
    expect(asObject(properties.headers)).toEqual({ receipt: 'r' });
  });

  test('keeps a body of any bytes', async ({ stomp, client }) => {
    const queue = await exclusiveQueue(client);
    const body = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('');
    stomp.send('SEND', { destination: `/amq/queue/${queue}`, 'content-length': '256' }, body);
    await expectQueue(client, queue, { ready: 1 });
    expect(Buffer.from((await getOne(client, queue, true)).body).toString('latin1')).toBe(body);
  });

  test('goes where a headers exchange sends it', async ({ stomp, client }) => {
    const queue = await exclusiveQueue(client);
    const bind = { name: 'queue.bind', queue, exchange: 'amq.headers', arguments: table({ colour: 'red' }) } as const;
    await client.rpc(1, bind, 'queue.bind-ok');
    stomp.send('SEND', { destination: '/exchange/amq.headers', colour: 'blue' }, 'no');
    stomp.send('SEND', { destination: '/exchange/amq.headers', colour: 'red' }, 'yes');
    await expectQueue(client, queue, { ready: 1 });
    expect(String((await getOne(client, queue, true)).body)).toBe('yes');
  });
});

describe('MESSAGE from an AMQP client', () => {
  test('has the properties as headers in this order', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    await stomp.request('SUBSCRIBE', { id: '0', destination: `/queue/${queue}`, ack: 'client' });
    client.publish(1, {
      routingKey: queue,
      body: 'body',
      properties: {
        contentType: 'text/plain',
        contentEncoding: 'identity',
        headers: [['one', { type: 'S', value: 'a:b\nc' }]],
        correlationId: 'c',
        replyTo: 'r',
        expiration: '60000',
        type: 't',
        userId: 'guest',
        appId: 'a',
        clusterId: 'dropped',
        messageId: 'm',
        deliveryMode: 2,
        priority: 7,
        timestamp: 1700000000n,
      },
    });
    const { names, headers, body } = await stomp.expect('MESSAGE');
    const [first, user] = [['subscription', 'destination', 'message-id', 'redelivered', 'ack'], ['one']];
    const properties = ['app-id', 'user-id', 'type', 'timestamp', 'amqp-message-id', 'expiration', 'reply-to'];
    const last = ['correlation-id', 'priority', 'persistent', 'content-encoding', 'content-type', 'content-length'];
    expect(names).toEqual([...first, ...user, ...properties, ...last]);
    expect(headers).toMatchObject({
      one: 'a:b\nc',
      'app-id': 'a',
      'user-id': 'guest',
      type: 't',
      timestamp: '1700000000',
      'amqp-message-id': 'm',
      expiration: '60000',
      'reply-to': '/reply-queue/r',
      'correlation-id': 'c',
      priority: '7',
      persistent: 'true',
      'content-encoding': 'identity',
      'content-type': 'text/plain',
      'content-length': '4',
    });
    expect(body).toBe('body');
  });

  test('has headers that are strings or integers, and no others', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    await stomp.request('SUBSCRIBE', { id: '0', destination: `/queue/${queue}` });
    client.publish(1, {
      routingKey: queue,
      properties: {
        headers: [
          ['text', { type: 'S', value: 'x' }],
          ['signedint', { type: 'I', value: -5 }],
          ['long', { type: 'l', value: 9007199254740993n }],
          ['bool', { type: 't', value: true }],
          ['double', { type: 'd', value: 1.5 }],
          ['byte', { type: 'b', value: 1 }],
          ['table', { type: 'F', value: [['inner', { type: 'S', value: 'x' }]] }],
          ['array', { type: 'A', value: [{ type: 'S', value: 'x' }] }],
          ['void', { type: 'V' }],
        ],
      },
    });
    const { names, headers } = await stomp.expect('MESSAGE');
    expect(names).toEqual(['subscription', 'destination', 'message-id', 'redelivered', 'text', 'signedint', 'long']);
    expect(headers).toMatchObject({ text: 'x', signedint: '-5', long: '9007199254740993' });
  });

  test('says nothing of a transient delivery mode', async ({ stomp, client, unique, skipOn3 }) => {
    skipOn3('stomp-transient');
    const queue = unique('q');
    await stomp.request('SUBSCRIBE', { id: '0', destination: `/queue/${queue}` });
    client.publish(1, { routingKey: queue, properties: { deliveryMode: 1 } });
    expect((await stomp.expect('MESSAGE')).names).not.toContain('persistent');
  });

  test('says where it came from', async ({ stomp, client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type: 'topic' });
    const queue = unique('q');
    stomp.send('SUBSCRIBE', { id: '0', destination: `/queue/${queue}` });
    await stomp.settle();
    for (const source of [exchange, 'amq.topic']) {
      const bind = { name: 'queue.bind', queue, exchange: source, routingKey: '#' } as const;
      await client.rpc(1, bind, 'queue.bind-ok');
    }
    for (const [from, routingKey, destination] of [
      ['', queue, `/queue/${queue}`],
      ['amq.topic', `${queue}.b`, `/topic/${queue}.b`],
      [exchange, 'k', `/exchange/${exchange}/k`],
      [exchange, '', `/exchange/${exchange}`],
      [exchange, 'a/b%c\u00e9 d:', `/exchange/${exchange}/a%2Fb%25c%C3%A9 d:`],
    ] as const) {
      client.publish(1, { exchange: from, routingKey, body: 'x' });
      expect((await stomp.expect('MESSAGE')).headers['destination']).toBe(destination);
    }
  });

  test('of sixteen megabytes arrives whole', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    await stomp.request('SUBSCRIBE', { id: '0', destination: `/queue/${queue}` });
    const body = Buffer.alloc(16_777_216, 'jackalope');
    client.publish(1, { routingKey: queue, body });
    const message = await stomp.next(20_000);
    expect(Buffer.from(message.body, 'latin1').equals(body)).toBe(true);
  });

  test('keeps a reply-to that is a destination', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    await stomp.request('SUBSCRIBE', { id: '0', destination: `/queue/${queue}` });
    client.publish(1, { routingKey: queue, properties: { replyTo: '/queue/back' } });
    expect((await stomp.expect('MESSAGE')).headers['reply-to']).toBe('/queue/back');
  });
});

describe('a RECEIPT', () => {
  test('of SEND comes for persistent and transient messages, routed or not', async ({ stomp, unique }) => {
    const destination = `/queue/${unique('q')}`;
    await stomp.request('SEND', { destination, persistent: 'true' }, 'x');
    await stomp.request('SEND', { destination }, 'x');
    await stomp.request('SEND', { destination: `/amq/queue/${unique('none')}` }, 'x');
  });

  test('comes for every command', async ({ stomp, unique }) => {
    const destination = `/queue/${unique('q')}`;
    await stomp.request('SUBSCRIBE', { id: '0', destination, ack: 'client' });
    await stomp.request('BEGIN', { transaction: 't' });
    await stomp.request('ABORT', { transaction: 't' });
    stomp.send('SEND', { destination }, 'x');
    const { headers } = await stomp.expect('MESSAGE');
    await stomp.request('ACK', { id: headers['ack'] ?? '' });
    await stomp.request('UNSUBSCRIBE', { id: '0' });
  });

  test('does not come for a message that a queue refuses', async ({ stomp, client, skipOn3 }) => {
    skipOn3('stomp-nack');
    const queue = await exclusiveQueue(client, {
      arguments: table({ 'x-max-length': 0, 'x-overflow': 'reject-publish' }),
    });
    stomp.send('SEND', { destination: `/amq/queue/${queue}`, receipt: 'r' }, 'x');
    expect(await stomp.settle()).toEqual([]);
  });

  test('has the very bytes of its id', async ({ stomp }) => {
    stomp.send('BEGIN', { transaction: 't', receipt: 'a:b\n\\\u00e9' });
    const { headers } = await stomp.expect('RECEIPT');
    expect(Buffer.from(headers['receipt-id'] ?? '', 'latin1').toString()).toBe('a:b\n\\\u00e9');
  });
});

describe('a transaction', () => {
  test('publishes and settles at COMMIT', async ({ stomp, client, unique }) => {
    const [from, to] = [unique('from'), unique('to')];
    await stomp.request('SEND', { destination: `/queue/${to}` }, 'first');
    stomp.send('SUBSCRIBE', { id: '0', destination: `/queue/${from}`, ack: 'client' });
    stomp.send('SEND', { destination: `/queue/${from}` }, 'x');
    const { headers } = await stomp.expect('MESSAGE');
    stomp.send('BEGIN', { transaction: 't' });
    stomp.send('SEND', { destination: `/queue/${to}`, transaction: 't' }, 'y');
    stomp.send('ACK', { id: headers['ack'] ?? '', transaction: 't' });
    await stomp.settle();
    await expectQueue(client, to, { ready: 1 });
    await stomp.request('COMMIT', { transaction: 't' });
    await expectQueue(client, to, { ready: 2 });
    stomp.send('DISCONNECT');
    await stomp.closed();
    await expectQueue(client, from, { ready: 0 });
  });

  test('does nothing after ABORT', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    await stomp.request('SEND', { destination: `/queue/${queue}` }, 'first');
    stomp.send('BEGIN', { transaction: 't' });
    stomp.send('SEND', { destination: `/queue/${queue}`, transaction: 't' }, 'y');
    await stomp.request('ABORT', { transaction: 't' });
    await expectQueue(client, queue, { ready: 1 });
  });

  test('begins anew when it begins twice', async ({ stomp, client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q'), durable: true });
    const destination = `/queue/${queue}`;
    stomp.send('BEGIN', { transaction: 't' });
    stomp.send('SEND', { destination, transaction: 't' }, '1');
    stomp.send('BEGIN', { transaction: 't' });
    stomp.send('SEND', { destination, transaction: 't' }, '2');
    await stomp.request('COMMIT', { transaction: 't' });
    await expectQueue(client, queue, { ready: 1 });
    expect(String((await getOne(client, queue, true)).body)).toBe('2');
  });

  test('answers its SENDs after COMMIT, in order', async ({ stomp, unique }) => {
    const destination = `/queue/${unique('q')}`;
    stomp.send('BEGIN', { transaction: 't' });
    for (const receipt of ['1', '2']) stomp.send('SEND', { destination, transaction: 't', receipt }, 'x');
    stomp.send('COMMIT', { transaction: 't', receipt: 'c' });
    const receipts = [];
    for (let i = 0; i < 3; i++) receipts.push((await stomp.expect('RECEIPT')).headers['receipt-id']);
    expect(receipts).toEqual(['c', '1', '2']);
  });

  test('looks at what it holds only at COMMIT, and goes on after an error', async ({
    stomp,
    client,
    unique,
    skipOn3,
  }) => {
    skipOn3('stomp-transaction-checks');
    const queue = await declareQueue(client, { queue: unique('q'), durable: true });
    stomp.send('BEGIN', { transaction: 't' });
    stomp.send('SEND', { destination: '/foo/x', transaction: 't' }, '1');
    stomp.send('SEND', { destination: `/queue/${queue}`, transaction: 't' }, '2');
    expect(await stomp.settle()).toEqual([]);
    stomp.send('COMMIT', { transaction: 't' });
    expect((await stomp.expect('ERROR')).headers['message']).toBe('Unknown destination');
    await expectQueue(client, queue, { ready: 1 });
  });
});
