/** Many of everything: what is gone leaves nothing behind. */
import { describe, expect } from 'vitest';
import { MethodId } from '../../protocol/amqp/methods.gen.js';
import { descriptorLimit } from '../../src/net/descriptor-limit.js';
import type { ChildBroker } from '../support/child-broker.js';
import { eventually } from '../support/eventually.js';
import { WireClient } from '../support/wire-client.js';
import { test } from './hostile-test.js';
import { RawPeer } from './raw-peer.js';
import {
  bindingKey,
  channelCycles,
  exclusiveQueues,
  manyBindings,
  manyConnections,
  manyUnbindings,
} from './scenarios.js';

const MIB = 1024 * 1024;

/** Enough for what a test does once, not for what it would leave behind doing it again and again. */
const HEAP = { heapMegabytes: 64 };
/** What the garbage collector may owe between two rounds. */
const SLACK_BYTES = 32 * MIB;

async function expectNoGrowth(broker: ChildBroker, rounds: number, act: () => Promise<void>): Promise<void> {
  await act();
  const first = broker.residentBytes();
  const later: number[] = [];
  for (let round = 1; round < rounds; round++) {
    await act();
    later.push(broker.residentBytes() ?? 0);
  }
  if (first !== undefined) expect(Math.min(...later) - first).toBeLessThan(SLACK_BYTES);
}

describe('2,000 connections at once', () => {
  const needed = 2200;
  const limit = descriptorLimit();

  test('are served, and leave nothing behind', { timeout: 40_000 }, async ({ start, bystander, skip }) => {
    skip(limit < needed, `needs ${needed} file descriptors, ulimit -n is ${limit}`);
    const broker = await start(HEAP);
    const others = await bystander(broker);
    const before = broker.descriptorCount();
    await expectNoGrowth(broker, 3, async () => {
      const peers = await manyConnections(broker.port, 2000);
      expect(peers).toHaveLength(2000);
      await others.more(10);
      for (const peer of peers) peer.destroy();
      await eventually(() => expect(broker.descriptorCount()).toBe(before), 10_000);
    });
    await eventually(() => expect(broker.count('without closing AMQP')).toBe(6000));
  });
});

describe('on one connection', () => {
  test('80,000 channels are opened and closed', async ({ start, bystander }) => {
    const broker = await start(HEAP);
    const others = await bystander(broker);
    await expectNoGrowth(broker, 4, () => channelCycles(broker.port, 20_000));
    await others.more(10);
  });

  test.for(['one by one', 'with the queue'])(
    '65,535 bindings of a queue to an exchange are made, and removed %s',
    async (how, { start, bystander }) => {
      const broker = await start();
      const others = await bystander(broker);
      const client = await WireClient.connect(broker.amqpUrl);
      await client.openChannel();
      // A queue in one piece is removed from a topic exchange, whose bindings are a tree.
      const type = how === 'one by one' ? 'direct' : 'topic';
      await client.rpc(1, { name: 'exchange.declare', exchange: 'many', type }, 'exchange.declare-ok');
      await client.rpc(1, { name: 'queue.declare', queue: 'many' }, 'queue.declare-ok');
      const last = { exchange: 'many', routingKey: bindingKey(65_534), mandatory: true };
      const peer = await RawPeer.open(broker.port);
      await manyBindings(peer, 'many', 'many', 65_535);
      client.publish(1, last);
      const state = { name: 'queue.declare', queue: 'many', passive: true } as const;
      await client.rpc(1, state, 'queue.declare-ok', { messageCount: 1 });
      if (how === 'one by one') await manyUnbindings(peer, 'many', 'many', 65_535);
      else await client.rpc(1, { name: 'queue.delete', queue: 'many' }, 'queue.delete-ok', { messageCount: 1 });
      client.publish(1, last);
      await client.expect(1, 'basic.return', { replyCode: 312 });
      peer.destroy();
      await others.more(10);
      await client.close();
    },
  );

  test('10,000 exclusive queues are declared, and go with it', async ({ start, bystander }) => {
    const broker = await start(HEAP);
    const others = await bystander(broker);
    await expectNoGrowth(broker, 6, async () => {
      const owner = await RawPeer.open(broker.port);
      await exclusiveQueues(owner, 'mine.', 10_000);
      expect(owner.seen(MethodId.ChannelClose)).toBe(0);
      owner.reset();
      await eventually(async () => {
        const client = await WireClient.connect(broker.amqpUrl);
        await client.openChannel();
        client.send(1, { name: 'queue.declare', queue: 'mine.9999', passive: true });
        const answer = await client.next(1);
        await client.close();
        expect(answer).toMatchObject({ name: 'channel.close', replyCode: 404 });
      });
      await others.more(10);
    });
  });
});
