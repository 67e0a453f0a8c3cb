/** A peer that asks for much at once, and the others. */
import { describe, expect, it } from 'vitest';
import { MethodId } from '../../protocol/amqp/methods.gen.js';
import { headerFrame, methodFrame } from '../support/wire-frames.js';
import { MemoryServer } from './memory-server.js';

const REQUESTS = 5000;
const publishFrames = Buffer.concat([
  methodFrame(1, { name: 'basic.publish', routingKey: 'q' }),
  headerFrame(1, { bodySize: 0 }),
]);

describe('a peer that pipelines requests', () => {
  it.each([
    [
      'queue.declare',
      (i: number) => methodFrame(1, { name: 'queue.declare', queue: `q${i}` }),
      MethodId.QueueDeclareOk,
    ],
    [
      'channel.open and close',
      () => Buffer.concat([methodFrame(2, { name: 'channel.open' }), methodFrame(2, { name: 'channel.close' })]),
      MethodId.ChannelCloseOk,
    ],
    [
      'connection.update-secret',
      () => methodFrame(0, { name: 'connection.update-secret' }),
      MethodId.ConnectionUpdateSecretOk,
    ],
  ])('of %s has a part of them handled in a turn, so that others are served in between', (_, request, answer) => {
    const server = new MemoryServer();
    const greedy = server.connect();
    const other = server.connect();
    greedy.transport.send(Buffer.concat(Array.from({ length: REQUESTS }, (_, i) => request(i))));
    other.transport.send(methodFrame(1, { name: 'basic.qos', prefetchCount: 1 }));
    server.clock.endTurn();
    const inOneTurn = greedy.countInOutput(answer);
    expect(inOneTurn).toBeGreaterThan(0);
    expect(inOneTurn).toBeLessThan(REQUESTS / 5);
    expect(other.countInOutput(MethodId.BasicQosOk)).toBe(1);
    expect(inOneTurn + greedy.countReceived(answer)).toBe(REQUESTS);
  });

  it('of acks has them handled at once: they are cheap and many', () => {
    const server = new MemoryServer();
    const consumer = server.connect();
    consumer.send(1, { name: 'queue.declare', queue: 'q' });
    for (let i = 0; i < REQUESTS; i++) consumer.transport.send(publishFrames);
    consumer.send(1, { name: 'basic.consume', queue: 'q' });
    expect(consumer.countReceived(MethodId.BasicDeliver)).toBe(REQUESTS);
    const acks = Array.from({ length: REQUESTS }, (_, i) => methodFrame(1, { name: 'basic.ack', deliveryTag: i + 1 }));
    consumer.transport.send(Buffer.concat(acks));
    expect(consumer.transport.readingPaused).toBe(false);
    consumer.send(1, { name: 'queue.delete', queue: 'q' });
    expect(consumer.received()).toEqual(['1 queue.delete-ok']);
  });
});
