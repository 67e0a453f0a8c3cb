/** Peers that let their answers pile up, seen from inside: what is kept for them, and that they can go on later. */
import { describe, expect, it } from 'vitest';
import { MethodId } from '../../protocol/amqp/methods.gen.js';
import { bodyFrame, frame, headerFrame, methodFrame } from '../support/wire-frames.js';
import { type MemoryPeer, MemoryServer } from './memory-server.js';

const MIB = 1024 * 1024;
/** What a connection may hold unsent before its requests wait, and one turn's answers on top. */
const MOST_UNSENT_BYTES = 18 * MIB;

function publish(peer: MemoryPeer, routingKey: string, body: Buffer): void {
  peer.sendBytes(
    Buffer.concat([
      methodFrame(1, { name: 'basic.publish', routingKey }),
      headerFrame(1, { bodySize: body.length }),
      bodyFrame(1, body),
    ]),
  );
}

describe('a consumer that does not read', () => {
  it('gets about 1 MiB, and the rest when it reads again, whatever was sent to it in between', () => {
    const server = new MemoryServer();
    const consumer = server.connect();
    const publisher = server.connect();
    consumer.send(1, { name: 'queue.declare', queue: 'q' });
    consumer.send(1, { name: 'basic.consume', queue: 'q', noAck: true });
    consumer.received();
    consumer.transport.stalled = true;
    for (let i = 0; i < 60; i++) publish(publisher, 'q', Buffer.alloc(100_000));
    expect(consumer.transport.unsentBytes).toBeLessThan(1.5 * MIB);
    let delivered = consumer.countReceived(MethodId.BasicDeliver);
    // The kernel takes a part, and then there is something else to send.
    consumer.transport.unsentBytes = 0.75 * MIB;
    consumer.send(1, { name: 'access.request' });
    consumer.transport.drain();
    delivered += consumer.countReceived(MethodId.BasicDeliver);
    expect(delivered).toBe(60);
  });

  it('of direct replies loses those that cannot be kept for it', () => {
    const server = new MemoryServer();
    const requester = server.connect();
    const replier = server.connect();
    requester.send(1, { name: 'basic.consume', queue: 'amq.rabbitmq.reply-to', noAck: true });
    requester.send(1, { name: 'queue.declare', queue: 'requests' });
    requester.sendBytes(
      Buffer.concat([
        methodFrame(1, { name: 'basic.publish', routingKey: 'requests' }),
        headerFrame(1, { bodySize: 0, properties: { replyTo: 'amq.rabbitmq.reply-to' } }),
      ]),
    );
    requester.received();
    const replyTo = replyToOf(replier);
    requester.transport.stalled = true;
    for (let i = 0; i < 400; i++) publish(replier, replyTo, Buffer.alloc(100_000));
    expect(requester.transport.unsentBytes).toBeLessThan(MOST_UNSENT_BYTES);
    expect(server.lines.filter(({ msg }) => msg.includes('direct replies are dropped'))).toHaveLength(1);
    requester.received();
    requester.transport.drain();
    publish(replier, replyTo, Buffer.from('after'));
    expect(requester.received()).toEqual(['1 basic.deliver']);
  });
});

describe('a peer that asks and does not read', () => {
  it.each([
    ['queue.declare', methodFrame(1, { name: 'queue.declare', queue: 'q'.repeat(200) }), MethodId.QueueDeclareOk],
    [
      'connection.update-secret',
      methodFrame(0, { name: 'connection.update-secret', newSecret: Buffer.alloc(0), reason: '' }),
      MethodId.ConnectionUpdateSecretOk,
    ],
    [
      'channel.open and close',
      Buffer.concat([methodFrame(2, { name: 'channel.open' }), methodFrame(2, { name: 'channel.close' })]),
      MethodId.ChannelCloseOk,
    ],
    [
      'a mandatory publish without a queue',
      Buffer.concat([
        methodFrame(1, { name: 'basic.publish', routingKey: 'nowhere', mandatory: true }),
        headerFrame(1, { bodySize: 10_000 }),
        bodyFrame(1, Buffer.alloc(10_000)),
      ]),
      MethodId.BasicReturn,
    ],
  ])('is not read from after 16 MiB of answers to %s, and goes on later', (_, request, answer) => {
    const server = new MemoryServer();
    const peer = server.connect();
    peer.transport.stalled = true;
    const perChunk = Math.ceil((256 * 1024) / request.length);
    const chunk = Buffer.concat(Array.from({ length: perChunk }, () => request));
    let chunks = 0;
    for (; chunks < 400 && !peer.transport.readingPaused; chunks++) peer.sendBytes(chunk);
    expect(peer.transport.readingPaused).toBe(true);
    expect(peer.transport.unsentBytes).toBeLessThan(MOST_UNSENT_BYTES);
    let answers = peer.countReceived(answer);
    peer.transport.drain();
    answers += peer.countReceived(answer);
    expect(peer.transport.readingPaused).toBe(false);
    expect(answers).toBe(chunks * perChunk);
  });

  it('is given up when it neither reads nor sends for three heartbeats', () => {
    const server = new MemoryServer();
    const peer = server.connect({ heartbeat: 10 });
    overflow(peer);
    server.clock.advance(31_000);
    expect(peer.transport.isClosed).toBe(true);
  });

  it('is not given up while it reads, however slowly', () => {
    const server = new MemoryServer();
    const peer = server.connect({ heartbeat: 10 });
    overflow(peer);
    for (let interval = 0; interval < 10; interval++) {
      peer.transport.unsentBytes -= 1000;
      server.clock.advance(10_000);
    }
    expect(peer.transport.isClosed).toBe(false);
  });
});

describe('what a publisher sent while it was blocked', () => {
  const garbage = frame(1, 1, Buffer.alloc(20), 0);

  it('is answered with 501 when it is no AMQP, once it is looked at', () => {
    const server = new MemoryServer();
    const peer = server.connect({ capabilities: { 'connection.blocked': true } });
    server.alarms.raise('memory');
    publish(peer, 'q', Buffer.from('blocks'));
    expect(peer.received()).toEqual(['0 connection.blocked']);
    server.alarms.clear('memory');
    peer.received();
    server.alarms.raise('memory');
    peer.sendBytes(
      Buffer.concat([
        methodFrame(1, { name: 'basic.publish', routingKey: 'q' }),
        headerFrame(1, { bodySize: 0 }),
        garbage,
      ]),
    );
    peer.received();
    server.alarms.clear('memory');
    expect(peer.received()).toEqual(['0 connection.unblocked', '0 connection.close 501']);
    // Where the next frame begins cannot be known, but close-ok is still recognised.
    peer.sendBytes(Buffer.alloc(100, 1));
    expect(peer.transport.isClosed).toBe(false);
    peer.send(0, { name: 'connection.close-ok' });
    expect(peer.transport.isClosed).toBe(true);
  });

  it('does not keep the broker from stopping', async () => {
    const server = new MemoryServer();
    const peer = server.connect();
    const other = server.connect();
    server.alarms.raise('memory');
    peer.sendBytes(
      Buffer.concat([
        methodFrame(1, { name: 'basic.publish', routingKey: 'q' }),
        headerFrame(1, { bodySize: 0 }),
        garbage,
      ]),
    );
    const closed = server.server.close('stopping');
    expect(peer.received()).toEqual(['0 connection.close 320']);
    expect(other.received()).toEqual(['0 connection.close 320']);
    for (const each of [peer, other]) each.send(0, { name: 'connection.close-ok' });
    server.clock.settle();
    await closed;
  });
});

/** Asks for answers until nothing more is read. */
function overflow(peer: MemoryPeer): void {
  peer.transport.stalled = true;
  const request = methodFrame(1, { name: 'queue.declare', queue: 'q'.repeat(200) });
  const chunk = Buffer.concat(Array.from({ length: 1000 }, () => request));
  while (!peer.transport.readingPaused) peer.sendBytes(chunk);
}

/** The name that a reply has to be sent to, as it stands in the request. */
function replyToOf(replier: MemoryPeer): string {
  replier.send(1, { name: 'basic.get', queue: 'requests', noAck: true });
  const name = /amq\.rabbitmq\.reply-to\.[\w.=+/-]+/.exec(replier.transport.take().toString('latin1'))?.[0];
  if (name === undefined) throw new Error('the request has no reply-to');
  return name;
}
