/**
 * Walks over the records of a run's value. What it finds is checked against the bounds, so that damage ends in an
 * error and never in a message that nobody published.
 */
import { LENGTH_AT, POSITION_DELTA_AT, RECORD_HEADER_BYTES } from '../../core/log/record-layout.js';
import type { RecordVisitor } from '../../core/ports/message-store.js';
import { isIntact } from './checksum.js';
import type { Run } from './run.js';

/** The value that was found for a run. Throws RangeError when it is not the one that was stored. */
export function checkedValue(run: Run, value: Uint8Array | undefined): Uint8Array {
  if (value?.length !== run.sizeBytes) throw damaged(run, `${value?.length ?? 'no'} bytes instead of ${run.sizeBytes}`);
  if (!isIntact(value, run.checksum)) throw damaged(run, 'the checksum does not match');
  return value;
}

/** Visits the live records within first..last. Throws RangeError when the value is not what the header says. */
export function visitRecords(run: Run, value: Uint8Array, first: number, last: number, visit: RecordVisitor): void {
  const { ranges } = run;
  const { length } = value;
  const view = new DataView(value.buffer, value.byteOffset, length);
  let at = 0;
  let range = 0;
  let visited = 0;
  while (at < length) {
    const end = at + (at + RECORD_HEADER_BYTES <= length ? view.getUint32(at + LENGTH_AT, true) : 0);
    if (end < at + RECORD_HEADER_BYTES || end > length) throw damaged(run, `a record at byte ${at} of ${length}`);
    const position = run.firstPosition + view.getUint32(at + POSITION_DELTA_AT, true);
    if (position > last) return;
    while (range < ranges.length && (ranges[range + 1] as number) < position) range += 2;
    if (range === ranges.length) return;
    if (position >= first && position >= (ranges[range] as number)) visit(position, value, at, end);
    at = end;
    visited++;
  }
  if (visited !== run.count) throw damaged(run, `${visited} records instead of ${run.count}`);
}

function damaged(run: Run, what: string): RangeError {
  return new RangeError(`stored run ${run.firstPosition} of log ${run.logId} is damaged: ${what}`);
}
