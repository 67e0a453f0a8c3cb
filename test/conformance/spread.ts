/** Messages spread over queues, for exchanges that choose one queue for each. */
import { expect } from 'vitest';
import type { Publication, WireClient } from '../support/wire-client.js';
import { bindQueue, declareExchange, drain, type ExchangeFields, exclusiveQueue } from './topology.js';

export const keys = (count: number): string[] => Array.from({ length: count }, (_, i) => `key ${i}`);

/** An exchange with a queue for each binding key. */
export async function fanOf(
  client: WireClient,
  fields: ExchangeFields,
  bindingKeys: readonly string[],
): Promise<{ exchange: string; queues: string[] }> {
  const exchange = await declareExchange(client, fields);
  const queues: string[] = [];
  for (const routingKey of bindingKeys) {
    const queue = await exclusiveQueue(client);
    await bindQueue(client, { queue, exchange, routingKey });
    queues.push(queue);
  }
  return { exchange, queues };
}

/** Publishes all, and says for each body in which queue it is, by index; every one must be in exactly one. */
export async function spread(
  client: WireClient,
  queues: readonly string[],
  publications: readonly Publication[],
): Promise<Map<string, number>> {
  await client.rpc(1, { name: 'tx.select' }, 'tx.select-ok');
  for (const publication of publications) client.publish(1, publication);
  await client.rpc(1, { name: 'tx.commit' }, 'tx.commit-ok');
  const places = new Map<string, number>();
  for (const [index, queue] of queues.entries()) {
    for (const body of await drain(client, queue)) {
      expect(places.has(body), `${body} came twice`).toBe(false);
      places.set(body, index);
    }
  }
  expect(places.size).toBe(publications.length);
  return places;
}

export function spreadKeys(
  client: WireClient,
  exchange: string,
  queues: readonly string[],
  count: number,
): Promise<Map<string, number>> {
  const publications = keys(count).map((routingKey) => ({ exchange, routingKey, body: routingKey }));
  return spread(client, queues, publications);
}

export const countIn = (places: ReadonlyMap<string, number>, index: number): number =>
  [...places.values()].filter((place) => place === index).length;
