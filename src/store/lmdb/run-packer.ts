/**
 * Packs the records of one batch into the values of runs. Values of one batch lie side by side in chunks, which are
 * used again once the batch is on disk.
 */
import {
  ENQUEUED_AT_AT,
  EXPIRY_BYTES,
  FLAGS_AT,
  POSITION_DELTA_AT,
  RECORD_HEADER_BYTES,
  RecordFlag,
} from '../../core/log/record-layout.js';
import { checksumOf } from './checksum.js';
import { Run } from './run.js';

/** No value is larger, save one that holds a single record. */
export const LARGEST_RUN_BYTES = 256 * 1024;
const CHUNK_BYTES = 512 * 1024;
const KEPT_CHUNKS = 8;
/** positionDelta is 32 bits wide. */
const WIDEST_RUN = 0xffff_ffff;

class Chunk {
  readonly bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  readonly view = new DataView(this.bytes.buffer);
  used = 0;
}

export class RunPacker {
  readonly #spare: Chunk[] = [];
  #chunks: Chunk[] = [];
  #chunk: Chunk | undefined;
  #run: Run | undefined;
  /** Where the open run's value begins in the chunk. */
  #start = 0;

  /** Adds a record to the open run and returns it; it is a new one when the record does not fit the one before. */
  add(logId: number, position: number, bytes: Uint8Array, start: number, end: number): Run {
    const length = end - start;
    if (length > LARGEST_RUN_BYTES) {
      this.finish();
      return addAlone(new Run(logId, position), bytes, start, end);
    }
    let chunk = this.#chunk;
    if (chunk === undefined || CHUNK_BYTES - chunk.used < length) {
      this.finish();
      chunk = this.#nextChunk();
    }
    let run = this.#run;
    if (
      run === undefined ||
      run.logId !== logId ||
      run.sizeBytes + length > LARGEST_RUN_BYTES ||
      position - run.firstPosition > WIDEST_RUN
    ) {
      this.finish();
      run = new Run(logId, position);
      this.#run = run;
      this.#start = chunk.used;
    }
    const at = chunk.used;
    chunk.bytes.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), at);
    chunk.used += length;
    note(run, position, chunk.view, at, length);
    return run;
  }

  /** Gives the open run its value. */
  finish(): void {
    const run = this.#run;
    if (run === undefined || this.#chunk === undefined) return;
    run.value = this.#chunk.bytes.subarray(this.#start, this.#start + run.sizeBytes);
    run.checksum = checksumOf(run.value);
    this.#run = undefined;
  }

  /** Everything that was packed may be overwritten. */
  release(): void {
    for (const chunk of this.#chunks) {
      chunk.used = 0;
      if (this.#spare.length < KEPT_CHUNKS) this.#spare.push(chunk);
    }
    this.#chunks = [];
    this.#chunk = undefined;
  }

  #nextChunk(): Chunk {
    const chunk = this.#spare.pop() ?? new Chunk();
    this.#chunks.push(chunk);
    this.#chunk = chunk;
    return chunk;
  }
}

function addAlone(run: Run, bytes: Uint8Array, start: number, end: number): Run {
  const value = Buffer.allocUnsafeSlow(end - start);
  value.set(bytes.subarray(start, end));
  note(run, run.firstPosition, new DataView(value.buffer), 0, value.length);
  run.value = value;
  run.checksum = checksumOf(value);
  return run;
}

/** Counts the record at `at` of the value's memory, and makes its delta count from the run. */
function note(run: Run, position: number, view: DataView, at: number, length: number): void {
  view.setUint32(at + POSITION_DELTA_AT, position - run.firstPosition, true);
  const flags = view.getUint8(at + FLAGS_AT);
  if (run.count === 0) run.firstEnqueuedAt = view.getFloat64(at + ENQUEUED_AT_AT, true);
  let optional = at + RECORD_HEADER_BYTES;
  if ((flags & RecordFlag.Expires) !== 0) {
    const expiresAt = view.getFloat64(optional, true);
    if (run.earliestExpiry === 0 || expiresAt < run.earliestExpiry) run.earliestExpiry = expiresAt;
    optional += EXPIRY_BYTES;
  }
  run.add(position, length, (flags & RecordFlag.SharedBody) === 0 ? 0 : view.getUint32(optional, true));
}
