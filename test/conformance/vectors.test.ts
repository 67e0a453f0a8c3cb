import { Buffer } from 'node:buffer';
import { expect } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
import type { WireClient } from '../support/wire-client.js';
import { laterVectors } from './later.js';
import { expectError, expectOpen, test } from './stomp/stomp-test.js';
import {
  bindQueue,
  consume,
  declareExchange,
  declareQueue,
  drain,
  exclusiveQueue,
  expectQueue,
  getOne,
  publishAll,
} from './topology.js';
import { type VectorName, vectorNames } from './vectors.js';

const implemented: VectorName[] = [];

/** The name of a vector for its test, which counts as covered from then on. */
function vector(name: VectorName): string {
  implemented.push(name);
  return name;
}

const full = table({ 'x-max-length': 1, 'x-overflow': 'reject-publish' });
const ttl = (value: number | bigint) => table({ 'x-message-ttl': value });

/** Tag and body of the next delivery. */
async function delivered(client: WireClient): Promise<readonly [tag: number, body: string, redelivered: boolean]> {
  const { deliveryTag, body, redelivered } = await client.expect(1, 'basic.deliver');
  return [deliveryTag, String(body), redelivered];
}

/** Five messages, prefetch 3: message 2 was requeued and came back as tag 4, message 1 acknowledged, tag 5 is message 4. */
async function threeOfFive(client: WireClient): Promise<void> {
  const queue = await exclusiveQueue(client);
  await client.rpc(1, { name: 'basic.qos', prefetchCount: 3 }, 'basic.qos-ok');
  publishAll(client, queue, ['1', '2', '3', '4', '5']);
  await consume(client, { queue });
  for (const tag of [1, 2, 3]) expect(await delivered(client)).toEqual([tag, String(tag), false]);
  client.send(1, { name: 'basic.nack', deliveryTag: 2, requeue: true });
  expect(await delivered(client)).toEqual([4, '2', true]);
  client.send(1, { name: 'basic.ack', deliveryTag: 1 });
  expect(await delivered(client)).toEqual([5, '4', false]);
}

test(vector('declare q durable; redeclare durable=false'), async ({ client, unique }) => {
  const queue = await declareQueue(client, { queue: unique('q'), durable: true });
  client.send(1, { name: 'queue.declare', queue, durable: false });
  const text = `PRECONDITION_FAILED - inequivalent arg 'durable' for queue '${queue}' in vhost '/': received 'false' but current is 'true'`;
  await client.expectChannelClose(1, 406, text, [50, 10]);
});

test(vector('redeclare with args {x-message-ttl:1000}'), async ({ client, unique }) => {
  const queue = await declareQueue(client, { queue: unique('q'), durable: true });
  client.send(1, { name: 'queue.declare', queue, durable: true, arguments: ttl(1000) });
  const text = `PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue '${queue}' in vhost '/': received the value '1000' of type 'signedint' but current is none`;
  await client.expectChannelClose(1, 406, text, [50, 10]);
});

test(vector('declare ttl as `I` 1000, redeclare as `l` 1000'), async ({ client, unique }) => {
  const queue = await declareQueue(client, { queue: unique('q'), arguments: ttl(1000) });
  await declareQueue(client, { queue, arguments: ttl(1000n) });
});

test(vector('qos(3), 5 messages, consume'), async ({ client }) => {
  await threeOfFive(client);
});

test(vector('priority queue max 5, priorities 0,3,9,1,5,3,none'), async ({ client }) => {
  const queue = await exclusiveQueue(client, { arguments: table({ 'x-max-priority': 5 }) });
  for (const priority of [0, 3, 9, 1, 5, 3, undefined]) {
    client.publish(1, {
      routingKey: queue,
      body: `${priority}`,
      properties: priority === undefined ? {} : { priority },
    });
  }
  await expectQueue(client, queue, { ready: 7 });
  expect(await drain(client, queue)).toEqual(['9', '5', '3', '3', '1', '0', 'undefined']);
});

test(vector('recover(true) after that'), async ({ client }) => {
  await threeOfFive(client);
  await client.rpc(1, { name: 'basic.recover', requeue: true }, 'basic.recover-ok');
  expect(await delivered(client)).toEqual([6, '2', true]);
  expect(await delivered(client)).toEqual([7, '3', true]);
  expect(await delivered(client)).toEqual([8, '4', true]);
});

test(vector('two gets (unacked) m0,m1 of m0..m3; reject m1; get'), async ({ client }) => {
  const queue = await exclusiveQueue(client);
  publishAll(client, queue, ['m0', 'm1', 'm2', 'm3']);
  const m0 = await getOne(client, queue);
  const m1 = await getOne(client, queue);
  client.send(1, { name: 'basic.reject', deliveryTag: m1.deliveryTag, requeue: true });
  expect(await getOne(client, queue)).toMatchObject({ body: Buffer.from('m1'), redelivered: true });
  client.send(1, { name: 'basic.reject', deliveryTag: m0.deliveryTag, requeue: true });
  expect(await getOne(client, queue)).toMatchObject({ body: Buffer.from('m0'), redelivered: true });
});

test(vector('mandatory unroutable with confirms'), async ({ client, unique }) => {
  await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
  client.publish(1, { routingKey: unique('missing'), mandatory: true });
  await client.expect(1, 'basic.return', { replyCode: 312, replyText: 'NO_ROUTE' });
  await client.expect(1, 'basic.ack', { deliveryTag: 1 });
});

test(vector('20 persistent publishes with confirms'), async ({ client, unique }) => {
  const queue = await declareQueue(client, { queue: unique('q'), durable: true });
  await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
  const bodies = Array.from({ length: 20 }, (_, index) => String(index));
  publishAll(client, queue, bodies, { properties: { deliveryMode: 2 } });
  const open = new Set(bodies.keys());
  while (open.size > 0) {
    const { deliveryTag, multiple } = await client.expect(1, 'basic.ack');
    for (const index of open) {
      if (multiple ? index < deliveryTag : index === deliveryTag - 1) open.delete(index);
    }
  }
  await client.expectNothing(1);
});

test(vector('persistent then transient publish to durable queue'), async ({ client, unique }) => {
  const queue = await declareQueue(client, { queue: unique('q'), durable: true });
  await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
  publishAll(client, queue, ['persistent'], { properties: { deliveryMode: 2 } });
  publishAll(client, queue, ['transient'], { properties: { deliveryMode: 1 } });
  const first = await client.expect(1, 'basic.ack');
  if (first.multiple) expect(first.deliveryTag).toBe(2);
  else await client.expect(1, 'basic.ack', { deliveryTag: first.deliveryTag === 1 ? 2 : 1 });
  await client.expectNothing(1);
});

test(vector('consume twice same tag'), async ({ client }) => {
  const queue = await exclusiveQueue(client);
  await consume(client, { queue, consumerTag: 't' });
  client.send(1, { name: 'basic.consume', queue, consumerTag: 't' });
  await client.expectConnectionClose(530, "NOT_ALLOWED - attempt to reuse consumer tag 't'", [60, 20]);
});

test(vector('channel error, then publish to missing exchange'), async ({ client, unique }) => {
  await client.openChannel(2);
  client.send(1, { name: 'queue.declare', queue: unique('missing'), passive: true });
  await client.expect(1, 'channel.close', { replyCode: 404 });
  client.publish(1, { exchange: unique('missing') });
  await client.expectNothing(1, { via: 2 });
  client.send(1, { name: 'channel.close-ok' });
  await client.openChannel();
});

test(vector('get on closed channel number never opened'), async ({ client, unique }) => {
  client.send(9, { name: 'basic.get', queue: unique('missing') });
  await client.expectConnectionClose(504, "CHANNEL_ERROR - expected 'channel.open'", [60, 70]);
});

test(vector('exclusive queue, other connection passive declare'), async ({ client, connect, unique }) => {
  const queue = await exclusiveQueue(client, { queue: unique('q') });
  const other = await connect();
  await other.openChannel();
  other.send(1, { name: 'queue.declare', queue, passive: true });
  const text = `RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '${queue}' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.`;
  await other.expectChannelClose(1, 405, text, [50, 10]);
});

test(vector('300 000-byte body, frame_max 131072'), async ({ connect }) => {
  const client = await connect({ frameMax: 131_072 });
  await client.openChannel();
  const queue = await exclusiveQueue(client);
  client.publish(1, { routingKey: queue, body: Buffer.alloc(300_000) });
  await expectQueue(client, queue, { ready: 1 });
  expect((await getOne(client, queue)).bodyFrameSizes).toEqual([131_064, 131_064, 37_872]);
});

test(vector('queue max-length 1 reject-publish + confirms, 2 publishes'), async ({ client }) => {
  const queue = await exclusiveQueue(client, { arguments: full });
  await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
  client.publish(1, { routingKey: queue });
  await client.expect(1, 'basic.ack', { deliveryTag: 1 });
  client.publish(1, { routingKey: queue });
  await client.expect(1, 'basic.nack', { deliveryTag: 2 });
});

test(vector('fanout to rejecting and accepting queue'), async ({ client, unique }) => {
  const exchange = await declareExchange(client, { exchange: unique('x'), type: 'fanout' });
  const [refusing, accepting] = [await exclusiveQueue(client, { arguments: full }), await exclusiveQueue(client)];
  for (const queue of [refusing, accepting]) await bindQueue(client, { queue, exchange });
  publishAll(client, refusing, ['first']);
  await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
  client.publish(1, { exchange, body: 'second' });
  await client.expect(1, 'basic.nack', { deliveryTag: 1 });
  await client.expectNothing(1);
  expect(await drain(client, accepting)).toEqual(['second']);
});

test(vector('queue ttl=50, DLX "", no rk (self-cycle)'), async ({ client }) => {
  const args = table({ 'x-message-ttl': 50, 'x-dead-letter-exchange': '' });
  const queue = await exclusiveQueue(client, { arguments: args });
  publishAll(client, queue, ['m']);
  await expectQueue(client, queue, { ready: 0 });
  const witness = await exclusiveQueue(client, { arguments: ttl(150) });
  publishAll(client, witness, ['witness']);
  await expectQueue(client, witness, { ready: 0 });
  expect(await drain(client, queue)).toEqual([]);
});

test(vector('cy2(ttl, dlx→cy3), cy3 reject → cy2 → expires → cy3'), async ({ client, unique }) => {
  const [cy2, cy3] = [unique('cy2'), unique('cy3')];
  const to = (queue: string) => ({ 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': queue });
  await exclusiveQueue(client, { queue: cy2, arguments: table({ ...to(cy3), 'x-message-ttl': 10 }) });
  await exclusiveQueue(client, { queue: cy3, arguments: table(to(cy2)) });
  publishAll(client, cy2, ['m']);
  await expectQueue(client, cy3, { ready: 1 });
  const { deliveryTag } = await getOne(client, cy3);
  client.send(1, { name: 'basic.reject', deliveryTag });
  await expectQueue(client, cy3, { ready: 1 });
  const { properties } = await getOne(client, cy3);
  const history = properties.headers?.find(([key]) => key === 'x-death')?.[1];
  const entries = history?.type === 'A' ? history.value : [];
  const told = entries.map((entry) => {
    const fields = entry.type === 'F' ? entry.value : [];
    return ['queue', 'reason', 'count'].map((key) => {
      const value = fields.find(([name]) => name === key)?.[1];
      return value !== undefined && 'value' in value ? String(value.value) : undefined;
    });
  });
  expect(told).toEqual([
    [cy2, 'expired', '2'],
    [cy3, 'rejected', '1'],
  ]);
});

test(vector('tx: publish, rollback; publish to full reject-publish queue, commit'), async ({ client }) => {
  const queue = await exclusiveQueue(client, { arguments: full });
  await client.rpc(1, { name: 'tx.select' }, 'tx.select-ok');
  publishAll(client, queue, ['rolled back']);
  await client.rpc(1, { name: 'tx.rollback' }, 'tx.rollback-ok');
  publishAll(client, queue, ['first']);
  await client.rpc(1, { name: 'tx.commit' }, 'tx.commit-ok');
  publishAll(client, queue, ['second']);
  client.send(1, { name: 'tx.commit' });
  await client.expectChannelClose(1, 406, 'PRECONDITION_FAILED - partial tx completion', [90, 20]);
});

test(vector('x-expires 200, idle 500 ms'), async ({ client, unique }) => {
  const queue = await declareQueue(client, { queue: unique('q'), arguments: table({ 'x-expires': 200 }) });
  const witness = await exclusiveQueue(client, { arguments: ttl(500) });
  publishAll(client, witness, ['witness']);
  await expectQueue(client, witness, { ready: 0 });
  client.send(1, { name: 'queue.declare', queue, passive: true });
  await client.expectChannelClose(1, 404, `NOT_FOUND - no queue '${queue}' in vhost '/'`, [50, 10]);
});

test(vector('SUBSCRIBE /queue/x then AMQP delete'), async ({ stomp, client, unique }) => {
  const queue = unique('x');
  await stomp.request('SUBSCRIBE', { id: '1', destination: `/queue/${queue}` });
  await client.rpc(1, { name: 'queue.delete', queue }, 'queue.delete-ok');
  const body = `The server has canceled a subscription.\nNo more messages will be delivered for "id='1'".\n`;
  await expectError(stomp, 'Server cancelled subscription', body);
  await expectOpen(stomp);
});

test('every vector is tested here or waits for something', () => {
  const covered = [...implemented, ...laterVectors.map(({ vector: name }) => name)];
  expect(covered.sort()).toEqual([...vectorNames].sort());
});
