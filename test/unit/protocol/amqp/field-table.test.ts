import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import {
  type FieldTable,
  type FieldValue,
  MAX_DEPTH,
  readTable,
  readTableBody,
  readValue,
  table,
  tableBound,
  writeTable,
  writeValue,
} from '../../../../protocol/amqp/field-table.js';
import { ByteReader } from '../../../../protocol/byte-reader.js';
import { ByteWriter } from '../../../../protocol/byte-writer.js';
import { MalformedError } from '../../../../protocol/errors.js';
import type { FieldTable as CoreFieldTable } from '../../../../src/core/field-value.js';

const encodeValue = (value: FieldValue) => {
  const writer = new ByteWriter();
  writeValue(writer, value);
  return writer.finished();
};
const encode = (entries: FieldTable) => {
  const writer = new ByteWriter();
  writeTable(writer, entries);
  return writer.finished();
};
const nested = (depth: number): FieldTable => (depth === 0 ? [] : [['f', { type: 'F', value: nested(depth - 1) }]]);

describe('field values', () => {
  it.each<[string, FieldValue, string]>([
    ['boolean', { type: 't', value: true }, '7401'],
    ['int8', { type: 'b', value: -1 }, '62ff'],
    ['uint8', { type: 'B', value: 255 }, '42ff'],
    ['int16', { type: 's', value: -2 }, '73fffe'],
    ['uint16', { type: 'u', value: 65535 }, '75ffff'],
    ['int32', { type: 'I', value: -2 }, '49fffffffe'],
    ['uint32', { type: 'i', value: 4294967295 }, '69ffffffff'],
    ['int64', { type: 'l', value: -(2n ** 63n) }, '6c8000000000000000'],
    ['timestamp', { type: 'T', value: 2n ** 64n - 1n }, '54ffffffffffffffff'],
    ['float', { type: 'f', value: 1 }, '663f800000'],
    ['double', { type: 'd', value: -2 }, '64c000000000000000'],
    ['decimal', { type: 'D', scale: 2, value: 4294967295 }, '4402ffffffff'],
    ['text', { type: 'S', value: 'é' }, '5300000002c3a9'],
    ['text with a byte order mark', { type: 'S', value: '\ufeff' }, '5300000003efbbbf'],
    ['text that is not UTF-8', { type: 'S', value: Uint8Array.of(0xff) }, '5300000001ff'],
    ['bytes', { type: 'x', value: Uint8Array.of(1, 2) }, '78000000020102'],
    ['void', { type: 'V' }, '56'],
    ['array', { type: 'A', value: [{ type: 'V' }, { type: 't', value: false }] }, '4100000003567400'],
    ['table', { type: 'F', value: [['k', { type: 'V' }]] }, '4600000003016b56'],
  ])('writes and reads %s', (_, value, hex) => {
    const bytes = encodeValue(value);
    expect(Buffer.from(bytes).toString('hex')).toBe(hex);
    const reader = new ByteReader(bytes);
    expect(readValue(reader)).toEqual(value);
    expect(reader.remaining()).toBe(0);
  });

  it('reads L as l, and any octet but zero as true', () => {
    expect(readValue(new ByteReader(Buffer.from('4cffffffffffffffff', 'hex')))).toEqual({ type: 'l', value: -1n });
    expect(readValue(new ByteReader(Buffer.from('7405', 'hex')))).toEqual({ type: 't', value: true });
  });

  it('copies bytes out of the chunk', () => {
    const bytes = Buffer.from('780000000101', 'hex');
    const value = readValue(new ByteReader(bytes));
    bytes.fill(0);
    expect(value).toEqual({ type: 'x', value: Uint8Array.of(1) });
  });

  it('names an unknown type', () => {
    expect(() => readValue(new ByteReader(Buffer.from('Z')))).toThrow(new MalformedError('unknown field type 0x5a'));
  });
});

describe('field tables', () => {
  it('keeps order and repeated keys', () => {
    const entries: FieldTable = [
      ['b', { type: 'I', value: 1 }],
      ['a', { type: 'V' }],
      ['b', { type: 'I', value: 2 }],
    ];
    expect(readTable(new ByteReader(encode(entries)))).toEqual(entries);
  });

  it('takes keys that are not UTF-8, and can encode them again', () => {
    const key = Buffer.concat([Buffer.from([255]), Buffer.alloc(255, 0xff)]);
    const decoded = readTable(new ByteReader(Buffer.concat([Buffer.from([0, 0, 1, 1]), key, Buffer.from('V')])));
    expect(decoded).toEqual([['?'.repeat(255), { type: 'V' }]]);
    expect(encode(decoded)).toHaveLength(261);
  });

  it('reads an empty table', () => {
    expect(readTable(new ByteReader(Uint8Array.of(0, 0, 0, 0)))).toEqual([]);
  });

  it('reads a body without a length', () => {
    const entries = table({ LOGIN: 'guest', PASSWORD: 'guest' });
    const body = encode(entries).subarray(4);
    expect(readTableBody(new ByteReader(body), body.length)).toEqual(entries);
    expect(() => readTableBody(new ByteReader(body), body.length + 1)).toThrow(MalformedError);
  });

  it('leaves the reader behind the table', () => {
    const bytes = Buffer.concat([encode(table({ k: 1 })), Buffer.from([42])]);
    const reader = new ByteReader(bytes);
    readTable(reader);
    expect(reader.u8()).toBe(42);
  });

  it.each([
    ['a length beyond the data', '00000005016b56'],
    ['an entry beyond its table', '00000003016b7401'],
    ['a key without a value', '00000002016b'],
    ['a nested table beyond its parent', '00000007016b4600000001'],
    ['an array beyond its parent', '00000007016b4100000001'],
    ['text beyond its table', '00000007016b5300000001ffff'],
    ['a huge text', '00000007016b53ffffffff'],
  ])('refuses %s', (_, hex) => {
    expect(() => readTable(new ByteReader(Buffer.from(hex, 'hex')))).toThrow(
      new MalformedError('unexpected end of data'),
    );
  });

  it('limits nesting both ways', () => {
    expect(readTable(new ByteReader(encode(nested(MAX_DEPTH))))).toEqual(nested(MAX_DEPTH));
    expect(() => encode(nested(MAX_DEPTH + 1))).toThrow(RangeError);
    const level = (inner: Uint8Array) => {
      const head = Buffer.from([0, 0, 0, 0, 1, 0x66, 0x46]);
      head.writeUInt32BE(3 + inner.length);
      return Buffer.concat([head, inner]);
    };
    expect(() => readTable(new ByteReader(level(encode(nested(MAX_DEPTH)))))).toThrow(
      new MalformedError('field table nested too deep'),
    );
  });

  it('does not read an endless nesting of arrays', () => {
    const bytes = Buffer.alloc(100_000);
    for (let at = 0; at + 5 <= bytes.length; at += 5) {
      bytes[at] = 0x41;
      bytes.writeUInt32BE(bytes.length - at - 5, at + 1);
    }
    expect(() => readValue(new ByteReader(bytes))).toThrow(MalformedError);
  });

  it('writes nothing when a key is too long', () => {
    const writer = new ByteWriter();
    const long: FieldTable = [
      ['ok', { type: 'V' }],
      ['k'.repeat(256), { type: 'V' }],
    ];
    expect(() => writeTable(writer, long)).toThrow(RangeError);
    expect(writer.offset).toBe(0);
  });

  it('never needs more room than its bound', () => {
    const entries = table({ text: 'ключ', list: [1, 2n ** 40n, 1.5, null, 'x'.repeat(300)], inner: { key: true } });
    expect(encode(entries).length).toBeLessThanOrEqual(tableBound(entries));
  });
});

describe('table', () => {
  it('has the shape that the core declares for itself', () => {
    const forCore: CoreFieldTable = table({ a: 1 });
    const back: FieldTable = forCore;
    expect(back).toBe(forCore);
  });

  it('chooses a type by value', () => {
    const bytes = Uint8Array.of(1);
    expect(
      table({
        text: 'a',
        flag: true,
        small: -1,
        large: 2 ** 31,
        half: 0.5,
        big: 1n,
        none: null,
        bytes,
        list: ['a', 1],
        inner: { a: 'b' },
      }),
    ).toEqual([
      ['text', { type: 'S', value: 'a' }],
      ['flag', { type: 't', value: true }],
      ['small', { type: 'I', value: -1 }],
      ['large', { type: 'l', value: 2147483648n }],
      ['half', { type: 'd', value: 0.5 }],
      ['big', { type: 'l', value: 1n }],
      ['none', { type: 'V' }],
      ['bytes', { type: 'x', value: bytes }],
      [
        'list',
        {
          type: 'A',
          value: [
            { type: 'S', value: 'a' },
            { type: 'I', value: 1 },
          ],
        },
      ],
      ['inner', { type: 'F', value: [['a', { type: 'S', value: 'b' }]] }],
    ]);
  });

  it('keeps field values and takes other objects with a type for tables', () => {
    const decimal: FieldValue = { type: 'D', scale: 1, value: 5 };
    const values = table({ a: { type: 'u', value: 1 }, b: decimal, c: { type: 'V' }, d: { type: 'direct' } });
    expect(values.map(([, value]) => value.type)).toEqual(['u', 'D', 'V', 'F']);
    expect(table({ e: { type: 'I', value: 1, more: 2 } })[0]?.[1].type).toBe('F');
  });
});
