// What a scenario works with: the broker's address, one shared connection, and channels that are closed after it.

import { expect } from 'vitest';
import type {
  Arguments,
  ClientChannel,
  ClientConnection,
  ClientUnderTest,
  PublishOptions,
} from './client-under-test.js';
import { uniqueName } from './scenarios.js';

export type Publication = readonly [routingKey: string, body: string, options?: PublishOptions];

export class ScenarioSession {
  readonly client: ClientUnderTest;
  readonly url: string;
  readonly connection: ClientConnection;
  readonly #open: ClientChannel[] = [];

  constructor(client: ClientUnderTest, url: string, connection: ClientConnection) {
    this.client = client;
    this.url = url;
    this.connection = connection;
  }

  async openChannel(options?: { confirm?: boolean }): Promise<ClientChannel> {
    const channel = await this.connection.openChannel(options);
    this.#open.push(channel);
    return channel;
  }

  /** Channels the scenario closed or the server closed are refused a second close by some clients. */
  async closeChannels(): Promise<void> {
    for (const channel of this.#open.splice(0)) await channel.close().catch(() => {});
  }

  async exclusiveQueue(channel: ClientChannel, args: Arguments = {}): Promise<string> {
    const { queue } = await channel.declareQueue(uniqueName('queue'), { exclusive: true, args });
    return queue;
  }

  async temporaryExchange(channel: ClientChannel, type: string): Promise<string> {
    const exchange = uniqueName(type);
    await channel.declareExchange(exchange, type, { durable: false, autoDelete: true });
    return exchange;
  }

  /** Publishes in order; once it resolves, the queues have the messages. */
  async publishConfirmed(exchange: string, ...publications: Publication[]): Promise<void> {
    const channel = await this.openChannel({ confirm: true });
    await Promise.all(
      publications.map(([key, body, options]) => channel.publish(exchange, key, Buffer.from(body), options)),
    );
  }

  async fill(queue: string, ...bodies: string[]): Promise<void> {
    await this.publishConfirmed('', ...bodies.map((body): Publication => [queue, body]));
  }

  async drain(queue: string): Promise<string[]> {
    const channel = await this.openChannel();
    const bodies: string[] = [];
    for (;;) {
      const message = await channel.get(queue, { noAck: true });
      if (message === undefined) return bodies;
      bodies.push(message.body.toString());
    }
  }

  /** The reason given for `operation`, by whichever way the client reports it. */
  async failureOf(channel: ClientChannel, operation: () => Promise<unknown>): Promise<string> {
    const refused = operation().then(
      () => new Promise<never>(() => {}),
      (error: Error) => error.message,
    );
    return Promise.race([refused, channel.failures.next()]);
  }

  async expectFailure(channel: ClientChannel, text: string, operation: () => Promise<unknown>): Promise<void> {
    const reason = await this.failureOf(channel, operation);
    expect(reason).toContain(text);
  }
}

export type SessionScenario = (session: ScenarioSession) => Promise<void>;
