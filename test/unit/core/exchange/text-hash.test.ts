import { describe, expect, it } from 'vitest';
import { hashText } from '../../../../src/core/exchange/text-hash.js';

describe('the hash of a text', () => {
  // A release that changes one of them sends messages to other queues than before.
  it.each([
    ['', 0, 2872998923],
    ['a', 0, 444641715],
    ['key 1', 0, 2207520923],
    ['key 1', 1, 2196002000],
    ['日本 𝄞', 0, 3008413913],
  ])('%j with the seed %d stays', (text, seed, expected) => {
    expect(hashText(text, seed)).toBe(expected);
  });

  it('is spread evenly over any number of places', () => {
    for (const places of [2, 3, 16, 100]) {
      const counts = new Array<number>(places).fill(0);
      for (let i = 0; i < places * 1000; i++) {
        const place = hashText(`key ${i}`) % places;
        counts[place] = (counts[place] ?? 0) + 1;
      }
      for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
    }
  });
});
