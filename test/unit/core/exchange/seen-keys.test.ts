import { expect, it } from 'vitest';
import { SeenKeys } from '../../../../src/core/exchange/seen-keys.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { Random, seedOf } from '../../../support/random.js';

it('agrees with a list, whatever is seen and whenever', () => {
  const random = new Random(seedOf('seen keys'));
  const clock = new FakeClock();
  const seen = new SeenKeys(20, clock);
  let model: { key: string; until: number }[] = [];
  for (let step = 0; step < 20_000; step++) {
    const now = clock.wallTime();
    const key = `${random.below(40)}`;
    const ttlMs = random.chance(0.5) ? random.below(30) : undefined;
    const known = model.find((entry) => entry.key === key);
    const isNew = known === undefined || known.until <= now;
    if (isNew) {
      model = model.filter((entry) => entry !== known);
      if (model.length === 20) model.shift();
      model.push({ key, until: ttlMs === undefined ? Number.POSITIVE_INFINITY : now + ttlMs });
    }
    expect(seen.add(key, ttlMs)).toBe(isNew);
    expect(seen.size).toBe(model.length);
    if (random.chance(0.1)) clock.advance(random.below(10));
    if (random.chance(0.001)) {
      seen.forget();
      model = [];
    }
  }
});

it('costs no more when it is large and full', () => {
  const seen = new SeenKeys(100_000, new FakeClock());
  let added = 0;
  for (let key = 0; key < 400_000; key++) if (seen.add(`${key}`, undefined)) added++;
  expect([added, seen.size]).toEqual([400_000, 100_000]);
});
