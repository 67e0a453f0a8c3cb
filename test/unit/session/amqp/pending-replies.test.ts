import { describe, expect, it } from 'vitest';
import { FrameType } from '../../../../protocol/amqp/constants.gen.js';
import type { Method } from '../../../../protocol/amqp/methods.gen.js';
import { MemoryMessageStore } from '../../../../src/store/memory-store.js';
import { memoryBroker } from '../../../support/amqp-environment.js';
import { Random, seedOf } from '../../../support/random.js';
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

/** Keeps no messages; the test says when a batch of definitions is on disk. */
function disk() {
  const listeners: ((upTo: number) => void)[] = [];
  const onDurable = (listener: (upTo: number) => void): void => void listeners.push(listener);
  const store = Object.assign(new MemoryMessageStore(), { durableCommit: 0, onDurable });
  const makeDurable = (upTo: number): void => {
    store.durableCommit = upTo;
    for (const listener of listeners) listener(upTo);
  };
  return { store, makeDurable };
}

/** Changes of definitions belong to batch 1 until the test opens the next. */
function brokerWithDisk() {
  const { store, makeDurable } = disk();
  const broker = memoryBroker({}, store);
  broker.definitions.openBatch = 1;
  const durable = (endTurn = () => broker.clock.endTurn()): void => {
    makeDurable(broker.definitions.openBatch++);
    while (broker.clock.hasTurnWaiting) endTurn();
  };
  const connect = () => peerOf(broker);
  return { broker, connect, durable };
}

/** A peer that is past the handshake and has channels 1 and 2 open. */
function peerOf(broker: ReturnType<typeof memoryBroker>) {
  const { transport } = broker.connect();
  const sendRaw = (...chunks: readonly Uint8Array[]): void => {
    transport.send(Buffer.concat(chunks));
    broker.clock.settle();
  };
  const send = (channel: number, ...methods: readonly Sendable[]): void =>
    sendRaw(...methods.map((method) => methodFrame(method.name.startsWith('connection') ? 0 : channel, method)));
  /** Methods received since the last look, each with its channel; contents are left out. */
  const received = (): [channel: number, Method][] => {
    const methods: [number, Method][] = [];
    const cutter = new FrameCutter(
      ({ type, channel, payload }) => {
        if (type === FrameType.method) methods.push([channel, readMethod(payload)]);
      },
      () => {},
    );
    cutter.push(transport.take());
    return methods;
  };
  const names = (): string[] => received().map(([channel, { name }]) => `${channel} ${name}`);
  sendRaw(PROTOCOL_HEADER);
  send(
    0,
    { name: 'connection.start-ok', mechanism: 'PLAIN', response: Buffer.from('\0guest\0guest') },
    { name: 'connection.tune-ok', frameMax: 131_072 },
    { name: 'connection.open', virtualHost: '/' },
  );
  send(1, { name: 'channel.open' });
  send(2, { name: 'channel.open' });
  names();
  return { transport, sendRaw, send, received, names };
}

function publishFrames(channel: number, routingKey: string, body = 'body', mandatory = false): Buffer {
  const bytes = Buffer.from(body);
  return Buffer.concat([
    methodFrame(channel, { name: 'basic.publish', routingKey, mandatory }),
    headerFrame(channel, { bodySize: bytes.length }),
    bodyFrame(channel, bytes),
  ]);
}

const durableQueue = (queue: string): Sendable => ({ name: 'queue.declare', queue, durable: true });
const conflicting = (queue: string): Sendable => ({ name: 'queue.declare', queue, durable: false });

describe('the reply to a change of what is durable', () => {
  it.each<[Sendable, string]>([
    [durableQueue('new'), 'queue.declare-ok'],
    [{ name: 'exchange.declare', exchange: 'new', type: 'fanout', durable: true }, 'exchange.declare-ok'],
    [{ name: 'queue.bind', queue: 'q', exchange: 'x', routingKey: 'new' }, 'queue.bind-ok'],
    [{ name: 'queue.unbind', queue: 'q', exchange: 'x', routingKey: 'k' }, 'queue.unbind-ok'],
    [{ name: 'exchange.bind', destination: 'x', source: 'amq.topic', routingKey: 'new' }, 'exchange.bind-ok'],
    [{ name: 'exchange.unbind', destination: 'x', source: 'amq.topic', routingKey: 'k' }, 'exchange.unbind-ok'],
    [{ name: 'queue.delete', queue: 'q' }, 'queue.delete-ok'],
    [{ name: 'exchange.delete', exchange: 'x' }, 'exchange.delete-ok'],
  ])('waits for the disk: %j', (method, reply) => {
    const { connect, durable } = brokerWithDisk();
    const { send, names } = connect();
    send(
      1,
      durableQueue('q'),
      { name: 'exchange.declare', exchange: 'x', type: 'direct', durable: true },
      { name: 'queue.bind', queue: 'q', exchange: 'x', routingKey: 'k' },
      { name: 'exchange.bind', destination: 'x', source: 'amq.topic', routingKey: 'k' },
    );
    durable();
    names();
    send(1, method);
    expect(names()).toEqual([]);
    durable();
    expect(names()).toEqual([`1 ${reply}`]);
  });

  it.each<[string, Sendable]>([
    ['transient', { name: 'queue.declare', queue: 'q' }],
    ['exclusive', { name: 'queue.declare', queue: 'q', durable: true, exclusive: true }],
    ['there already', { name: 'queue.declare', queue: 'old', durable: true }],
  ])('comes at once when it is %s', (_, method) => {
    const { connect, durable } = brokerWithDisk();
    const { send, names } = connect();
    send(1, durableQueue('old'));
    durable();
    names();
    send(1, method);
    expect(names()).toEqual(['1 queue.declare-ok']);
  });

  it('waits also for who asks for what another has just declared', () => {
    const { connect, durable } = brokerWithDisk();
    const [first, second] = [connect(), connect()];
    first.send(1, durableQueue('q'));
    second.send(1, durableQueue('q'));
    expect([first.names(), second.names()]).toEqual([[], []]);
    durable();
    expect([first.names(), second.names()]).toEqual([['1 queue.declare-ok'], ['1 queue.declare-ok']]);
  });

  it('waits for its own commit, not for any', () => {
    const { broker, connect, durable } = brokerWithDisk();
    const { send, names } = connect();
    send(1, durableQueue('a'));
    broker.definitions.openBatch = 2;
    send(1, durableQueue('b'), { name: 'queue.declare', queue: 'c' });
    broker.definitions.openBatch = 1;
    durable();
    expect(names()).toEqual(['1 queue.declare-ok']);
    durable();
    expect(names()).toEqual(['1 queue.declare-ok', '1 queue.declare-ok']);
  });

  it('takes one commit for a thousand in a row, and keeps their order', () => {
    const { broker, connect, durable } = brokerWithDisk();
    const { sendRaw, received } = connect();
    const queues = Array.from({ length: 1000 }, (_, i) => `q${i}`);
    sendRaw(...queues.map((queue) => methodFrame(1, durableQueue(queue))));
    expect([received(), broker.host.queueCount]).toEqual([[], 1000]);
    durable();
    expect(received().map(([, method]) => (method.name === 'queue.declare-ok' ? method.queue : method.name))).toEqual(
      queues,
    );
  });

  it('is not owed when no-wait was set: nothing waits', () => {
    const { connect } = brokerWithDisk();
    const { send, sendRaw, names } = connect();
    send(1, { ...durableQueue('q'), noWait: true } as Sendable);
    sendRaw(publishFrames(1, 'q'));
    send(1, { name: 'basic.get', queue: 'q', noAck: true });
    expect(names()).toEqual(['1 basic.get-ok']);
  });
});

describe('while a reply waits', () => {
  it('what follows on the channel waits behind it, in order', () => {
    const { broker, connect, durable } = brokerWithDisk();
    const { send, sendRaw, names } = connect();
    send(1, durableQueue('q'));
    sendRaw(publishFrames(1, 'q', 'a'), publishFrames(1, 'q', 'b'));
    send(
      1,
      { name: 'queue.declare', queue: 'q', passive: true },
      { name: 'basic.consume', queue: 'q', consumerTag: 'c' },
      durableQueue('r'),
      { name: 'channel.close' },
    );
    expect([names(), broker.host.queue('q', {}).readyCount]).toEqual([[], 0]);
    durable();
    expect(names()).toEqual([
      '1 queue.declare-ok',
      '1 queue.declare-ok',
      '1 basic.consume-ok',
      '1 basic.deliver',
      '1 basic.deliver',
    ]);
    durable();
    expect(names()).toEqual(['1 queue.declare-ok', '1 channel.close-ok']);
    expect(broker.host.queue('q', {}).readyCount).toBe(2);
  });

  it('a channel that was closed and opened again behind it goes on as usual', () => {
    const { connect, durable } = brokerWithDisk();
    const { send, sendRaw, names } = connect();
    send(1, durableQueue('q'), { name: 'channel.close' }, { name: 'channel.open' }, durableQueue('r'));
    sendRaw(publishFrames(1, 'r'));
    send(1, { name: 'basic.get', queue: 'r' });
    expect(names()).toEqual([]);
    durable();
    expect(names()).toEqual(['1 queue.declare-ok', '1 channel.close-ok', '1 channel.open-ok']);
    durable();
    expect(names()).toEqual(['1 queue.declare-ok', '1 basic.get-ok']);
  });

  it('changes behind what is held need one commit again', () => {
    const { connect, durable } = brokerWithDisk();
    const { send, names } = connect();
    send(1, durableQueue('a'), { name: 'basic.qos' }, durableQueue('b'), durableQueue('c'));
    durable();
    expect(names()).toEqual(['1 queue.declare-ok', '1 basic.qos-ok']);
    durable();
    expect(names()).toEqual(['1 queue.declare-ok', '1 queue.declare-ok']);
  });

  it('an error waits its turn, and what follows it is not done', () => {
    const { broker, connect, durable } = brokerWithDisk();
    const { send, sendRaw, names } = connect();
    send(1, durableQueue('q'), conflicting('q'), durableQueue('never'));
    sendRaw(publishFrames(1, 'q'));
    send(1, { name: 'channel.close-ok' }, { name: 'channel.open' });
    expect(names()).toEqual([]);
    durable();
    expect(names()).toEqual(['1 queue.declare-ok', '1 channel.close', '1 channel.open-ok']);
    expect([broker.host.queueCount, broker.host.queue('q', {}).readyCount]).toEqual([1, 0]);
  });

  it('an error on one channel is nothing to another', () => {
    const { connect, durable } = brokerWithDisk();
    const { send, received } = connect();
    send(1, durableQueue('q'), { name: 'queue.declare', queue: 'amq.reserved' }, { name: 'basic.get', queue: 'q' });
    send(2, durableQueue('r'), { name: 'tx.commit' });
    durable();
    expect(received()).toMatchObject([
      [1, { name: 'queue.declare-ok' }],
      [1, { name: 'channel.close', replyCode: 403 }],
      [2, { name: 'queue.declare-ok' }],
      [2, { name: 'channel.close', replyCode: 406 }],
    ]);
  });

  it('an error of the whole connection waits its turn as well', () => {
    const { broker, connect, durable } = brokerWithDisk();
    const { send, sendRaw, received } = connect();
    const malformed = frame(FrameType.method, 1, Buffer.of(0, 50, 0, 10));
    sendRaw(methodFrame(1, durableQueue('q')), malformed, methodFrame(1, durableQueue('never')));
    send(2, { name: 'basic.qos' });
    expect(received()).toMatchObject([[2, { name: 'basic.qos-ok' }]]);
    durable();
    expect(received()).toMatchObject([
      [1, { name: 'queue.declare-ok' }],
      [0, { name: 'connection.close', replyCode: 501 }],
    ]);
    expect(broker.host.queueCount).toBe(1);
  });

  it('what was held is handled a part at a time, so that other connections have their turn', () => {
    const { broker, connect, durable } = brokerWithDisk();
    const { send, sendRaw, received } = connect();
    send(1, durableQueue('q'));
    sendRaw(...Array<Buffer>(2000).fill(methodFrame(1, { name: 'basic.qos' })));
    expect(received()).toEqual([]);
    const counts: number[] = [];
    durable(() => {
      broker.clock.endTurn();
      counts.push(received().length);
    });
    expect(Math.max(...counts)).toBeLessThan(600);
    expect(counts.reduce((sum, count) => sum + count)).toBe(2001);
  });

  it('other channels go on, and so do deliveries and other connections', () => {
    const { connect, durable } = brokerWithDisk();
    const { send, sendRaw, names } = connect();
    const other = connect();
    send(1, { name: 'queue.declare', queue: 't' }, { name: 'basic.consume', queue: 't', noAck: true });
    names();
    send(1, durableQueue('q'));
    sendRaw(publishFrames(2, 't'));
    send(2, { name: 'basic.qos' });
    expect(names()).toEqual(['1 basic.deliver', '2 basic.qos-ok']);
    other.send(1, { name: 'basic.get', queue: 't' });
    expect(other.names()).toEqual(['1 basic.get-empty']);
    durable();
    expect(names()).toEqual(['1 queue.declare-ok']);
  });

  it('tx.commit waits behind it', () => {
    const { connect, durable } = brokerWithDisk();
    const { send, sendRaw, names } = connect();
    send(1, { name: 'tx.select' }, durableQueue('q'));
    sendRaw(publishFrames(1, 'q'));
    send(1, { name: 'tx.commit' }, { name: 'basic.get', queue: 'q' });
    expect(names()).toEqual(['1 tx.select-ok']);
    durable();
    expect(names()).toEqual(['1 queue.declare-ok', '1 tx.commit-ok', '1 basic.get-ok']);
  });

  it('the connection is not read when too much waits, and lives on without heartbeats that it could read', () => {
    const { broker, connect, durable } = brokerWithDisk();
    const { transport, send, sendRaw, names } = connect();
    send(1, durableQueue('q'));
    const body = 'x'.repeat(100_000);
    for (let sent = 0; sent < 20; sent++) sendRaw(publishFrames(1, 'q', body));
    expect(transport.readingPaused).toBe(true);
    expect(transport.bytesRead).toBeLessThan(1.3 * MIB);
    send(2, { name: 'basic.qos' });
    expect(names()).toEqual([]);
    const [connection] = broker.connections;
    expect(connection?.readingPaused).toBe(true);
    durable();
    expect(names()).toEqual(['1 queue.declare-ok', '2 basic.qos-ok']);
    expect([transport.readingPaused, broker.host.queue('q', {}).readyCount]).toEqual([false, 20]);
  });

  it('replies that pile up are counted like frames', () => {
    const { connect, durable } = brokerWithDisk();
    const { transport, sendRaw, received } = connect();
    const declares = Buffer.concat(Array<Buffer>(1000).fill(methodFrame(1, durableQueue('q'))));
    for (let sent = 0; sent < 10; sent++) sendRaw(declares);
    expect(transport.readingPaused).toBe(true);
    durable();
    durable();
    expect([received().length, transport.readingPaused]).toEqual([10_000, false]);
  });

  it('an alarm holds back what was held, until it is over', () => {
    const { broker, connect, durable } = brokerWithDisk();
    const { transport, send, sendRaw, names } = connect();
    send(1, durableQueue('q'));
    broker.alarms.raise('memory');
    sendRaw(publishFrames(1, 'q'), publishFrames(1, 'q'), methodFrame(1, { name: 'basic.qos' }));
    durable();
    expect([names(), broker.host.queue('q', {}).readyCount]).toEqual([['1 queue.declare-ok'], 0]);
    broker.alarms.clear('memory');
    broker.clock.settle();
    expect([names(), broker.host.queue('q', {}).readyCount]).toEqual([['1 basic.qos-ok'], 2]);
    expect(transport.readingPaused).toBe(false);
  });
});

describe('the end of a connection while replies wait', () => {
  it('drops what waits when the socket is gone', () => {
    const { broker, connect, durable } = brokerWithDisk();
    const { transport, send, sendRaw } = connect();
    send(1, durableQueue('q'));
    sendRaw(publishFrames(1, 'q'));
    transport.disconnect();
    durable();
    expect([broker.connections.size, broker.host.queue('q', {}).readyCount]).toEqual([0, 0]);
    expect(broker.failures).toEqual([]);
    expect(broker.logged.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('drops what waits when we close it', () => {
    const { broker, connect, durable } = brokerWithDisk();
    const { send, sendRaw, names, transport } = connect();
    send(1, durableQueue('q'));
    sendRaw(publishFrames(1, 'q'));
    for (const connection of broker.connections) connection.close('shutdown');
    broker.clock.settle();
    expect(names()).toEqual(['0 connection.close']);
    durable();
    send(0, { name: 'connection.close-ok' });
    expect([names(), transport.isClosed, broker.failures]).toEqual([[], true, []]);
    expect(broker.host.queue('q', {}).readyCount).toBe(0);
  });

  it('comes after it all when the client closes it', () => {
    const { broker, connect, durable } = brokerWithDisk();
    const { send, sendRaw, names, transport } = connect();
    send(1, durableQueue('q'));
    sendRaw(publishFrames(1, 'q'));
    send(0, { name: 'connection.close' });
    expect(names()).toEqual([]);
    durable();
    expect(names()).toEqual(['1 queue.declare-ok', '0 connection.close-ok']);
    transport.disconnect();
    expect([broker.host.queue('q', {}).readyCount, broker.connections.size]).toEqual([1, 0]);
  });
});

describe('a disk that is slow at random', () => {
  const CHANNELS = [1, 2];
  const STEPS = 400;

  /** What a client pipelines on one channel: a few methods. Each channel has queues of its own. */
  function step(random: Random, channel: number): Buffer[] {
    const name = `${channel}-${random.below(4)}`;
    const noWait = random.chance(0.2);
    const durable: Sendable = { name: 'queue.declare', queue: `d${name}`, durable: true, noWait };
    const transient: Sendable = { name: 'queue.declare', queue: `t${name}` };
    const publish = (queue: string) => publishFrames(channel, queue, 'x', true);
    const choices: readonly (readonly (Sendable | Buffer)[])[] = [
      [durable],
      [durable, { name: 'queue.declare', queue: `d${name}`, passive: true }],
      [{ name: 'queue.delete', queue: `d${name}`, noWait }],
      [{ name: 'exchange.declare', exchange: `d${name}`, type: 'fanout', durable: true }],
      [durable, { name: 'queue.bind', queue: `d${name}`, exchange: 'amq.direct', routingKey: 'k', noWait }],
      [transient, { name: 'queue.purge', queue: `t${name}` }],
      [publish(`d${name}`)],
      [publish(`t${name}`), publish(`d${name}`)],
      [durable, { name: 'basic.get', queue: `d${name}`, noAck: true }],
      [{ name: 'basic.qos', prefetchCount: 1 }],
      [{ name: 'channel.close' }, { name: 'channel.open' }],
      [
        { name: 'queue.declare', queue: 'missing', passive: true },
        { name: 'channel.close-ok' },
        { name: 'channel.open' },
      ],
    ];
    return random.pick(choices).map((sent) => (Buffer.isBuffer(sent) ? sent : methodFrame(channel, sent)));
  }

  /** What each channel heard. */
  function run(seed: number, slow: boolean): string[][] {
    const { broker, connect, durable } = brokerWithDisk();
    if (!slow) broker.definitions.openBatch = 0;
    const { sendRaw, received } = connect();
    const random = new Random(seed);
    const slowness = new Random(seed + 1);
    const heard = new Map<number, string[]>(CHANNELS.map((channel) => [channel, []]));
    const listen = (): void => {
      for (const [channel, method] of received()) {
        const detail = method.name === 'queue.declare-ok' ? ` ${method.queue} ${method.messageCount}` : '';
        heard.get(channel)?.push(method.name + detail);
      }
    };
    for (let i = 0; i < STEPS; i++) {
      const frames = CHANNELS.flatMap((channel) => step(random, channel));
      sendRaw(...frames);
      if (slow && slowness.chance(0.1)) durable();
      listen();
    }
    // Every durable closes a batch, and what was held may need the next one.
    for (let i = 0; slow && i < STEPS; i++) durable();
    listen();
    expect(broker.connections.size).toBe(1);
    return [...heard.values()];
  }

  it('changes nothing of what a channel hears, nor the order', () => {
    const seed = seedOf('pending replies');
    for (let round = 0; round < 20; round++) {
      const expected = run(seed + round, false);
      expect(expected.flat().length).toBeGreaterThan(STEPS);
      expect(run(seed + round, true), `seed ${seed + round}`).toEqual(expected);
    }
  });
});
