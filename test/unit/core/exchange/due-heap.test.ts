import { describe, expect, it } from 'vitest';
import { DueHeap } from '../../../../src/core/exchange/due-heap.js';
import { Random, seedOf } from '../../../support/random.js';

function takeAll(heap: DueHeap): [due: number, position: number][] {
  const taken: [number, number][] = [];
  while (heap.size > 0) {
    taken.push([heap.firstDue, heap.firstPosition]);
    heap.removeFirst();
  }
  return taken;
}

describe('positions by the time they are due', () => {
  it('come out by time, and by position where that is the same', () => {
    const heap = new DueHeap();
    const entries: [number, number][] = [
      [30, 1],
      [10, 2],
      [20, 3],
      [10, 4],
      [20, 5],
      [10, 6],
    ];
    for (const [due, position] of entries) heap.add(due, position);
    expect(takeAll(heap)).toEqual([
      [10, 2],
      [10, 4],
      [10, 6],
      [20, 3],
      [20, 5],
      [30, 1],
    ]);
    expect([heap.size, heap.firstDue]).toEqual([0, Number.POSITIVE_INFINITY]);
  });

  it('agree with a sorted list, whatever comes and goes', () => {
    const random = new Random(seedOf('due heap'));
    const heap = new DueHeap();
    let model: [number, number][] = [];
    for (let step = 1; step <= 20_000; step++) {
      // Grows for a while, then shrinks, so that it changes its size in both directions.
      if (random.below(100) < (step < 12_000 ? 60 : 20)) {
        const due = random.below(50);
        heap.add(due, step);
        model.push([due, step]);
      } else if (model.length > 0) {
        model = model.sort(([due, position], [other, place]) => due - other || position - place);
        expect([heap.firstDue, heap.firstPosition]).toEqual(model.shift());
        heap.removeFirst();
      }
      expect(heap.size).toBe(model.length);
    }
    const positions: number[] = [];
    heap.forEachPosition((position) => positions.push(position));
    expect(positions.sort((a, b) => a - b)).toEqual(model.map(([, position]) => position).sort((a, b) => a - b));
    heap.clear();
    expect(takeAll(heap)).toEqual([]);
  });
});
