/** The `test` of every STOMP conformance file: that of the others, and STOMP connections. */
import { expect } from 'vitest';
import { stompUrl } from '../../support/broker-under-test.js';
import { type LoginOptions, type ServerFrame, StompClient } from '../../support/stomp-client.js';
import { test as base } from '../conformance-test.js';

interface StompConformance {
  readonly url: string;
  /** A TCP connection on which nothing was said. */
  readonly openStomp: () => Promise<StompClient>;
  readonly connectStomp: (options?: LoginOptions) => Promise<StompClient>;
  /** Logged in, with STOMP 1.2. */
  readonly stomp: StompClient;
}

export const test = base.extend<StompConformance>({
  url: async ({ skip }, use) => {
    const url = await stompUrl();
    skip(url === undefined, 'STOMP_URL says where the broker of BROKER_URL speaks STOMP');
    await use(url ?? '');
  },
  openStomp: async ({ url, unique: _ }, use) => {
    const opened: StompClient[] = [];
    await use(async () => {
      const client = await StompClient.open(url);
      opened.push(client);
      return client;
    });
    await Promise.all(opened.map((client) => client.destroy()));
  },
  connectStomp: async ({ openStomp, url }, use) => {
    await use(async (options) => {
      const client = await openStomp();
      const answer = await client.logIn(url, options);
      expect(answer).toMatchObject({ command: 'CONNECTED' });
      return client;
    });
  },
  stomp: async ({ connectStomp }, use) => {
    await use(await connectStomp());
  },
});

/** The next frame is an ERROR that says this. */
export async function expectError(client: StompClient, message: string, body: string): Promise<ServerFrame> {
  const frame = await client.expect('ERROR');
  expect([frame.headers['message'], frame.body]).toEqual([message, body]);
  return frame;
}

/** Whether the session still answers. */
export async function expectOpen(client: StompClient): Promise<void> {
  expect(await client.settle()).toEqual([]);
}
