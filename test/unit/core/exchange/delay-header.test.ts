import { describe, expect, it } from 'vitest';
import { delayOf, withDelayOver } from '../../../../src/core/exchange/delay-header.js';
import type { FieldTable, FieldValue } from '../../../../src/core/field-value.js';

const CASES: readonly (readonly [FieldValue, number])[] = [
  [{ type: 'I', value: 5000 }, 5000],
  [{ type: 'b', value: 1 }, 1],
  [{ type: 'u', value: 65_535 }, 65_535],
  [{ type: 'l', value: 4_294_967_295n }, 4_294_967_295],
  [{ type: 'l', value: 4_294_967_296n }, 0],
  [{ type: 'l', value: 2n ** 62n }, 0],
  [{ type: 'I', value: 0 }, 0],
  [{ type: 'I', value: -5 }, 0],
  [{ type: 'S', value: '250' }, 250],
  [{ type: 'S', value: '+7' }, 7],
  [{ type: 'S', value: '-7' }, 0],
  [{ type: 'S', value: '' }, 0],
  [{ type: 'S', value: '1s' }, 0],
  [{ type: 'S', value: '1e3' }, 0],
  [{ type: 'S', value: '9'.repeat(400) }, 0],
  [{ type: 'S', value: Uint8Array.of(0xff) }, 0],
  [{ type: 'x', value: Buffer.from('42') }, 42],
  [{ type: 'd', value: 99.9 }, 99],
  [{ type: 'd', value: 0.9 }, 0],
  [{ type: 'd', value: Number.NaN }, 0],
  [{ type: 'f', value: Number.POSITIVE_INFINITY }, 0],
  [{ type: 't', value: true }, 0],
  [{ type: 'T', value: 5000n }, 0],
  [{ type: 'V' }, 0],
  [{ type: 'A', value: [{ type: 'I', value: 5 }] }, 0],
];

describe('the x-delay header', () => {
  it.each(CASES)('%o delays by %i ms', (value, delayMs) => {
    expect(delayOf([['x-delay', value]])).toBe(delayMs);
  });

  it('is none when it is missing', () => {
    expect(delayOf([['X-Delay', { type: 'I', value: 5 }]])).toBe(0);
  });

  it('is negated in its place when the delay is over, and then delays no more', () => {
    const headers: FieldTable = [
      ['a', { type: 'I', value: 1 }],
      ['x-delay', { type: 'S', value: '4294967295' }],
      ['b', { type: 'V' }],
    ];
    const over = withDelayOver(headers);
    expect(over).toEqual([headers[0], ['x-delay', { type: 'l', value: -4_294_967_295n }], headers[2]]);
    expect(delayOf(over)).toBe(0);
  });
});
