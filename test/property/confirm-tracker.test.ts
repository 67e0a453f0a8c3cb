import assert from 'node:assert/strict';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type ConfirmSink, ConfirmTracker } from '../../src/session/shared/confirm-tracker.js';
import { seedOf } from '../support/random.js';

fc.configureGlobal({ seed: seedOf('confirm-tracker') });

interface Answer {
  readonly number: number;
  readonly multiple: boolean;
  readonly confirmed: boolean;
}

const step = fc.oneof(
  // Like a store's: 0 for nothing written, else the batch now filling.
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('accepted' as const), written: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rejected' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('closeBatch' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('durable' as const), lag: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
);

/** A publisher's books: which numbers are unanswered, and what each must be answered with. */
class Client {
  readonly #unanswered = new Map<number, { readonly commit: number; readonly accepted: boolean }>();
  #answeredUpTo = 0;

  published(number: number, commit: number, accepted: boolean): void {
    this.#unanswered.set(number, { commit, accepted });
  }

  get unansweredCount(): number {
    return this.#unanswered.size;
  }

  answered({ number, multiple, confirmed }: Answer, durable: number): void {
    const first = multiple ? this.#answeredUpTo + 1 : number;
    assert.equal(first, this.#answeredUpTo + 1, 'in order, and nothing is skipped');
    assert.equal(number > first, multiple, 'the bit says that there is more than one');
    for (let covered = first; covered <= number; covered++) {
      const fate = this.#unanswered.get(covered);
      assert.equal(fate?.accepted, confirmed);
      assert.ok(!confirmed || fate.commit <= durable, 'not before its commit');
      this.#unanswered.delete(covered);
    }
    this.#answeredUpTo = number;
  }

  /** What a tracker must have answered: everything before the first that waits for a commit. */
  firstWaiting(durable: number): number | undefined {
    return [...this.#unanswered].find(([, { commit, accepted }]) => accepted && commit > durable)?.[0];
  }
}

it('answers every number once, in order, never before its commit, and as early and rarely as it can', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
      const tracker = new ConfirmTracker();
      const client = new Client();
      let openBatch = 1;
      let durable = 0;
      let published = 0;
      const flush = (): void => {
        const answers: Answer[] = [];
        const sink: ConfirmSink = {
          confirm: (number, multiple) => answers.push({ number, multiple, confirmed: true }),
          reject: (number, multiple) => answers.push({ number, multiple, confirmed: false }),
        };
        const waiting = tracker.flush(durable, sink);
        for (const answer of answers) client.answered(answer, durable);
        const alike = answers.some(({ confirmed }, index) => answers[index - 1]?.confirmed === confirmed);
        assert.ok(!alike, 'neighbours with one fate share an answer');
        const first = client.firstWaiting(durable);
        assert.equal(waiting, first !== undefined);
        assert.equal(client.unansweredCount, first === undefined ? 0 : published - first + 1);
        assert.equal(tracker.hasUnanswered, client.unansweredCount > 0);
      };
      for (const step of steps) {
        if (step.kind === 'accepted' || step.kind === 'rejected') {
          const number = tracker.begin();
          assert.equal(number, ++published);
          const commit = step.kind === 'accepted' && step.written ? openBatch : 0;
          if (step.kind === 'accepted') tracker.accepted(number, commit);
          else tracker.rejected(number);
          client.published(number, commit, step.kind === 'accepted');
        } else if (step.kind === 'closeBatch') openBatch++;
        else if (step.kind === 'durable') durable = Math.max(durable, openBatch - 1 - step.lag);
        else flush();
      }
      durable = openBatch;
      flush();
      assert.equal(client.unansweredCount, 0);
    }),
    { numRuns: 5000 },
  );
});

it('keeps one run for a million neighbours, and answers them at once', () => {
  const tracker = new ConfirmTracker();
  const answers: [number, boolean][] = [];
  const sink: ConfirmSink = {
    confirm: (number, multiple) => answers.push([number, multiple]),
    reject: () => expect.fail('nothing was rejected'),
  };
  for (let i = 0; i < 1_000_000; i++) tracker.accepted(tracker.begin(), i < 500_000 ? 1 : 2);
  expect(tracker.flush(0, sink)).toBe(true);
  expect(answers).toEqual([]);
  expect(tracker.flush(1, sink)).toBe(true);
  expect(tracker.flush(2, sink)).toBe(false);
  expect(answers).toEqual([
    [500_000, true],
    [1_000_000, true],
  ]);
});
