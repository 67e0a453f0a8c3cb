import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { ByteWriter, shortstrBound } from '../../../protocol/byte-writer.js';

const written = (write: (writer: ByteWriter) => void, capacity?: number) => {
  const writer = new ByteWriter(capacity);
  write(writer);
  return [...writer.finished()];
};

describe('ByteWriter', () => {
  it('writes integers big-endian', () => {
    expect(written((w) => w.u8(255))).toEqual([255]);
    expect(written((w) => w.i8(-1))).toEqual([255]);
    expect(written((w) => w.u16(0x1234))).toEqual([0x12, 0x34]);
    expect(written((w) => w.i16(-2))).toEqual([0xff, 0xfe]);
    expect(written((w) => w.u32(0xfedcba98))).toEqual([0xfe, 0xdc, 0xba, 0x98]);
    expect(written((w) => w.i32(-1))).toEqual([255, 255, 255, 255]);
    expect(written((w) => w.u64(Number.MAX_SAFE_INTEGER))).toEqual([0, 0x1f, 255, 255, 255, 255, 255, 255]);
    expect(written((w) => w.u64(2 ** 32))).toEqual([0, 0, 0, 1, 0, 0, 0, 0]);
    expect(written((w) => w.bigU64(2n ** 64n - 1n))).toEqual(new Array(8).fill(255));
    expect(written((w) => w.bigI64(-2n))).toEqual([...new Array(7).fill(255), 254]);
  });

  it('writes floats', () => {
    expect(written((w) => w.f32(1))).toEqual([0x3f, 0x80, 0, 0]);
    expect(written((w) => w.f64(-2))).toEqual([0xc0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it.each(['', 'amq', 'ключ', '🐇 a key longer than sixteen characters', 'x'.repeat(255), 'é'.repeat(127)])(
    'writes the short string %j',
    (text) => {
      const bytes = Buffer.from(text);
      expect(written((w) => w.shortstr(text))).toEqual([bytes.length, ...bytes]);
    },
  );

  it.each(['x'.repeat(256), 'é'.repeat(128), '🐇'.repeat(64)])('refuses a short string of 256 bytes', (text) => {
    const writer = new ByteWriter();
    writer.u8(1);
    expect(() => writer.shortstr(text)).toThrow(RangeError);
    expect(writer.offset).toBe(1);
    expect(() => shortstrBound(text)).toThrow(RangeError);
  });

  it('writes long strings from text and bytes', () => {
    expect(written((w) => w.longstr('é'))).toEqual([0, 0, 0, 2, 0xc3, 0xa9]);
    expect(written((w) => w.longstr(Uint8Array.of(7)))).toEqual([0, 0, 0, 1, 7]);
    expect(written((w) => w.raw(Uint8Array.of(7, 8)))).toEqual([7, 8]);
  });

  it('grows from nothing and keeps what was there', () => {
    expect(
      written((w) => {
        for (let i = 0; i < 100; i++) w.u8(i);
        w.longstr('x'.repeat(1000));
      }, 0).slice(0, 104),
    ).toEqual([...Array.from({ length: 100 }, (_, i) => i), 0, 0, 3, 232]);
  });

  it('patches a length', () => {
    expect(
      written((w) => {
        w.u32(0);
        w.u8(9);
        w.patchU32(0, 0x01020304);
      }),
    ).toEqual([1, 2, 3, 4, 9]);
  });

  it('finishes with a copy', () => {
    const writer = new ByteWriter();
    writer.u8(1);
    const bytes = writer.finished();
    writer.bytes[0] = 2;
    expect([...bytes]).toEqual([1]);
  });

  it('asks onFull for another chunk', () => {
    const chunks: number[][] = [];
    const writer = new ByteWriter(4, (w, needed) => {
      chunks.push([...w.bytes.subarray(0, w.offset)]);
      w.replace(new Uint8Array(Math.max(4, needed)), 0);
    });
    writer.u16(1);
    writer.u32(2);
    writer.u8(3);
    expect(chunks).toEqual([
      [0, 1],
      [0, 0, 0, 2],
    ]);
    expect([...writer.finished()]).toEqual([3]);
  });

  it('refuses to write when onFull made no room', () => {
    const writer = new ByteWriter(1, () => {});
    expect(() => writer.u16(1)).toThrow(RangeError);
    expect(writer.offset).toBe(0);
  });

  it('continues inside a part of a larger array', () => {
    const backing = new Uint8Array(64);
    const writer = new ByteWriter(0);
    writer.replace(backing.subarray(8), 2);
    writer.f32(1);
    writer.shortstr('é');
    writer.longstr('longer than sixteen characters');
    expect([...backing.subarray(8, 21)]).toEqual([0, 0, 0x3f, 0x80, 0, 0, 2, 0xc3, 0xa9, 0, 0, 0, 30]);
    expect(Buffer.from(backing.subarray(21, 51)).toString()).toBe('longer than sixteen characters');
  });
});
