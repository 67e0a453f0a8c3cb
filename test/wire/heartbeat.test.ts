import { describe, expect } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { WireClient } from '../support/wire-client.js';
import { methodFrame } from '../support/wire-frames.js';
import { test } from './broker-test.js';

/** Often enough for an interval of one second, and no measure of anything. */
const OFTEN_MS = 250;

/** Does it again and again until the test lets it be. */
async function meanwhile(act: () => void, wait: () => Promise<void>): Promise<void> {
  const timer = setInterval(act, OFTEN_MS);
  try {
    await wait();
  } finally {
    clearInterval(timer);
  }
}

/** Time passes by the broker's own heartbeats to a client that it has to keep. */
async function heartbeats(client: WireClient, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await client.expectHeartbeat(5000);
}

describe.concurrent('with a heartbeat of one second', () => {
  test('a silent client gets heartbeats, and is dropped without a word', async ({ connect }) => {
    const client = await connect({ heartbeat: 1 });
    await client.closed(10_000);
    // Every half second the broker looks whether it wrote, and its heartbeats count: one a second for two to three seconds.
    expect(client.heartbeatsReceived).toBeGreaterThanOrEqual(2);
    expect(client.heartbeatsReceived).toBeLessThanOrEqual(4);
    expect(client.isSilent).toBe(true);
  });

  test('what it had is given back', async ({ connect }) => {
    const client = await connect({ heartbeat: 1 });
    const other = await connect();
    await other.rpc(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
    other.publish(1, { routingKey: 'q' });
    await other.expectNothing(1);
    await client.rpc(1, { name: 'basic.get', queue: 'q' }, 'basic.get-ok', { redelivered: false });
    await client.closed(10_000);
    await other.rpc(1, { name: 'basic.get', queue: 'q' }, 'basic.get-ok', { redelivered: true });
  });

  test('a client that only sends heartbeats stays', async ({ connect }) => {
    const client = await connect({ heartbeat: 1 });
    await meanwhile(
      () => client.heartbeat(),
      () => heartbeats(client, 5),
    );
    await client.expectNothing(1);
  });

  test('a client that sends anything else stays', async ({ connect }) => {
    const client = await connect({ heartbeat: 1 });
    // One byte after the other of a frame that does not end.
    const bytes = methodFrame(1, { name: 'queue.declare', queue: 'q'.repeat(200) });
    let at = 0;
    await meanwhile(
      () => client.raw(bytes.subarray(at, ++at)),
      () => heartbeats(client, 5),
    );
    client.raw(bytes.subarray(at));
    await client.expect(1, 'queue.declare-ok');
  });
});

describe.concurrent('without a heartbeat', () => {
  test('a silent client stays and gets none', async ({ connect }) => {
    const client = await connect({ heartbeat: 0 });
    const clock = await connect({ heartbeat: 1 });
    await meanwhile(
      () => clock.heartbeat(),
      () => heartbeats(clock, 4),
    );
    await client.expectNothing(1);
    expect(client.heartbeatsReceived).toBe(0);
  });
});

describe('a blocked client', () => {
  test('may be silent, but its socket must be there', async ({ broker, connect }) => {
    const client = await connect({ heartbeat: 1 });
    await client.rpc(1, { name: 'queue.declare', queue: 'own', exclusive: true }, 'queue.declare-ok');
    const before = broker.connectionCount;
    broker.raiseAlarm('memory');
    try {
      client.publish(1, { routingKey: 'own' });
      await client.expect(0, 'connection.blocked');
      await heartbeats(client, 4);
      expect(broker.connectionCount).toBe(before);
      client.destroy();
      await eventually(() => expect(broker.connectionCount).toBe(before - 1));
    } finally {
      broker.clearAlarm('memory');
    }
  });
});
