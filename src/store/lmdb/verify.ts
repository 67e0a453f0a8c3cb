/**
 * Reads every run of an environment and holds its header against its records. For directories that were cut short, and
 * for `jackalope check`.
 */
import { RecordFlag, recordHeader } from '../../core/log/record-layout.js';
import { bodyIn } from './body-table.js';
import type { Environment } from './environment.js';
import { numberKeyLayout, runKey, runKeyLayout } from './layouts.js';
import { Run } from './run.js';
import { checkedValue, visitRecords } from './run-reader.js';

export interface VerifiedRun {
  readonly run: Run;
  /** What of its value is alive. */
  readonly liveBytes: number;
}

/** Throws for the first run that is damaged. */
export function verifyRuns(environment: Environment): void {
  for (const result of examineRuns(environment)) {
    if (typeof result === 'string') throw new RangeError(result);
  }
}

/** Every run, or what is wrong with it. */
export function* examineRuns({ tables }: Environment): Generator<VerifiedRun | string> {
  let records = 0;
  for (const { key, value } of tables.runs.getRange()) {
    records++;
    try {
      const { logId, firstPosition } = runKeyLayout.decode(key);
      const run = Run.fromHeader(logId, firstPosition, value);
      yield { run, liveBytes: examineRecords(tables, run) };
    } catch (error) {
      yield error instanceof Error ? error.message : String(error);
    }
  }
  const values = tables.records.getKeysCount();
  if (values !== records) yield `there are ${records} run headers and ${values} values of records`;
}

function examineRecords(tables: Environment['tables'], run: Run): number {
  const value = checkedValue(run, tables.records.getBinary(runKey(run.logId, run.firstPosition)));
  let live = 0;
  let liveBytes = 0;
  const bodies: number[] = [];
  visitRecords(run, value, run.firstPosition, run.lastPosition, (_position, bytes, start, end) => {
    live++;
    liveBytes += end - start;
    const { flags } = recordHeader.decode(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start));
    if ((flags & RecordFlag.SharedBody) === 0) return;
    const at = start + recordHeader.span + ((flags & RecordFlag.Expires) === 0 ? 0 : 8);
    bodies.push(new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true));
  });
  if (live !== run.live) {
    throw new RangeError(
      `run ${run.firstPosition} of log ${run.logId} has ${live} live records instead of ${run.live}`,
    );
  }
  for (const id of bodies) {
    const key = Buffer.alloc(numberKeyLayout.span);
    numberKeyLayout.encode({ id }, key);
    const body = bodyIn(tables.bodies.getBinary(key), id);
    liveBytes += body.length;
  }
  return liveBytes;
}
