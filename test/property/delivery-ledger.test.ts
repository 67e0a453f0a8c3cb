import assert from 'node:assert/strict';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DeliveryLedger, type DeliverySource, type SettlementSink } from '../../src/session/shared/delivery-ledger.js';
import { seedOf } from '../support/random.js';

fc.configureGlobal({ seed: seedOf('delivery-ledger') });

interface Entry {
  readonly tag: number;
  readonly position: number;
  readonly source: DeliverySource;
}

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('add' as const), gap: fc.constantFrom(1, 1, 1, 1, 2, 5, 1000) }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('take' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('takeTag' as const), tag: fc.nat(300) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('takeUpTo' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('takeUpToTag' as const), tag: fc.nat(300) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('takeAll' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restore' as const), howMany: fc.nat(10) }) },
);

const SOURCES = ['a', 'b', 'c'].map((queue) => ({ queue }) as unknown as DeliverySource);

/** Tag order is insertion order, and `restore` keeps it. */
class Model {
  #entries = new Map<number, Entry>();

  get tags(): number[] {
    return [...this.#entries.keys()];
  }

  add(entries: readonly Entry[]): void {
    const all = [...this.#entries.values(), ...entries].sort((a, b) => a.tag - b.tag);
    this.#entries = new Map(all.map((entry) => [entry.tag, entry]));
  }

  take(tag: number): Entry | undefined {
    const entry = this.#entries.get(tag);
    this.#entries.delete(tag);
    return entry;
  }

  takeUpTo(tag: number): Entry[] | undefined {
    if (tag !== 0 && !this.#entries.has(tag)) return undefined;
    const taken = [...this.#entries.values()].filter((entry) => tag === 0 || entry.tag <= tag);
    for (const entry of taken) this.#entries.delete(entry.tag);
    return taken;
  }
}

function take(ledger: DeliveryLedger, tag: number): Entry | undefined {
  if (!ledger.take(tag)) return undefined;
  if (ledger.source === undefined) throw new Error('taken without a source');
  return { tag, position: ledger.position, source: ledger.source };
}

function takeUpTo(ledger: DeliveryLedger, tag: number): Entry[] | undefined {
  const taken: Entry[] = [];
  const sink: SettlementSink = { settle: (source, position, tag) => taken.push({ tag, position, source }) };
  return ledger.takeUpTo(tag, sink) ? taken : undefined;
}

it('agrees with a Map about every tag, with gaps, multiple, settling in any order, and rollbacks', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150, size: 'max' }), (steps) => {
      const ledger = new DeliveryLedger();
      const model = new Model();
      const taken: Entry[] = [];
      let lastTag = 0;
      const oneOf = (which: number): number => model.tags[which % Math.max(model.tags.length, 1)] ?? lastTag + 1;
      const compare = (tag: number): void => {
        const entry = take(ledger, tag);
        assert.deepEqual(entry, model.take(tag));
        if (entry !== undefined) taken.push(entry);
      };
      const compareUpTo = (tag: number): void => {
        const entries = takeUpTo(ledger, tag);
        assert.deepEqual(entries, model.takeUpTo(tag));
        taken.push(...(entries ?? []));
      };
      for (const step of steps) {
        if (step.kind === 'add') {
          lastTag += step.gap;
          const entry = { tag: lastTag, position: lastTag * 7, source: SOURCES[lastTag % 3] as DeliverySource };
          ledger.add(entry.tag, entry.position, entry.source);
          model.add([entry]);
        } else if (step.kind === 'take') compare(oneOf(step.which));
        else if (step.kind === 'takeTag') compare(step.tag);
        else if (step.kind === 'takeUpTo') compareUpTo(oneOf(step.which));
        else if (step.kind === 'takeUpToTag') compareUpTo(step.tag);
        else if (step.kind === 'takeAll') compareUpTo(0);
        else {
          const back = taken.splice(Math.max(taken.length - step.howMany, 0));
          ledger.restore(back);
          model.add(back);
        }
        assert.equal(ledger.size, model.tags.length);
      }
      assert.deepEqual(takeUpTo(ledger, 0), model.takeUpTo(0));
      assert.equal(ledger.size, 0);
    }),
    { numRuns: 3000 },
  );
});

it('finds no tag that a client may invent', () => {
  const ledger = new DeliveryLedger();
  const inventions = [0, -1, 0.5, 4, 2 ** 32 + 1, 2 ** 53, 2 ** 64, Number.NaN];
  for (const tag of inventions) expect(ledger.take(tag)).toBe(false);
  for (const tag of [1, 2, 3]) ledger.add(tag, tag, SOURCES[0] as DeliverySource);
  for (const tag of inventions) expect(ledger.take(tag)).toBe(false);
  for (const tag of inventions.slice(1)) expect(takeUpTo(ledger, tag)).toBeUndefined();
  expect(ledger.size).toBe(3);
});

it('works through tags beyond 32 bits and long windows that slide', () => {
  const ledger = new DeliveryLedger();
  const start = 2 ** 33;
  for (let i = 0; i < 50_000; i++) {
    ledger.add(start + i, i, SOURCES[0] as DeliverySource);
    if (i >= 100) assert.equal(take(ledger, start + i - 100)?.position, i - 100);
  }
  expect(takeUpTo(ledger, 0)?.map(({ tag }) => tag - start)).toEqual(Array.from({ length: 100 }, (_, i) => 49_900 + i));
});
