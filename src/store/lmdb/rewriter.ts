/**
 * Keeps the file from filling with leftovers. Many tiny runs in a row (a publisher that waits for each confirm makes one
 * a message) become one, so that a restart has few headers to read; runs of which little is alive are written again
 * without the rest once such waste outweighs what is alive.
 */
import type { Removals } from './removals.js';
import type { Run } from './run.js';
import type { RunPacker } from './run-packer.js';
import { visitRecords } from './run-reader.js';
import type { StoredLog } from './stored-log.js';

/** Runs below this size are tiny. */
const TINY_BYTES = 4096;
/** So many tiny runs become one. */
const MERGED_RUNS = 64;
/** A run is sparse when at most this part of its records is alive. */
const SPARSE_PART = 4;
/** Waste up to here is not worth a thought. */
const WASTE_BYTES = 16 * 1024 * 1024;
/** What one batch may rewrite, counted in bytes of the old runs. */
const BYTES_A_BATCH = 2 * 1024 * 1024;

export class Rewriter {
  readonly #packer: RunPacker;
  readonly #removals: Removals;
  readonly #readValue: (run: Run) => Uint8Array;
  readonly #sparse = new Set<Run>();
  #heldBytes = 0;
  #fileBytes = 0;
  /** Estimated from the share of live records. */
  #liveBytes = 0;

  constructor(packer: RunPacker, removals: Removals, readValue: (run: Run) => Uint8Array) {
    this.#packer = packer;
    this.#removals = removals;
    this.#readValue = readValue;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** What the runs take of the file, roughly: larger values lie on pages of their own. */
  get fileBytes(): number {
    return this.#fileBytes;
  }

  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** More is to be rewritten than one batch took. */
  get pending(): boolean {
    return this.#sparse.size > 0 && this.#heldBytes - this.#liveBytes > Math.max(WASTE_BYTES, this.#liveBytes);
  }

  added(run: Run): void {
    this.#heldBytes += run.sizeBytes;
    this.#fileBytes += fileBytesOf(run);
    this.#liveBytes += liveBytesOf(run);
    this.#noteSparse(run);
  }

  /** Some of the run's records are about to be settled. */
  settling(run: Run): void {
    this.#liveBytes -= liveBytesOf(run);
  }

  settled(run: Run): void {
    this.#liveBytes += liveBytesOf(run);
    if (run.live > 0) {
      this.#noteSparse(run);
      return;
    }
    this.#heldBytes -= run.sizeBytes;
    this.#fileBytes -= fileBytesOf(run);
    this.#sparse.delete(run);
  }

  /**
   * `log` got `count` runs in the open batch. Merges the tiny ones before them when they have become many. Those of the
   * batch itself are not written yet and stay out of it; several at once are a sign of a busy log, which starts anew.
   */
  mergeTiny(log: StoredLog, count: number, added: (run: Run) => void): void {
    const newest = log.runs[log.runs.length - 1];
    if (newest === undefined) return;
    if (newest.sizeBytes >= TINY_BYTES) log.tinyRuns = 0;
    else log.tinyRuns = count > 1 ? 1 : Math.min(log.tinyRuns + 1, log.runs.length);
    if (log.tinyRuns <= MERGED_RUNS) return;
    let from = log.runs.length - log.tinyRuns;
    // Some that were counted may be settled and gone.
    while ((log.runs[from] as Run).sizeBytes >= TINY_BYTES) from++;
    const merged = this.#rewrite(log, from, log.runs.length - 1 - from, added);
    const stillTiny = merged.length === 1 && (merged[0] as Run).sizeBytes < TINY_BYTES;
    log.tinyRuns = stillTiny ? 2 : 1;
  }

  /** Rewrites sparse runs, as many as a batch takes, while they waste too much. */
  compact(logs: ReadonlyMap<number, StoredLog>, added: (run: Run) => void): void {
    let room = BYTES_A_BATCH;
    for (const run of this.#sparse) {
      if (!this.pending || room <= 0) return;
      const log = logs.get(run.logId);
      const index = log?.indexOf(run.lastPosition) ?? -1;
      if (log === undefined || log.runs[index] !== run) this.#sparse.delete(run);
      else if (run.value === undefined) {
        room -= run.sizeBytes;
        this.#rewrite(log, index, 1, added);
      }
    }
  }

  /** Puts new runs with what is alive in the place of `count` runs, and returns them. */
  #rewrite(log: StoredLog, from: number, count: number, added: (run: Run) => void): Run[] {
    const old = log.runs.slice(from, from + count);
    const rewritten: Run[] = [];
    for (const run of old) {
      visitRecords(run, this.#readValue(run), run.firstPosition, run.lastPosition, (position, bytes, start, end) => {
        const target = this.#packer.add(log.id, position, bytes, start, end);
        if (target.count === 1) rewritten.push(target);
      });
    }
    this.#packer.finish();
    for (const run of old) {
      this.#removals.removeNow(run);
      this.settling(run);
      this.#heldBytes -= run.sizeBytes;
      this.#fileBytes -= fileBytesOf(run);
      this.#sparse.delete(run);
      run.live = 0;
    }
    log.runs.splice(from, count, ...rewritten);
    for (const run of rewritten) added(run);
    return rewritten;
  }

  #noteSparse(run: Run): void {
    if (run.live * SPARSE_PART <= run.count && run.sizeBytes >= TINY_BYTES) this.#sparse.add(run);
  }
}

function liveBytesOf(run: Run): number {
  return (run.sizeBytes * run.live) / run.count;
}

const PAGE_BYTES = 4096;
const HEADER_ROOM_BYTES = 160;

/** A value above half a page gets pages of its own. */
function fileBytesOf({ sizeBytes }: Run): number {
  const value = sizeBytes > PAGE_BYTES / 2 ? Math.ceil((sizeBytes + 16) / PAGE_BYTES) * PAGE_BYTES : sizeBytes;
  return value + HEADER_ROOM_BYTES;
}
