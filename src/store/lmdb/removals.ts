/**
 * Deletes runs. Many at once go in slices, one a batch: ten million messages that are purged must not hold up the
 * commit that says so. Until a slice is gone, the tombstone or the missing queue tells a restart to ignore it.
 */
import type { BatchWriter } from './batch-writer.js';
import { runKey } from './layouts.js';
import type { Run } from './run.js';

const RUNS_A_BATCH = 256;

interface Group {
  readonly runs: readonly Run[];
  next: number;
  /** All of them are in a batch. */
  readonly done: (() => void) | undefined;
}

export class Removals {
  readonly #writer: BatchWriter;
  #groups: Group[] = [];

  constructor(writer: BatchWriter) {
    this.#writer = writer;
  }

  get pending(): boolean {
    return this.#groups.length > 0;
  }

  removeNow(run: Run): void {
    const key = runKey(run.logId, run.firstPosition);
    this.#writer.remove('runs', key);
    this.#writer.remove('records', key);
  }

  add(runs: readonly Run[], done: (() => void) | undefined): void {
    this.#groups.push({ runs, next: 0, done });
  }

  /** Puts the next slice into the open batch. */
  removeSome(): void {
    let room = RUNS_A_BATCH;
    while (room > 0) {
      const group = this.#groups[0];
      if (group === undefined) return;
      const end = Math.min(group.runs.length, group.next + room);
      for (const run of group.runs.slice(group.next, end)) this.removeNow(run);
      room -= end - group.next;
      group.next = end;
      if (end < group.runs.length) return;
      this.#groups.shift();
      group.done?.();
    }
  }
}
