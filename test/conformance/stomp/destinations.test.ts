import { describe, expect } from 'vitest';
import { table } from '../../../protocol/amqp/field-table.js';
import type { Headers } from '../../support/stomp-client.js';
import type { WireClient } from '../../support/wire-client.js';
import { bindQueue, declareExchange, declareQueue, drain, exclusiveQueue, expectQueue } from '../topology.js';
import { expectError, expectOpen, test } from './stomp-test.js';

/** Succeeds when the queue is declared so. */
async function expectDeclared(
  client: WireClient,
  queue: string,
  flags: { durable: boolean; exclusive?: boolean; autoDelete: boolean; arguments?: ReturnType<typeof table> },
): Promise<void> {
  await client.rpc(1, { name: 'queue.declare', queue, exclusive: false, ...flags }, 'queue.declare-ok');
}

/** The queue is not there, or not for this client. */
async function expectRefused(client: WireClient, queue: string, replyCode: 404 | 405, channel = 1): Promise<void> {
  client.send(channel, { name: 'queue.declare', queue, passive: true });
  expect(await client.next(channel)).toMatchObject({ name: 'channel.close', replyCode });
}

describe('/queue', () => {
  test('is declared durable by SEND and by SUBSCRIBE', async ({ stomp, client, unique }) => {
    const [sent, read] = [unique('q'), unique('q')];
    await stomp.request('SEND', { destination: `/queue/${sent}` }, 'x');
    await stomp.request('SUBSCRIBE', { id: '0', destination: `/queue/${read}` });
    for (const queue of [sent, read]) await expectDeclared(client, queue, { durable: true, autoDelete: false });
    expect(await drain(client, sent)).toEqual(['x']);
  });

  test('is what a destination without slash means', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    await stomp.request('SEND', { destination: queue }, 'x');
    expect(await drain(client, queue)).toEqual(['x']);
  });

  test('may have %2F in its name for a slash, and nothing else', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    stomp.send('SUBSCRIBE', { id: '0', destination: `/queue/${queue}%2Fb%2fc%25` });
    await stomp.settle();
    client.publish(1, { routingKey: `${queue}/b%2fc%25`, body: 'x' });
    const { headers } = await stomp.expect('MESSAGE');
    expect(headers['destination']).toBe(`/queue/${queue}%2Fb%252fc%2525`);
    stomp.send('UNSUBSCRIBE', { id: '0' });
    await stomp.settle();
    await client.rpc(1, { name: 'queue.delete', queue: `${queue}/b%2fc%25` }, 'queue.delete-ok');
  });

  test('is declared once a session', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    await stomp.request('SEND', { destination: `/queue/${queue}` }, 'x');
    await client.rpc(1, { name: 'queue.delete', queue }, 'queue.delete-ok');
    await stomp.request('SEND', { destination: `/queue/${queue}` }, 'lost');
    await expectRefused(client, queue, 404);
  });

  for (const headers of [{ durable: 'false' }, { persistent: 'false' }] as Headers[]) {
    test(`with ${JSON.stringify(headers)} is exclusive and goes with the session`, async ({
      stomp,
      client,
      unique,
    }) => {
      const queue = unique('q');
      await stomp.request('SUBSCRIBE', { id: '0', destination: `/queue/${queue}`, ...headers });
      await expectRefused(client, queue, 405);
      stomp.send('DISCONNECT');
      await stomp.closed();
      await client.openChannel(2);
      await expectRefused(client, queue, 404, 2);
    });
  }

  test('has the flags that its headers say', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    const flags = { durable: 'false', exclusive: 'false', 'auto-delete': 'false' };
    await stomp.request('SEND', { destination: `/queue/${queue}`, ...flags });
    await expectDeclared(client, queue, { durable: false, autoDelete: false });
  });

  test('has the arguments that its headers say', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    await stomp.request('SUBSCRIBE', {
      id: '0',
      destination: `/queue/${queue}`,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': 'dead',
      'x-expires': '100000',
      'x-max-length': '10',
      'x-max-length-bytes': '1000',
      'x-max-priority': '5',
      'x-message-ttl': '50000',
      'x-unknown': 'not one of them',
    });
    const numbers = { 'x-expires': 100000n, 'x-max-length': 10n, 'x-max-length-bytes': 1000n, 'x-max-priority': 5n };
    const texts = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' };
    const args = table({ ...texts, ...numbers, 'x-message-ttl': 50000n });
    await expectDeclared(client, queue, { durable: true, autoDelete: false, arguments: args });
  });
});

describe('/amq/queue', () => {
  test('is a queue that is there already', async ({ stomp, client }) => {
    const queue = await declareQueue(client, { autoDelete: true });
    stomp.send('SUBSCRIBE', { id: '0', destination: `/amq/queue/${queue}` });
    stomp.send('SEND', { destination: `/amq/queue/${queue}` }, 'x');
    expect(await stomp.expect('MESSAGE')).toMatchObject({ headers: { destination: `/queue/${queue}` }, body: 'x' });
  });

  test('loses what is sent to no queue', async ({ stomp, unique }) => {
    await stomp.request('SEND', { destination: `/amq/queue/${unique('q')}` }, 'x');
    await expectOpen(stomp);
  });
});

describe('/exchange', () => {
  test('with a key is where a message is published', async ({ stomp, client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange, routingKey: 'key' });
    await stomp.request('SEND', { destination: `/exchange/${exchange}/key` }, 'x');
    await stomp.request('SEND', { destination: `/exchange/${exchange}` }, 'lost');
    expect(await drain(client, queue)).toEqual(['x']);
  });

  test('is subscribed to with a queue of its own, bound with the key', async ({ stomp, client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x') });
    stomp.send('SUBSCRIBE', { id: 'k', destination: `/exchange/${exchange}/key` });
    stomp.send('SUBSCRIBE', { id: 'e', destination: `/exchange/${exchange}` });
    await stomp.settle();
    client.publish(1, { exchange, routingKey: 'key', body: '1' });
    expect((await stomp.expect('MESSAGE')).headers).toMatchObject({
      subscription: 'k',
      destination: `/exchange/${exchange}/key`,
    });
    client.publish(1, { exchange, routingKey: '', body: '2' });
    expect((await stomp.expect('MESSAGE')).headers).toMatchObject({
      subscription: 'e',
      destination: `/exchange/${exchange}`,
    });
  });

  test('that does not exist cannot be subscribed to', async ({ stomp }) => {
    stomp.send('SUBSCRIBE', { id: '0', destination: '/exchange/nox/key' });
    await expectError(stomp, 'not_found', `NOT_FOUND - no exchange 'nox' in vhost '/'`);
    await stomp.closed();
  });
});

describe('/topic', () => {
  test('reaches every subscription that its pattern says', async ({ stomp, connectStomp, unique }) => {
    const topic = unique('t');
    const second = await connectStomp();
    await stomp.request('SUBSCRIBE', { id: '1', destination: `/topic/${topic}.*` });
    await second.request('SUBSCRIBE', { id: '2', destination: `/topic/${topic}.#` });
    stomp.send('SEND', { destination: `/topic/${topic}.a` }, 'x');
    for (const [subscription, client] of [
      ['1', stomp],
      ['2', second],
    ] as const) {
      const { headers, body } = await client.expect('MESSAGE');
      expect([headers['subscription'], headers['destination'], body]).toEqual([subscription, `/topic/${topic}.a`, 'x']);
    }
    stomp.send('SEND', { destination: `/topic/${topic}.a.b` }, 'y');
    expect((await second.expect('MESSAGE')).body).toBe('y');
    await expectOpen(stomp);
  });

  test('has a durable subscription that outlives the session', async ({ connectStomp, unique }) => {
    const headers = { id: unique('id'), destination: `/topic/${unique('t')}`, durable: 'true', 'auto-delete': 'false' };
    const first = await connectStomp();
    await first.request('SUBSCRIBE', { ...headers, ack: 'client' });
    first.send('DISCONNECT');
    await first.closed();
    const second = await connectStomp();
    await second.request('SEND', { destination: headers.destination, persistent: 'true' }, 'kept');
    await second.request('SUBSCRIBE', headers).catch(() => {});
    const third = await connectStomp();
    await third.settle();
    second.send('SEND', { destination: headers.destination }, 'next');
    const bodies = [];
    while (bodies.length < 2) {
      const frame = await second.next();
      if (frame.command === 'MESSAGE') bodies.push(frame.body);
    }
    expect(bodies).toEqual(['kept', 'next']);
    // With durable UNSUBSCRIBE deletes the queue.
    await second.request('UNSUBSCRIBE', { id: headers.id, durable: 'true' });
    await second.request('SEND', { destination: headers.destination }, 'lost');
    await second.request('SUBSCRIBE', headers);
    await expectOpen(second);
    await second.request('UNSUBSCRIBE', { id: headers.id, durable: 'true' });
  });

  test('has a queue of the name that x-queue-name says', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    await stomp.request('SUBSCRIBE', {
      id: '0',
      destination: `/topic/${unique('t')}`,
      'x-queue-name': queue,
      exclusive: 'false',
      'auto-delete': 'false',
    });
    await expectQueue(client, queue, { consumers: 1 });
    await expectDeclared(client, queue, { durable: false, autoDelete: false });
  });

  test('has a quorum queue where x-queue-type says so', async ({ stomp, client, unique, skipOn3 }) => {
    skipOn3('stomp-queue-type');
    const queue = unique('q');
    const destination = `/topic/${unique('t')}`;
    await stomp.request('SUBSCRIBE', { id: '0', destination, 'x-queue-name': queue, 'x-queue-type': 'quorum' });
    const args = table({ 'x-queue-type': 'quorum' });
    await expectDeclared(client, queue, { durable: true, autoDelete: false, arguments: args });
    stomp.send('SEND', { destination }, 'x');
    expect((await stomp.expect('MESSAGE')).body).toBe('x');
  });

  test('has a queue that goes with its subscription', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    const destination = `/topic/${unique('t')}`;
    await stomp.request('SUBSCRIBE', { id: '0', destination, 'x-queue-name': queue, exclusive: 'false' });
    await expectDeclared(client, queue, { durable: false, autoDelete: true });
    await stomp.request('UNSUBSCRIBE', { id: '0' });
    await expectRefused(client, queue, 404);
  });
});

describe('/temp-queue', () => {
  test('in reply-to makes a queue that answers come through', async ({ stomp, connectStomp, unique }) => {
    const destination = `/queue/${unique('q')}`;
    const server = await connectStomp();
    server.send('SUBSCRIBE', { id: 's', destination });
    stomp.send('SEND', { destination, 'reply-to': '/temp-queue/answers' }, 'question');
    const { headers } = await server.expect('MESSAGE');
    expect(headers['reply-to']).toMatch(/^\/reply-queue\/(amq\.gen-|stomp\.gen-)/);
    server.send('SEND', { destination: headers['reply-to'] ?? '' }, 'answer');
    expect(await stomp.expect('MESSAGE')).toMatchObject({
      headers: { subscription: '/temp-queue/answers', redelivered: 'false' },
      body: 'answer',
    });
    stomp.send('SEND', { destination, 'reply-to': '/temp-queue/answers' }, 'again');
    expect((await server.expect('MESSAGE')).headers['reply-to']).toBe(headers['reply-to']);
  });

  test('goes with its session', async ({ stomp, connectStomp, client, unique }) => {
    const destination = `/queue/${unique('q')}`;
    const server = await connectStomp();
    server.send('SUBSCRIBE', { id: 's', destination });
    stomp.send('SEND', { destination, 'reply-to': '/temp-queue/answers' }, 'question');
    const queue = (await server.expect('MESSAGE')).headers['reply-to']?.slice('/reply-queue/'.length) ?? '';
    await expectRefused(client, queue, 405);
    stomp.send('DISCONNECT');
    await stomp.closed();
    await client.openChannel(2);
    await expectRefused(client, queue, 404, 2);
  });
});

describe('/reply-queue', () => {
  test('may have slashes in its name', async ({ stomp, client, unique }) => {
    const queue = `${unique('q')}/a/b`;
    await declareQueue(client, { queue, exclusive: true });
    await stomp.request('SEND', { destination: `/reply-queue/${queue}` }, 'x');
    expect(await drain(client, queue)).toEqual(['x']);
  });
});
