import { constants, readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import type { ChildBroker } from '../support/child-broker.js';
import { eventually } from '../support/eventually.js';
import { WireClient } from '../support/wire-client.js';
import { test } from './hostile-test.js';
import { RawPeer } from './raw-peer.js';

/** Connects until the broker turns a peer away, and returns those that it let in. */
async function fill(broker: ChildBroker, most: number): Promise<RawPeer[]> {
  const admitted: RawPeer[] = [];
  for (let i = 0; i < most; i++) {
    try {
      admitted.push(await RawPeer.open(broker.port));
    } catch {
      return admitted;
    }
  }
  throw new Error(`${most} connections and none was refused`);
}

describe('--max-connections', () => {
  test('refuses one more, says so, and lets the next in when one has gone', async ({ start, bystander }) => {
    const broker = await start({ args: ['--max-connections', '4'] });
    const others = await bystander(broker);
    const admitted = await fill(broker, 10);
    expect(admitted).toHaveLength(3);
    expect(await broker.logged('connection refused')).toMatchObject({
      level: 'warn',
      reason: 'connection limit (4) is reached',
    });
    await others.more(10);
    admitted[0]?.destroy();
    const next = await eventually(() => WireClient.connect(broker.amqpUrl));
    await next.close();
    for (const peer of admitted) peer.destroy();
  });
});

describe.runIf(process.platform === 'linux')('without file descriptors', () => {
  test('the broker refuses new connections, serves the old, and recovers', async ({ start, bystander }) => {
    const broker = await start({ descriptors: 64 });
    const others = await bystander(broker);
    const admitted = await fill(broker, 64);
    expect(admitted.length).toBeGreaterThan(10);
    expect(await broker.logged('connection refused')).toMatchObject({
      level: 'warn',
      reason: 'out of file descriptors (limit 64)',
    });
    // A crowd at the door, all of it turned away.
    const crowd = await Promise.allSettled(Array.from({ length: 100 }, () => RawPeer.open(broker.port)));
    expect(crowd.every(({ status }) => status === 'rejected')).toBe(true);
    await others.more(20);
    for (const peer of admitted) peer.destroy();
    const again = await eventually(() => fill(broker, 64).then((peers) => checked(peers, admitted.length)));
    await others.more(10);
    for (const peer of again) peer.destroy();
  });
});

describe.runIf(process.platform === 'linux')('a reader of the log that is slower than the broker', () => {
  test('is waited for as long as it takes, not for 100 ms each time', async ({ start }) => {
    const broker = await start();
    // Written to without O_NONBLOCK: otherwise a full pipe makes the log sleep before it tries again.
    const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/${broker.pid}/fdinfo/1`, 'utf8'))?.[1];
    expect(Number.parseInt(flags ?? '', 8) & constants.O_NONBLOCK).toBe(0);
  });
});

/** Lets the peers go when they are not as many as wanted. */
function checked(peers: RawPeer[], count: number): RawPeer[] {
  if (peers.length === count) return peers;
  for (const peer of peers) peer.destroy();
  throw new Error(`${peers.length} connections instead of ${count}`);
}
