/**
 * What hostile peers do, without a judgement: the tests run it small and look at the broker, `bench/hostile.ts` runs it
 * longer and looks at how the others fare.
 */
import { FrameType } from '../../protocol/amqp/constants.gen.js';
import { MethodId } from '../../protocol/amqp/methods.gen.js';
import { WireClient } from '../support/wire-client.js';
import { bodyFrame, frame, headerFrame, methodFrame, PROTOCOL_HEADER } from '../support/wire-frames.js';
import { login, RawPeer, startOk } from './raw-peer.js';

const DRIP_INTERVAL_MS = 20;
/** Requests in one write. */
const BATCH = 1000;

/** Runs `step` for 0, 1, … in groups, so that the peers come fast but not all in one instant. */
export async function inGroups<T>(count: number, step: (index: number) => Promise<T>, size = 200): Promise<T[]> {
  const results: T[] = [];
  for (let from = 0; from < count; from += size) {
    const indices = Array.from({ length: Math.min(size, count - from) }, (_, offset) => from + offset);
    results.push(...(await Promise.all(indices.map(step))));
  }
  return results;
}

// --- handshakes that never end

/** Connects and says nothing. */
export async function silentPeer(port: number): Promise<void> {
  const peer = await RawPeer.connect(port);
  await peer.dropped();
}

/** Sends the beginning of a handshake, then nothing. */
export async function stoppingPeer(port: number, bytes: number): Promise<void> {
  const peer = await RawPeer.connect(port);
  peer.send(login().subarray(0, bytes));
  await peer.dropped();
}

/** Sends a handshake byte by byte, always just fast enough to look alive. */
export async function drippingPeer(port: number): Promise<void> {
  const peer = await RawPeer.connect(port);
  const bytes = login();
  let at = 0;
  const timer = setInterval(() => peer.send(bytes.subarray(at, ++at)), DRIP_INTERVAL_MS);
  try {
    await peer.dropped();
  } finally {
    clearInterval(timer);
  }
}

export async function slowHandshakes(port: number, countEach: number): Promise<void> {
  const withoutHeader = PROTOCOL_HEADER.length - 3;
  const inStartOk = PROTOCOL_HEADER.length + startOk().length - 5;
  const afterStartOk = PROTOCOL_HEADER.length + startOk().length;
  await Promise.all([
    inGroups(countEach, () => silentPeer(port), countEach),
    inGroups(countEach, () => drippingPeer(port), countEach),
    ...[withoutHeader, PROTOCOL_HEADER.length, inStartOk, afterStartOk].map((bytes) =>
      inGroups(countEach, () => stoppingPeer(port, bytes), countEach),
    ),
  ]);
}

// --- peers that vanish

export type Vanishing = 'finish' | 'reset';
export const VANISHINGS: readonly Vanishing[] = ['finish', 'reset'];

/** What a peer sends last: nothing, or something that is not all there. */
export const LAST_WORDS: Readonly<Record<string, (queue: string) => Buffer>> = {
  nothing: () => Buffer.alloc(0),
  'part of a frame header': () => Buffer.of(FrameType.method, 0),
  'part of a method': (queue) => methodFrame(1, { name: 'queue.declare', queue }).subarray(0, 12),
  'a publish without its header': (queue) => methodFrame(1, { name: 'basic.publish', routingKey: queue }),
  'a publish with part of its header': (queue) =>
    Buffer.concat([
      methodFrame(1, { name: 'basic.publish', routingKey: queue }),
      headerFrame(1, { bodySize: 100_000 }).subarray(0, 15),
    ]),
  'a publish with half of its body': (queue) =>
    Buffer.concat([
      methodFrame(1, { name: 'basic.publish', routingKey: queue }),
      headerFrame(1, { bodySize: 100_000 }),
      bodyFrame(1, Buffer.alloc(50_000)),
    ]),
  'a publish with part of its body frame': (queue) =>
    Buffer.concat([
      methodFrame(1, { name: 'basic.publish', routingKey: queue }),
      headerFrame(1, { bodySize: 100_000 }),
      frame(FrameType.body, 1, Buffer.alloc(100_000)).subarray(0, 60_000),
    ]),
};

/** Opens a connection with an exclusive queue, says its last words and goes without a goodbye. */
export async function vanish(port: number, queue: string, lastWords: Buffer, how: Vanishing): Promise<void> {
  const peer = await RawPeer.open(port);
  await peer.ask(methodFrame(1, { name: 'queue.declare', queue, exclusive: true }), MethodId.QueueDeclareOk);
  peer.send(lastWords);
  if (how === 'reset') {
    await peer.until(() => peer.unsentBytes === 0, 'the last words to be sent');
    peer.reset();
    return;
  }
  peer.finish();
  await peer.dropped();
}

// --- peers that do not read

/** A consumer that reads nothing once it has subscribed. */
export async function deafConsumer(port: number, queue: string): Promise<RawPeer> {
  const peer = await RawPeer.open(port);
  await peer.ask(methodFrame(1, { name: 'basic.consume', queue, noAck: true }), MethodId.BasicConsumeOk);
  peer.stopReading();
  return peer;
}

/** Publishes in a confirm-mode channel, with a limited number unconfirmed, until all are confirmed. */
export async function publishAll(url: string, routingKey: string, count: number, bodyBytes: number): Promise<void> {
  const client = await WireClient.connect(url);
  await client.openChannel();
  await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
  const body = Buffer.alloc(bodyBytes, 0x61);
  const window = Math.max(1, Math.floor((4 * 1024 * 1024) / bodyBytes));
  let sent = 0;
  let confirmed = 0;
  while (confirmed < count) {
    while (sent < count && sent - confirmed < window) {
      client.publish(1, { routingKey, body });
      sent++;
    }
    const ack = await client.expect(1, 'basic.ack');
    confirmed = Number(ack.deliveryTag);
  }
  await client.close();
}

export interface Pipelining {
  readonly peer: RawPeer;
  readonly requests: number;
}

/** Sends `request` so many times without reading a single answer, as fast as the broker takes it. */
export async function pipeline(port: number, request: Buffer, requests: number): Promise<Pipelining> {
  const peer = await RawPeer.open(port);
  peer.stopReading();
  const batch = Buffer.alloc(request.length * BATCH);
  for (let i = 0; i < BATCH; i++) batch.set(request, i * request.length);
  for (let sent = 0; sent < requests; sent += BATCH) {
    peer.send(batch.subarray(0, request.length * Math.min(BATCH, requests - sent)));
  }
  return { peer, requests };
}

// --- many of everything

/** Opens so many connections with a channel each, at once. */
export function manyConnections(port: number, count: number): Promise<RawPeer[]> {
  return inGroups(count, () => RawPeer.open(port));
}

/** Opens and closes a channel over and over. */
export async function channelCycles(port: number, cycles: number): Promise<void> {
  const peer = await RawPeer.open(port);
  const cycle = Buffer.concat([
    methodFrame(2, { name: 'channel.open' }),
    methodFrame(2, { name: 'channel.close', replyCode: 200, replyText: '' }),
  ]);
  await inBatches(peer, cycles, () => cycle, MethodId.ChannelCloseOk);
  peer.destroy();
}

export async function manyBindings(peer: RawPeer, exchange: string, queue: string, count: number): Promise<void> {
  const bind = (index: number) =>
    methodFrame(1, { name: 'queue.bind', queue, exchange, routingKey: bindingKey(index) });
  await inBatches(peer, count, bind, MethodId.QueueBindOk);
}

export async function manyUnbindings(peer: RawPeer, exchange: string, queue: string, count: number): Promise<void> {
  const unbind = (index: number) =>
    methodFrame(1, { name: 'queue.unbind', queue, exchange, routingKey: bindingKey(index) });
  await inBatches(peer, count, unbind, MethodId.QueueUnbindOk);
}

export function bindingKey(index: number): string {
  return `key.${index}`;
}

export async function exclusiveQueues(peer: RawPeer, prefix: string, count: number): Promise<void> {
  const declare = (index: number) =>
    methodFrame(1, { name: 'queue.declare', queue: `${prefix}${index}`, exclusive: true });
  await inBatches(peer, count, declare, MethodId.QueueDeclareOk);
}

async function inBatches(
  peer: RawPeer,
  count: number,
  request: (index: number) => Buffer,
  answer: number,
): Promise<void> {
  for (let from = 0; from < count; from += BATCH) {
    const size = Math.min(BATCH, count - from);
    const requests = Array.from({ length: size }, (_, offset) => request(from + offset));
    await peer.ask(Buffer.concat(requests), answer, size);
  }
}
