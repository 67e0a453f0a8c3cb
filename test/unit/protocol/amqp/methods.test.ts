import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { table } from '../../../../protocol/amqp/field-table.js';
import {
  decodeMethod,
  decodeQueueDeclare,
  type Method,
  MethodId,
  writeBasicAck,
  writeBasicDeliver,
  writeBasicGetEmpty,
  writeChannelOpenOk,
  writeConnectionOpen,
  writeMethod,
  writeQueueDeclare,
} from '../../../../protocol/amqp/methods.gen.js';
import { ByteReader } from '../../../../protocol/byte-reader.js';
import { ByteWriter } from '../../../../protocol/byte-writer.js';
import { MalformedError } from '../../../../protocol/errors.js';

const frame = (write: (writer: ByteWriter) => void) => {
  const writer = new ByteWriter();
  write(writer);
  return Buffer.from(writer.finished()).toString('hex');
};
const reader = (hex: string) => new ByteReader(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

describe('method frames', () => {
  it.each<[string, string, (writer: ByteWriter) => void]>([
    ['basic.ack', '01 0001 0000000d 003c 0050 0000000100000002 01 ce', (w) => writeBasicAck(w, 1, 2 ** 32 + 2, true)],
    [
      'basic.deliver',
      '01 0102 00000018 003c 003c 0163 0000000000000001 01 0165 0672 6b6b6b6b6b ce',
      (w) => writeBasicDeliver(w, 0x102, 'c', 1, true, 'e', 'rkkkkk'),
    ],
    ['channel.open-ok', '01 0001 00000008 0014 000b 00000000 ce', (w) => writeChannelOpenOk(w, 1)],
    ['basic.get-empty', '01 0001 00000005 003c 0048 00 ce', (w) => writeBasicGetEmpty(w, 1)],
    ['connection.open', '01 0000 00000008 000a 0028 012f 00 00 ce', (w) => writeConnectionOpen(w, 0, '/')],
    [
      'queue.declare',
      '01 0001 00000010 0032 000a 0000 0171 1a 00000003 016b 56 ce',
      (w) => writeQueueDeclare(w, 1, 'q', false, true, false, true, true, table({ k: null })),
    ],
  ])('writes %s', (_, hex, write) => {
    expect(frame(write)).toBe(hex.replaceAll(' ', ''));
  });

  it('decodes bits from the lowest, and drops the ticket', () => {
    expect(decodeQueueDeclare(reader('ffff 0171 16 00000000'))).toEqual({
      name: 'queue.declare',
      queue: 'q',
      passive: false,
      durable: true,
      exclusive: true,
      autoDelete: false,
      noWait: true,
      arguments: [],
    });
  });

  it('knows no method by an unknown id', () => {
    expect(decodeMethod(0x003c00ff, reader(''))).toBeUndefined();
  });

  it.each([
    ['missing arguments', MethodId.QueueDeclare, '0000'],
    ['data after the arguments', MethodId.BasicAck, '0000000000000001 00 00'],
    ['data after no arguments', MethodId.TxSelect, '00'],
    ['a name that is not UTF-8', MethodId.QueueDeclare, '0000 01ff 00 00000000'],
    ['a reserved string beyond the data', MethodId.ChannelOpen, '05'],
  ])('refuses %s', (_, id, hex) => {
    expect(() => decodeMethod(id, reader(hex))).toThrow(MalformedError);
  });
});

describe('writing into chunks', () => {
  const deliver: Method = {
    name: 'basic.deliver',
    consumerTag: 'tag',
    deliveryTag: 1,
    redelivered: false,
    exchange: '',
    routingKey: 'a routing key',
  };

  it('never lets a frame straddle two', () => {
    const chunks: Uint8Array[] = [];
    const writer = new ByteWriter(100, (w, needed) => {
      chunks.push(w.finished());
      w.replace(new Uint8Array(Math.max(100, needed)), 0);
    });
    for (let i = 0; i < 20; i++) writeMethod(writer, 1, deliver);
    writeMethod(writer, 1, {
      name: 'queue.bind',
      queue: 'q',
      exchange: 'e',
      routingKey: 'k',
      noWait: false,
      arguments: table({ 'x-match': 'all', list: ['x'.repeat(500), { k: 1 }] }),
    });
    chunks.push(writer.finished());
    expect(chunks.length).toBeGreaterThan(10);
    for (const chunk of chunks) expect([chunk[0], chunk.at(-1)]).toEqual([1, 0xce]);
  });

  it('writes nothing of a method that does not fit the wire', () => {
    const writer = new ByteWriter();
    writer.u8(7);
    for (const routingKey of ['x'.repeat(256), 'é'.repeat(128)]) {
      expect(() => writeMethod(writer, 1, { ...deliver, routingKey })).toThrow(RangeError);
      expect(writer.offset).toBe(1);
    }
  });
});
