import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { digest } from '../support/messages.js';
import { seedOf } from '../support/random.js';
import { RecordingStore } from '../support/recording-store.js';
import {
  type Entry,
  type ModelledQueue,
  QueueProgram,
  type Step,
  step,
  stepWithPaging,
  stepWithPagingAndRestarts,
  stepWithRestarts,
} from './queue-programs.js';

fc.configureGlobal({ seed: seedOf('queue-model') });

/** Ends a program: whatever it did, nothing may be left in memory. */
function finish(program: QueueProgram): void {
  program.finish();
  const { segments, bodies } = program.environment.logs;
  for (const { queue } of program.queues) program.environment.host.deleteQueue(queue.name, {}, false, false);
  program.scratch?.endAll();
  assert.equal(program.scratch?.pageCount ?? 0, 0);
  assert.equal(bodies.residentBytes, 0);
  assert.equal(bodies.count, 0);
  assert.equal(bodies.sizeBytes, 0);
  assert.equal(segments.allocatedBytes, 0);
  assert.deepEqual(program.environment.failures, []);
}

describe('a classic queue in memory', () => {
  it('is the array it should be, and gives all memory back', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
        const program = new QueueProgram();
        for (const step of steps) program.run(step);
        finish(program);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps to the array over long runs, with thousands of messages and segments of every size', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 3000, maxLength: 3000, size: 'max' }), (steps) => {
        const program = new QueueProgram();
        for (const step of steps) {
          if (step.kind !== 'delete' && step.kind !== 'purge') program.run(step);
        }
        finish(program);
      }),
      { numRuns: 5 },
    );
  });
});

describe('a queue whose messages leave memory and come back', () => {
  it('is the array it should be, with a page for what has left', () => {
    let pages = 0;
    fc.assert(
      fc.property(fc.array(stepWithPaging, { maxLength: 200, size: 'max' }), (steps) => {
        const program = new QueueProgram(undefined, undefined, { paged: true });
        for (const step of steps) {
          program.run(step);
          pages += program.scratch?.pageCount ?? 0;
        }
        finish(program);
      }),
      { numRuns: 500 },
    );
    assert.notEqual(pages, 0);
  });

  it('keeps to the array over long runs', () => {
    fc.assert(
      fc.property(fc.array(stepWithPaging, { minLength: 3000, maxLength: 3000, size: 'max' }), (steps) => {
        const program = new QueueProgram(undefined, undefined, { paged: true });
        for (const step of steps) {
          if (step.kind !== 'delete' && step.kind !== 'purge') program.run(step);
        }
        finish(program);
      }),
      { numRuns: 5 },
    );
  });

  it('is the array it should be when a store has some of it, also after a restart or a crash', () => {
    let reads = 0;
    fc.assert(
      fc.property(fc.array(stepWithPagingAndRestarts, { maxLength: 200, size: 'max' }), (steps) => {
        const store = new RecordingStore();
        const program = new QueueProgram(store, undefined, { paged: true });
        for (const step of steps) program.run(step);
        program.commit();
        for (const modelled of program.queues) compareRebuilt(store, modelled);
        finish(program);
        reads += store.readCount;
      }),
      { numRuns: 500 },
    );
    assert.notEqual(reads, 0);
  });
});

describe('what a store is told', () => {
  it('rebuilds the persistent part of every queue after any operation', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        for (const length of prefixes(steps)) {
          const store = new RecordingStore();
          const program = new QueueProgram(store);
          for (const step of steps.slice(0, length)) program.run(step);
          program.commit();
          for (const modelled of program.queues) compareRebuilt(store, modelled);
          for (const { queue } of program.deleted) assert.deepEqual(store.rebuild(queue.id), []);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('never holds a message that was settled before its batch closed', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
        const store = new RecordingStore();
        const program: QueueProgram = new QueueProgram(store, () => checkBatch(store, program));
        for (const step of steps) program.run(step);
        program.commit();
        finish(program);
        program.commit();
        assert.equal(store.enlistedCount, 0);
      }),
      { numRuns: 300 },
    );
  });

  it('gives every queue back after a restart or a crash, to go on with', () => {
    fc.assert(
      fc.property(fc.array(stepWithRestarts, { maxLength: 150, size: 'max' }), (steps) => {
        const store = new RecordingStore();
        const program = new QueueProgram(store);
        for (const step of steps) program.run(step);
        program.commit();
        for (const modelled of program.queues) compareRebuilt(store, modelled);
        finish(program);
      }),
      { numRuns: 400 },
    );
  });

  it('is complete batch by batch: a crash between two finds the state of the first', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
        const store = new RecordingStore();
        const states: { readonly batch: number; readonly queues: readonly (readonly [number, readonly Kept[]])[] }[] =
          [];
        const program: QueueProgram = new QueueProgram(store, () => {
          const queues = program.queues.map((modelled) => [modelled.queue.id, keptOf(modelled)] as const);
          states.push({ batch: store.openBatch - 1, queues });
        });
        for (const step of steps) program.run(step);
        for (const { batch, queues } of states) {
          for (const [id, kept] of queues) assert.deepEqual(rebuilt(store, id, batch), kept);
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** All prefixes of a short program, a few of a long one. */
function prefixes(steps: readonly Step[]): number[] {
  const stride = Math.max(1, Math.floor(steps.length / 12));
  const lengths = Array.from({ length: Math.floor(steps.length / stride) }, (_, index) => index * stride);
  return [...lengths, steps.length];
}

interface Kept {
  readonly route: string;
  readonly properties: string;
  readonly body: string;
  readonly redelivered: boolean;
  readonly priority: number;
  readonly enqueuedAt: number;
}

function keptOf(modelled: ModelledQueue): Kept[] {
  return modelled.kept.map(({ route, properties, body, redelivered, priority, enqueuedAt }) => ({
    route,
    properties,
    body,
    redelivered,
    priority,
    enqueuedAt,
  }));
}

function rebuilt(store: RecordingStore, logId: number, upTo?: number): Kept[] {
  return store.rebuild(logId, upTo).map(({ route, properties, body, redelivered, priority, enqueuedAt }) => ({
    route: digest(route),
    properties: digest(properties),
    body: digest(body),
    redelivered,
    priority,
    enqueuedAt,
  }));
}

function compareRebuilt(store: RecordingStore, modelled: ModelledQueue): void {
  assert.deepEqual(rebuilt(store, modelled.queue.id), keptOf(modelled));
}

/** The batch just closed holds exactly the messages that were published for it and are not settled. */
function checkBatch(store: RecordingStore, program: QueueProgram): void {
  const batch = store.openBatch - 1;
  const calls = store.batches.get(batch) ?? [];
  const inBatch = ({ commit }: Entry): boolean => commit === batch;
  for (const { queue, entries, settled } of program.queues) {
    const written = calls.flatMap((call) => (call.kind === 'append' && call.logId === queue.id ? [call.position] : []));
    assert.equal(written.length, entries.filter(inBatch).length);
    const gone = settled.filter((entry) => inBatch(entry) && written.includes(entry.position));
    assert.deepEqual(gone, []);
    assert.deepEqual(
      written,
      [...new Set(written)].sort((a, b) => a - b),
      'in order, each once',
    );
  }
}
