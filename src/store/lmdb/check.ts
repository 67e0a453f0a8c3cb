/**
 * `jackalope check`: what a data directory holds, and whether it is sound. Offline: the broker must not be running.
 */
import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SystemClock } from '../../clock.js';
import type { Definition } from '../../core/ports/definition-store.js';
import type { CheckedLog, CheckReport } from '../check-report.js';
import { lockDirectory } from '../directory-lock.js';
import { decodeDefinition } from './definition-records.js';
import { DATA_FILE, type Environment, noData, openEnvironment } from './environment.js';
import { FORMAT_KEY, formatLayout, numberKey } from './layouts.js';
import { StoredLog } from './stored-log.js';
import { examineRuns } from './verify.js';

export interface CheckOptions {
  /** Writes the file anew without its free pages, when it is sound. */
  readonly compact: boolean;
  readonly writer: string;
}

type Counted = { -readonly [K in keyof CheckedLog]: CheckedLog[K] };

/** Rejects with DataDirectoryError when the directory cannot be opened at all, and while a broker has it. */
export async function checkDirectory(directory: string, options: CheckOptions): Promise<CheckReport> {
  if (!existsSync(join(directory, DATA_FILE))) throw noData(directory);
  const lock = await lockDirectory(directory, new SystemClock());
  try {
    return await check(lock.directory, options);
  } finally {
    await lock.release();
  }
}

async function check(directory: string, { compact, writer }: CheckOptions): Promise<CheckReport> {
  const environment = await openEnvironment(directory, { readOnly: true, writer, now: 0 });
  try {
    const report = examine(environment);
    if (!compact || report.problems.length > 0) return report;
    const fresh = join(directory, 'compacted.mdb');
    rmSync(fresh, { force: true });
    await environment.root.backup(fresh, true);
    renameSync(fresh, environment.dataFile);
    return { ...report, fileBytes: statSync(join(directory, DATA_FILE)).size };
  } finally {
    await environment.root.close();
  }
}

function examine(environment: Environment): CheckReport {
  const { tables, dataFile } = environment;
  const problems: string[] = [];
  const [queues, exchanges]: [Counted[], Counted[]] = [[], []];
  const owners = new Map<number, Counted>();
  for (const definition of definitionsIn(environment, problems)) {
    if (definition.kind === 'queue') {
      const queue = countedFor(definition);
      queues.push(queue);
      for (let index = 0; index < definition.logCount; index++) owners.set(definition.id + index, queue);
    } else if (definition.kind === 'exchange' && definition.logId !== undefined) {
      const exchange = countedFor(definition);
      exchanges.push(exchange);
      owners.set(definition.logId, exchange);
    }
  }
  let liveBytes = 0;
  for (const result of examineRuns(environment)) {
    if (typeof result === 'string') {
      problems.push(result);
      continue;
    }
    const { run } = result;
    for (const { first, last } of tombstonesOf(environment, run.logId)) run.settle(first, last, () => {});
    // Without an owner it is the rest of one that was deleted; the broker removes it.
    const owner = owners.get(run.logId);
    if (owner === undefined || run.live === 0) continue;
    owner.messages += run.live;
    owner.bytes += result.liveBytes;
    liveBytes += result.liveBytes;
  }
  const format = tables.meta.get(FORMAT_KEY);
  return {
    formatVersion: format === undefined ? 0 : formatLayout.decode(format).version,
    queues,
    exchanges,
    problems,
    fileBytes: statSync(dataFile).size,
    liveBytes,
  };
}

function countedFor({ virtualHost, name }: { readonly virtualHost: string; readonly name: string }): Counted {
  return { virtualHost, name, messages: 0, bytes: 0 };
}

function* definitionsIn({ tables }: Environment, problems: string[]): Generator<Definition> {
  for (const { value } of tables.definitions.getRange()) {
    try {
      yield decodeDefinition(value);
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }
}

function tombstonesOf({ tables }: Environment, logId: number): StoredLog['tombstones'] {
  const state = tables.logs.getBinary(numberKey(logId));
  const log = new StoredLog(logId);
  if (state !== undefined) log.restoreState(state);
  return log.tombstones;
}
