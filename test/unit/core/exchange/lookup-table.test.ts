import { describe, expect, it } from 'vitest';
import { buildLookupTable, lookUpSlot, SLOT_COUNT } from '../../../../src/core/exchange/lookup-table.js';
import { hashText } from '../../../../src/core/exchange/text-hash.js';

interface Member {
  readonly name: string;
  readonly weight: number;
}

function members(count: number, weight = 1): Member[] {
  return Array.from({ length: count }, (_, i) => ({ name: `queue ${i}`, weight }));
}

/** The name in every slot. */
function slotsOf(weighted: readonly Member[]): string[] {
  const table = buildLookupTable(weighted);
  return Array.from({ length: SLOT_COUNT }, (_, slot) => lookUpSlot(table, slot)?.name ?? '');
}

function sharesOf(weighted: readonly Member[]): Map<string, number> {
  const shares = new Map<string, number>();
  for (const name of slotsOf(weighted)) shares.set(name, (shares.get(name) ?? 0) + 1);
  return shares;
}

/** The part of the slots that `after` gives to another member that both have. */
function reshuffled(before: readonly string[], after: readonly string[], changed: string): number {
  const moved = before.filter((name, slot) => name !== after[slot] && name !== changed && after[slot] !== changed);
  return moved.length / SLOT_COUNT;
}

describe('the lookup table', () => {
  it('is empty without members, and needs no slots for one', () => {
    expect(lookUpSlot(buildLookupTable([]), 7)).toBeUndefined();
    expect(lookUpSlot(buildLookupTable(members(1)), 7)).toEqual(members(1)[0]);
  });

  it.each([2, 3, 10, 100, 1000])('gives each of %d members its share', (count) => {
    const shares = sharesOf(members(count));
    expect(shares.size).toBe(count);
    for (const share of shares.values()) expect(Math.abs(share - SLOT_COUNT / count)).toBeLessThanOrEqual(1);
  });

  it('gives each member a share by its weight', () => {
    const weights = [1, 2, 5, 10, 250, 10_000];
    const total = weights.reduce((sum, weight) => sum + weight);
    const shares = sharesOf(weights.map((weight) => ({ name: `weight ${weight}`, weight })));
    for (const weight of weights) {
      const share = shares.get(`weight ${weight}`) ?? 0;
      expect(Math.abs(share - (SLOT_COUNT * weight) / total)).toBeLessThanOrEqual(1);
    }
  });

  it('does not depend on the order of the members', () => {
    const weighted = members(50).map(({ name }, i) => ({ name, weight: 1 + (i % 3) }));
    expect(slotsOf(weighted.toReversed())).toEqual(slotsOf(weighted));
  });

  it('stays as it is from release to release', () => {
    const weighted = members(10).map(({ name }, i) => ({ name, weight: 1 + i }));
    expect(hashText(slotsOf(weighted).join())).toBe(362_871_546);
  });

  it.each([2, 10, 100, 1000])('hardly touches the others when one of %d goes', (count) => {
    const [before, gone] = [members(count), `queue ${count >> 1}`];
    const after = before.filter(({ name }) => name !== gone);
    expect(reshuffled(slotsOf(before), slotsOf(after), gone)).toBeLessThan(0.01);
  });

  it('hardly touches the others when a heavy one goes', () => {
    const heavy = { name: 'heavy', weight: 20 };
    expect(reshuffled(slotsOf([...members(20), heavy]), slotsOf(members(20)), heavy.name)).toBeLessThan(0.01);
  });

  it('holds as many members as it has slots', () => {
    expect(sharesOf(members(SLOT_COUNT)).size).toBe(SLOT_COUNT);
    expect(sharesOf(members(SLOT_COUNT + 10)).size).toBe(SLOT_COUNT);
  });
});
