import { describe, expect, it } from 'vitest';
import { fieldTypeWord, isInteger, printTerm, printValue, sameValue } from '../../../src/core/field-type-words.js';
import type { FieldValue } from '../../../src/core/field-value.js';

const text = (value: string): FieldValue => ({ type: 'S', value });
const bytes = (...value: number[]): FieldValue => ({ type: 'x', value: Uint8Array.from(value) });
const int = (value: number): FieldValue => ({ type: 'I', value });

/** One value of each type, with RabbitMQ's word for it. */
const EACH: readonly (readonly [FieldValue, string])[] = [
  [{ type: 't', value: true }, 'bool'],
  [{ type: 'b', value: 1 }, 'byte'],
  [{ type: 'B', value: 1 }, 'unsignedbyte'],
  [{ type: 's', value: 1 }, 'short'],
  [{ type: 'u', value: 1 }, 'unsignedshort'],
  [{ type: 'I', value: 1 }, 'signedint'],
  [{ type: 'i', value: 1 }, 'unsignedint'],
  [{ type: 'l', value: 1n }, 'long'],
  [{ type: 'T', value: 1n }, 'timestamp'],
  [{ type: 'f', value: 1 }, 'float'],
  [{ type: 'd', value: 1 }, 'double'],
  [{ type: 'D', scale: 0, value: 1 }, 'decimal'],
  [text('1'), 'longstr'],
  [bytes(0x31), 'binary'],
  [{ type: 'A', value: [int(1)] }, 'array'],
  [{ type: 'F', value: [['1', int(1)]] }, 'table'],
  [{ type: 'V' }, 'void'],
];

it.each(EACH)('has a word for %o', (value, word) => {
  expect(fieldTypeWord(value)).toBe(word);
});

it('takes the seven widths for integers, and not a timestamp', () => {
  const words = EACH.filter(([value]) => isInteger(value)).map(([, word]) => word);
  expect(words).toEqual(['byte', 'unsignedbyte', 'short', 'unsignedshort', 'signedint', 'unsignedint', 'long']);
});

describe('equality', () => {
  it('holds within a class of types and nowhere else', () => {
    const classes = ['t', 'bBsuIilT', 'fd', 'D', 'Sx', 'A', 'F', 'V'];
    for (const [a] of EACH) {
      for (const [b] of EACH) {
        const alike = classes.some((types) => types.includes(a.type) && types.includes(b.type));
        expect(sameValue(a, b), `${a.type} and ${b.type}`).toBe(alike);
      }
    }
  });

  it.each<[FieldValue, FieldValue]>([
    [int(1), int(2)],
    [int(-1), { type: 'l', value: 4294967295n }],
    [
      { type: 'l', value: 9007199254740993n },
      { type: 'l', value: 9007199254740992n },
    ],
    [
      { type: 't', value: true },
      { type: 't', value: false },
    ],
    [
      { type: 'd', value: 1 },
      { type: 'd', value: 1.5 },
    ],
    [
      { type: 'D', scale: 1, value: 10 },
      { type: 'D', scale: 2, value: 100 },
    ],
    [text('a'), text('A')],
    [text('a'), bytes(0x61, 0)],
    [
      { type: 'A', value: [int(1)] },
      { type: 'A', value: [int(1), int(1)] },
    ],
    [
      { type: 'A', value: [int(1), text('a')] },
      { type: 'A', value: [text('a'), int(1)] },
    ],
    [
      { type: 'F', value: [['a', int(1)]] },
      { type: 'F', value: [['b', int(1)]] },
    ],
    [
      { type: 'F', value: [['a', int(1)]] },
      { type: 'F', value: [['a', int(2)]] },
    ],
  ])('tells %o from %o', (a, b) => {
    expect(sameValue(a, b)).toBe(false);
    expect(sameValue(b, a)).toBe(false);
  });

  it('goes into arrays and tables', () => {
    const nested = (width: 'b' | 'I'): FieldValue => ({
      type: 'A',
      value: [{ type: 'F', value: [['k', { type: width, value: 7 }]] }, text('a')],
    });
    expect(sameValue(nested('b'), nested('I'))).toBe(true);
  });

  it('compares strings that are not UTF-8 by their bytes', () => {
    const raw: FieldValue = { type: 'S', value: Uint8Array.of(255) };
    expect(sameValue(raw, bytes(255))).toBe(true);
    expect(sameValue(raw, text('\ufffd'))).toBe(false);
  });
});

describe('printing', () => {
  it.each<[FieldValue, string, string]>([
    [text('abc'), 'abc', '<<"abc">>'],
    [text(''), '', '<<>>'],
    [text('é"\\\n'), 'é"\\\n', '<<"é\\"\\\\\\n">>'],
    [text('日'), '日', '<<230,151,165>>'],
    [bytes(0x61), 'a', '<<"a">>'],
    [bytes(0, 1), '\0\x01', '<<0,1>>'],
    [int(-5), '-5', '-5'],
    [{ type: 'l', value: 9007199254740993n }, '9007199254740993', '9007199254740993'],
    [{ type: 't', value: false }, 'false', 'false'],
    [{ type: 'V' }, 'undefined', 'undefined'],
    [{ type: 'D', scale: 2, value: 150 }, '{2,150}', '{2,150}'],
    [{ type: 'A', value: [] }, '[]', '[]'],
    [
      { type: 'A', value: [{ type: 'b', value: 1 }, text('a'), { type: 't', value: true }] },
      '[{byte,1},{longstr,<<"a">>},{bool,true}]',
      '[{byte,1},{longstr,<<"a">>},{bool,true}]',
    ],
    [
      {
        type: 'F',
        value: [
          ['a', int(1)],
          ['b', { type: 'F', value: [['c', text('x')]] }],
        ],
      },
      '[{<<"a">>,signedint,1},{<<"b">>,table,[{<<"c">>,longstr,<<"x">>}]}]',
      '[{<<"a">>,signedint,1},{<<"b">>,table,[{<<"c">>,longstr,<<"x">>}]}]',
    ],
  ])('%o', (value, bare, term) => {
    expect(printValue(value)).toBe(bare);
    expect(printTerm(value)).toBe(term);
  });

  // Each as RabbitMQ 3.10 prints it.
  it.each([
    [0, '0.0'],
    [-0, '-0.0'],
    [1.5, '1.5'],
    [100, '100.0'],
    [1000, '1.0e3'],
    [1200, '1.2e3'],
    [123456789, '123456789.0'],
    [12345.678, '12345.678'],
    [0.0001, '0.0001'],
    [0.00012, '1.2e-4'],
    [1e-7, '1.0e-7'],
    [-2.5, '-2.5'],
    [0.1 + 0.2, '0.30000000000000004'],
    [9007199254740992, '9.007199254740992e15'],
    [123456789012345680000, '1.2345678901234568e20'],
    [1e30, '1.0e30'],
    [5e-324, '5.0e-324'],
  ])('the float %d', (value, printed) => {
    expect(printValue({ type: 'd', value })).toBe(printed);
  });
});
