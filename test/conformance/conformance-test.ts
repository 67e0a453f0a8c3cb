/**
 * The `test` of every conformance file: it hands a test its connections and names, and leaves nothing of them behind
 * on the broker, which may be a long-lived one.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, test as base } from 'vitest';
import { brokerUrl, stopBroker } from '../support/broker-under-test.js';
import { WireClient, type WireOptions } from '../support/wire-client.js';
import type { Sendable } from '../support/wire-frames.js';
import { type DifferenceId, knownDifferences } from './known-differences.js';

interface Answers<T> {
  readonly rabbit3: T;
  readonly default: T;
}

interface Conformance {
  readonly connect: (options?: WireOptions) => Promise<WireClient>;
  /** A connection with channel 1 open. */
  readonly client: WireClient;
  /** A name for a queue or an exchange, deleted after the test. */
  readonly unique: (label: string) => string;
  readonly expects: <T>(id: DifferenceId, answers: Answers<T>) => T;
  readonly skipOn3: (id: DifferenceId) => void;
  /** Leaves the test out where the broker lacks the exchange type: RabbitMQ has many of them in plugins. */
  readonly needsExchangeType: (type: string) => Promise<void>;
}

export const test = base.extend<Conformance>({
  // `unique` comes first to be cleaned up last: what an exclusive queue leaves to delete is known when its owner is gone.
  connect: async ({ unique: _ }, use) => {
    const opened: WireClient[] = [];
    await use(async (options) => {
      const client = await WireClient.connect(await brokerUrl(), options);
      opened.push(client);
      return client;
    });
    await Promise.all(opened.map((client) => client.close().catch(() => client.destroy())));
  },
  client: async ({ connect }, use) => {
    const client = await connect();
    await client.openChannel();
    await use(client);
  },
  unique: async ({ task: _ }, use) => {
    const names: string[] = [];
    await use((label) => {
      const name = `conformance.${label}.${randomBytes(6).toString('hex')}`;
      names.push(name);
      return name;
    });
    for (const name of names) await janitor.delete(name);
  },
  expects: async ({ task: _ }, use) => {
    const onRabbit3 = await janitor.isRabbit3();
    await use((_id, answers) => (onRabbit3 ? answers.rabbit3 : answers.default));
  },
  skipOn3: async ({ skip }, use) => {
    const onRabbit3 = await janitor.isRabbit3();
    await use((id) => {
      const difference = knownDifferences.find((known) => known.id === id);
      skip(onRabbit3, `${id}: ${difference?.reason}`);
    });
  },
  needsExchangeType: async ({ skip }, use) => {
    await use(async (type) => skip(!(await janitor.hasExchangeType(type)), `the broker has no exchange type ${type}`));
  },
});

/** Deletes what the tests declared and asks what the broker is; one connection for a whole file. */
class Janitor {
  private connection: Promise<WireClient> | undefined;
  private channel = 1;
  private readonly exchangeTypes = new Map<string, Promise<boolean>>();

  async isRabbit3(): Promise<boolean> {
    const { serverVersion } = await this.client();
    return serverVersion.startsWith('3.');
  }

  hasExchangeType(type: string): Promise<boolean> {
    const known = this.exchangeTypes.get(type) ?? this.declaresExchange(type);
    this.exchangeTypes.set(type, known);
    return known;
  }

  async delete(name: string): Promise<void> {
    const client = await this.client();
    await this.attempt(client, { name: 'queue.delete', queue: name });
    await this.attempt(client, { name: 'exchange.delete', exchange: name });
  }

  async close(): Promise<void> {
    const client = await this.connection;
    await client?.close();
  }

  private client(): Promise<WireClient> {
    this.connection ??= this.open();
    return this.connection;
  }

  private async open(): Promise<WireClient> {
    const client = await WireClient.connect(await brokerUrl());
    await client.openChannel(this.channel);
    return client;
  }

  /** On a connection of its own, which the refusal may end. */
  private async declaresExchange(type: string): Promise<boolean> {
    const client = await WireClient.connect(await brokerUrl());
    await client.openChannel();
    const exchange = `conformance.type.${randomBytes(6).toString('hex')}`;
    client.send(1, { name: 'exchange.declare', exchange, type });
    const { name } = await client.nextOrClose(1);
    const declared = name === 'exchange.declare-ok';
    if (declared) await client.rpc(1, { name: 'exchange.delete', exchange }, 'exchange.delete-ok');
    client.destroy();
    return declared;
  }

  /** An exclusive queue cannot be deleted from here and need not be: it goes with its connection. */
  private async attempt(client: WireClient, method: Sendable): Promise<void> {
    client.send(this.channel, method);
    const reply = await client.next(this.channel);
    if (reply.name !== 'channel.close') return;
    client.send(this.channel, { name: 'channel.close-ok' });
    this.channel += 1;
    await client.openChannel(this.channel);
  }
}

const janitor = new Janitor();

afterAll(async () => {
  await janitor.close();
  await stopBroker();
});
