import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CommandAssembler } from '../../protocol/amqp/command-assembler.js';
import { FrameType } from '../../protocol/amqp/constants.gen.js';
import { FrameError } from '../../protocol/amqp/errors.js';
import { FrameParser, type FrameSink } from '../../protocol/amqp/frame-parser.js';
import { MethodId } from '../../protocol/amqp/methods.gen.js';
import { Random, seedOf } from '../support/random.js';
import { bodyFrame, frame, headerFrame, methodFrame } from '../support/wire-frames.js';

const seed = seedOf('frame-parser');
fc.configureGlobal({ seed });

const FRAME_MAX = 8192;
const KEPT_BODY = 1 << 20;

/** What arrived on a channel, written down so that it can be compared. */
type Arrival = string;

function arrival(channel: number, id: number, args: Uint8Array, properties: Uint8Array, body: Uint8Array): Arrival {
  const [a, p, b] = [args, properties, body].map((bytes) => Buffer.from(bytes).toString('latin1'));
  return JSON.stringify([channel, id, a, p, b]);
}

/** A connection of many channels: assembles frames, and takes whole publishes only if it is told to. */
class Receiver implements FrameSink {
  readonly arrivals: Arrival[] = [];
  fused = 0;
  frames = 0;
  /** Called after everything that was handed over; a test suspends here. */
  afterEach: () => void = () => {};
  readonly #takesFused: boolean;
  readonly #assemblers = new Map<number, CommandAssembler>();

  constructor(takesFused: boolean) {
    this.#takesFused = takesFused;
  }

  onFrame(type: number, channel: number, bytes: Uint8Array, start: number, end: number): void {
    this.frames++;
    if (type !== FrameType.heartbeat) {
      const command = this.#assembler(channel);
      if (command.accept(type, bytes, start, end)) this.#note(channel, command);
    }
    this.afterEach();
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
    if (!this.#takesFused || this.#assembler(channel).isAssembling) return false;
    this.fused++;
    this.arrivals.push(
      arrival(
        channel,
        MethodId.BasicPublish,
        bytes.subarray(argumentsStart, argumentsEnd),
        bytes.subarray(propertiesStart, propertiesEnd),
        bytes.subarray(bodyStart, bodyEnd),
      ),
    );
    this.afterEach();
    return true;
  }

  #assembler(channel: number): CommandAssembler {
    let assembler = this.#assemblers.get(channel);
    if (assembler === undefined) {
      assembler = new CommandAssembler(KEPT_BODY);
      this.#assemblers.set(channel, assembler);
    }
    return assembler;
  }

  #note(channel: number, command: CommandAssembler): void {
    const hasContent = command.methodId === MethodId.BasicPublish;
    this.arrivals.push(
      arrival(
        channel,
        command.methodId,
        command.method.subarray(command.argumentsStart, command.argumentsEnd),
        hasContent ? command.properties.subarray(command.propertiesStart, command.propertiesEnd) : Buffer.alloc(0),
        hasContent ? command.body.subarray(command.bodyStart, command.bodyEnd) : Buffer.alloc(0),
      ),
    );
  }
}

interface Publish {
  readonly exchange: string;
  readonly properties: Uint8Array;
  readonly fragments: readonly Uint8Array[];
}

/** Frames of one channel in order; channels are then interleaved. */
interface ChannelFrames {
  readonly channel: number;
  readonly frames: readonly Buffer[];
  readonly arrivals: readonly Arrival[];
}

const publish: fc.Arbitrary<Publish> = fc.record({
  exchange: fc.constantFrom('', 'x', 'amq.topic', '\xce'.repeat(40)),
  properties: fc.oneof(
    fc.constant(Uint8Array.of(0, 0)),
    // Any octets: nobody looks inside here. 0xce and frame-like bytes among them.
    fc.uint8Array({ minLength: 2, maxLength: 30 }),
    fc.uint8Array({ minLength: 2, maxLength: 600 }),
  ),
  fragments: fc.oneof(
    { weight: 5, arbitrary: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 1 }) },
    { weight: 3, arbitrary: fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 }) },
    { weight: 1, arbitrary: fc.array(fc.uint8Array({ minLength: 1000, maxLength: FRAME_MAX }), { maxLength: 2 }) },
  ),
});

const command = fc.oneof({ weight: 3, arbitrary: publish }, { weight: 1, arbitrary: fc.record({ tag: fc.nat() }) });

const channelFrames = (channel: number): fc.Arbitrary<ChannelFrames> =>
  fc.array(command, { maxLength: 5 }).map((commands) => {
    const frames: Buffer[] = [];
    const arrivals: Arrival[] = [];
    for (const command of commands) {
      if ('tag' in command) frames.push(methodFrame(channel, { name: 'basic.ack', deliveryTag: command.tag }));
      else frames.push(...publishFrames(channel, command));
      arrivals.push(expectedArrival(channel, command));
    }
    return { channel, frames, arrivals };
  });

function publishFrames(channel: number, { exchange, properties, fragments }: Publish): Buffer[] {
  const bodySize = fragments.reduce((sum, { length }) => sum + length, 0);
  const method = methodFrame(channel, { name: 'basic.publish', exchange, routingKey: 'key' });
  const header = headerFrame(channel, { bodySize, properties });
  // After the last byte of a body comes no further body frame, not even an empty one.
  const last = fragments.findLastIndex(({ length }) => length > 0);
  return [method, header, ...fragments.slice(0, last + 1).map((fragment) => bodyFrame(channel, fragment))];
}

function expectedArrival(channel: number, command: Publish | { readonly tag: number }): Arrival {
  if ('tag' in command) {
    const args = Buffer.alloc(9);
    args.writeBigUInt64BE(BigInt(command.tag));
    return arrival(channel, MethodId.BasicAck, args, Buffer.alloc(0), Buffer.alloc(0));
  }
  const method = methodFrame(channel, { name: 'basic.publish', exchange: command.exchange, routingKey: 'key' });
  const args = method.subarray(11, method.length - 1);
  return arrival(channel, MethodId.BasicPublish, args, command.properties, Buffer.concat(command.fragments));
}

interface Stream {
  readonly bytes: Buffer;
  readonly frameCount: number;
  readonly byChannel: ReadonlyMap<number, readonly Arrival[]>;
}

/** The channels' frames mixed in any order that keeps each channel's own, heartbeats between. */
const stream: fc.Arbitrary<Stream> = fc
  .record({
    channels: fc.tuple(channelFrames(1), channelFrames(2), channelFrames(0x0103)),
    mixing: fc.array(fc.nat(3), { maxLength: 100 }),
  })
  .map(({ channels, mixing }) => {
    const waiting = channels.map(({ frames }) => [...frames]);
    const mixed: Buffer[] = [];
    for (const choice of mixing) {
      const next = choice === 3 ? frame(FrameType.heartbeat, 0, Buffer.alloc(0)) : waiting[choice]?.shift();
      if (next !== undefined) mixed.push(next);
    }
    mixed.push(...waiting.flat());
    const byChannel = new Map(channels.map(({ channel, arrivals }) => [channel, arrivals]));
    return { bytes: Buffer.concat(mixed), frameCount: mixed.length, byChannel };
  });

/** Hands `bytes` over in pieces, each of which is void afterwards. */
function push(parser: FrameParser, bytes: Uint8Array, cuts: readonly number[]): void {
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    // Within a larger chunk, as a socket's buffer is.
    const chunk = Buffer.alloc(to - from + 6, 0x77);
    chunk.set(bytes.subarray(from, to), 3);
    parser.push(chunk, 3, 3 + to - from);
    chunk.fill(0x99);
    from = to;
  }
}

/** `expected` in the order of a parser that gets everything at once and every frame alone. */
function reference({ bytes, byChannel }: Stream): Arrival[] {
  const receiver = new Receiver(false);
  push(new FrameParser(receiver, FRAME_MAX), bytes, []);
  for (const [channel, arrivals] of byChannel) {
    const own = receiver.arrivals.filter((arrived) => arrived.startsWith(`[${channel},`));
    assert.deepEqual(own, arrivals);
  }
  return receiver.arrivals;
}

describe('the frame parser', () => {
  it('hands over the same commands for any cut, whole publishes or frame by frame', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(), { maxLength: 12 }), (stream, places) => {
        const expected = reference(stream);
        const { bytes, frameCount } = stream;
        const cuts = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
        const single = new Receiver(false);
        push(new FrameParser(single, FRAME_MAX), bytes, cuts);
        assert.deepEqual(single.arrivals, expected);
        assert.equal(single.frames, frameCount);
        const fused = new Receiver(true);
        push(new FrameParser(fused, FRAME_MAX), bytes, cuts);
        assert.deepEqual(fused.arrivals, expected);
      }),
      { numRuns: 1500 },
    );
  });

  it('hands over the same commands byte by byte', () => {
    fc.assert(
      fc.property(stream, (stream) => {
        const expected = reference(stream);
        const everywhere = Array.from({ length: stream.bytes.length }, (_, index) => index);
        for (const takesFused of [false, true]) {
          const receiver = new Receiver(takesFused);
          push(new FrameParser(receiver, FRAME_MAX), stream.bytes, everywhere);
          assert.deepEqual(receiver.arrivals, expected);
          assert.equal(receiver.fused, 0);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('hands over the same commands for every single cut of a short stream, and takes what it can whole', () => {
    const frames = [
      ...publishFrames(1, { exchange: 'x', properties: Uint8Array.of(0, 0), fragments: [Buffer.from('body')] }),
      ...publishFrames(2, { exchange: '', properties: Uint8Array.of(0x10, 0, 2), fragments: [] }),
      frame(FrameType.heartbeat, 0, Buffer.alloc(0)),
      ...publishFrames(1, {
        exchange: 'x',
        properties: Uint8Array.of(0, 0),
        fragments: [Buffer.alloc(0), Buffer.of(1)],
      }),
      methodFrame(2, { name: 'basic.ack', deliveryTag: 7 }),
      ...publishFrames(2, { exchange: 'y', properties: Uint8Array.of(0, 0), fragments: [Buffer.of(1), Buffer.of(2)] }),
    ];
    const bytes = Buffer.concat(frames);
    const whole = new Receiver(true);
    push(new FrameParser(whole, FRAME_MAX), bytes, []);
    expect(whole.arrivals).toHaveLength(5);
    // The two whose content lies in at most one frame.
    expect(whole.fused).toBe(2);
    for (let first = 0; first <= bytes.length; first++) {
      for (let second = first; second <= bytes.length; second += 7) {
        const receiver = new Receiver(true);
        push(new FrameParser(receiver, FRAME_MAX), bytes, [first, second]);
        assert.deepEqual(receiver.arrivals, whole.arrivals);
      }
    }
  });

  it('loses nothing and keeps the order while it is suspended and resumed anywhere', () => {
    fc.assert(
      fc.property(
        stream,
        fc.array(fc.nat(), { maxLength: 12 }),
        fc.integer(),
        fc.boolean(),
        (stream, places, chance, takesFused) => {
          const expected = reference(stream);
          const { bytes } = stream;
          const random = new Random(chance);
          const receiver = new Receiver(takesFused);
          const parser = new FrameParser(receiver, FRAME_MAX);
          let suspended = false;
          let pushed = 0;
          receiver.afterEach = () => {
            assert.equal(suspended, false, 'nothing is handed over while suspended');
            if (random.chance(0.4)) suspend();
          };
          const suspend = (): void => {
            suspended = true;
            parser.suspend();
          };
          const resume = (): void => {
            suspended = false;
            parser.resume();
          };
          const cuts = [...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
          for (const to of cuts) {
            push(parser, bytes.subarray(pushed, to), []);
            assert.ok(parser.heldBytes <= to);
            pushed = to;
            // Between chunks, too: an alarm does not wait for a frame.
            if (random.chance(0.2)) suspend();
            if (suspended && random.chance(0.5)) resume();
          }
          for (let rounds = 0; suspended; rounds++) {
            assert.ok(rounds < 10_000);
            resume();
          }
          assert.equal(parser.heldBytes, 0);
          assert.deepEqual(receiver.arrivals, expected);
        },
      ),
      { numRuns: 1500 },
    );
  });

  it('refuses a frame above the limit before it has more than its header, however it is cut', () => {
    const header = Buffer.of(1, 0, 1, 0, 0, 0x20, 0x01);
    for (let cut = 0; cut < header.length; cut++) {
      const parser = new FrameParser(new Receiver(true), FRAME_MAX);
      expect(() => push(parser, header, [cut])).toThrow(FrameError);
    }
    const fits = Buffer.concat([Buffer.of(1, 0, 1, 0, 0, 0x20, 0), Buffer.alloc(100)]);
    expect(() => push(new FrameParser(new Receiver(true), FRAME_MAX), fits, [])).not.toThrow();
  });
});
