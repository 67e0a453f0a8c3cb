/** An LMDB environment in a directory of its own, with a committer that the test runs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { SystemClock, type Timer } from '../../src/clock.js';
import type { BatchedLog, BatchSink, CommitId } from '../../src/core/ports/message-store.js';
import type { TurnTask } from '../../src/core/turn.js';
import { Committer } from '../../src/store/lmdb/committer.js';
import { type Environment, openEnvironment } from '../../src/store/lmdb/environment.js';
import { LmdbMessageStore } from '../../src/store/lmdb/lmdb-message-store.js';

export interface OpenStore {
  readonly environment: Environment;
  readonly committer: Committer;
  readonly store: LmdbMessageStore;
  /** Closes the open batch and resolves when it and what it asked for afterwards are on disk. */
  commit(): Promise<CommitId>;
  /** Without writing what is left, as a process that ends. */
  abandon(): Promise<void>;
  /** So many commits to come fail; `meanwhile` runs after each. */
  fail(count: number, meanwhile: () => void): void;
}

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'jackalope-store-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export async function openStore(directory: string): Promise<OpenStore> {
  const environment = await openEnvironment(directory, { writer: 'test 1', now: 0 });
  let task: TurnTask | undefined;
  const defer = (wanted: TurnTask): void => {
    wanted.deferred = true;
    task = wanted;
  };
  let failures = 0;
  let afterFailure = (): void => {};
  const root = {
    batch: async (write: () => void): Promise<boolean> => {
      if (failures === 0) return environment.root.batch(write);
      failures--;
      throw new Error('failed as the test asked');
    },
  };
  const committer = new Committer(
    { ...environment, root } as unknown as Environment,
    new ImpatientClock(),
    defer,
    async () => 'full',
    {
      failed: () => afterFailure(),
      recovered: () => {},
      gaveUp: (error) => {
        throw error;
      },
    },
  );
  const store = new LmdbMessageStore(environment, committer);
  const commit = async (): Promise<CommitId> => {
    const batch = committer.openBatch;
    while (task !== undefined) {
      const now = task;
      task = undefined;
      now.deferred = false;
      now.runInTurn();
      const target = committer.openBatch - 1;
      while (committer.durableCommit < target) await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return batch;
  };
  const fail = (count: number, meanwhile: () => void): void => {
    failures = count;
    afterFailure = meanwhile;
  };
  return { environment, committer, store, commit, fail, abandon: () => environment.root.close() };
}

/** Retries come at once; what would be a time limit never does. */
class ImpatientClock extends SystemClock {
  override after(delayMs: number, callback: () => void): Timer {
    return super.after(delayMs < 10_000 ? 0 : delayMs, callback);
  }
}

/** A log whose changes the test writes down itself. */
export class ScriptedLog implements BatchedLog {
  readonly id: number;
  enlisted = false;
  #changes: ((sink: BatchSink) => void)[] = [];
  readonly #store: LmdbMessageStore;

  constructor(id: number, store: LmdbMessageStore) {
    this.id = id;
    this.#store = store;
  }

  change(change: (sink: BatchSink) => void): void {
    this.#changes.push(change);
    if (!this.enlisted) this.#store.enlist(this);
  }

  /** What was changed since the last batch is not handed over. */
  forget(): void {
    this.#changes = [];
  }

  collect(sink: BatchSink): void {
    const changes = this.#changes;
    this.#changes = [];
    for (const change of changes) change(sink);
  }
}
