import { describe, expect, it } from 'vitest';
import { OrderedSet } from '../../../../src/core/exchange/ordered-set.js';

interface Item {
  readonly n: number;
}

const itemsOf = (set: OrderedSet<Item>) => set.slots.filter((item) => item !== undefined);
const sequence = (length: number): Item[] => Array.from({ length }, (_, n) => ({ n }));

describe('an ordered set', () => {
  it.each([3, 16, 17, 1000])('keeps the order of insertion over removals, with %i items', (length) => {
    const items = sequence(length);
    const set = new OrderedSet<Item>();
    for (const item of items) set.add(item);
    expect(itemsOf(set)).toEqual(items);
    const kept = items.filter(({ n }) => n % 3 === 0);
    for (const item of items) if (item.n % 3 !== 0) set.remove(item);
    expect(itemsOf(set)).toEqual(kept);
    expect(set.size).toBe(kept.length);
    const late = { n: -1 };
    set.add(late);
    expect(itemsOf(set)).toEqual([...kept, late]);
    for (const item of [...kept, late]) set.remove(item);
    expect(set.slots).toEqual([]);
    expect(set.size).toBe(0);
  });

  it.each([2, 100])('holds an item once and forgets only what it holds, with %i items', (length) => {
    const items = sequence(length);
    const set = new OrderedSet<Item>();
    for (const item of [...items, ...items]) set.add(item);
    set.remove({ n: 0 });
    expect(itemsOf(set)).toEqual(items);
    expect(set.size).toBe(length);
  });

  it('leaves no more holes than items', () => {
    const items = sequence(65_535);
    const set = new OrderedSet<Item>();
    for (const item of items) set.add(item);
    for (const item of items) {
      set.remove(item);
      if (set.slots.length > set.size * 2) expect.fail(`${set.slots.length} slots for ${set.size} items`);
    }
    expect(set.size).toBe(0);
  });
});
