import assert from 'node:assert/strict';
import { describe, expect, it } from 'vitest';
import { CommandAssembler } from '../../protocol/amqp/command-assembler.js';
import { FrameType } from '../../protocol/amqp/constants.gen.js';
import { FrameError, undecodable } from '../../protocol/amqp/errors.js';
import { FrameParser, type FrameSink } from '../../protocol/amqp/frame-parser.js';
import { decodeMethod, MethodId } from '../../protocol/amqp/methods.gen.js';
import { ByteReader } from '../../protocol/byte-reader.js';
import { MalformedError } from '../../protocol/errors.js';
import { BrokerError } from '../../src/errors.js';
import { toAmqpError } from '../../src/session/amqp/reply-codes.js';
import { PublishedContent, UndecodableContent } from '../../src/session/shared/content.js';
import { type MemoryBroker, memoryBroker } from '../support/amqp-environment.js';
import type { MemoryTransport } from '../support/memory-transport.js';
import { Random, seedOf } from '../support/random.js';
import { RecordingStore } from '../support/recording-store.js';
import { methodFrame } from '../support/wire-frames.js';
import {
  conversation,
  conversationOfActions,
  damageBytes,
  damageFrames,
  handshake,
  pieces,
} from './hostile-sessions.js';
import { OutputCheck } from './output-check.js';

const seed = seedOf('hostile-bytes');
/** One case alone, as a failure names it. */
const onlyCase = process.env['HOSTILE_CASE'];

const CODEC_CASES = 120_000;
const CONNECTION_CASES = 6_000;
const NONSENSE_CASES = 300;
const NONSENSE_STEPS = 250;
const FRAME_MAX = 131_072;
const TIMEOUT_MS = 60_000;

function* cases(count: number): Generator<[number, Random]> {
  const [first, end] = onlyCase === undefined ? [0, count] : [Number(onlyCase), Number(onlyCase) + 1];
  for (let index = first; index < end; index++) yield [index, new Random(Math.imul(seed, 31) + index)];
}

function inCase<T>(index: number, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new Error(`case ${index} (repeat with FC_SEED=${seed} HOSTILE_CASE=${index})`, { cause: error });
  }
}

/** Reads everything that can be read in a frame, as a session would, and more. */
class Decoder implements FrameSink {
  readonly #assemblers = new Map<number, CommandAssembler>();
  readonly #content = new PublishedContent();

  onFrame(type: number, channel: number, bytes: Uint8Array, start: number, end: number): void {
    if (type === FrameType.heartbeat) return;
    let command = this.#assemblers.get(channel);
    if (command === undefined) {
      command = new CommandAssembler(1 << 20);
      this.#assemblers.set(channel, command);
    }
    if (!command.accept(type, bytes, start, end)) return;
    this.#decode(command.methodId, command.method, command.argumentsStart, command.argumentsEnd);
    if (command.methodId !== MethodId.BasicPublish) return;
    assert.ok(command.bodyEnd - command.bodyStart <= command.bodySize);
    this.#read(command.properties, command.propertiesStart, command.propertiesEnd);
  }

  onPublish(
    channel: number,
    bytes: Uint8Array,
    argumentsStart: number,
    argumentsEnd: number,
    propertiesStart: number,
    propertiesEnd: number,
    bodyStart: number,
    bodyEnd: number,
  ): boolean {
    if (this.#assemblers.get(channel)?.isAssembling === true) return false;
    assert.ok(argumentsEnd <= propertiesStart && propertiesEnd <= bodyStart && bodyEnd <= bytes.length);
    this.#decode(MethodId.BasicPublish, bytes, argumentsStart, argumentsEnd);
    this.#read(bytes, propertiesStart, propertiesEnd);
    return true;
  }

  #decode(id: number, bytes: Uint8Array, start: number, end: number): void {
    try {
      decodeMethod(id, new ByteReader(bytes, start, end));
    } catch (error) {
      throw error instanceof MalformedError ? undecodable(error, id, bytes, start, end) : error;
    }
  }

  #read(properties: Uint8Array, start: number, end: number): void {
    const content = this.#content;
    content.read(properties, start, end, { userName: 'guest', mayImpersonate: false, replyQueueName: 'r' });
    // What was accepted decodes: a headers exchange relies on it.
    assert.ok(Array.isArray(content.headers));
    assert.ok(content.furtherKeys.every((key) => typeof key === 'string'));
  }
}

/** An error a peer may cause, and how it reads on the wire. */
function assertAnswerable(error: unknown): void {
  const expected = error instanceof FrameError || error instanceof BrokerError;
  if (!expected) throw error;
  const { code, text } = toAmqpError(error, 0);
  assert.ok(Buffer.byteLength(text) <= 255);
  assert.ok(code !== 541 || error instanceof UndecodableContent);
}

describe('hostile bytes', () => {
  it(
    'end in an error of the protocol in parser, assembler and decoders',
    () => {
      const outcomes = { fine: 0, frameError: 0, brokerError: 0 };
      const generator = new Random(seed);
      const sessions = Array.from({ length: 100 }, () => conversation(generator, 12));
      for (const [index, random] of cases(CODEC_CASES)) {
        inCase(index, () => {
          const parser = new FrameParser(new Decoder(), FRAME_MAX);
          const bytes = random.chance(0.03)
            ? Buffer.from(random.bytes(random.below(200)))
            : damageBytes(random, Buffer.concat(damageFrames(random, random.pick(sessions))));
          try {
            for (const piece of pieces(random, bytes)) {
              parser.push(piece, 0, piece.length);
              assert.equal(parser.heldBytes, 0);
            }
            outcomes.fine++;
          } catch (error) {
            assertAnswerable(error);
            outcomes[error instanceof FrameError ? 'frameError' : 'brokerError']++;
          }
        });
      }
      if (onlyCase === undefined) expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(CODEC_CASES / 50);
    },
    TIMEOUT_MS,
  );

  it(
    'end in an error of the protocol on a whole connection, and leave nothing behind',
    () => {
      const outcomes = { channelClose: 0, connectionClose: 0, silent: 0, open: 0 };
      for (const [index, random] of cases(CONNECTION_CASES)) {
        inCase(index, () => {
          const broker = memoryBroker({ channelMax: 16, maxMessageSizeBytes: 15_000 });
          outcomes[attack(random, broker)]++;
        });
      }
      if (onlyCase === undefined) expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(CONNECTION_CASES / 100);
    },
    TIMEOUT_MS,
  );

  it(
    'are no worse when they are well-formed nonsense, from several peers at once that go on after errors',
    () => {
      for (const [index, random] of cases(NONSENSE_CASES)) inCase(index, () => talkNonsense(random));
    },
    TIMEOUT_MS,
  );

  it('make a connection hold no more than one frame', () => {
    const parsers = Array.from({ length: 200 }, () => new FrameParser(new Decoder(), FRAME_MAX));
    const before = process.memoryUsage().arrayBuffers;
    for (const [index, parser] of parsers.entries()) {
      const header = Buffer.of(1 + (index % 3), 0, 1, 0, 0, 0, 0);
      header.writeUInt32BE(FRAME_MAX, 3);
      const chunk = Buffer.concat([header, Buffer.alloc(FRAME_MAX - 1)]);
      for (let at = 0; at < chunk.length; at += 10_000) parser.push(chunk, at, Math.min(at + 10_000, chunk.length));
    }
    // The chunks themselves may still be waiting for the collector.
    const held = process.memoryUsage().arrayBuffers - before;
    expect(held).toBeLessThan(parsers.length * 2 * (FRAME_MAX + 8192));
    expect(parsers.every(({ heldBytes }) => heldBytes === 0)).toBe(true);
  });

  it('cost nothing but an error when they announce what is too large', () => {
    for (const size of [FRAME_MAX + 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
      const header = Buffer.of(3, 0, 1, 0, 0, 0, 0);
      header.writeUInt32BE(size, 3);
      const before = process.memoryUsage().arrayBuffers;
      expect(() => new FrameParser(new Decoder(), FRAME_MAX).push(header, 0, header.length)).toThrow(FrameError);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(FRAME_MAX);
    }
  });
});

type Outcome = 'channelClose' | 'connectionClose' | 'silent' | 'open';

/** One peer's whole life. Throws when the broker misbehaves. */
function attack(random: Random, broker: MemoryBroker): Outcome {
  const { clock } = broker;
  const { connection, transport } = broker.connect();
  const output = new OutputCheck();
  const look = (): void => output.push(transport.take());
  const opening = handshake(random);
  // Most get through the handshake: what is behind it is larger.
  const spared = random.chance(0.85) ? opening.length : 0;
  const frames = [...opening.slice(spared), ...conversation(random, 1 + random.below(20))];
  for (const bytes of opening.slice(0, spared)) transport.send(bytes);
  clock.settle();
  const damaged = damageFrames(random, frames);
  const bytes = random.chance(0.6) ? damageBytes(random, Buffer.concat(damaged)) : Buffer.concat(damaged);
  for (const piece of pieces(random, bytes)) {
    transport.send(piece);
    if (random.chance(0.7)) clock.settle();
    disturb(random, broker, transport);
    look();
  }
  if (random.chance(0.1)) connection.close('shutdown');
  calm(broker, [transport]);
  look();
  const outcome = outcomeOf(output, transport);
  // Whatever was answered, a connection that was given up is closed within the time it may linger.
  clock.advance(31_000);
  clock.settle();
  look();
  assert.ok(!output.isClosing || transport.isClosed, 'a refused connection is closed in time');
  transport.disconnect();
  assertNothingLeft(broker);
  return outcome;
}

/** Peers that keep to the form, know no sense, and open their channels again when they lose them. */
function talkNonsense(random: Random): void {
  const store = random.chance(0.5) ? new RecordingStore() : undefined;
  const broker = memoryBroker({ channelMax: 16, maxMessageSizeBytes: 15_000 }, store);
  const peers = Array.from({ length: 3 }, () => {
    const { transport } = broker.connect();
    const reopen = (channel: number): void => {
      transport.send(methodFrame(channel, { name: 'channel.close-ok' }));
      transport.send(methodFrame(channel, { name: 'channel.open' }));
      if (random.chance(0.5))
        transport.send(methodFrame(channel, { name: 'queue.declare', queue: 'q1', durable: true }));
      transport.send(methodFrame(channel, { name: 'basic.consume', queue: 'q1', noAck: random.chance(0.3) }));
    };
    const actions = [handshake(random), ...conversationOfActions(random, NONSENSE_STEPS)];
    return { transport, actions, output: new OutputCheck(reopen) };
  });
  for (let running = peers; running.length > 0; running = running.filter(({ actions }) => actions.length > 0)) {
    const { transport, actions, output } = random.pick(running);
    for (const frames of actions.splice(0, 1 + random.below(4))) transport.send(Buffer.concat(frames));
    if (random.chance(0.7)) broker.clock.settle();
    disturb(random, broker, transport);
    if (random.chance(0.3)) store?.makeDurable(store.closeBatch());
    output.push(transport.take());
    if (random.chance(0.001)) transport.disconnect();
  }
  store?.makeDurable(store.closeBatch());
  calm(
    broker,
    peers.map(({ transport }) => transport),
  );
  for (const { transport, output } of peers) {
    output.push(transport.take());
    transport.disconnect();
  }
  assertNothingLeft(broker);
}

function calm({ alarms, clock }: MemoryBroker, transports: readonly MemoryTransport[]): void {
  for (const source of ['memory', 'disk'] as const) alarms.clear(source);
  for (const transport of transports) transport.drain();
  clock.settle();
}

/** All peers are gone: so is everything that was theirs. */
function assertNothingLeft(broker: MemoryBroker): void {
  const { clock, host, logs, logged } = broker;
  clock.settle();
  assert.deepEqual(broker.failures, []);
  assert.deepEqual(
    logged.filter(({ level }) => level === 'error'),
    [],
  );
  assert.equal(broker.connections.size, 0);
  for (const queue of [...host.queues]) {
    assert.deepEqual([queue.consumerCount, queue.unackedCount, queue.options.owner], [0, 0, undefined]);
    host.deleteQueue(queue.name, {}, false, false);
  }
  assert.deepEqual([logs.segments.allocatedBytes, logs.bodies.count], [0, 0]);
  // Messages that expire and queues that do had theirs.
  assert.equal(clock.timerCount, 0);
}

/** The world around a connection does not stand still. */
function disturb(random: Random, { alarms, clock }: MemoryBroker, transport: MemoryTransport): void {
  if (random.chance(0.03)) alarms.raise(random.pick(['memory', 'disk']));
  if (random.chance(0.3)) alarms.clear(random.pick(['memory', 'disk']));
  if (random.chance(0.05)) transport.stalled = true;
  if (random.chance(0.1)) transport.drain();
  if (random.chance(0.05)) clock.advance(random.below(2000));
}

function outcomeOf(output: OutputCheck, transport: MemoryTransport): Outcome {
  if (output.closeCode !== undefined) return 'connectionClose';
  if (transport.isClosed || output.isClosing) return 'silent';
  return output.channelCloses > 0 ? 'channelClose' : 'open';
}
