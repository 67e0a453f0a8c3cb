import assert from 'node:assert/strict';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PositionSet } from '../../src/core/log/position-set.js';
import { seedOf } from '../support/random.js';

fc.configureGlobal({ seed: seedOf('position-set') });

const position = fc.nat(60);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const), position }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('addRange' as const),
      first: position,
      length: fc.integer({ min: 1, max: 20 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('takeFirst' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
);

function intervalsOf(set: PositionSet): [number, number][] {
  const intervals: [number, number][] = [];
  set.forEachRange((first, last) => intervals.push([first, last]));
  return intervals;
}

/** Sorted, disjoint, and no two that could be one. */
function expectedIntervals(model: ReadonlySet<number>): [number, number][] {
  const intervals: [number, number][] = [];
  for (const position of [...model].sort((a, b) => a - b)) {
    const last = intervals.at(-1);
    if (last !== undefined && last[1] === position - 1) last[1] = position;
    else intervals.push([position, position]);
  }
  return intervals;
}

/** `expect` is too slow for what is compared tens of thousands of times. */
function observed(set: PositionSet): unknown {
  const members = Array.from({ length: 82 }, (_, position) => set.has(position));
  return { intervals: intervalsOf(set), count: set.intervalCount, size: set.size, first: set.first, members };
}

function expected(model: ReadonlySet<number>): unknown {
  const intervals = expectedIntervals(model);
  const members = Array.from({ length: 82 }, (_, position) => model.has(position));
  return { intervals, count: intervals.length, size: model.size, first: intervals[0]?.[0] ?? -1, members };
}

it('holds what a Set holds, as the fewest intervals, whatever is added and taken', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
      const set = new PositionSet();
      const model = new Set<number>();
      for (const step of steps) {
        if (step.kind === 'add') {
          set.add(step.position);
          model.add(step.position);
        } else if (step.kind === 'addRange') {
          const last = step.first + step.length - 1;
          set.addRange(step.first, last);
          for (let position = step.first; position <= last; position++) model.add(position);
        } else if (step.kind === 'takeFirst') {
          const smallest = model.size === 0 ? -1 : Math.min(...model);
          assert.equal(set.takeFirst(), smallest);
          model.delete(smallest);
        } else {
          set.clear();
          model.clear();
        }
        assert.deepEqual(observed(set), expected(model));
      }
    }),
    { numRuns: 600 },
  );
});

it('gives back in order what came in any order, far beyond the point where it compacts', () => {
  const set = new PositionSet();
  // Every other position, so that no two become one interval.
  const positions = Array.from({ length: 5000 }, (_, index) => ((index * 3989) % 5000) * 2);
  for (const position of positions) set.add(position);
  expect(set.intervalCount).toBe(5000);
  for (let index = 0; index < 4000; index++) expect(set.takeFirst()).toBe(index * 2);
  expect([set.has(7998), set.has(8000), set.first, set.size]).toEqual([false, true, 8000, 1000]);
  // Handed out positions come back before the ones that are left.
  set.add(5);
  set.add(4);
  expect(set.takeFirst()).toBe(4);
  expect(set.takeFirst()).toBe(5);
  set.addRange(0, 20_000);
  expect(intervalsOf(set)).toEqual([[0, 20_000]]);
  expect(set.size).toBe(20_001);
});
