/**
 * What the LMDB environment holds, byte by byte. The structures are the definition: recovery, `jackalope check` and the
 * tests decode with them, code that runs for every batch writes at the offsets derived from them, and a unit test
 * holds both to the same bytes. Keys are big-endian, so that they sort by number; values are little-endian.
 *
 * Tables, and the keys and values in them:
 *
 *   meta         'format'      ->  format record: which layout all of this has
 *   definitions  number        ->  definition record (definition-records.ts)
 *   logs         log id        ->  log state
 *   runs         run key       ->  run header: what is alive in a run, without its messages
 *   records      run key       ->  the records of the run, packed as in core/log/record-layout.ts; `positionDelta`
 *                                  counts from the first position of the run
 *   bodies       body id       ->  a body that records of several queues share, and its checksum (u32)
 *
 * Number, log id, body id:      Run key:
 *
 *    0        4                  0        4                12
 *    ┌────────┐                  ┌────────┬────────────────┐
 *    │ u32 be │                  │ log id │ first position │  u32 be, u64 be
 *    └────────┘                  └────────┴────────────────┘
 *
 * Run header. `lastDelta`: last position minus first; `sizeBytes` and `checksum` (CRC-32, 0 for none): of
 * the value in `records`; the times are ms since
 * the epoch, 0 for none:
 *
 *    0           4       8           12          16           20         24               32                40
 *    ┌───────────┬───────┬───────────┬───────────┬────────────┬──────────┬────────────────┬─────────────────┐
 *    │ lastDelta │ count │ sizeBytes │ bodyCount │ rangeCount │ checksum │ earliestExpiry │ firstEnqueuedAt │
 *    └───────────┴───────┴───────────┴───────────┴────────────┴──────────┴────────────────┴─────────────────┘
 *    rangeCount × [firstDelta u32, lastDelta u32]     positions that are not settled, ascending
 *    bodyCount × [positionDelta u32, bodyId u32]      records whose body is in `bodies`
 *
 * Log state. Records below `deliveredUpTo` were delivered once; those in a tombstone are settled, although their runs
 * may not all be deleted yet:
 *
 *    0               8                16
 *    ┌───────────────┬────────────────┐
 *    │ deliveredUpTo │ tombstoneCount │  f64, u32, 4 bytes reserved
 *    └───────────────┴────────────────┘
 *    tombstoneCount × [first f64, last f64]
 *
 * Format record, followed by the name and version of the program that wrote it, in UTF-8:
 *
 *    0         4          8           16
 *    ┌─────────┬──────────┬───────────┐
 *    │ version │ reserved │ createdAt │
 *    └─────────┴──────────┴───────────┘
 */
import * as layout from 'buffer-layout';

/** The layout that this program reads and writes. */
export const FORMAT_VERSION = 1;
export const FORMAT_KEY = Buffer.from('format');

export interface RunKey {
  logId: number;
  firstPosition: number;
}

export const runKeyLayout = layout.struct<RunKey>([layout.u32be('logId'), layout.nu64be('firstPosition')]);
export const numberKeyLayout = layout.struct<{ id: number }>([layout.u32be('id')]);

export interface RunHeader {
  lastDelta: number;
  count: number;
  sizeBytes: number;
  bodyCount: number;
  rangeCount: number;
  checksum: number;
  earliestExpiry: number;
  firstEnqueuedAt: number;
}

export const runHeaderLayout = layout.struct<RunHeader>([
  layout.u32('lastDelta'),
  layout.u32('count'),
  layout.u32('sizeBytes'),
  layout.u32('bodyCount'),
  layout.u32('rangeCount'),
  layout.u32('checksum'),
  layout.f64('earliestExpiry'),
  layout.f64('firstEnqueuedAt'),
]);

export const rangeLayout = layout.struct<{ firstDelta: number; lastDelta: number }>([
  layout.u32('firstDelta'),
  layout.u32('lastDelta'),
]);

export const bodyUseLayout = layout.struct<{ positionDelta: number; bodyId: number }>([
  layout.u32('positionDelta'),
  layout.u32('bodyId'),
]);

export interface LogState {
  deliveredUpTo: number;
  tombstoneCount: number;
  reserved: number;
}

export const logStateLayout = layout.struct<LogState>([
  layout.f64('deliveredUpTo'),
  layout.u32('tombstoneCount'),
  layout.u32('reserved'),
]);

export const tombstoneLayout = layout.struct<{ first: number; last: number }>([
  layout.f64('first'),
  layout.f64('last'),
]);

export interface FormatRecord {
  version: number;
  reserved: number;
  createdAt: number;
}

export const formatLayout = layout.struct<FormatRecord>([
  layout.u32('version'),
  layout.u32('reserved'),
  layout.f64('createdAt'),
]);

/** Behind a body. */
export const bodyTrailerLayout = layout.struct<{ checksum: number }>([layout.u32('checksum')]);

export const RUN_KEY_BYTES = runKeyLayout.span;
export const RUN_HEADER_BYTES = runHeaderLayout.span;
export const RANGE_BYTES = rangeLayout.span;
export const BODY_USE_BYTES = bodyUseLayout.span;

export function runKey(logId: number, firstPosition: number): Buffer {
  const key = Buffer.allocUnsafe(RUN_KEY_BYTES);
  key.writeUInt32BE(logId, 0);
  key.writeUInt32BE(Math.floor(firstPosition / 0x1_0000_0000), 4);
  key.writeUInt32BE(firstPosition >>> 0, 8);
  return key;
}

export function numberKey(id: number): Buffer {
  const key = Buffer.allocUnsafe(numberKeyLayout.span);
  key.writeUInt32BE(id, 0);
  return key;
}
