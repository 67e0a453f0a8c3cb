import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { ByteReader } from '../../../protocol/byte-reader.js';
import { MalformedError } from '../../../protocol/errors.js';

const over = (...bytes: number[]) => new ByteReader(Uint8Array.from(bytes));
const shortstr = (text: string | Buffer) => {
  const bytes = Buffer.from(text as string);
  return new ByteReader(Buffer.concat([Buffer.from([bytes.length]), bytes]));
};

describe('ByteReader', () => {
  it('reads integers big-endian and signed where asked', () => {
    expect(over(0xff).u8()).toBe(255);
    expect(over(0xff).i8()).toBe(-1);
    expect(over(0x12, 0x34).u16()).toBe(0x1234);
    expect(over(0xff, 0xfe).i16()).toBe(-2);
    expect(over(0xff, 0xff, 0xff, 0xff).u32()).toBe(4294967295);
    expect(over(0xff, 0xff, 0xff, 0xff).i32()).toBe(-1);
    expect(over(0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff).u64()).toBe(Number.MAX_SAFE_INTEGER);
    expect(over(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff).bigU64()).toBe(2n ** 64n - 1n);
    expect(over(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff).bigI64()).toBe(-1n);
  });

  it('reads floats', () => {
    expect(over(0x3f, 0x80, 0, 0).f32()).toBe(1);
    expect(over(0xc0, 0, 0, 0, 0, 0, 0, 0).f64()).toBe(-2);
  });

  it.each([
    ['empty', ''],
    ['short and ASCII', 'amq'],
    ['longer than the short path', 'a routing key of some length'],
    ['short and not ASCII', 'ключ'],
    ['with a byte order mark', '\ufeffkey'],
    ['with a replacement character that was sent', 'a\ufffdb'],
    ['255 bytes', 'x'.repeat(255)],
  ])('reads a short string that is %s', (_, text) => {
    expect(shortstr(text).shortstr()).toBe(text);
  });

  it.each([[[0xff]], [[0xc3]], [[0xed, 0xa0, 0x80]], [[...Buffer.from('a long text before '), 0xc0, 0xaf]]])(
    'refuses %j as a short string and takes it with replacements where asked',
    (bytes) => {
      expect(() => shortstr(Buffer.from(bytes)).shortstr()).toThrow(new MalformedError('Malformed UTF-8 in shortstr'));
      expect(shortstr(Buffer.from(bytes)).lossyShortstr()).toMatch(/\?+$/);
    },
  );

  it('reads a long string as a view', () => {
    const bytes = Uint8Array.from([0, 0, 0, 2, 7, 8, 9]);
    const reader = new ByteReader(bytes);
    const view = reader.longstr();
    expect([...view]).toEqual([7, 8]);
    expect(view.buffer).toBe(bytes.buffer);
    expect(reader.remaining()).toBe(1);
  });

  it.each<[string, (reader: ByteReader) => unknown, number[]]>([
    ['u8', (r) => r.u8(), []],
    ['u16', (r) => r.u16(), [1]],
    ['u32', (r) => r.u32(), [1, 2, 3]],
    ['u64', (r) => r.u64(), [1, 2, 3, 4, 5, 6, 7]],
    ['bigU64', (r) => r.bigU64(), [1, 2, 3, 4, 5, 6, 7]],
    ['bigI64', (r) => r.bigI64(), [1]],
    ['f32', (r) => r.f32(), [1, 2, 3]],
    ['f64', (r) => r.f64(), [1, 2, 3]],
    ['shortstr', (r) => r.shortstr(), [3, 97, 98]],
    ['longstr', (r) => r.longstr(), [0xff, 0xff, 0xff, 0xff, 1]],
    ['skip', (r) => r.skip(2), [1]],
    ['text', (r) => r.text(2), [97]],
  ])('stops %s at the end even when the array goes on', (_, read, bytes) => {
    const reader = new ByteReader(Uint8Array.from([...bytes, ...new Array(16).fill(1)]), 0, bytes.length);
    expect(() => read(reader)).toThrow(new MalformedError('unexpected end of data'));
  });

  it('moves to other bytes, whichever kind of array they are', () => {
    const reader = new ByteReader(Buffer.from('\u0009aaaaaaaaa'));
    expect(reader.shortstr()).toBe('aaaaaaaaa');
    const padded = Uint8Array.from([0, 0, 9, ...Buffer.from('bbbbbbbbb'), 0]).subarray(1);
    expect(reader.reset(padded, 1, 11).shortstr()).toBe('bbbbbbbbb');
    expect(reader.remaining()).toBe(0);
  });

  it('refuses a range outside the array', () => {
    expect(() => new ByteReader(new Uint8Array(2), 0, 3)).toThrow(RangeError);
    expect(() => new ByteReader().reset(new Uint8Array(2), 2, 1)).toThrow(RangeError);
  });
});
