/**
 * The `test` of what only a broker in this process can show: users, alarms and the end are asked for through its API.
 * A broker lasts for a file, a virtual host and its connections for a test.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, test as base } from 'vitest';
import type { PermissionPatterns } from '../../src/auth/permissions.js';
import { type Broker, startBroker } from '../../src/index.js';
import { WireClient, type WireOptions } from '../support/wire-client.js';

interface BrokerTest {
  readonly broker: Broker;
  /** A virtual host of this test alone; guest has full permissions there. */
  readonly virtualHost: string;
  /** A connection with channel 1 open, by default of guest to the test's virtual host. */
  readonly connect: (options?: WireOptions) => Promise<WireClient>;
  /** A new user with these permissions in the test's virtual host and a connection like the above. */
  readonly connectAs: (permissions: Partial<PermissionPatterns>, tags?: readonly string[]) => Promise<UserClient>;
}

export interface UserClient {
  readonly user: string;
  readonly client: WireClient;
}

const NOTHING: PermissionPatterns = { configure: '', write: '', read: '' };

let running: Promise<Broker> | undefined;

export const test = base.extend<BrokerTest>({
  broker: async ({ task: _ }, use) => {
    running ??= startBroker({ port: 0, logLevel: 'silent' });
    await use(await running);
  },
  virtualHost: async ({ broker }, use) => {
    const name = unique('vhost');
    broker.addVirtualHost(name);
    await use(name);
  },
  connect: async ({ broker, virtualHost }, use) => {
    const opened: WireClient[] = [];
    await use(async (options) => {
      const client = await WireClient.connect(broker.amqpUrl, { virtualHost, ...options });
      opened.push(client);
      await client.openChannel();
      return client;
    });
    await Promise.all(opened.map((client) => client.close().catch(() => client.destroy())));
  },
  connectAs: async ({ broker, virtualHost, connect }, use) => {
    await use(async (permissions, tags = []) => {
      const user = unique('user');
      broker.addUser(user, 'secret', tags);
      broker.setPermissions(user, virtualHost, { ...NOTHING, ...permissions });
      return { user, client: await connect({ username: user, password: 'secret' }) };
    });
  },
});

export function unique(label: string): string {
  return `${label}-${randomBytes(4).toString('hex')}`;
}

afterAll(async () => {
  const broker = await running;
  await broker?.close();
});
