import { describe, expect } from 'vitest';
import { type FieldTable, type FieldValue, table } from '../../protocol/amqp/field-table.js';
import type { WireClient } from '../support/wire-client.js';
import { test } from './broker-test.js';

/** A queue with everything that is traced. */
async function traces(client: WireClient): Promise<void> {
  await client.rpc(1, { name: 'queue.declare', queue: 'traces' }, 'queue.declare-ok');
  const all = { name: 'queue.bind', queue: 'traces', exchange: 'amq.rabbitmq.trace', routingKey: '#' } as const;
  await client.rpc(1, all, 'queue.bind-ok');
}

interface Trace {
  readonly key: string;
  readonly body: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** Those that came so far. */
async function traced(client: WireClient): Promise<Trace[]> {
  const found: Trace[] = [];
  for (;;) {
    client.send(1, { name: 'basic.get', queue: 'traces', noAck: true });
    const reply = await client.next(1);
    if (reply.name !== 'basic.get-ok') return found;
    const { connection, node, ...facts } = plainTable(reply.properties?.headers ?? []);
    expect(connection).toMatch(/^127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+$/);
    expect(node).toMatch(/^jackalope@/);
    expect(reply.exchange).toBe('amq.rabbitmq.trace');
    found.push({ key: reply.routingKey, body: String(reply.body), facts });
  }
}

function plainTable(fields: FieldTable): Record<string, unknown> {
  return Object.fromEntries(fields.map(([key, value]) => [key, plain(value)]));
}

function plain(value: FieldValue): unknown {
  if (value.type === 'A') return value.value.map(plain);
  if (value.type === 'F') return plainTable(value.value);
  if (value.type === 'T') return Number(value.value);
  return 'value' in value ? value.value : undefined;
}

describe('a virtual host that is traced', () => {
  test('reports what is published, and where it went', async ({ broker, virtualHost, connect }) => {
    const [watcher, client] = [await connect(), await connect()];
    await traces(watcher);
    for (const queue of ['a', 'b']) {
      await client.rpc(1, { name: 'queue.declare', queue }, 'queue.declare-ok');
      await client.rpc(1, { name: 'queue.bind', queue, exchange: 'amq.fanout' }, 'queue.bind-ok');
    }
    client.publish(1, { exchange: 'amq.fanout', routingKey: 'before' });
    await client.rpc(1, { name: 'basic.qos' }, 'basic.qos-ok');
    broker.setTracing(virtualHost, true);
    const headers = table({ CC: ['x'], BCC: ['y'], mine: 1 });
    const properties = { headers, messageId: 'm', priority: 3, timestamp: 5n, deliveryMode: 2 };
    client.publish(1, { exchange: 'amq.fanout', routingKey: 'key', body: 'hello', properties });
    client.publish(1, { routingKey: 'nowhere', body: 'lost', mandatory: true });
    await client.expect(1, 'basic.return');
    const origin = { channel: 1, user: 'guest', vhost: virtualHost };
    expect(await traced(watcher)).toEqual([
      {
        key: 'publish.amq.fanout',
        body: 'hello',
        facts: {
          ...origin,
          exchange_name: 'amq.fanout',
          routing_keys: ['key', 'x', 'y'],
          properties: {
            headers: { CC: ['x'], mine: 1 },
            message_id: 'm',
            priority: 3,
            timestamp: 5,
            delivery_mode: 2,
          },
          routed_queues: ['a', 'b'],
        },
      },
      {
        key: 'publish.',
        body: 'lost',
        facts: {
          ...origin,
          exchange_name: '',
          routing_keys: ['nowhere'],
          properties: { headers: {} },
          routed_queues: [],
        },
      },
    ]);
    broker.setTracing(virtualHost, false);
    client.publish(1, { exchange: 'amq.fanout', routingKey: 'after' });
    await client.rpc(1, { name: 'basic.qos' }, 'basic.qos-ok');
    expect(await traced(watcher)).toEqual([]);
  });

  test('reports what consumers and basic.get are given', async ({ broker, virtualHost, connect }) => {
    const [watcher, client] = [await connect(), await connect()];
    await traces(watcher);
    await client.rpc(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
    client.publish(1, { routingKey: 'q', body: 'm', properties: { headers: table({ CC: ['x'] }) } });
    await client.rpc(1, { name: 'basic.qos' }, 'basic.qos-ok');
    broker.setTracing(virtualHost, true);
    const { deliveryTag } = await client.rpc(1, { name: 'basic.get', queue: 'q' }, 'basic.get-ok');
    client.send(1, { name: 'basic.nack', deliveryTag, requeue: true });
    await client.rpc(1, { name: 'basic.consume', queue: 'q', noAck: true }, 'basic.consume-ok');
    await client.expect(1, 'basic.deliver');
    const reported = {
      key: 'deliver.q',
      body: 'm',
      facts: {
        channel: 1,
        user: 'guest',
        vhost: virtualHost,
        exchange_name: '',
        routing_keys: ['q', 'x'],
        properties: { headers: { CC: ['x'] } },
        redelivered: 0,
      },
    };
    const again = { ...reported, facts: { ...reported.facts, redelivered: 1 } };
    expect(await traced(watcher)).toEqual([reported, again]);
  });

  test('reports what a transaction publishes when it is committed', async ({ broker, virtualHost, connect }) => {
    const [watcher, client] = [await connect(), await connect()];
    await traces(watcher);
    broker.setTracing(virtualHost, true);
    await client.rpc(1, { name: 'tx.select' }, 'tx.select-ok');
    client.publish(1, { routingKey: 'q', body: 'back' });
    await client.rpc(1, { name: 'tx.rollback' }, 'tx.rollback-ok');
    client.publish(1, { routingKey: 'q', body: 'm' });
    await client.rpc(1, { name: 'tx.commit' }, 'tx.commit-ok');
    expect((await traced(watcher)).map(({ key, body }) => [key, body])).toEqual([['publish.', 'm']]);
  });
});
