/** Peers that let their answers pile up, seen from outside: the memory of the broker, and the others. */
import { describe, expect } from 'vitest';
import { MethodId } from '../../protocol/amqp/methods.gen.js';
import type { ChildBroker } from '../support/child-broker.js';
import { WireClient } from '../support/wire-client.js';
import { methodFrame } from '../support/wire-frames.js';
import { test } from './hostile-test.js';
import type { RawPeer } from './raw-peer.js';
import type { RoundTrips } from './round-trips.js';
import { deafConsumer, pipeline, publishAll } from './scenarios.js';

const MIB = 1024 * 1024;
/** Send buffer of the broker and receive buffer of the peer, as large as a system lets them grow. */
const KERNEL_BUFFER_BYTES = 16 * MIB;

/** The broker has had time for others and took nothing more from the peer: it waits for the peer to read. */
async function stuck(peer: RawPeer, others: RoundTrips): Promise<void> {
  for (;;) {
    const before = peer.unsentBytes;
    await others.more(50);
    if (peer.unsentBytes === before) return;
  }
}

function expectGrowthBelow(broker: ChildBroker, before: number | undefined, bytes: number): void {
  const now = broker.residentBytes();
  if (before !== undefined && now !== undefined) expect(now - before).toBeLessThan(bytes);
}

describe('a consumer that never reads', () => {
  test('gets a bounded part of the queue, and the other consumer the rest', async ({ start, bystander }) => {
    const broker = await start();
    const others = await bystander(broker);
    const client = await WireClient.connect(broker.amqpUrl);
    await client.openChannel();
    await client.rpc(1, { name: 'queue.declare', queue: 'flood' }, 'queue.declare-ok');
    const deaf = await deafConsumer(broker.port, 'flood');
    const bodyBytes = 64 * 1024;
    const messages = 1024;
    await publishAll(broker.amqpUrl, 'flood', messages, bodyBytes);
    await others.more(50);
    const passive = { name: 'queue.declare', queue: 'flood', passive: true } as const;
    const { messageCount } = await client.rpc(1, passive, 'queue.declare-ok');
    const handedOut = messages - messageCount;
    expect(handedOut * bodyBytes).toBeLessThan(KERNEL_BUFFER_BYTES + 2 * MIB);
    expect(handedOut).toBeGreaterThan(0);

    await client.rpc(1, { name: 'basic.consume', queue: 'flood', noAck: true }, 'basic.consume-ok');
    for (let i = 0; i < messageCount; i++) await client.expect(1, 'basic.deliver');
    deaf.readOn();
    await deaf.until(() => deaf.seen(MethodId.BasicDeliver) === handedOut, `${handedOut} deliveries`);
    deaf.destroy();
    await client.close();
  });

  test('gets everything once it reads', async ({ start, bystander }) => {
    const broker = await start();
    const others = await bystander(broker);
    const client = await WireClient.connect(broker.amqpUrl);
    await client.openChannel();
    await client.rpc(1, { name: 'queue.declare', queue: 'flood' }, 'queue.declare-ok');
    const deaf = await deafConsumer(broker.port, 'flood');
    await publishAll(broker.amqpUrl, 'flood', 1024, 64 * 1024);
    await others.more(20);
    deaf.readOn();
    await deaf.until(() => deaf.seen(MethodId.BasicDeliver) === 1024, 'all deliveries');
    deaf.destroy();
    await client.close();
  });
});

describe('a peer that pipelines requests and reads no answer', () => {
  test('of basic.get makes the broker keep a bounded number of answers', async ({ start, bystander }) => {
    const broker = await start();
    const others = await bystander(broker);
    const client = await WireClient.connect(broker.amqpUrl);
    await client.openChannel();
    await client.rpc(1, { name: 'queue.declare', queue: 'one' }, 'queue.declare-ok');
    await publishAll(broker.amqpUrl, 'one', 1, 100_000);
    const before = broker.residentBytes();
    // The message is got, put back and got again: 200 MB of answers to 60 kB of requests.
    const request = Buffer.concat([
      methodFrame(1, { name: 'basic.get', queue: 'one' }),
      methodFrame(1, { name: 'basic.recover-async', requeue: true }),
    ]);
    const { peer, requests } = await pipeline(broker.port, request, 2000);
    await stuck(peer, others);
    expectGrowthBelow(broker, before, 64 * MIB);
    peer.readOn();
    await peer.until(() => peer.seen(MethodId.BasicGetOk) === requests, 'all answers');
    peer.destroy();
    await client.close();
  });

  test('of queue.declare is not read from any more', async ({ start, bystander }) => {
    const broker = await start();
    const others = await bystander(broker);
    const before = broker.residentBytes();
    const request = methodFrame(1, { name: 'queue.declare', queue: 'q'.repeat(250) });
    const { peer, requests } = await pipeline(broker.port, request, 300_000);
    await stuck(peer, others);
    expect(peer.unsentBytes).toBeGreaterThan(0);
    expectGrowthBelow(broker, before, 64 * MIB);
    peer.readOn();
    await peer.until(() => peer.seen(MethodId.QueueDeclareOk) === requests, 'all answers');
    peer.destroy();
  });
});
