/** What a batch puts on the wire, read back frame by frame, and through the scanner as a broker would deliver it. */
import { describe, expect, it } from 'vitest';
import { writeContent } from '../../../../bench/load/content-frames.js';
import { DeliveryScanner } from '../../../../bench/load/delivery-scanner.js';
import { type MessageShape, PublishBatch } from '../../../../bench/load/publish-batch.js';
import { fillerAt, StampAt } from '../../../../bench/load/stamp.js';
import { CommandAssembler } from '../../../../protocol/amqp/command-assembler.js';
import { FrameParser } from '../../../../protocol/amqp/frame-parser.js';
import { type BasicPublish, decodeMethod, writeBasicDeliver } from '../../../../protocol/amqp/methods.gen.js';
import { decodeProperties, type MessageProperties } from '../../../../protocol/amqp/properties.js';
import { ByteReader } from '../../../../protocol/byte-reader.js';
import { ByteWriter } from '../../../../protocol/byte-writer.js';

const SHAPE: MessageShape = {
  channel: 3,
  exchange: 'e',
  routingKeys: ['k0', 'k1', 'k2'],
  sizesBytes: [16, 100],
  persistent: true,
  mandatory: false,
  producer: 9,
  run: 1234,
  frameMax: 4096,
};

interface Message {
  readonly method: BasicPublish;
  readonly properties: MessageProperties;
  readonly body: DataView;
}

function messagesIn(bytes: Uint8Array): Message[] {
  const messages: Message[] = [];
  const assembler = new CommandAssembler(1e9);
  const parser = new FrameParser(
    {
      onPublish: () => false,
      onFrame: (type, channel, frame, start, end) => {
        expect(channel).toBe(SHAPE.channel);
        if (!assembler.accept(type, frame, start, end)) return;
        const method = decodeMethod(
          assembler.methodId,
          new ByteReader(assembler.method, assembler.argumentsStart, assembler.argumentsEnd),
        );
        if (method?.name !== 'basic.publish') throw new Error(`${method?.name}`);
        const properties = decodeProperties(assembler.properties, assembler.propertiesStart, assembler.propertiesEnd);
        const body = assembler.body.slice(assembler.bodyStart, assembler.bodyEnd);
        messages.push({ method, properties, body: new DataView(Uint8Array.from(body).buffer) });
      },
    },
    SHAPE.frameMax,
  );
  parser.push(bytes, 0, bytes.length);
  return messages;
}

describe('a batch', () => {
  it('numbers its messages, keys and sizes by turns, over the end of the ring', () => {
    const batch = new PublishBatch(SHAPE);
    let sequence = 2 ** 33;
    for (let write = 0; write < 5; write++) {
      const count = batch.room(sequence, 400);
      expect(count).toBeGreaterThan(0);
      for (const [index, { method, properties, body }] of messagesIn(
        batch.stamped(sequence, count, 7_000_000_000),
      ).entries()) {
        const number = sequence + index;
        expect(method).toMatchObject({ exchange: 'e', routingKey: `k${number % 3}`, mandatory: false });
        expect(properties).toEqual({ deliveryMode: 2 });
        expect(body.byteLength).toBe(number % 2 === 0 ? 16 : 100);
        expect(body.getUint32(0) + body.getUint16(StampAt.sequenceHigh) * 2 ** 32).toBe(number);
        expect(body.getUint16(StampAt.producer)).toBe(9);
        expect(body.getUint16(StampAt.run)).toBe(1234);
        expect(body.getUint16(StampAt.sentHigh) * 2 ** 32 + body.getUint32(StampAt.sentLow)).toBe(7_000_000_000);
        if (body.byteLength === 100) expect(body.getUint8(57)).toBe(fillerAt(57));
      }
      sequence += count;
    }
  });

  it('gives each message the time it is due at a fixed rate', () => {
    const batch = new PublishBatch({ ...SHAPE, routingKeys: ['k'], sizesBytes: [16] });
    const times = messagesIn(batch.stampedAt(0, 4, 1000, 250.5)).map(({ body }) => body.getUint32(StampAt.sentLow));
    expect(times).toEqual([1000, 1250, 1501, 1751]);
  });

  it('cuts large bodies into frames', () => {
    const batch = new PublishBatch({ ...SHAPE, sizesBytes: [10_000], persistent: false, mandatory: true });
    const [message] = messagesIn(batch.stamped(5, batch.room(5, 1), 1));
    expect(message).toMatchObject({ method: { mandatory: true, routingKey: 'k2' }, properties: {} });
    expect(message?.body.byteLength).toBe(10_000);
    expect(message?.body.getUint32(0)).toBe(5);
    expect(message?.body.getUint8(9999)).toBe(fillerAt(9999));
  });

  it.each([0, 1, 7, 8, 15])('has bodies of %i bytes, with as much of a stamp as fits', (size) => {
    const batch = new PublishBatch({ ...SHAPE, sizesBytes: [size] });
    const [, second] = messagesIn(batch.stamped(0, 2, 1));
    expect(second?.body.byteLength).toBe(size);
    if (size >= 8) expect(second?.body.getUint32(0)).toBe(1);
    else if (size > 0) expect(second?.body.getUint8(size - 1)).toBe(fillerAt(size - 1));
  });
});

describe('the scanner of deliveries', () => {
  const properties: MessageProperties = { deliveryMode: 2 };

  function delivery(tag: number, body: Uint8Array, { consumerTag = 'ctag', exchange = 'e', routingKey = 'k1' } = {}) {
    const writer = new ByteWriter(256);
    writeBasicDeliver(writer, 3, consumerTag, tag, false, exchange, routingKey);
    const argumentsAt = 7 + 4;
    const methodArguments = writer.finished().subarray(argumentsAt, writer.offset - 1);
    writeContent(writer, 3, properties, body, 4096);
    return { bytes: writer.finished(), methodArguments };
  }

  function scanned(bytes: Uint8Array): { taken: number; tags: number[]; bodies: string[] } {
    const tags: number[] = [];
    const bodies: string[] = [];
    const scanner = new DeliveryScanner({
      onDelivery: (view, at, size, tag) => {
        tags.push(tag);
        bodies.push(Buffer.from(view.buffer, view.byteOffset + at, size).toString());
      },
    });
    expect(scanner.scan(bytes, 0, bytes.length)).toBe(0);
    scanner.learn(3, delivery(1, Buffer.from('x')).methodArguments, Uint8Array.of(0x10, 0, 2));
    return { taken: scanner.scan(bytes, 0, bytes.length), tags, bodies };
  }

  it('takes deliveries of its shape, whatever their tag, size and letters of the key', () => {
    const bytes = Buffer.concat([
      delivery(2, Buffer.from('abc')).bytes,
      delivery(2 ** 40, Buffer.from('')).bytes,
      delivery(4, Buffer.from('defgh'), { routingKey: 'k9' }).bytes,
    ]);
    expect(scanned(bytes)).toEqual({ taken: bytes.length, tags: [2, 2 ** 40, 4], bodies: ['abc', '', 'defgh'] });
  });

  it.each([
    ['another consumer tag', delivery(3, Buffer.from('b'), { consumerTag: 'longer' }).bytes],
    ['another exchange', delivery(3, Buffer.from('b'), { exchange: '', routingKey: 'k12' }).bytes],
    ['another key length', delivery(3, Buffer.from('b'), { routingKey: 'long' }).bytes],
    ['several body frames', delivery(3, Buffer.alloc(5000)).bytes],
    ['a channel of its own', Buffer.from([1, 0, 9, 0, 0, 0, 0, 0xce])],
  ])('leaves %s to the connection', (_name, other) => {
    const first = delivery(2, Buffer.from('a')).bytes;
    expect(scanned(Buffer.concat([first, other, first]))).toEqual({ taken: first.length, tags: [2], bodies: ['a'] });
  });

  it('leaves a delivery that is cut anywhere', () => {
    const first = delivery(2, Buffer.from('a')).bytes;
    const { bytes } = delivery(3, Buffer.from('second'));
    for (let cut = 0; cut < bytes.length; cut++) {
      const part = Buffer.concat([first, bytes.subarray(0, cut)]);
      // A buffer of exactly that many bytes: a look behind the end would throw.
      expect(scanned(Uint8Array.from(part))).toEqual({ taken: first.length, tags: [2], bodies: ['a'] });
    }
  });
});
