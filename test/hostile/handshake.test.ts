import { describe, expect } from 'vitest';
import { eventually } from '../support/eventually.js';
import { WireClient } from '../support/wire-client.js';
import { methodFrame } from '../support/wire-frames.js';
import { test } from './hostile-test.js';
import { RawPeer } from './raw-peer.js';
import { LAST_WORDS, slowHandshakes, VANISHINGS, vanish } from './scenarios.js';

describe('a handshake that never ends', () => {
  test('is cut off after the handshake timeout, however slowly it goes on', async ({ start, bystander }) => {
    const broker = await start({ args: ['--handshake-timeout', '800'] });
    const others = await bystander(broker);
    const before = broker.descriptorCount();
    await slowHandshakes(broker.port, 25);
    await others.more(10);
    await eventually(() => expect(broker.descriptorCount()).toBe(before));
    // 25 of the 150 said nothing at all, which is how health checks behave.
    expect(broker.count('handshake took too long')).toBe(125);
  });

  test('does not keep a finished one waiting', async ({ start }) => {
    const broker = await start({ args: ['--handshake-timeout', '60000'] });
    const silent = await RawPeer.connect(broker.port);
    const client = await WireClient.connect(broker.amqpUrl);
    await client.close();
    silent.destroy();
  });
});

describe('a peer that vanishes', () => {
  test('takes its exclusive queue with it and nobody else, whatever it said last', async ({ start, bystander }) => {
    const broker = await start();
    const others = await bystander(broker);
    const before = broker.descriptorCount();
    const client = await WireClient.connect(broker.amqpUrl);
    await client.openChannel();
    await client.rpc(1, { name: 'queue.declare', queue: 'target' }, 'queue.declare-ok');
    for (const how of VANISHINGS) {
      for (const words of Object.values(LAST_WORDS)) {
        await vanish(broker.port, 'of the vanished', words('target'), how);
        await eventually(async () => {
          const other = await WireClient.connect(broker.amqpUrl);
          await other.openChannel();
          other.send(1, { name: 'queue.declare', queue: 'of the vanished', passive: true });
          const answer = await other.next(1);
          await other.close();
          expect(answer).toMatchObject({ name: 'channel.close', replyCode: 404 });
        });
      }
    }
    // A publish that was not complete did not happen.
    await client.rpc(1, { name: 'queue.declare', queue: 'target', passive: true }, 'queue.declare-ok', {
      messageCount: 0,
    });
    await client.close();
    await others.more(10);
    await eventually(() => expect(broker.descriptorCount()).toBe(before));
  });

  test('is noticed when it ends its side without reading what waits for it', async ({ start, bystander }) => {
    const broker = await start();
    const others = await bystander(broker);
    const before = broker.descriptorCount();
    const body = Buffer.alloc(1024 * 1024);
    const publisher = await WireClient.connect(broker.amqpUrl);
    await publisher.openChannel();
    await publisher.rpc(1, { name: 'queue.declare', queue: 'unread' }, 'queue.declare-ok');
    for (let i = 0; i < 32; i++) publisher.publish(1, { routingKey: 'unread', body });
    await publisher.rpc(1, { name: 'queue.declare', queue: 'unread', passive: true }, 'queue.declare-ok');
    const peer = await RawPeer.open(broker.port);
    peer.stopReading();
    peer.send(methodFrame(1, { name: 'basic.consume', queue: 'unread' }));
    await others.more(100);
    peer.finish();
    await eventually(async () => {
      const state = { name: 'queue.declare', queue: 'unread', passive: true } as const;
      const { consumerCount, messageCount } = await publisher.rpc(1, state, 'queue.declare-ok');
      expect({ consumerCount, messageCount }).toEqual({ consumerCount: 0, messageCount: 32 });
    });
    peer.destroy();
    await publisher.close();
    await eventually(() => expect(broker.descriptorCount()).toBe(before));
  });
});
