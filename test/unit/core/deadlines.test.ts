import { describe, expect, it } from 'vitest';
import { Deadline, Deadlines } from '../../../src/core/deadlines.js';
import { FakeClock } from '../../support/fake-clock.js';
import { Random, seedOf } from '../../support/random.js';

function deadlinesOf() {
  const clock = new FakeClock();
  const failures: unknown[] = [];
  const deadlines = new Deadlines(clock, (error) => failures.push(error));
  const due: string[] = [];
  const named = (name: string): Deadline => new Deadline(() => due.push(name));
  return { clock, deadlines, failures, due, named, start: clock.wallTime() };
}

describe('deadlines', () => {
  it('come in their order, with one timer for all', () => {
    const { clock, deadlines, due, named, start } = deadlinesOf();
    for (const [name, afterMs] of [
      ['c', 30],
      ['a', 10],
      ['b', 20],
    ] as const) {
      deadlines.set(named(name), start + afterMs);
    }
    expect(clock.timerCount).toBe(1);
    clock.advance(9);
    expect(due).toEqual([]);
    clock.advance(1);
    expect(due).toEqual(['a']);
    clock.advance(100);
    expect([due, clock.timerCount, deadlines.count]).toEqual([['a', 'b', 'c'], 0, 0]);
  });

  it('can be moved both ways, and called off', () => {
    const { clock, deadlines, due, named, start } = deadlinesOf();
    const [early, late, never] = [named('early'), named('late'), named('never')];
    deadlines.set(early, start + 50);
    deadlines.set(late, start + 10);
    deadlines.set(never, start + 20);
    deadlines.set(early, start + 5);
    deadlines.set(late, start + 60);
    deadlines.cancel(never);
    deadlines.cancel(never);
    clock.advance(5);
    expect(due).toEqual(['early']);
    clock.advance(54);
    expect(due).toEqual(['early']);
    clock.advance(1);
    expect(due).toEqual(['early', 'late']);
  });

  it('may set themselves again, and be set for what is past', () => {
    const { clock, deadlines, start } = deadlinesOf();
    let times = 0;
    const again: Deadline = new Deadline(() => {
      if (++times < 3) deadlines.set(again, start - 1);
    });
    deadlines.set(again, start - 1);
    clock.advance(0);
    expect(times).toBe(3);
  });

  it('outlast one that throws', () => {
    const { clock, deadlines, due, failures, named, start } = deadlinesOf();
    const error = new Error('broken');
    const broken = new Deadline(() => {
      throw error;
    });
    deadlines.set(broken, start + 1);
    deadlines.set(named('next'), start + 1);
    clock.advance(1);
    expect([failures, due]).toEqual([[error], ['next']]);
  });

  it('need no timer when all are called off', () => {
    const { clock, deadlines, due, named, start } = deadlinesOf();
    const [one, other] = [named('one'), named('other')];
    for (const deadline of [one, other]) deadlines.set(deadline, start + 10);
    for (const deadline of [one, other]) deadlines.cancel(deadline);
    expect(clock.timerCount).toBe(0);
    deadlines.set(other, start + 10);
    clock.advance(10);
    expect(due).toEqual(['other']);
  });

  it('leave no timer behind when they are closed', () => {
    const { clock, deadlines, named, start } = deadlinesOf();
    const deadline = named('x');
    deadlines.set(deadline, start + 5);
    deadlines.close();
    expect([clock.timerCount, deadline.isSet]).toEqual([0, false]);
  });

  it('wait longer than one timer can', () => {
    const { clock, deadlines, due, named, start } = deadlinesOf();
    deadlines.set(named('in a year'), start + 365 * 86_400_000);
    clock.advance(364 * 86_400_000);
    expect(due).toEqual([]);
    clock.advance(86_400_000);
    expect(due).toEqual(['in a year']);
  });

  it('agree with a sorted list, whatever is set, moved and called off', () => {
    const { clock, deadlines, start } = deadlinesOf();
    const random = new Random(seedOf('deadlines'));
    const came: number[] = [];
    const expected = new Map<number, number>();
    const all = Array.from({ length: 200 }, (_, index) => new Deadline(() => came.push(index)));
    for (let step = 0; step < 2000; step++) {
      const index = random.below(all.length);
      const deadline = all[index] as Deadline;
      if (random.below(4) === 0) {
        deadlines.cancel(deadline);
        expected.delete(index);
      } else {
        // No two at the same time: their order would be anybody's.
        const at = start + random.below(1000) * 1000 + index;
        deadlines.set(deadline, at);
        expected.set(index, at);
      }
    }
    expect(deadlines.count).toBe(expected.size);
    clock.advance(2_000_000);
    const sorted = [...expected].sort(([, one], [, other]) => one - other).map(([index]) => index);
    expect(came).toEqual(sorted);
  });
});
