import { describe, expect, onTestFinished, test } from 'vitest';
import { type FieldValue, table } from '../../protocol/amqp/field-table.js';
import { type Broker, startBroker } from '../../src/index.js';
import { eventually } from '../support/eventually.js';
import { type Received, WireClient } from '../support/wire-client.js';

type Event = readonly [key: string, facts: Readonly<Record<string, unknown>>];

async function start(eventExchange: boolean): Promise<Broker> {
  const broker = await startBroker({ port: 0, logLevel: 'silent', eventExchange });
  onTestFinished(() => broker.close());
  return broker;
}

async function connect(broker: Broker): Promise<WireClient> {
  const client = await WireClient.connect(broker.amqpUrl);
  onTestFinished(() => client.destroy());
  await client.openChannel();
  return client;
}

/** A client that hears of every event from now on. */
async function listener(broker: Broker): Promise<WireClient> {
  const client = await connect(broker);
  await client.rpc(1, { name: 'queue.declare', queue: 'events', exclusive: true }, 'queue.declare-ok');
  const all = { name: 'queue.bind', queue: 'events', exchange: 'amq.rabbitmq.event', routingKey: '#' } as const;
  await client.rpc(1, all, 'queue.bind-ok');
  await heard(client, 'binding.created');
  return client;
}

/** The events up to one with this key, without their times. */
async function heard(client: WireClient, last: string): Promise<Event[]> {
  const events: Event[] = [];
  await eventually(async () => {
    client.send(1, { name: 'basic.get', queue: 'events', noAck: true });
    const reply = await client.next(1);
    if (reply.name === 'basic.get-ok') events.push(eventOf(reply as Received<'basic.get-ok'>));
    expect(events.at(-1)?.[0]).toBe(last);
  });
  return events;
}

function eventOf({ routingKey, properties, exchange, body }: Received<'basic.get-ok'>): Event {
  const { timestamp_in_ms: time, ...facts } = Object.fromEntries(
    (properties.headers ?? []).map(([key, value]) => [key, plain(value)]),
  );
  expect([exchange, body.length, properties.deliveryMode]).toEqual(['amq.rabbitmq.event', 0, 2]);
  expect(Math.floor(Number(time) / 1000)).toBe(Number(properties.timestamp));
  return [routingKey, facts];
}

function plain(value: FieldValue): unknown {
  if (value.type === 'F') return Object.fromEntries(value.value.map(([key, each]) => [key, plain(each)]));
  return 'value' in value ? value.value : undefined;
}

describe('the event exchange', () => {
  test('tells what clients declare and delete', async () => {
    const broker = await start(true);
    const [watcher, client] = [await listener(broker), await connect(broker)];
    await heard(watcher, 'channel.created');
    const args = table({ 'x-max-length': 5 });
    await client.rpc(1, { name: 'queue.declare', queue: 'q', durable: true, arguments: args }, 'queue.declare-ok');
    await client.rpc(1, { name: 'exchange.declare', exchange: 'e', type: 'topic' }, 'exchange.declare-ok');
    await client.rpc(1, { name: 'queue.bind', queue: 'q', exchange: 'e', routingKey: 'k' }, 'queue.bind-ok');
    await client.rpc(1, { name: 'queue.delete', queue: 'q' }, 'queue.delete-ok');
    await client.rpc(1, { name: 'exchange.delete', exchange: 'e' }, 'exchange.delete-ok');
    const by = { user_who_performed_action: 'guest' };
    const named = (name: string) => ({ ...by, name, vhost: '/' });
    const binding = {
      ...by,
      source_name: 'e',
      source_kind: 'exchange',
      destination_name: 'q',
      destination_kind: 'queue',
      routing_key: 'k',
      arguments: {},
      vhost: '/',
    };
    const flags = { durable: true, auto_delete: false };
    expect(await heard(watcher, 'exchange.deleted')).toEqual([
      ['queue.created', { ...named('q'), ...flags, exclusive: false, arguments: { 'x-max-length': 5 } }],
      ['exchange.created', { ...named('e'), ...flags, durable: false, type: 'topic', internal: false, arguments: {} }],
      ['binding.created', binding],
      ['binding.deleted', binding],
      ['queue.deleted', named('q')],
      ['exchange.deleted', named('e')],
    ]);
  });

  test('tells of connections, channels, consumers and logins', async () => {
    const broker = await start(true);
    const watcher = await listener(broker);
    const client = await connect(broker);
    await client.rpc(1, { name: 'queue.declare', queue: 'q', autoDelete: true }, 'queue.declare-ok');
    await client.rpc(1, { name: 'basic.consume', queue: 'q', consumerTag: 'c' }, 'basic.consume-ok');
    await client.rpc(1, { name: 'basic.cancel', consumerTag: 'c' }, 'basic.cancel-ok');
    await client.close();
    const events = await heard(watcher, 'connection.closed');
    expect(events.map(([key]) => key)).toEqual([
      'user.authentication.success',
      'connection.created',
      'channel.created',
      'queue.created',
      'consumer.created',
      'consumer.deleted',
      'queue.deleted',
      'channel.closed',
      'connection.closed',
    ]);
    const consumer = Object.fromEntries(events)['consumer.created'];
    expect(consumer).toMatchObject({ consumer_tag: 'c', ack_required: true, exclusive: false, queue: 'q', vhost: '/' });
    await WireClient.connect(broker.amqpUrl, { password: 'wrong' }).catch(() => {});
    const [failure] = await heard(watcher, 'user.authentication.failure');
    expect(failure?.[1]).toMatchObject({ name: 'guest' });
  });

  test('tells of what is administered', async () => {
    const broker = await start(true);
    const watcher = await listener(broker);
    broker.setPolicy({ virtualHost: '/', name: 'p', pattern: '^q', definition: { 'max-length': 1 } });
    broker.clearPolicy('/', 'p');
    broker.addUser('u', 'secret');
    broker.setPermissions('u', '/', { configure: '', write: '', read: '.*' });
    broker.deleteUser('u');
    broker.raiseAlarm('disk');
    broker.clearAlarm('disk');
    const events = await heard(watcher, 'alarm.cleared');
    expect(events.map(([key]) => key)).toEqual([
      'policy.set',
      'policy.cleared',
      'user.created',
      'permission.created',
      'user.deleted',
      'alarm.set',
      'alarm.cleared',
    ]);
    expect(JSON.stringify(events)).not.toContain('secret');
  });

  test('is not there unless it is asked for', async () => {
    const client = await connect(await start(false));
    client.send(1, { name: 'exchange.declare', exchange: 'amq.rabbitmq.event', passive: true });
    await client.expectChannelClose(1, 404, "NOT_FOUND - no exchange 'amq.rabbitmq.event' in vhost '/'", [40, 10]);
  });

  test('takes no message from a client', async () => {
    const client = await connect(await start(true));
    client.publish(1, { exchange: 'amq.rabbitmq.event', routingKey: 'queue.created' });
    const text = "ACCESS_REFUSED - cannot publish to internal exchange 'amq.rabbitmq.event' in vhost '/'";
    await client.expectChannelClose(1, 403, text, [60, 40]);
  });
});
