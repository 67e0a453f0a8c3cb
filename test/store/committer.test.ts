/** The committer over an environment that fails when told to. */
import { describe, expect, it } from 'vitest';
import type { TurnTask } from '../../src/core/turn.js';
import { Committer, type FailureKind } from '../../src/store/lmdb/committer.js';
import type { Environment } from '../../src/store/lmdb/environment.js';
import { openEnvironment } from '../../src/store/lmdb/environment.js';
import { numberKey } from '../../src/store/lmdb/layouts.js';
import { FakeClock } from '../support/fake-clock.js';
import { temporaryDirectory } from './lmdb-environment.js';

interface Setup {
  readonly committer: Committer;
  readonly clock: FakeClock;
  readonly environment: Environment;
  readonly heard: string[];
  readonly durable: number[];
  /** Commits that reached the environment. */
  readonly commits: (() => void)[];
  /** Undefined: they succeed. */
  failure: Error | undefined;
  kind: FailureKind;
  turn(): void;
}

const VALUE = Buffer.from('value');

async function setUp(): Promise<Setup> {
  const environment = await openEnvironment(temporaryDirectory(), { writer: 'test', now: 0 });
  const clock = new FakeClock();
  let waiting: TurnTask | undefined;
  const heard: string[] = [];
  const durable: number[] = [];
  const commits: (() => void)[] = [];
  const root = {
    batch: async (write: () => void): Promise<boolean> => {
      commits.push(write);
      if (setup.failure !== undefined) throw setup.failure;
      return environment.root.batch(write);
    },
  };
  const failing = { ...environment, root } as unknown as Environment;
  const committer = new Committer(
    failing,
    clock,
    (task) => {
      waiting = task;
    },
    async () => setup.kind,
    {
      failed: (error, attempt) => heard.push(`failed ${attempt}: ${error instanceof Error ? error.message : ''}`),
      recovered: () => heard.push('recovered'),
      gaveUp: () => heard.push('gave up'),
    },
  );
  committer.onDurable((upTo) => durable.push(upTo));
  const turn = (): void => {
    const task = waiting;
    waiting = undefined;
    task?.runInTurn();
  };
  const setup: Setup = {
    committer,
    clock,
    environment,
    heard,
    durable,
    commits,
    failure: undefined,
    kind: 'full',
    turn,
  };
  return setup;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>((resolve) => setImmediate(resolve));
}

describe('the committer', () => {
  it('has one commit in flight, and one batch takes all that came meanwhile', async () => {
    const { committer, commits, durable, turn } = await setUp();
    committer.put('logs', numberKey(1), VALUE);
    turn();
    expect([committer.openBatch, committer.durableCommit]).toEqual([2, 0]);
    for (let id = 2; id < 100; id++) committer.put('logs', numberKey(id), VALUE);
    turn();
    expect(commits.length).toBe(1);
    await until(() => committer.durableCommit === 1);
    turn();
    await until(() => committer.durableCommit === 2);
    expect([commits.length, durable]).toEqual([2, [1, 2]]);
  });

  it('announces a batch that has nothing to write at once', async () => {
    const { committer, commits, turn } = await setUp();
    committer.request();
    turn();
    expect([committer.durableCommit, commits.length]).toEqual([1, 0]);
  });

  it('keeps a batch that fails and tries it again with what changed since, as one', async () => {
    const setup = await setUp();
    const { committer, environment, heard, durable, turn, clock, commits } = setup;
    setup.failure = new Error('no space');
    committer.put('logs', numberKey(1), VALUE);
    committer.put('logs', numberKey(3), VALUE);
    turn();
    await until(() => heard.length === 1);
    committer.remove('logs', numberKey(1));
    committer.put('logs', numberKey(2), VALUE);
    turn();
    for (let attempt = 2; attempt < 50; attempt++) {
      clock.advance(2000);
      await until(() => heard.length === attempt);
    }
    expect([committer.durableCommit, durable, heard[48]]).toEqual([0, [], 'failed 49: no space']);
    setup.failure = undefined;
    clock.advance(2000);
    await until(() => committer.durableCommit > 0);
    expect([commits.length, durable, heard[49]]).toEqual([50, [committer.openBatch - 1], 'recovered']);
    const { logs } = environment.tables;
    expect([1, 2, 3].map((id) => logs.get(numberKey(id)))).toEqual([undefined, VALUE, VALUE]);
  });

  it('gives up on a disk that is broken and not full', async () => {
    const setup = await setUp();
    const { committer, heard, clock, turn } = setup;
    setup.failure = new Error('input/output error');
    setup.kind = 'broken';
    committer.put('logs', numberKey(1), VALUE);
    turn();
    for (let attempt = 1; !heard.includes('gave up'); attempt++) {
      await until(() => heard.length >= attempt);
      clock.advance(2000);
      expect(attempt).toBeLessThan(40);
    }
    expect(committer.durableCommit).toBe(0);
  });

  it('writes what is left when it closes', async () => {
    const { committer, environment } = await setUp();
    committer.put('logs', numberKey(1), VALUE);
    await committer.close();
    expect(committer.durableCommit).toBeGreaterThanOrEqual(1);
    expect(environment.tables.logs.get(numberKey(1))).toEqual(VALUE);
  });

  it('rejects closing when that cannot be written', async () => {
    const setup = await setUp();
    const { committer, clock, heard } = setup;
    setup.failure = new Error('no space');
    committer.put('logs', numberKey(1), VALUE);
    const closing = committer.close();
    const refused = expect(closing).rejects.toThrow('no space');
    for (let attempt = 1; attempt < 3; attempt++) {
      await until(() => heard.length === attempt);
      clock.advance(2000);
    }
    await refused;
  });
});
