/** What `hostile.ts` measures, as the thread of the hostile peers runs it. */
import { setTimeout as pause } from 'node:timers/promises';
import { MethodId } from '../protocol/amqp/methods.gen.js';
import { RawPeer } from '../test/hostile/raw-peer.js';
import {
  channelCycles,
  deafConsumer,
  exclusiveQueues,
  inGroups,
  LAST_WORDS,
  manyBindings,
  manyConnections,
  manyUnbindings,
  pipeline,
  publishAll,
  slowHandshakes,
  VANISHINGS,
  vanish,
} from '../test/hostile/scenarios.js';
import { WireClient } from '../test/support/wire-client.js';
import { methodFrame } from '../test/support/wire-frames.js';

/** For how long nothing is read, or nothing happens. */
const QUIET_MS = 3000;

/** Where the broker is. */
export interface Target {
  readonly port: number;
  readonly amqpUrl: string;
}

export interface Scenario {
  readonly name: string;
  readonly args?: readonly string[];
  run(target: Target): Promise<void>;
}

export const SCENARIOS: readonly Scenario[] = [
  { name: 'nobody hostile', run: () => pause(QUIET_MS) },
  {
    name: 'slow handshakes',
    args: ['--handshake-timeout', '2500'],
    run: ({ port }) => slowHandshakes(port, 150),
  },
  {
    name: 'vanishing peers',
    run: async ({ port }) => {
      for (let round = 0; round < 150; round++) {
        const cases = VANISHINGS.flatMap((how) => Object.values(LAST_WORDS).map((words) => ({ how, words })));
        await Promise.all(cases.map(({ how, words }, i) => vanish(port, `q${i}.${round}`, words('nowhere'), how)));
      }
    },
  },
  {
    name: 'consumer that never reads',
    run: async ({ port, amqpUrl }) => {
      await declare(amqpUrl, 'flood');
      const deaf = await deafConsumer(port, 'flood');
      await publishAll(amqpUrl, 'flood', 8192, 32 * 1024);
      deaf.readOn();
      await deaf.until(() => deaf.seen(MethodId.BasicDeliver) === 8192, 'all deliveries');
      deaf.destroy();
    },
  },
  {
    name: 'unread basic.get',
    run: async ({ port, amqpUrl }) => {
      await declare(amqpUrl, 'one');
      await publishAll(amqpUrl, 'one', 1, 100_000);
      const get = methodFrame(1, { name: 'basic.get', queue: 'one' });
      const request = Buffer.concat([get, methodFrame(1, { name: 'basic.recover-async', requeue: true })]);
      await unreadThenRead(port, request, 10_000, MethodId.BasicGetOk);
    },
  },
  {
    name: 'unread queue.declare',
    run: ({ port }) => {
      const request = methodFrame(1, { name: 'queue.declare', queue: 'q'.repeat(250) });
      return unreadThenRead(port, request, 600_000, MethodId.QueueDeclareOk);
    },
  },
  {
    name: '2,000 connections, 5 times',
    run: async ({ port }) => {
      for (let round = 0; round < 5; round++) {
        const peers = await manyConnections(port, 2000);
        await pause(QUIET_MS / 3);
        for (const peer of peers) peer.destroy();
      }
    },
  },
  {
    name: '5,000 connections refused',
    args: ['--max-connections', '10'],
    run: async ({ port }) => {
      await inGroups(
        5000,
        () =>
          RawPeer.open(port).then(
            (peer) => peer.destroy(),
            () => undefined,
          ),
        50,
      );
    },
  },
  {
    name: 'pipelined queue.bind',
    run: async ({ port, amqpUrl }) => {
      await declare(amqpUrl, 'bound');
      const bind = { name: 'queue.bind', queue: 'bound', exchange: 'amq.direct' } as const;
      const requests = Array.from({ length: 200_000 }, (_, i) => methodFrame(1, { ...bind, routingKey: String(i) }));
      await pipelined(port, Buffer.concat(requests), MethodId.QueueBindOk, requests.length);
    },
  },
  {
    name: 'pipelined basic.get',
    run: async ({ port, amqpUrl }) => {
      await declare(amqpUrl, 'empty');
      const request = methodFrame(1, { name: 'basic.get', queue: 'empty' });
      await pipelined(port, repeated(request, 500_000), MethodId.BasicGetEmpty, 500_000);
    },
  },
  {
    name: 'pipelined channel.open and close',
    run: async ({ port }) => {
      const request = Buffer.concat([
        methodFrame(2, { name: 'channel.open' }),
        methodFrame(2, { name: 'channel.close' }),
      ]);
      await pipelined(port, repeated(request, 300_000), MethodId.ChannelCloseOk, 300_000);
    },
  },
  { name: '200,000 channels', run: ({ port }) => channelCycles(port, 200_000) },
  {
    name: '65,535 bindings, one by one',
    run: async ({ port, amqpUrl }) => {
      await declare(amqpUrl, 'bound');
      const peer = await RawPeer.open(port);
      await manyBindings(peer, 'amq.topic', 'bound', 65_535);
      await manyUnbindings(peer, 'amq.topic', 'bound', 65_535);
      await manyBindings(peer, 'amq.direct', 'bound', 65_535);
      peer.send(methodFrame(1, { name: 'queue.delete', queue: 'bound' }));
      await peer.until(() => peer.seen(MethodId.QueueDeleteOk) === 1, 'queue.delete-ok');
      peer.destroy();
    },
  },
  {
    name: '10,000 exclusive queues, 5 times',
    run: async ({ port }) => {
      for (let round = 0; round < 5; round++) {
        const peer = await RawPeer.open(port);
        await exclusiveQueues(peer, `q${round}.`, 10_000);
        peer.reset();
        await pause(QUIET_MS / 6);
      }
    },
  },
];

async function declare(amqpUrl: string, queue: string): Promise<void> {
  const client = await WireClient.connect(amqpUrl);
  await client.openChannel();
  await client.rpc(1, { name: 'queue.declare', queue }, 'queue.declare-ok');
  await client.close();
}

async function pipelined(port: number, requests: Buffer, answer: number, count: number): Promise<void> {
  const peer = await RawPeer.open(port);
  await peer.ask(requests, answer, count);
  peer.destroy();
}

function repeated(request: Buffer, count: number): Buffer {
  return Buffer.alloc(request.length * count, request);
}

async function unreadThenRead(port: number, request: Buffer, count: number, answer: number): Promise<void> {
  const { peer, requests } = await pipeline(port, request, count);
  await pause(QUIET_MS);
  peer.readOn();
  await peer.until(() => peer.seen(answer) === requests, 'all answers');
  peer.destroy();
}
