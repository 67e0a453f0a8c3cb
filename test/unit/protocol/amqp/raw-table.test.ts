import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { MAX_DEPTH, table, writeTable } from '../../../../protocol/amqp/field-table.js';
import { hasHeader, validateHeaders } from '../../../../protocol/amqp/raw-table.js';
import { ByteWriter } from '../../../../protocol/byte-writer.js';
import { MalformedError } from '../../../../protocol/errors.js';

const encode = (entries: Parameters<typeof writeTable>[1]) => {
  const writer = new ByteWriter();
  writeTable(writer, entries);
  return writer.finished();
};
const everyType = table({
  S: 'text',
  t: true,
  I: 1,
  l: 1n,
  d: 0.5,
  V: null,
  x: Uint8Array.of(1),
  A: ['a', [], { b: 1 }],
  F: { BCC: 'inside' },
  b: { type: 'b', value: 1 },
  B: { type: 'B', value: 1 },
  s: { type: 's', value: 1 },
  u: { type: 'u', value: 1 },
  i: { type: 'i', value: 1 },
  T: { type: 'T', value: 1n },
  f: { type: 'f', value: 1 },
  D: { type: 'D', scale: 1, value: 1 },
  ключ: 'last',
});

describe('validateHeaders', () => {
  it('accepts every type', () => {
    const bytes = encode(everyType);
    expect(() => validateHeaders(bytes, 0, bytes.length)).not.toThrow();
    expect(() => validateHeaders(Uint8Array.of(0, 0, 0, 0), 0, 4)).not.toThrow();
  });

  it.each([
    ['no length', '0000', 'unexpected end of data'],
    ['a length beyond the range', '00000001', 'unexpected end of data'],
    ['data after the table', '0000000000', 'data after the table'],
    ['an unknown type', '00000003016b5a', 'unknown field type 0x5a'],
    ['an unknown type in an array', '00000008016b41000000015a', 'unknown field type 0x5a'],
    ['a key beyond the table', '0000000303ff56', 'unexpected end of data'],
    ['a short value', '00000003016b74', 'unexpected end of data'],
  ])('refuses %s', (_, hex, text) => {
    const bytes = Buffer.from(hex, 'hex');
    expect(() => validateHeaders(bytes, 0, bytes.length)).toThrow(new MalformedError(text));
  });

  it('limits nesting', () => {
    const depth = MAX_DEPTH + 1;
    const bytes = Buffer.alloc(4 + depth * 7);
    for (let at = 0; at < bytes.length; at += 7) {
      bytes.writeUInt32BE(bytes.length - at - 4, at);
      if (at + 7 <= bytes.length) bytes.set([1, 0x66, 0x46], at + 4);
    }
    expect(() => validateHeaders(bytes, 0, bytes.length)).toThrow(new MalformedError('field table nested too deep'));
    expect(() => validateHeaders(bytes, 7, bytes.length)).not.toThrow();
  });
});

describe('hasHeader', () => {
  const bytes = Buffer.concat([Buffer.from('xx'), encode(everyType), Buffer.from('yy')]);
  const has = (key: string) => hasHeader(bytes, 2, bytes.length - 2, Buffer.from(key));

  it('finds keys of the first level only', () => {
    expect(has('S')).toBe(true);
    expect(has('F')).toBe(true);
    expect(has('ключ')).toBe(true);
    expect(has('BCC')).toBe(false);
    expect(has('')).toBe(false);
    expect(has('SS')).toBe(false);
  });

  it('finds nothing in an empty table', () => {
    expect(hasHeader(new Uint8Array(4), 0, 4, Buffer.from('CC'))).toBe(false);
  });

  it('throws when entries do not fit', () => {
    const broken = Buffer.from('00000003016b74', 'hex');
    expect(() => hasHeader(broken, 0, broken.length, Buffer.from('CC'))).toThrow(MalformedError);
  });
});
