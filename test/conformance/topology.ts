/** What most tests declare before they begin, and look at when they end. */
import { expect } from 'vitest';
import type { FieldTable } from '../../protocol/amqp/field-table.js';
import { eventually } from '../support/eventually.js';
import type { Publication, Received, WireClient } from '../support/wire-client.js';

export interface QueueFields {
  readonly queue?: string;
  readonly durable?: boolean;
  readonly exclusive?: boolean;
  readonly autoDelete?: boolean;
  readonly passive?: boolean;
  readonly arguments?: FieldTable;
}

/** An exclusive queue, named by the broker unless a name is given: it goes with the connection. */
export async function exclusiveQueue(client: WireClient, fields: QueueFields = {}, channel = 1): Promise<string> {
  return declareQueue(client, { exclusive: true, ...fields }, channel);
}

export async function declareQueue(client: WireClient, fields: QueueFields, channel = 1): Promise<string> {
  const declared = await client.rpc(channel, { name: 'queue.declare', ...fields }, 'queue.declare-ok');
  return declared.queue;
}

export interface ExchangeFields {
  readonly exchange: string;
  readonly type?: string;
  readonly passive?: boolean;
  readonly durable?: boolean;
  readonly autoDelete?: boolean;
  readonly internal?: boolean;
  readonly arguments?: FieldTable;
}

export async function declareExchange(client: WireClient, fields: ExchangeFields, channel = 1): Promise<string> {
  await client.rpc(channel, { name: 'exchange.declare', type: 'direct', ...fields }, 'exchange.declare-ok');
  return fields.exchange;
}

export interface BindingFields {
  readonly queue: string;
  readonly exchange: string;
  readonly routingKey?: string;
  readonly arguments?: FieldTable;
}

export async function bindQueue(client: WireClient, fields: BindingFields, channel = 1): Promise<void> {
  await client.rpc(channel, { name: 'queue.bind', ...fields }, 'queue.bind-ok');
}

export async function bindExchange(
  client: WireClient,
  destination: string,
  source: string,
  routingKey = '',
): Promise<void> {
  await client.rpc(1, { name: 'exchange.bind', destination, source, routingKey }, 'exchange.bind-ok');
}

export function publishAll(
  client: WireClient,
  queue: string,
  bodies: readonly string[],
  publication: Publication = {},
): void {
  for (const body of bodies) client.publish(1, { routingKey: queue, body, ...publication });
}

/** The bodies in the queue, which is empty afterwards. */
export async function drain(client: WireClient, queue: string, channel = 1): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    client.send(channel, { name: 'basic.get', queue, noAck: true });
    const reply = await client.next(channel);
    if (reply.name === 'basic.get-empty') return bodies;
    if (reply.name !== 'basic.get-ok') throw new Error(`basic.get was answered by ${JSON.stringify(reply)}`);
    bodies.push(String(reply.body));
  }
}

export async function getOne(
  client: WireClient,
  queue: string,
  noAck = false,
  channel = 1,
): Promise<Received<'basic.get-ok'>> {
  return client.rpc(channel, { name: 'basic.get', queue, noAck }, 'basic.get-ok');
}

export interface QueueState {
  readonly ready: number;
  readonly consumers: number;
}

/**
 * Waits until the queue has so many ready messages and consumers. It asks again, for RabbitMQ counts ahead of the
 * publishes on their way to the queue.
 */
export async function expectQueue(
  client: WireClient,
  queue: string,
  state: Partial<QueueState>,
  channel = 1,
): Promise<void> {
  await eventually(async () => expect(await queueState(client, queue, channel)).toMatchObject(state));
}

async function queueState(client: WireClient, queue: string, channel: number): Promise<QueueState> {
  const passive = { name: 'queue.declare', queue, passive: true } as const;
  const { messageCount, consumerCount } = await client.rpc(channel, passive, 'queue.declare-ok');
  return { ready: messageCount, consumers: consumerCount };
}

export interface ConsumeFields {
  readonly queue: string;
  readonly consumerTag?: string;
  readonly noAck?: boolean;
  readonly exclusive?: boolean;
  readonly noLocal?: boolean;
  readonly arguments?: FieldTable;
}

/** Starts a consumer and says its tag. */
export async function consume(client: WireClient, fields: ConsumeFields, channel = 1): Promise<string> {
  const { consumerTag } = await client.rpc(channel, { name: 'basic.consume', ...fields }, 'basic.consume-ok');
  return consumerTag;
}

/** The bodies of the next deliveries, in order. */
export async function deliveries(client: WireClient, count: number, channel = 1): Promise<string[]> {
  const bodies: string[] = [];
  while (bodies.length < count) {
    const { body } = await client.expect(channel, 'basic.deliver');
    bodies.push(String(body));
  }
  return bodies;
}

/** Whether the message, published mandatory, reaches any queue. */
export async function isRouted(client: WireClient, publication: Publication): Promise<boolean> {
  client.publish(1, { ...publication, mandatory: true });
  client.send(1, { name: 'access.request' });
  const first = await client.next(1);
  if (first.name === 'access.request-ok') return true;
  if (first.name !== 'basic.return') throw new Error(`basic.publish was answered by ${first.name}`);
  await client.expect(1, 'access.request-ok');
  return false;
}
