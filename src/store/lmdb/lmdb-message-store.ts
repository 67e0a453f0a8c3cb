/**
 * The message store on LMDB: each commit keeps what one log got since the last one as a run, notes in the run's header
 * what of it is settled, and deletes whole runs. What is alive is known in memory; the messages themselves stay on disk
 * until they are read.
 */
import type {
  BatchedLog,
  BatchSink,
  CommitId,
  MessageStore,
  RecordVisitor,
  RecoveredLog,
  StoredBody,
} from '../../core/ports/message-store.js';
import { BodyTable } from './body-table.js';
import type { BatchSource, Committer } from './committer.js';
import type { Environment } from './environment.js';
import { numberKey, runKey } from './layouts.js';
import { Removals } from './removals.js';
import { Rewriter } from './rewriter.js';
import { Run } from './run.js';
import { RunPacker } from './run-packer.js';
import { checkedValue, visitRecords } from './run-reader.js';
import { StoredLog } from './stored-log.js';

/** Settling more whole runs than this at once leaves a tombstone; the runs go in later batches, in slices. */
const RUNS_REMOVED_AT_ONCE = 64;

export class LmdbMessageStore implements MessageStore, BatchSink, BatchSource {
  readonly keepsMessages = true;
  readonly #environment: Environment;
  readonly #committer: Committer;
  readonly #logs = new Map<number, StoredLog>();
  readonly #bodies: BodyTable;
  readonly #packer = new RunPacker();
  readonly #removals: Removals;
  readonly #rewriter: Rewriter;
  #enlisted: BatchedLog[] = [];
  readonly #dirtyRuns: Run[] = [];
  readonly #dirtyLogs: StoredLog[] = [];
  /** Got in the batch that is being collected. */
  readonly #newRuns: Run[] = [];
  /** Of batches that are not durable, their values not readable yet. */
  readonly #unreadable: Run[] = [];
  #log: StoredLog | undefined;
  #highestLogId = 0;

  constructor(environment: Environment, committer: Committer) {
    this.#environment = environment;
    this.#committer = committer;
    this.#bodies = new BodyTable(environment, committer);
    this.#removals = new Removals(committer);
    this.#rewriter = new Rewriter(this.#packer, this.#removals, (run) => this.#valueOf(run));
    this.#load();
    committer.addSource(this);
  }

  get openBatch(): CommitId {
    return this.#committer.openBatch;
  }

  get durableCommit(): CommitId {
    return this.#committer.durableCommit;
  }

  /** No log ever had a higher id. */
  get highestLogId(): number {
    return this.#highestLogId;
  }

  /** Bytes of stored runs, and of them what is alive. */
  get heldBytes(): number {
    return this.#rewriter.heldBytes;
  }

  /** What all that is stored takes of the file, roughly. */
  get fileBytes(): number {
    return this.#rewriter.fileBytes + this.#bodies.sizeBytes;
  }

  enlist(log: BatchedLog): void {
    log.enlisted = true;
    this.#enlisted.push(log);
    this.#committer.request();
  }

  onDurable(listener: (upTo: CommitId) => void): void {
    this.#committer.onDurable(listener);
  }

  // --- recovery and reading

  recover(logId: number): RecoveredLog | undefined {
    const log = this.#logs.get(logId);
    if (log === undefined) return undefined;
    const { runs, deliveredUpTo } = log;
    return { nextPosition: Math.max(log.lastPosition + 1, deliveredUpTo, 1), deliveredUpTo, runs };
  }

  recoverBodies(): Iterable<StoredBody> {
    return this.#bodies.all();
  }

  /** Logs that no queue has any more go: a queue was deleted and its runs were not all removed yet. */
  keepOnly(logIds: ReadonlySet<number>): void {
    for (const id of [...this.#logs.keys()]) if (!logIds.has(id)) this.dropLog(id);
    this.#bodies.sweep();
  }

  read(logId: number, first: number, last: number, visit: RecordVisitor): void {
    const log = this.#logs.get(logId);
    if (log === undefined) return;
    const { runs } = log;
    for (let index = log.indexOf(first); index < runs.length; index++) {
      const run = runs[index] as Run;
      if (run.firstPosition > last) return;
      visitRecords(run, this.#valueOf(run), first, last, visit);
    }
  }

  prefetch(logId: number, first: number, last: number): void {
    const log = this.#logs.get(logId);
    if (log === undefined) return;
    const keys: Buffer[] = [];
    for (let index = log.indexOf(first); index < log.runs.length; index++) {
      const run = log.runs[index] as Run;
      if (run.firstPosition > last) break;
      if (run.value === undefined) keys.push(runKey(logId, run.firstPosition));
    }
    if (keys.length > 0) this.#environment.tables.records.prefetch(keys);
  }

  readBody(bodyId: number): Uint8Array {
    return this.#bodies.read(bodyId);
  }

  dropLog(logId: number): void {
    const log = this.#logs.get(logId);
    if (log === undefined) return;
    this.#logs.delete(logId);
    log.dirty = false;
    this.#committer.remove('logs', numberKey(logId));
    for (const run of log.runs) this.#forgetRun(run);
    this.#removals.add(log.runs, undefined);
    log.runs = [];
  }

  // --- BatchSource

  collect(): void {
    const enlisted = this.#enlisted;
    this.#enlisted = [];
    for (const log of enlisted) {
      log.enlisted = false;
      this.#log = this.#logOf(log.id);
      const runsBefore = this.#newRuns.length;
      log.collect(this);
      this.#packer.finish();
      const added = this.#newRuns.length - runsBefore;
      if (added > 0) this.#rewriter.mergeTiny(this.#log, added, this.#addRun);
    }
    this.#log = undefined;
    this.#rewriter.compact(this.#logs, this.#addRun);
    this.#writeRuns();
    this.#removals.removeSome();
    this.#writeLogs();
  }

  committed(): void {
    for (const run of this.#unreadable) run.value = undefined;
    this.#unreadable.length = 0;
    this.#packer.release();
    if (this.#enlisted.length > 0 || this.#removals.pending || this.#rewriter.pending) this.#committer.request();
  }

  // --- BatchSink

  append(logId: number, position: number, bytes: Uint8Array, start: number, end: number): void {
    const log = this.#current(logId);
    const run = this.#packer.add(logId, position, bytes, start, end);
    if (run.count === 1) {
      log.runs.push(run);
      this.#addRun(run);
    }
    const { bodyUses } = run;
    if (bodyUses[bodyUses.length - 2] === position) this.#bodies.use(bodyUses[bodyUses.length - 1] as number);
  }

  putBody(bodyId: number, body: Uint8Array): void {
    this.#bodies.put(bodyId, body);
  }

  settle(logId: number, first: number, last: number): void {
    const log = this.#current(logId);
    const { runs } = log;
    const from = log.indexOf(first);
    let to = from;
    while (to < runs.length && (runs[to] as Run).firstPosition <= last) {
      const run = runs[to++] as Run;
      this.#rewriter.settling(run);
      run.settle(first, last, this.#releaseBody);
      this.#rewriter.settled(run);
      if (run.live > 0) this.#touchRun(run);
    }
    this.#removeSettled(log, from, to, first, last);
  }

  markDelivered(logId: number, upTo: number): void {
    const log = this.#current(logId);
    // A mark below everything stored would be written for nothing.
    const matters = log.runs.length > 0 && upTo > (log.runs[0] as Run).firstPosition;
    log.deliveredUpTo = upTo;
    if (matters) this.#touchLog(log);
  }

  // --- inside

  readonly #addRun = (run: Run): void => {
    this.#newRuns.push(run);
    this.#touchRun(run);
  };

  readonly #releaseBody = (bodyId: number): void => this.#bodies.release(bodyId);

  #removeSettled(log: StoredLog, from: number, to: number, first: number, last: number): void {
    const { runs } = log;
    let firstEmpty = from;
    while (firstEmpty < to && (runs[firstEmpty] as Run).live > 0) firstEmpty++;
    let end = firstEmpty;
    while (end < to && (runs[end] as Run).live === 0) end++;
    if (end === firstEmpty) return;
    const removed = runs.splice(firstEmpty, end - firstEmpty);
    if (removed.length <= RUNS_REMOVED_AT_ONCE) {
      for (const run of removed) this.#removals.removeNow(run);
      return;
    }
    const tombstone = { first, last };
    log.tombstones.push(tombstone);
    this.#touchLog(log);
    this.#removals.add(removed, () => {
      log.tombstones = log.tombstones.filter((other) => other !== tombstone);
      if (this.#logs.get(log.id) === log) this.#touchLog(log);
    });
  }

  /** The run's messages are gone without having been settled one by one. */
  #forgetRun(run: Run): void {
    this.#rewriter.settling(run);
    run.settle(run.firstPosition, run.lastPosition, this.#releaseBody);
    this.#rewriter.settled(run);
  }

  #writeRuns(): void {
    for (const run of this.#newRuns) {
      this.#rewriter.added(run);
      const { value } = run;
      if (value === undefined) throw new Error(`run ${run.firstPosition} of log ${run.logId} has no value`);
      this.#committer.put('records', runKey(run.logId, run.firstPosition), value);
      this.#unreadable.push(run);
    }
    this.#newRuns.length = 0;
    for (const run of this.#dirtyRuns) {
      run.dirty = false;
      if (run.live > 0) this.#committer.put('runs', runKey(run.logId, run.firstPosition), run.header());
    }
    this.#dirtyRuns.length = 0;
  }

  #writeLogs(): void {
    for (const log of this.#dirtyLogs) {
      if (!log.dirty) continue;
      log.dirty = false;
      this.#committer.put('logs', numberKey(log.id), log.state());
    }
    this.#dirtyLogs.length = 0;
  }

  #touchRun(run: Run): void {
    if (run.dirty) return;
    run.dirty = true;
    this.#dirtyRuns.push(run);
  }

  #touchLog(log: StoredLog): void {
    if (log.dirty) return;
    log.dirty = true;
    this.#dirtyLogs.push(log);
  }

  /** The log that is being collected. */
  #current(logId: number): StoredLog {
    const log = this.#log;
    if (log?.id !== logId) throw new Error(`log ${logId} gives its changes out of turn`);
    return log;
  }

  #logOf(id: number): StoredLog {
    let log = this.#logs.get(id);
    if (log === undefined) {
      log = new StoredLog(id);
      this.#logs.set(id, log);
      this.#highestLogId = Math.max(this.#highestLogId, id);
    }
    return log;
  }

  #valueOf(run: Run): Uint8Array {
    if (run.value !== undefined) return run.value;
    const value = this.#environment.tables.records.getBinaryFast(runKey(run.logId, run.firstPosition));
    // lmdb's buffer is larger than its length says.
    return checkedValue(run, value?.subarray(0, value.length));
  }

  #load(): void {
    const { logs, runs } = this.#environment.tables;
    for (const { key, value } of logs.getRange()) this.#logOf(key.readUInt32BE(0)).restoreState(value);
    for (const { key, value } of runs.getRange()) {
      const logId = key.readUInt32BE(0);
      const firstPosition = key.readUInt32BE(4) * 0x1_0000_0000 + key.readUInt32BE(8);
      this.#loadRun(this.#logOf(logId), Run.fromHeader(logId, firstPosition, value));
    }
    for (const log of this.#logs.values()) this.#resumeTombstones(log);
  }

  #loadRun(log: StoredLog, run: Run): void {
    for (const { first, last } of log.tombstones) run.settle(first, last, () => {});
    log.runs.push(run);
    this.#rewriter.added(run);
    this.#bodies.restore(run);
  }

  /** Removes what the tombstones of an earlier life left over. */
  #resumeTombstones(log: StoredLog): void {
    if (log.tombstones.length === 0) return;
    const left = log.runs.filter((run) => run.live === 0);
    log.runs = log.runs.filter((run) => run.live > 0);
    this.#removals.add(left, () => {
      log.tombstones = [];
      if (this.#logs.get(log.id) === log) this.#touchLog(log);
    });
  }
}
