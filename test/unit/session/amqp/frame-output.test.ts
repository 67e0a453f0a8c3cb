import { describe, expect, it } from 'vitest';
import { FrameType } from '../../../../protocol/amqp/constants.gen.js';
import { writeBasicQosOk, writeConnectionBlocked } from '../../../../protocol/amqp/methods.gen.js';
import { ByteWriter } from '../../../../protocol/byte-writer.js';
import { RecordReader } from '../../../../src/core/log/record.js';
import { Turn } from '../../../../src/core/turn.js';
import { ChunkPool } from '../../../../src/net/chunk-pool.js';
import { FrameOutput } from '../../../../src/session/amqp/frame-output.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { MemoryTransport } from '../../../support/memory-transport.js';
import { type Message, sourceOf } from '../../../support/messages.js';
import { Random, seedOf } from '../../../support/random.js';
import { bodyFrame, type Frame, FrameCutter, headerFrame, methodFrame } from '../../../support/wire-frames.js';

const CHANNEL = 0x0102;
const FRAME_MAX = 131_072;

/** Knows how many chunks are out. */
class CountingPool extends ChunkPool {
  taken = 0;

  override small(): Buffer {
    this.taken++;
    return super.small();
  }

  override large(): Buffer {
    this.taken++;
    return super.large();
  }

  override release(chunk: Buffer): void {
    this.taken--;
    super.release(chunk);
  }
}

function outputOver(frameMax = FRAME_MAX) {
  const clock = new FakeClock();
  const chunks = new CountingPool();
  const transport = new MemoryTransport(clock, chunks);
  const failures: unknown[] = [];
  const output = new FrameOutput(transport, new Turn(clock, (error) => failures.push(error)));
  output.frameMax = frameMax;
  return { clock, chunks, transport, output, failures };
}

function prefix(tag: string): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(FrameType.method);
  writer.u16(CHANNEL);
  writer.u32(0);
  writer.u32(0x003c003c);
  writer.shortstr(tag);
  return writer.finished();
}

function recordOf(message: Message): RecordReader {
  const reader = new RecordReader();
  reader.showSource(sourceOf(message));
  return reader;
}

function contentFrames(properties: Uint8Array, body: Buffer, frameMax: number): Buffer {
  const frames = [headerFrame(CHANNEL, { bodySize: body.length, properties })];
  for (let at = 0; at < body.length; at += frameMax - 8) {
    frames.push(bodyFrame(CHANNEL, body.subarray(at, at + frameMax - 8)));
  }
  return Buffer.concat(frames);
}

function deliverFrames(
  deliveryTag: number,
  redelivered: boolean,
  message: Message,
  frameMax = FRAME_MAX,
  consumerTag = 'tag',
): Buffer {
  const { exchange = '', routingKey = 'q', properties = Uint8Array.of(0, 0), body = '' } = message;
  const method = methodFrame(CHANNEL, {
    name: 'basic.deliver',
    consumerTag,
    deliveryTag,
    redelivered,
    exchange,
    routingKey,
  });
  return Buffer.concat([method, contentFrames(properties, Buffer.from(body), frameMax)]);
}

/** Bytes no two of which look alike for long. */
function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 7 + (index >>> 8)) & 0xff));
}

function framesOf(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  const cutter = new FrameCutter(
    (frame) => frames.push(frame),
    () => expect.fail('a protocol header'),
  );
  cutter.push(bytes);
  return frames;
}

describe('what a connection sends', () => {
  it('goes out once, at the end of the turn', () => {
    const { clock, transport, output } = outputOver();
    for (let i = 0; i < 3; i++) {
      writeBasicQosOk(output.writer, CHANNEL);
      output.touch();
    }
    expect(transport.bytesWritten).toBe(0);
    clock.endTurn();
    expect(transport.take()).toEqual(Buffer.concat(Array(3).fill(methodFrame(CHANNEL, { name: 'basic.qos-ok' }))));
    expect(clock.hasTurnWaiting).toBe(false);
  });

  it('keeps the order of methods and contents of every size', () => {
    const { chunks, transport, output } = outputOver(4096);
    const expected: Buffer[] = [];
    const deliver = prefix('tag');
    const properties = Uint8Array.of(0x10, 0, 2);
    const sizes = [0, 1, 4087, 4088, 4089, 8176, 100, 130_000, 131_072, 3000, 400_000, 0, 5];
    for (const [index, size] of sizes.entries()) {
      const message = { exchange: 'x', routingKey: 'k'.repeat(index), properties, body: pattern(size) };
      const record = recordOf(message);
      record.redelivered = index % 2 === 0;
      output.deliver(deliver, index + 1, record);
      writeConnectionBlocked(output.writer, 0, 'low on memory');
      output.touch();
      expected.push(
        deliverFrames(index + 1, record.redelivered, message, 4096),
        methodFrame(0, { name: 'connection.blocked', reason: 'low on memory' }),
      );
    }
    output.flush();
    expect(transport.take().equals(Buffer.concat(expected))).toBe(true);
    expect(chunks.taken).toBe(0);
  });

  it('fits exactly, or not by one byte, at the end of a chunk of either size', () => {
    const overhead = deliverFrames(1, false, { body: 'b' }).length - 1;
    const { smallBytes, largeBytes } = new ChunkPool();
    for (const edge of [smallBytes, largeBytes]) {
      for (let size = edge - overhead - 3; size <= edge - overhead + 3; size++) {
        for (const before of [0, 50]) {
          const { chunks, transport, output } = outputOver();
          const first = { body: pattern(before) };
          const second = { body: pattern(size - overhead) };
          const third = { body: pattern(size) };
          output.deliver(prefix('tag'), 1, recordOf(first));
          output.deliver(prefix('tag'), 2, recordOf(second));
          output.deliver(prefix('tag'), 3, recordOf(third));
          output.flush();
          const frames = [
            deliverFrames(1, false, first),
            deliverFrames(2, false, second),
            deliverFrames(3, false, third),
          ];
          expect(transport.take().equals(Buffer.concat(frames))).toBe(true);
          expect(chunks.taken).toBe(0);
        }
      }
    }
  });

  it('sends deliveries that are much like the one before', () => {
    const { clock, transport, output } = outputOver();
    const random = new Random(seedOf('like deliveries'));
    const pick = <T>(...choices: [T, ...T[]]): T => choices[random.below(choices.length)] ?? choices[0];
    const tags = { tag: prefix('tag'), tog: prefix('tog') };
    const expected: Buffer[] = [];
    for (let deliveryTag = 1; deliveryTag <= 2000; deliveryTag++) {
      const message = {
        routingKey: pick('aa', 'aa', 'aa', 'ab', 'a'),
        properties: pick(
          Uint8Array.of(0, 0),
          Uint8Array.of(0, 0),
          Uint8Array.of(0x10, 0, 1),
          Uint8Array.of(0x10, 0, 2),
        ),
        body: pattern(pick(16, 16, 17, 0, 1000)).fill(deliveryTag),
      };
      const record = recordOf(message);
      record.redelivered = pick(false, true);
      const consumerTag = pick<keyof typeof tags>('tag', 'tag', 'tog');
      output.deliver(tags[consumerTag], deliveryTag, record);
      expected.push(deliverFrames(deliveryTag, record.redelivered, message, FRAME_MAX, consumerTag));
      if (random.below(100) === 0) clock.endTurn();
    }
    clock.settle();
    expect(transport.take().equals(Buffer.concat(expected))).toBe(true);
  });

  it('sends deliveries that differ in one number', () => {
    const { clock, transport, output } = outputOver();
    const random = new Random(seedOf('numbered deliveries'));
    const tag = prefix('tag');
    const expected: Buffer[] = [];
    for (let deliveryTag = 1; deliveryTag <= 1000; deliveryTag++) {
      // A timestamp between a message id and a type, both of one letter.
      const properties = Buffer.of(0x00, 0xe0, 1, 0x61, 0, 0, 0, 0, 0, 0, 0, 0, 1, random.chance(0.8) ? 0x62 : 0x63);
      properties.writeUIntBE(random.below(2 ** 40), 6, 6);
      const message = { properties, body: pattern(random.chance(0.9) ? 16 : 17).fill(deliveryTag) };
      const record = recordOf(message);
      record.numberAt = record.propertiesStart + 4;
      output.deliver(tag, deliveryTag, record);
      expected.push(deliverFrames(deliveryTag, false, message, FRAME_MAX));
      if (random.below(100) === 0) clock.endTurn();
    }
    clock.settle();
    expect(transport.take().equals(Buffer.concat(expected))).toBe(true);
  });

  it('cuts a body at what was negotiated, and never inside a frame', () => {
    const { transport, output } = outputOver();
    const message = { body: pattern(300_000) };
    output.deliver(prefix('tag'), 1, recordOf(message));
    output.flush();
    const sizes = framesOf(transport.take())
      .filter(({ type }) => type === FrameType.body)
      .map(({ payload }) => payload.length);
    expect(sizes).toEqual([131_064, 131_064, 37_872]);
  });

  it('takes no negotiated limit for as much as a chunk holds', () => {
    const { transport, output } = outputOver(0);
    const body = pattern(300_000);
    output.content(CHANNEL, Uint8Array.of(0, 0), 0, 2, body, 0, body.length);
    output.flush();
    const bodies = framesOf(transport.take()).filter(({ type }) => type === FrameType.body);
    expect(Buffer.concat(bodies.map(({ payload }) => payload)).equals(body)).toBe(true);
  });

  it('sends a content from within larger arrays', () => {
    const { transport, output } = outputOver(4096);
    const properties = Buffer.from('..\0\0..', 'latin1');
    const body = pattern(10_000);
    output.content(CHANNEL, properties, 2, 4, body, 1000, 9500);
    output.flush();
    expect(transport.take().equals(contentFrames(Uint8Array.of(0, 0), body.subarray(1000, 9500), 4096))).toBe(true);
  });

  it('sends properties that are larger than a chunk', () => {
    const { transport, output } = outputOver();
    const properties = pattern(200_000);
    const message = { properties, body: 'b' };
    output.deliver(prefix('tag'), 1, recordOf(message));
    output.flush();
    expect(transport.take().equals(deliverFrames(1, false, message))).toBe(true);
  });

  it.each([1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 5, 2 ** 53 - 1])('writes the delivery tag %d', (tag) => {
    const { transport, output } = outputOver();
    for (const size of [3, 200_000]) {
      const message = { body: pattern(size) };
      output.deliver(prefix('tag'), tag, recordOf(message));
      output.flush();
      expect(transport.take().equals(deliverFrames(tag, false, message))).toBe(true);
    }
  });

  it('sends a method that is larger than a chunk', () => {
    const { transport, output, chunks } = outputOver();
    const reason = 'r'.repeat(255);
    output.writer.ensure(300_000);
    for (let i = 0; i < 1000; i++) writeConnectionBlocked(output.writer, 0, reason);
    output.flush();
    const frame = methodFrame(0, { name: 'connection.blocked', reason });
    expect(transport.take().equals(Buffer.concat(Array(1000).fill(frame)))).toBe(true);
    output.writer.ensure(1);
    output.close();
    // The one chunk that came from no pool was given to it all the same.
    expect(chunks.taken).toBe(-1);
  });

  it('goes nowhere after close, and leaves no chunk behind', () => {
    const { clock, chunks, transport, output, failures } = outputOver();
    output.deliver(prefix('tag'), 1, recordOf({ body: 'before' }));
    output.close();
    output.deliver(prefix('tag'), 2, recordOf({ body: pattern(500_000) }));
    clock.settle();
    expect([transport.bytesWritten, chunks.taken, failures.length]).toEqual([0, 0, 0]);
  });
});

describe('a peer that reads slower than we write', () => {
  const MIB = 1024 * 1024;

  function backedUp() {
    const over = outputOver();
    over.transport.stalled = true;
    const send = (bytes: number): void => {
      over.output.deliver(prefix('tag'), 1, recordOf({ body: Buffer.alloc(bytes) }));
      over.output.flush();
    };
    return { ...over, send };
  }

  it('is noticed above a mebibyte, and forgiven at half of it', () => {
    const { transport, output, send } = backedUp();
    send(MIB - 1000);
    expect(output.backedUp).toBe(false);
    send(2000);
    expect([output.backedUp, output.overflowing]).toEqual([true, false]);
    transport.unsentBytes = MIB / 2 + 1;
    expect([output.drained(), output.backedUp]).toEqual([false, true]);
    transport.unsentBytes = MIB / 2;
    expect([output.drained(), output.backedUp]).toEqual([true, false]);
    expect(output.drained()).toBe(false);
  });

  it('overflows above sixteen, until it has drained', () => {
    const { transport, output, send } = backedUp();
    for (let i = 0; i < 16; i++) send(MIB);
    expect([output.backedUp, output.overflowing]).toEqual([true, true]);
    transport.unsentBytes = 1000;
    expect(output.drained()).toBe(true);
    expect([output.backedUp, output.overflowing]).toEqual([false, false]);
  });

  it('stays backed up for whoever waits for the end, whatever is written meanwhile', () => {
    const { transport, output, send } = backedUp();
    for (let i = 0; i < 17; i++) send(MIB);
    // The kernel took most of it; a heartbeat goes out before it has taken enough.
    transport.unsentBytes = MIB * 0.75;
    send(0);
    expect([output.backedUp, output.overflowing]).toEqual([true, true]);
    transport.unsentBytes = 0;
    expect(output.drained()).toBe(true);
  });
});
