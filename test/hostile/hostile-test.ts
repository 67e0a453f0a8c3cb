/**
 * The `test` of the hostile folder: brokers in child processes, and the well-behaved client that has to get through
 * whatever the others do. A broker that ends, or logs an error of its own, fails the test.
 */
import { test as base, expect } from 'vitest';
import { ChildBroker, type ChildOptions } from '../support/child-broker.js';
import { RoundTrips } from './round-trips.js';

interface Hostile {
  readonly start: (options?: ChildOptions) => Promise<ChildBroker>;
  /** A round trip client that is stopped, and its failure thrown, after the test. */
  readonly bystander: (broker: ChildBroker) => Promise<RoundTrips>;
}

export const test = base.extend<Hostile>({
  start: async ({ task: _ }, use) => {
    const brokers: ChildBroker[] = [];
    await use(async (options) => {
      const broker = await ChildBroker.start(options);
      brokers.push(broker);
      return broker;
    });
    for (const broker of brokers) {
      await broker.stop();
      expect(broker.lines.filter(({ level }) => level === 'error' || level === 'fatal' || level === 'stderr')).toEqual(
        [],
      );
    }
  },
  bystander: async ({ start: _ }, use) => {
    const clients: RoundTrips[] = [];
    await use(async (broker) => {
      const client = await RoundTrips.start(broker.amqpUrl);
      clients.push(client);
      return client;
    });
    for (const client of clients) {
      const { count } = await client.stop();
      expect(count).toBeGreaterThan(0);
    }
  },
});
