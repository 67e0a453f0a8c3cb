import { describe, expect } from 'vitest';
import type { StompClient } from '../../support/stomp-client.js';
import { expectQueue } from '../topology.js';
import { expectError, expectOpen, test } from './stomp-test.js';

async function sendAll(client: StompClient, destination: string, bodies: readonly string[]): Promise<void> {
  for (const body of bodies) client.send('SEND', { destination }, body);
  await client.settle();
}

/** Bodies of the next messages and the ids to settle them by. */
async function take(client: StompClient, count: number): Promise<{ bodies: string[]; ids: string[] }> {
  const bodies: string[] = [];
  const ids: string[] = [];
  while (bodies.length < count) {
    const { headers, body } = await client.expect('MESSAGE');
    bodies.push(body);
    ids.push(headers['ack'] ?? headers['message-id'] ?? '');
  }
  return { bodies, ids };
}

describe('SUBSCRIBE', () => {
  test('without an id is known by its destination', async ({ connectStomp, unique }) => {
    for (const version of ['1.0', '1.1', '1.2']) {
      const client = await connectStomp({ version });
      const destination = `/queue/${unique('q')}`;
      client.send('SUBSCRIBE', { destination });
      client.send('SEND', { destination }, 'x');
      const { names, headers } = await client.expect('MESSAGE');
      expect(names.slice(0, 3)).toEqual(['destination', 'message-id', 'redelivered']);
      expect(headers['message-id']).toMatch(/^Q_\/queue\/.*@@session-[\w-]{22}@@1$/);
      await client.request('UNSUBSCRIBE', { destination });
      client.send('SEND', { destination }, 'kept');
      await expectOpen(client);
    }
  });

  test('by default settles as it sends', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    stomp.send('SUBSCRIBE', { id: '0', destination: `/queue/${queue}` });
    await sendAll(stomp, `/queue/${queue}`, []);
    stomp.send('SEND', { destination: `/queue/${queue}` }, 'x');
    await stomp.expect('MESSAGE');
    await stomp.destroy();
    await expectQueue(client, queue, { ready: 0, consumers: 0 });
  });

  test('has an ack header in 1.2 unless it is auto', async ({ connectStomp, unique }) => {
    for (const [version, ack, has] of [
      ['1.2', 'client', true],
      ['1.2', 'client-individual', true],
      ['1.2', 'auto', false],
      ['1.1', 'client', false],
      ['1.0', 'client', false],
    ] as const) {
      const client = await connectStomp({ version });
      const destination = `/queue/${unique('q')}`;
      client.send('SUBSCRIBE', { id: 'x1', destination, ack });
      client.send('SEND', { destination }, 'x');
      const { headers } = await client.expect('MESSAGE');
      expect(headers['ack']).toBe(has ? headers['message-id'] : undefined);
      expect(headers['message-id']).toMatch(/^T_x1@@session-[\w-]{22}@@1$/);
    }
  });

  test('with prefetch-count gets so many and waits', async ({ stomp, unique }) => {
    const destination = `/queue/${unique('q')}`;
    await sendAll(stomp, destination, ['1', '2', '3', '4', '5']);
    stomp.send('SUBSCRIBE', { id: '0', destination, ack: 'client-individual', 'prefetch-count': '2' });
    const { bodies, ids } = await take(stomp, 2);
    expect(bodies).toEqual(['1', '2']);
    await expectOpen(stomp);
    stomp.send('ACK', { id: ids[1] ?? '' });
    expect((await take(stomp, 1)).bodies).toEqual(['3']);
    await expectOpen(stomp);
  });

  test('counts prefetch for each subscription', async ({ stomp, unique }) => {
    const [a, b] = [`/queue/${unique('a')}`, `/queue/${unique('b')}`];
    await sendAll(stomp, a, ['a1', 'a2']);
    await sendAll(stomp, b, ['b1', 'b2', 'b3']);
    stomp.send('SUBSCRIBE', { id: 'a', destination: a, ack: 'client', 'prefetch-count': '1' });
    expect((await take(stomp, 1)).bodies).toEqual(['a1']);
    stomp.send('SUBSCRIBE', { id: 'b', destination: b, ack: 'client', 'prefetch-count': '2' });
    expect((await take(stomp, 2)).bodies).toEqual(['b1', 'b2']);
    await expectOpen(stomp);
  });

  test('with x-priority comes before others', async ({ stomp, connectStomp, unique, skipOn3 }) => {
    skipOn3('stomp-priority');
    const destination = `/queue/${unique('q')}`;
    const second = await connectStomp();
    await stomp.request('SUBSCRIBE', { id: '0', destination });
    await second.request('SUBSCRIBE', { id: '0', destination, 'x-priority': '10' });
    await sendAll(second, `${destination}`, []);
    stomp.send('SEND', { destination }, 'x');
    stomp.send('SEND', { destination }, 'y');
    expect((await take(second, 2)).bodies).toEqual(['x', 'y']);
  });

  test('hears of the end of its queue, and the session goes on', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    await stomp.request('SUBSCRIBE', { id: 'z', destination: `/queue/${queue}` });
    await client.rpc(1, { name: 'queue.delete', queue }, 'queue.delete-ok');
    const { headers, names } = await expectError(
      stomp,
      'Server cancelled subscription',
      `The server has canceled a subscription.\nNo more messages will be delivered for "id='z'".\n`,
    );
    expect(headers['subscription']).toBe('z');
    expect(names).toEqual(['message', 'content-type', 'version', 'subscription', 'content-length']);
    await expectOpen(stomp);
  });
});

describe('ACK', () => {
  test('in client mode settles everything before it, of other subscriptions too', async ({ stomp, client, unique }) => {
    const [a, b] = [unique('a'), unique('b')];
    await sendAll(stomp, `/queue/${a}`, ['a1', 'a2']);
    await sendAll(stomp, `/queue/${b}`, ['b1', 'b2']);
    stomp.send('SUBSCRIBE', { id: 'a', destination: `/queue/${a}`, ack: 'client' });
    await take(stomp, 2);
    stomp.send('SUBSCRIBE', { id: 'b', destination: `/queue/${b}`, ack: 'client' });
    const { ids } = await take(stomp, 2);
    stomp.send('ACK', { id: ids[0] ?? '' });
    await stomp.settle();
    stomp.send('DISCONNECT');
    await stomp.closed();
    await expectQueue(client, a, { ready: 0 });
    await expectQueue(client, b, { ready: 1 });
  });

  test('in client-individual mode settles one', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    await sendAll(stomp, `/queue/${queue}`, ['1', '2', '3']);
    stomp.send('SUBSCRIBE', { id: '0', destination: `/queue/${queue}`, ack: 'client-individual' });
    const { ids } = await take(stomp, 3);
    stomp.send('ACK', { id: ids[1] ?? '' });
    stomp.send('DISCONNECT');
    await stomp.closed();
    await expectQueue(client, queue, { ready: 2 });
  });

  test('goes by message-id in 1.0 and 1.1', async ({ connectStomp, client, unique }) => {
    for (const version of ['1.0', '1.1']) {
      const queue = unique('q');
      const stomp = await connectStomp({ version });
      await sendAll(stomp, `/queue/${queue}`, ['1']);
      stomp.send('SUBSCRIBE', { id: '0', destination: `/queue/${queue}`, ack: 'client' });
      const { ids } = await take(stomp, 1);
      stomp.send('ACK', { 'message-id': ids[0] ?? '', subscription: '0' });
      stomp.send('DISCONNECT');
      await stomp.closed();
      await expectQueue(client, queue, { ready: 0 });
    }
  });

  test('takes an id that was escaped', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    await sendAll(stomp, `/queue/${queue}`, ['1']);
    stomp.send('SUBSCRIBE', { id: 'a:b@@c', destination: `/queue/${queue}`, ack: 'client' });
    const { ids } = await take(stomp, 1);
    expect(ids[0]).toMatch(/^T_a:b@@c@@session/);
    stomp.send('UNSUBSCRIBE', { id: 'a:b@@c' });
    await stomp.settle();
    stomp.send('DISCONNECT');
    await stomp.closed();
    await expectQueue(client, queue, { ready: 1 });
  });
});

describe('NACK', () => {
  test('gives a message back by default', async ({ stomp, unique }) => {
    const destination = `/queue/${unique('q')}`;
    await sendAll(stomp, destination, ['1']);
    stomp.send('SUBSCRIBE', { id: '0', destination, ack: 'client', 'prefetch-count': '1' });
    const { ids } = await take(stomp, 1);
    stomp.send('NACK', { id: ids[0] ?? '' });
    const { headers, body } = await stomp.expect('MESSAGE');
    expect([body, headers['redelivered']]).toEqual(['1', 'true']);
  });

  test('with requeue:false refuses it for good', async ({ stomp, client, unique }) => {
    const [queue, dead] = [unique('q'), unique('dead')];
    await stomp.request('SEND', { destination: `/queue/${dead}` }, 'first');
    const dlx = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead };
    stomp.send('SUBSCRIBE', { id: '0', destination: `/queue/${queue}`, ack: 'client', ...dlx });
    stomp.send('SEND', { destination: `/queue/${queue}` }, 'x');
    const { ids } = await take(stomp, 1);
    stomp.send('NACK', { id: ids[0] ?? '', requeue: 'false' });
    await expectQueue(client, dead, { ready: 2 });
    stomp.send('SUBSCRIBE', { id: 'dead', destination: `/queue/${dead}` });
    await take(stomp, 1);
    const { headers, body } = await stomp.expect('MESSAGE');
    expect([body, headers['destination'], headers['x-death']]).toEqual(['x', `/queue/${dead}`, undefined]);
  });

  test('in client mode refuses everything before it', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    await sendAll(stomp, `/queue/${queue}`, ['1', '2', '3']);
    stomp.send('SUBSCRIBE', { id: '0', destination: `/queue/${queue}`, ack: 'client' });
    const { ids } = await take(stomp, 3);
    stomp.send('NACK', { id: ids[1] ?? '', requeue: 'false' });
    stomp.send('DISCONNECT');
    await stomp.closed();
    await expectQueue(client, queue, { ready: 1 });
  });
});

describe('UNSUBSCRIBE', () => {
  test('ends deliveries and leaves the queue', async ({ stomp, client, unique }) => {
    const queue = unique('q');
    await stomp.request('SUBSCRIBE', { id: '0', destination: `/queue/${queue}` });
    await stomp.request('UNSUBSCRIBE', { id: '0' });
    stomp.send('SEND', { destination: `/queue/${queue}` }, 'kept');
    await expectQueue(client, queue, { ready: 1, consumers: 0 });
    await expectOpen(stomp);
  });
});
