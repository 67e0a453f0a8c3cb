/**
 * Bytes as a hostile peer may send them: sessions that are valid, and what random damage makes of them. Everything
 * comes from one `Random`, so a seed stands for its bytes.
 */
import { Buffer } from 'node:buffer';
import { FrameType } from '../../protocol/amqp/constants.gen.js';
import { type FieldTable, table } from '../../protocol/amqp/field-table.js';
import type { Method } from '../../protocol/amqp/methods.gen.js';
import { encodeProperties, type MessageProperties } from '../../protocol/amqp/properties.js';
import { CLASSES, type Domain } from '../../protocol/amqp/spec.js';
import type { Random } from '../support/random.js';
import { bodyFrame, frame, headerFrame, methodFrame, PROTOCOL_HEADER, type Sendable } from '../support/wire-frames.js';

const SMALLEST_FRAME_MAX = 4096;

const NAMES = ['', 'a', 'b', 'q1', 'q2', 'amq.topic', 'amq.direct', 'amq.fanout', 'amq.headers', 'amq.gen-x', 'x', 'é'];
const QUEUES = ['q1', 'q1', 'q1', 'q2', 'q2', 'q3', '', 'amq.rabbitmq.reply-to'];
const EXCHANGES = ['', '', 'x1', 'x2', 'amq.topic', 'amq.direct', 'amq.fanout', 'amq.headers', 'x1', 'x2', 'missing'];
const KEYS = ['', 'q1', 'q2', 'a.b', 'a.*', '#', 'a.#.b', 'amq.rabbitmq.reply-to.x', 'k'.repeat(255)];

/** One frame an entry, so that damage can be done to frames as well as to bytes. */
export type Frames = Buffer[];

/** Everything a client sends until its connection is open. */
export function handshake(random: Random): Frames {
  const clientProperties = table({
    capabilities: { 'connection.blocked': true, consumer_cancel_notify: random.chance(0.8) },
    connection_name: 'hostile',
  });
  const frameMax = random.pick([0, SMALLEST_FRAME_MAX, 8192, 131_072]);
  return [
    PROTOCOL_HEADER,
    methodFrame(0, {
      name: 'connection.start-ok',
      clientProperties,
      mechanism: 'PLAIN',
      response: Buffer.from('\0guest\0guest'),
      locale: 'en_US',
    }),
    methodFrame(0, { name: 'connection.tune-ok', channelMax: 16, frameMax, heartbeat: random.pick([0, 10, 60]) }),
    methodFrame(0, { name: 'connection.open', virtualHost: '/' }),
  ];
}

/** What a client might do on an open connection, sense and nonsense mixed. */
export function conversation(random: Random, length: number): Frames {
  return conversationOfActions(random, length).flat();
}

/** The same with the frames of each action kept together: a content is not to be interrupted. */
export function conversationOfActions(random: Random, length: number): Frames[] {
  const channels = [1, 2, 600].slice(0, 1 + random.below(3));
  const actions = channels.map((channel) => [methodFrame(channel, { name: 'channel.open' })]);
  if (random.chance(0.3)) actions.push([methodFrame(1, { name: random.pick(['confirm.select', 'tx.select']) })]);
  if (random.chance(0.8)) actions.push(topology());
  for (let step = 0; step < length; step++) actions.push(action(random, random.pick(channels)));
  return actions;
}

function topology(): Frames {
  return [
    ...['q1', 'q2', 'q3'].map((queue) => methodFrame(1, { name: 'queue.declare', queue, durable: queue !== 'q3' })),
    methodFrame(1, { name: 'exchange.declare', exchange: 'x1', type: 'topic' }),
    methodFrame(1, { name: 'exchange.declare', exchange: 'x2', type: 'headers' }),
    methodFrame(1, { name: 'queue.bind', queue: 'q2', exchange: 'x1', routingKey: '#' }),
    methodFrame(1, { name: 'exchange.bind', source: 'x1', destination: 'x2', routingKey: 'a.*' }),
  ];
}

function action(random: Random, channel: number): Frames {
  const queue = random.pick(QUEUES);
  const exchange = random.pick(EXCHANGES);
  const tag = random.pick(['', 't1', 't2']);
  const flag = (): boolean => random.chance(0.3);
  if (random.chance(0.4)) return publish(random, channel);
  const methods: readonly (() => Sendable)[] = [
    () => ({ name: 'queue.declare', queue, durable: flag(), exclusive: flag(), autoDelete: flag(), noWait: flag() }),
    () => ({ name: 'queue.declare', queue: random.pick(['q1', 'q2', 'q3']), arguments: argumentsOf(random) }),
    () => ({ name: 'exchange.declare', exchange: random.pick(['x1', 'x2']), type: random.pick(['topic', 'headers']) }),
    () => ({ name: 'queue.bind', queue, exchange, routingKey: random.pick(KEYS), arguments: argumentsOf(random) }),
    () => ({ name: 'queue.unbind', queue, exchange, routingKey: random.pick(KEYS) }),
    () => ({ name: 'exchange.bind', destination: random.pick(EXCHANGES), source: exchange, routingKey: '#' }),
    () => ({ name: 'basic.consume', queue, consumerTag: tag, noAck: flag(), exclusive: flag() }),
    () => ({ name: 'basic.cancel', consumerTag: tag }),
    () => ({ name: 'basic.get', queue, noAck: flag() }),
    () => ({ name: 'basic.ack', deliveryTag: random.below(6), multiple: flag() }),
    () => ({ name: 'basic.nack', deliveryTag: random.below(6), multiple: flag(), requeue: flag() }),
    () => ({ name: 'basic.reject', deliveryTag: random.below(6), requeue: flag() }),
    () => ({ name: 'basic.qos', prefetchCount: random.below(4), global: flag() }),
    () => ({ name: 'basic.recover', requeue: true }),
    () => ({ name: 'queue.purge', queue }),
    () => ({ name: 'queue.delete', queue, ifUnused: flag() }),
    () => ({ name: 'exchange.delete', exchange }),
    () => ({ name: random.pick(['tx.commit', 'tx.rollback'] as const) }),
    () => ({ name: 'channel.flow', active: true }),
  ];
  if (random.chance(0.005)) {
    const close = methodFrame(channel, { name: 'channel.close', replyCode: 200 });
    return [close, methodFrame(channel, { name: 'channel.open' })];
  }
  if (random.chance(0.002)) return [methodFrame(channel, { name: random.pick(['channel.open', 'channel.close-ok']) })];
  if (random.chance(0.002)) return [methodFrame(channel, anyMethod(random))];
  if (random.chance(0.03)) return [frame(FrameType.heartbeat, 0, Buffer.alloc(0))];
  if (random.chance(0.002)) return [methodFrame(0, { name: random.pick(['connection.close', 'connection.close-ok']) })];
  return [methodFrame(channel, random.pick(methods)())];
}

/** A publish in one to four body frames. */
function publish(random: Random, channel: number): Frames {
  const size = random.pick([0, 1, 10, 10, 100, 100, 5000, 20_000]);
  const body = Buffer.alloc(size, 'body');
  const frames: Frames = [
    methodFrame(channel, {
      name: 'basic.publish',
      exchange: random.pick(EXCHANGES),
      routingKey: random.pick(KEYS),
      mandatory: random.chance(0.3),
      immediate: random.chance(0.001),
    }),
    headerFrame(channel, { bodySize: size, properties: propertiesOf(random) }),
  ];
  const pieces = 1 + random.below(4);
  const most = Math.min(Math.max(Math.ceil(size / pieces), 1), SMALLEST_FRAME_MAX - 8);
  for (let at = 0; at < size; at += most) frames.push(bodyFrame(channel, body.subarray(at, at + most)));
  return frames;
}

function propertiesOf(random: Random): Uint8Array {
  const properties: MessageProperties = {};
  if (random.chance(0.4)) properties.deliveryMode = random.pick([1, 2, 2, 7]);
  if (random.chance(0.1)) properties.replyTo = random.pick(['amq.rabbitmq.reply-to', 'elsewhere']);
  if (random.chance(0.1)) properties.expiration = random.pick(['100', '', '-1', 'x', '9'.repeat(200)]);
  if (random.chance(0.1)) properties.userId = random.pick(['guest', 'other']);
  if (random.chance(0.2)) properties.correlationId = 'c'.repeat(random.below(256));
  if (random.chance(0.3)) properties.headers = argumentsOf(random);
  return encodeProperties(properties);
}

function argumentsOf(random: Random): FieldTable {
  if (random.chance(0.5)) return [];
  const entries: readonly FieldTable[] = [
    table({ 'x-message-ttl': 1000 }),
    table({ 'x-single-active-consumer': true }),
    table({ 'alternate-exchange': 'x2' }),
    table({ 'x-match': 'any', a: 1 }),
    table({ CC: ['q1', 'q2'], BCC: ['a.b'] }),
    table({ CC: 'q1' }),
    table({ 'x-priority': -5 }),
    [['x-message-ttl', { type: 'l', value: -(2n ** 63n) }]],
    [['nested', nestedTable(random.below(40))]],
  ];
  return random.pick(entries);
}

function nestedTable(depth: number): FieldTable[number][1] {
  return depth === 0 ? { type: 'V' } : { type: 'F', value: [['n', nestedTable(depth - 1)]] };
}

const METHODS = CLASSES.flatMap((spec) => spec.methods.map((method) => ({ spec, method })));

/** Any method there is, a server's own included. */
function anyMethod(random: Random): Sendable {
  const { spec, method } = random.pick(METHODS);
  const given = method.arguments.filter(({ reserved }) => !reserved);
  const values = given.map(({ name, domain }) => [name, argumentOf(random, domain)] as const);
  return { name: `${spec.name}.${method.name}` as Method['name'], ...Object.fromEntries(values) } as Sendable;
}

function argumentOf(random: Random, domain: Domain): unknown {
  switch (domain) {
    case 'bit':
      return random.chance(0.5);
    case 'shortstr':
      return random.pick(NAMES);
    case 'longstr':
      return random.bytes(random.below(20));
    case 'table':
      return argumentsOf(random);
    case 'octet':
      return random.below(256);
    default:
      return random.pick([0, 1, 2, 60, 0xffff]);
  }
}

/** Damages whole frames: doubled, lost, in another order, on another channel, of another size. */
export function damageFrames(random: Random, frames: readonly Buffer[]): Frames {
  const damaged = frames.map((bytes) => Buffer.from(bytes));
  for (let times = random.below(3); times > 0 && damaged.length > 0; times--) {
    const at = random.below(damaged.length);
    const chosen = damaged[at] as Buffer;
    const choice = random.below(6);
    if (choice === 0) damaged.splice(at, 0, Buffer.from(chosen));
    else if (choice === 1) damaged.splice(at, 1);
    else if (choice === 2) damaged.splice(random.below(damaged.length + 1), 0, ...damaged.splice(at, 1));
    else if (choice === 3 && chosen.length > 7) chosen.writeUInt16BE(random.pick([0, 1, 2, 3, 0xffff]), 1);
    else if (choice === 4 && chosen.length > 7) chosen.writeUInt32BE(random.pick(HUGE), 3);
    else if (chosen.length > 7) chosen[0] = random.pick([0, 1, 2, 3, 4, 8, 9, 0x41, 0xff]);
  }
  return damaged;
}

const HUGE = [0, 1, 4, 4095, 4096, 8192, 8193, 131_064, 131_072, 131_073, 0x7fffffff, 0x80000000, 0xffffffff];
const OCTETS = [0, 1, 0x7f, 0x80, 0xce, 0xff, 0x46, 0x53, 0x41];

/** Damages bytes, wherever they lie. */
export function damageBytes(random: Random, original: Buffer): Buffer {
  let bytes = original;
  for (let times = 1 + random.below(3); times > 0 && bytes.length > 0; times--) {
    const at = random.below(bytes.length);
    const length = 1 + random.below(8);
    switch (random.below(8)) {
      case 0:
        bytes = bytes.subarray(0, at);
        break;
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), random.bytes(length), bytes.subarray(at)]);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
        break;
      case 4:
        if (at + 4 <= bytes.length) bytes.writeUInt32BE(random.pick(HUGE), at);
        break;
      case 5:
        bytes[at] = random.pick(OCTETS);
        break;
      case 6:
        bytes[at] = random.below(256);
        break;
      default:
        bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
    }
  }
  return bytes;
}

/** Cut into up to five pieces of any size. */
export function pieces(random: Random, bytes: Buffer): Buffer[] {
  const cuts = Array.from({ length: random.below(5) }, () => random.below(bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...cuts].map((from, index) => bytes.subarray(from, cuts[index] ?? bytes.length));
}
