/** What the store does so that its file stays small and a restart quick. */
import { describe, expect, it } from 'vitest';
import type { StoredRun } from '../../src/core/ports/message-store.js';
import { examineRuns } from '../../src/store/lmdb/verify.js';
import { type OpenStore, openStore, ScriptedLog, temporaryDirectory } from './lmdb-environment.js';
import { encodedRecord } from './records.js';

const LOG = 7;

/** Appends positions first..last, all in one batch. */
function append(log: ScriptedLog, first: number, last: number, bytes: number): void {
  log.change((sink) => {
    for (let position = first; position <= last; position++) {
      const record = encodedRecord(bytes, 0, position);
      sink.append(LOG, position, record, 0, record.length);
    }
  });
}

function runsOf({ store }: OpenStore): StoredRun[] {
  return [...(store.recover(LOG)?.runs ?? [])];
}

function positionsOf({ store }: OpenStore): number[] {
  const found: number[] = [];
  store.read(LOG, 0, Number.MAX_SAFE_INTEGER, (position) => found.push(position));
  return found;
}

function tableCounts({ environment: { tables } }: OpenStore): { runs: number; records: number } {
  return { runs: tables.runs.getKeysCount(), records: tables.records.getKeysCount() };
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

describe('housekeeping of the LMDB store', () => {
  it('merges the tiny runs of a publisher that waits for each confirm', async () => {
    const directory = temporaryDirectory();
    let open = await openStore(directory);
    const log = new ScriptedLog(LOG, open.store);
    for (let position = 1; position <= 1000; position++) {
      append(log, position, position, 100);
      await open.commit();
    }
    expect(runsOf(open).length).toBeLessThan(90);
    expect(positionsOf(open)).toEqual(range(1, 1000));
    expect(tableCounts(open)).toEqual({ runs: runsOf(open).length, records: runsOf(open).length });
    await open.abandon();
    open = await openStore(directory);
    expect(positionsOf(open)).toEqual(range(1, 1000));
    await open.abandon();
  });

  it('merges no run of the batch that makes them too many', async () => {
    const open = await openStore(temporaryDirectory());
    const log = new ScriptedLog(LOG, open.store);
    for (let position = 1; position <= 64; position++) {
      append(log, position, position, 100);
      await open.commit();
    }
    // One that has a run of its own between two tiny ones.
    append(log, 65, 65, 100);
    append(log, 66, 66, 300_000);
    append(log, 67, 67, 100);
    await open.commit();
    for (let position = 68; position <= 140; position++) {
      append(log, position, position, 100);
      await open.commit();
    }
    expect(positionsOf(open)).toEqual(range(1, 140));
    for (const result of examineRuns(open.environment)) expect(result).not.toBeTypeOf('string');
    expect(open.store.heldBytes).toBe(140 * encodedRecord(100, 0, 1).length + 299_900);
    await open.abandon();
  });

  it('writes sparse runs again once they waste more than is alive', async () => {
    const directory = temporaryDirectory();
    let open = await openStore(directory);
    const log = new ScriptedLog(LOG, open.store);
    const survivors: number[] = [];
    for (let batch = 0; batch < 120; batch++) {
      const first = batch * 250 + 1;
      append(log, first, first + 249, 1000);
      await open.commit();
      log.change((sink) => sink.settle(LOG, first + 1, first + 249));
      survivors.push(first);
      await open.commit();
    }
    const held = open.store.heldBytes;
    expect(held).toBeLessThan(18 * 1024 * 1024);
    expect(positionsOf(open)).toEqual(survivors);
    await open.abandon();
    open = await openStore(directory);
    expect(open.store.heldBytes).toBe(held);
    expect(positionsOf(open)).toEqual(survivors);
    for (const result of examineRuns(open.environment)) expect(result).not.toBeTypeOf('string');
    await open.abandon();
  });

  it('settles any number of runs in one stroke and removes them in slices', async () => {
    const directory = temporaryDirectory();
    let open = await openStore(directory);
    const log = new ScriptedLog(LOG, open.store);
    append(log, 1, 4000, 60_000);
    await open.commit();
    const before = runsOf(open).length;
    expect(before).toBeGreaterThan(900);
    log.change((sink) => sink.settle(LOG, 11, 3990));
    const closed = open.committer.openBatch;
    // Only the batch with the settlement, not those that remove the rest.
    open.committer.runInTurn();
    while (open.committer.durableCommit < closed) await new Promise<void>((resolve) => setImmediate(resolve));
    expect(tableCounts(open).runs).toBeGreaterThan(before / 2);
    expect(positionsOf(open)).toEqual([...range(1, 10), ...range(3991, 4000)]);
    await open.abandon();

    open = await openStore(directory);
    expect(positionsOf(open)).toEqual([...range(1, 10), ...range(3991, 4000)]);
    open.committer.request();
    await open.commit();
    expect(tableCounts(open).runs).toBe(runsOf(open).length);
    expect(open.environment.tables.logs.getRange().map(({ value }) => value.length).asArray).toEqual([16]);
    await open.abandon();
  });

  it('forgets a dropped log at once, whatever is left of it in the file', async () => {
    const directory = temporaryDirectory();
    let open = await openStore(directory);
    append(new ScriptedLog(LOG, open.store), 1, 4000, 60_000);
    await open.commit();
    open.store.dropLog(LOG);
    expect(open.store.recover(LOG)).toBeUndefined();
    const closed = open.committer.openBatch;
    open.committer.runInTurn();
    while (open.committer.durableCommit < closed) await new Promise<void>((resolve) => setImmediate(resolve));
    expect(tableCounts(open).runs).toBeGreaterThan(0);
    await open.abandon();

    open = await openStore(directory);
    expect(open.store.highestLogId).toBe(LOG);
    open.store.keepOnly(new Set());
    expect(open.store.recover(LOG)).toBeUndefined();
    await open.commit();
    expect(tableCounts(open)).toEqual({ runs: 0, records: 0 });
    await open.abandon();
  });

  it('does not write what says nothing', async () => {
    const open = await openStore(temporaryDirectory());
    const log = new ScriptedLog(LOG, open.store);
    log.change((sink) => sink.markDelivered(LOG, 100));
    const batch = await open.commit();
    expect(open.store.durableCommit).toBe(batch);
    expect(open.environment.tables.logs.getKeysCount()).toBe(0);
    await open.abandon();
  });
});
