import { describe, expect, it } from 'vitest';
import { FrameType } from '../../../../protocol/amqp/constants.gen.js';
import type { Method } from '../../../../protocol/amqp/methods.gen.js';
import { type MemoryBroker, memoryBroker } from '../../../support/amqp-environment.js';
import { RecordingStore } from '../../../support/recording-store.js';
import {
  bodyFrame,
  FrameCutter,
  frame,
  headerFrame,
  methodFrame,
  PROTOCOL_HEADER,
  readMethod,
  type Sendable,
} from '../../../support/wire-frames.js';

const MIB = 1024 * 1024;
const GARBAGE = frame(FrameType.method, 1, Buffer.of(0, 60, 0, 10), 0);

/** A peer that is past the handshake and has channel 1 open. */
function peerOf(broker: MemoryBroker) {
  const { connection, transport } = broker.connect();
  const sendRaw = (...chunks: readonly Uint8Array[]): void => {
    for (const chunk of chunks) transport.send(chunk);
    broker.clock.settle();
  };
  const send = (...methods: readonly Sendable[]): void =>
    sendRaw(...methods.map((method) => methodFrame(method.name.startsWith('connection') ? 0 : 1, method)));
  /** Methods received since the last look; contents are left out. */
  const received = (): Method[] => {
    const methods: Method[] = [];
    const cutter = new FrameCutter(
      ({ type, payload }) => {
        if (type === FrameType.method) methods.push(readMethod(payload));
      },
      () => {},
    );
    cutter.push(transport.take());
    return methods;
  };
  const names = (): string[] => received().map(({ name }) => name);
  sendRaw(PROTOCOL_HEADER);
  send(
    {
      name: 'connection.start-ok',
      mechanism: 'PLAIN',
      response: Buffer.from('\0guest\0guest'),
      clientProperties: [['capabilities', { type: 'F', value: [['connection.blocked', { type: 't', value: true }]] }]],
    },
    { name: 'connection.tune-ok', frameMax: 131_072 },
    { name: 'connection.open', virtualHost: '/' },
    { name: 'channel.open' },
  );
  expect(names()).toEqual(['connection.start', 'connection.tune', 'connection.open-ok', 'channel.open-ok']);
  return { connection, transport, sendRaw, send, received, names };
}

function publishFrames(routingKey: string, body: string | Uint8Array = 'body', deliveryMode = 1): Buffer {
  const bytes = Buffer.from(body);
  return Buffer.concat([
    methodFrame(1, { name: 'basic.publish', routingKey }),
    headerFrame(1, { bodySize: bytes.length, properties: { deliveryMode } }),
    bodyFrame(1, bytes),
  ]);
}

describe('a connection that is blocked', () => {
  function blocked() {
    const broker = memoryBroker();
    const peer = peerOf(broker);
    peer.send({ name: 'queue.declare', queue: 'q' });
    broker.alarms.raise('memory');
    return { broker, ...peer, readyCount: () => broker.host.queue('q', {}).readyCount };
  }

  it('publishes what it sent meanwhile once the alarm is over, in order', () => {
    const { broker, sendRaw, names, transport, readyCount } = blocked();
    sendRaw(Buffer.concat([publishFrames('q'), publishFrames('q')]));
    sendRaw(publishFrames('q'), methodFrame(1, { name: 'basic.qos' }));
    expect([names(), readyCount(), transport.readingPaused]).toEqual([
      ['queue.declare-ok', 'connection.blocked'],
      1,
      true,
    ]);
    broker.alarms.clear('memory');
    broker.clock.settle();
    expect([names(), readyCount()]).toEqual([['connection.unblocked', 'basic.qos-ok'], 3]);
  });

  it('hears of the shutdown of a broker even if it has sent garbage', () => {
    const { broker, connection, sendRaw, received, transport } = blocked();
    sendRaw(Buffer.concat([publishFrames('q'), GARBAGE]));
    received();
    connection.close('shutdown');
    broker.clock.settle();
    expect(received()).toMatchObject([{ name: 'connection.close', replyCode: 320 }]);
    sendRaw(methodFrame(0, { name: 'connection.close-ok' }));
    expect([transport.isClosed, broker.connections.size]).toEqual([true, 0]);
  });

  it('is refused for garbage when the alarm is over', () => {
    const { broker, sendRaw, received } = blocked();
    sendRaw(Buffer.concat([publishFrames('q'), GARBAGE]));
    received();
    broker.alarms.clear('memory');
    broker.clock.settle();
    expect(received()).toMatchObject([{ name: 'connection.unblocked' }, { name: 'connection.close', replyCode: 501 }]);
  });
});

describe('a connection that does not read', () => {
  it('is read again when it does, whatever was sent to it meanwhile', () => {
    const broker = memoryBroker();
    const peer = peerOf(broker);
    peer.send({ name: 'queue.declare', queue: 'q' });
    for (let i = 0; i < 40; i++) peer.sendRaw(publishFrames('q', Buffer.alloc(100_000)));
    peer.transport.stalled = true;
    // Asks for everything over and over again without reading any of it.
    const gets = methodFrame(1, { name: 'basic.get', queue: 'q' });
    const returns = methodFrame(1, { name: 'basic.nack', deliveryTag: 0, multiple: true, requeue: true });
    for (let i = 0; i < 400 && !peer.transport.readingPaused; i++) {
      peer.sendRaw(Buffer.concat([...Array(20).fill(gets), returns]));
    }
    expect(peer.transport.readingPaused).toBe(true);
    expect(peer.transport.unsentBytes).toBeGreaterThan(16 * MIB);
    expect(peer.transport.unsentBytes).toBeLessThan(32 * MIB);
    // The kernel takes most of it, and a heartbeat goes out before it has taken the rest.
    peer.transport.unsentBytes = 0.75 * MIB;
    peer.connection.sendHeartbeat();
    broker.clock.settle();
    peer.transport.drain();
    peer.transport.take();
    broker.clock.settle();
    expect(peer.transport.readingPaused).toBe(false);
    peer.transport.take();
    peer.send({ name: 'basic.qos' });
    expect(peer.names()).toContain('basic.qos-ok');
  });
});

describe('a connection that is being closed', () => {
  it('is told why although garbage follows in the same chunk', () => {
    const broker = memoryBroker();
    const { sendRaw, received, transport } = peerOf(broker);
    sendRaw(Buffer.concat([methodFrame(2, { name: 'basic.qos' }), GARBAGE]));
    expect(received()).toMatchObject([{ name: 'connection.close', replyCode: 504 }]);
    expect(transport.isClosed).toBe(false);
    sendRaw(Buffer.from('more garbage'));
    sendRaw(Buffer.concat([Buffer.from('and '), methodFrame(0, { name: 'connection.close-ok' })]));
    expect(transport.isClosed).toBe(true);
  });

  it('does not wait for close-ok for ever', () => {
    const broker = memoryBroker();
    const { sendRaw, transport } = peerOf(broker);
    sendRaw(GARBAGE);
    broker.clock.advance(29_000);
    expect(transport.isClosed).toBe(false);
    broker.clock.advance(2000);
    broker.clock.settle();
    expect([transport.isClosed, broker.connections.size, broker.clock.timerCount]).toEqual([true, 0, 0]);
  });

  it('is no matter for a method that cannot be decoded, whatever its size', () => {
    const broker = memoryBroker();
    const { sendRaw, received } = peerOf(broker);
    const payload = Buffer.concat([Buffer.of(0, 50, 0, 10), Buffer.alloc(131_000, 'a')]);
    sendRaw(frame(FrameType.method, 1, payload));
    const [close] = received();
    expect(close).toMatchObject({ name: 'connection.close', replyCode: 501, classId: 50, methodId: 10 });
  });
});

describe('confirms and commits on a store that keeps messages', () => {
  function storing() {
    const store = new RecordingStore();
    const broker = memoryBroker({}, store);
    const peer = peerOf(broker);
    peer.send({ name: 'queue.declare', queue: 'q', durable: true });
    const durable = (): void => {
      store.makeDurable(store.closeBatch());
      broker.clock.settle();
    };
    peer.names();
    return { broker, durable, ...peer };
  }

  it('wait for the disk when the message is persistent', () => {
    const { durable, send, sendRaw, received } = storing();
    send({ name: 'confirm.select' });
    sendRaw(publishFrames('q', 'a'));
    sendRaw(publishFrames('q', 'b', 2), publishFrames('q', 'c', 2), publishFrames('missing'));
    expect(received()).toMatchObject([
      { name: 'confirm.select-ok' },
      { name: 'basic.ack', deliveryTag: 1, multiple: false },
    ]);
    durable();
    expect(received()).toMatchObject([{ name: 'basic.ack', deliveryTag: 4, multiple: true }]);
  });

  it('answer for a message that never reached the disk', () => {
    const { durable, send, sendRaw, received } = storing();
    send({ name: 'confirm.select' }, { name: 'basic.consume', queue: 'q', noAck: true });
    sendRaw(publishFrames('q', 'a', 2));
    expect(received().map(({ name }) => name)).toEqual(['confirm.select-ok', 'basic.consume-ok', 'basic.deliver']);
    durable();
    expect(received()).toMatchObject([{ name: 'basic.ack', deliveryTag: 1 }]);
  });

  it('hold tx.commit-ok back, and the channel with it', () => {
    const { durable, send, sendRaw, received, names } = storing();
    send({ name: 'tx.select' });
    sendRaw(publishFrames('q', 'a', 2));
    send({ name: 'tx.commit' });
    expect(names()).toEqual(['tx.select-ok']);
    durable();
    expect(names()).toEqual(['tx.commit-ok']);
    sendRaw(publishFrames('q', 'b', 2));
    send({ name: 'tx.commit' }, { name: 'basic.qos' });
    expect(received()).toMatchObject([{ name: 'connection.close', replyCode: 504 }]);
  });

  it('say nothing on a channel that is gone', () => {
    const { durable, send, sendRaw, names } = storing();
    send({ name: 'confirm.select' });
    sendRaw(publishFrames('q', 'a', 2));
    send({ name: 'channel.close' }, { name: 'channel.open' });
    durable();
    expect(names()).toEqual(['confirm.select-ok', 'channel.close-ok', 'channel.open-ok']);
  });
});

describe('publishing more than can be taken', () => {
  it('leaves a connection unread until the throttle is over, and only one that publishes much', () => {
    const broker = memoryBroker();
    const [much, little] = [peerOf(broker), peerOf(broker)];
    much.send({ name: 'queue.declare', queue: 'q' });
    broker.amqp.throttle.set('paging', true);
    const message = publishFrames('q', Buffer.alloc(50_000));
    for (let i = 0; i < 4; i++) much.sendRaw(message);
    little.sendRaw(publishFrames('q'));
    expect([much.transport.readingPaused, little.transport.readingPaused]).toEqual([true, false]);
    const queue = broker.host.findQueue('q');
    const taken = queue?.readyCount ?? 0;
    expect(taken).toBeLessThan(5);
    broker.amqp.throttle.set('paging', false);
    broker.clock.settle();
    expect([much.transport.readingPaused, queue?.readyCount]).toEqual([false, 5]);
    expect(much.names()).toEqual(['queue.declare-ok']);
  });
});

describe('direct replies', () => {
  it('do not come on a channel that was closed before the responder committed', () => {
    const broker = memoryBroker();
    const [requester, responder] = [peerOf(broker), peerOf(broker)];
    requester.send({ name: 'basic.consume', queue: 'amq.rabbitmq.reply-to', noAck: true, consumerTag: 'replies' });
    responder.send(
      { name: 'queue.declare', queue: 'requests' },
      { name: 'basic.consume', queue: 'requests', noAck: true },
    );
    const request = Buffer.concat([
      methodFrame(1, { name: 'basic.publish', routingKey: 'requests' }),
      headerFrame(1, { bodySize: 0, properties: { replyTo: 'amq.rabbitmq.reply-to' } }),
    ]);
    requester.sendRaw(request);
    const replyTo = /amq\.rabbitmq\.reply-to\.[\w.-]+/.exec(responder.transport.take().toString('latin1'))?.[0];
    responder.send({ name: 'tx.select' });
    responder.sendRaw(publishFrames(replyTo ?? ''));
    requester.send({ name: 'channel.close' });
    requester.names();
    responder.send({ name: 'tx.commit' });
    expect(requester.names()).toEqual([]);
    expect(responder.names()).toContain('tx.commit-ok');
  });
});
