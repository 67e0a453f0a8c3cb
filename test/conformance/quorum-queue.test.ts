import { describe, expect } from 'vitest';
import { type FieldValue, table } from '../../protocol/amqp/field-table.js';
import type { Received, WireClient } from '../support/wire-client.js';
import { test } from './conformance-test.js';
import {
  bindQueue,
  consume,
  declareQueue,
  deliveries,
  drain,
  exclusiveQueue,
  expectQueue,
  getOne,
  publishAll,
  type QueueFields,
} from './topology.js';

type Arguments = Readonly<Record<string, string | number>>;

function quorumArguments(further: Arguments = {}) {
  return table({ 'x-queue-type': 'quorum', ...further });
}

async function quorumQueue(client: WireClient, queue: string, further: Arguments = {}): Promise<string> {
  return declareQueue(client, { queue, durable: true, arguments: quorumArguments(further) });
}

/** RabbitMQ has a message ready only when its replicas agree. */
async function filled(client: WireClient, queue: string, bodies: readonly string[]): Promise<void> {
  publishAll(client, queue, bodies);
  await expectQueue(client, queue, { ready: bodies.length });
}

function deliveryCount({ properties }: Pick<Received<'basic.get-ok'>, 'properties'>): FieldValue | undefined {
  return properties.headers?.find(([key]) => key === 'x-delivery-count')?.[1];
}

function refused(queue: string, property: string): string {
  return `PRECONDITION_FAILED - invalid property '${property}' for queue '${queue}' in vhost '/'`;
}

describe('a quorum queue', () => {
  const impossible: readonly (readonly [QueueFields, string])[] = [
    [{ durable: false }, 'non-durable'],
    [{ durable: true, autoDelete: true }, 'auto-delete'],
    [{ durable: true, exclusive: true }, 'exclusive-owner'],
    [{ durable: false, autoDelete: true, exclusive: true }, 'auto-delete'],
    [{ durable: false, exclusive: true }, 'exclusive-owner'],
  ];
  test.for(impossible)('cannot be declared with %o', async ([flags, property], { client, unique }) => {
    const queue = unique('q');
    client.send(1, { name: 'queue.declare', queue, ...flags, arguments: quorumArguments() });
    await client.expectChannelClose(1, 406, refused(queue, property), [50, 10]);
  });

  test('looks at its arguments before its properties', async ({ client, unique }) => {
    const queue = unique('q');
    client.send(1, { name: 'queue.declare', queue, arguments: quorumArguments({ 'x-max-priority': 3 }) });
    const text = `PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue '${queue}' in vhost '/' of queue type rabbit_quorum_queue`;
    await client.expectChannelClose(1, 406, text, [50, 10]);
  });

  test('has a name of its own', async ({ client }) => {
    client.send(1, { name: 'queue.declare', arguments: quorumArguments() });
    const text = 'PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue';
    await client.expectChannelClose(1, 406, text, [50, 10]);
  });

  test('is not to be got from beside a single active consumer', async ({ client, unique }) => {
    const queue = unique('single');
    const single = table({ 'x-queue-type': 'quorum', 'x-single-active-consumer': true });
    await declareQueue(client, { queue, durable: true, arguments: single });
    client.send(1, { name: 'basic.get', queue });
    const text =
      `RESOURCE_LOCKED - cannot obtain access to locked queue '${queue}' in vhost '/'. ` +
      'basic.get operations are not supported by quorum queues with single active consumer';
    await client.expectChannelClose(1, 405, text, [60, 70]);
  });

  test('compares what it was declared with in an order of its own', async ({ client, unique }) => {
    const queue = unique('compared');
    await quorumQueue(client, queue, { 'x-message-ttl': 60_000, 'x-delivery-limit': 3 });
    const other = quorumArguments({ 'x-message-ttl': 30_000, 'x-delivery-limit': 4 });
    client.send(1, { name: 'queue.declare', queue, durable: true, arguments: other });
    const text = `PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' for queue '${queue}' in vhost '/': received '4' but current is '3'`;
    await client.expectChannelClose(1, 406, text, [50, 10]);
  });

  test('passes messages on', async ({ client, unique }) => {
    const queue = await quorumQueue(client, unique('q'));
    await bindQueue(client, { queue, exchange: 'amq.topic', routingKey: 'quorum.*' });
    client.publish(1, { exchange: 'amq.topic', routingKey: `quorum.${queue}`, body: 'a' });
    await expectQueue(client, queue, { ready: 0 });
    client.publish(1, { exchange: 'amq.topic', routingKey: 'quorum.here', body: 'b' });
    await expectQueue(client, queue, { ready: 1 });
    expect(await drain(client, queue)).toEqual(['b']);
  });

  test('tells how often a message came back', async ({ client, unique, expects }) => {
    const queue = await quorumQueue(client, unique('q'));
    await filled(client, queue, ['a']);
    const counts: (FieldValue | undefined)[] = [];
    for (const operation of ['basic.nack', 'basic.reject', 'basic.nack'] as const) {
      const got = await getOne(client, queue);
      counts.push(deliveryCount(got));
      expect(got.redelivered).toBe(counts.length > 1);
      client.send(1, { name: operation, deliveryTag: got.deliveryTag, requeue: true });
      await expectQueue(client, queue, { ready: 1 });
    }
    const first = expects('first-delivery-count', { rabbit3: { type: 'l', value: 0n }, default: undefined });
    expect(counts).toEqual([first, { type: 'l', value: 1n }, { type: 'l', value: 2n }]);
  });

  test('counts what a closed channel gives back', async ({ client, unique }) => {
    const queue = await quorumQueue(client, unique('q'));
    await filled(client, queue, ['a']);
    await client.openChannel(2);
    await consume(client, { queue }, 2);
    expect(deliveryCount(await client.expect(2, 'basic.deliver'))).toBeUndefined();
    await client.rpc(2, { name: 'channel.close' }, 'channel.close-ok');
    await expectQueue(client, queue, { ready: 1 });
    await consume(client, { queue });
    const again = await client.expect(1, 'basic.deliver');
    expect([again.redelivered, deliveryCount(again)]).toEqual([true, { type: 'l', value: 1n }]);
  });

  test('gives up what came back more often than its delivery limit', async ({ client, unique }) => {
    const dead = await exclusiveQueue(client);
    const queue = await quorumQueue(client, unique('q'), {
      'x-delivery-limit': 1,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': dead,
    });
    await filled(client, queue, ['a']);
    for (let delivery = 0; delivery < 2; delivery++) {
      await expectQueue(client, queue, { ready: 1 });
      const { deliveryTag } = await getOne(client, queue);
      client.send(1, { name: 'basic.nack', deliveryTag, requeue: true });
    }
    await expectQueue(client, dead, { ready: 1 });
    const { properties } = await getOne(client, dead, true);
    const reason = properties.headers?.find(([key]) => key === 'x-first-death-reason')?.[1];
    expect(reason).toEqual({ type: 'S', value: 'delivery_limit' });
    await expectQueue(client, queue, { ready: 0 });
  });

  test('does not take part in a prefetch for the whole channel', async ({ client, unique }) => {
    const queue = await quorumQueue(client, unique('q'));
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 5, global: true }, 'basic.qos-ok');
    client.send(1, { name: 'basic.consume', queue });
    const text = `NOT_IMPLEMENTED - queue '${queue}' in vhost '/' does not support global qos`;
    await client.expectConnectionClose(540, text, [60, 20]);
  });

  test('delivers beyond a prefetch for the whole channel that is set later', async ({ client, unique }) => {
    const queue = await quorumQueue(client, unique('later'));
    await consume(client, { queue });
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 1, global: true }, 'basic.qos-ok');
    publishAll(client, queue, ['one', 'two', 'three']);
    expect(await deliveries(client, 3)).toEqual(['one', 'two', 'three']);
  });

  test('has no exclusive consumers: who asks for it shares it', async ({ client, unique }) => {
    const queue = await quorumQueue(client, unique('q'));
    await consume(client, { queue, exclusive: true });
    await consume(client, { queue });
    await consume(client, { queue, exclusive: true });
    await expectQueue(client, queue, { consumers: 3 });
  });

  test.for(['if-unused', 'if-empty'])('cannot be deleted %s', async (flag, { client, unique }) => {
    const queue = await quorumQueue(client, unique('q'));
    client.send(1, { name: 'queue.delete', queue, ifUnused: flag === 'if-unused', ifEmpty: flag === 'if-empty' });
    const text =
      `NOT_IMPLEMENTED - cannot delete queue '${queue}' in vhost '/'. ` +
      `queue.delete operations with ${flag} flag set are not supported by quorum queues`;
    await client.expectConnectionClose(540, text, [50, 40]);
  });

  test('drops its oldest above a limit, and refuses above it where it should', async ({ client, unique }) => {
    const limited = await quorumQueue(client, unique('q'), { 'x-max-length': 2 });
    publishAll(client, limited, ['a', 'b', 'c']);
    await expectQueue(client, limited, { ready: 2 });
    expect(await drain(client, limited)).toEqual(['b', 'c']);
  });

  test('lets messages expire', async ({ client, unique }) => {
    const dead = await exclusiveQueue(client);
    const queue = await quorumQueue(client, unique('q'), {
      'x-message-ttl': 20,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': dead,
    });
    publishAll(client, queue, ['a', 'b']);
    await expectQueue(client, dead, { ready: 2 });
    expect(await drain(client, dead)).toEqual(['a', 'b']);
  });
});
