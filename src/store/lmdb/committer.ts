/**
 * Group commit: everything that changed since the last batch goes to disk as one LMDB transaction, with exactly one in
 * flight; the next batch fills meanwhile. A batch that fails is kept and tried again together with what changed since,
 * so that on a full disk messages that were consumed meanwhile need no room any more.
 */
import type { Clock, Timer } from '../../clock.js';
import type { CommitId } from '../../core/ports/message-store.js';
import type { TurnTask } from '../../core/turn.js';
import type { BatchWriter, TableName } from './batch-writer.js';
import type { Environment } from './environment.js';

/** Whoever has something to add when a batch closes. */
export interface BatchSource {
  /** The batch closes: what changed goes into it now. The batch before may have failed and be part of this one. */
  collect(): void;
  /** The batch that was collected last is on disk. */
  committed(): void;
}

export interface CommitterEvents {
  /** The batch could not be written and will be tried again. */
  failed(error: unknown, attempt: number): void;
  /** What failed before is on disk now. */
  recovered(): void;
  /** There is no way on. */
  gaveUp(error: unknown): void;
}

/** What a failing commit means: a full disk empties, everything else is given up at some point. */
export type FailureKind = 'full' | 'broken';
export type FailureJudge = (error: unknown) => Promise<FailureKind>;

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2000;
/** A batch that fails for longer than this for another reason than a full disk will not succeed. */
const PATIENCE_MS = 30_000;
/** A broker that stops does not wait for a disk to get space. */
const ATTEMPTS_AT_CLOSE = 3;
/** LMDB answers nothing at all when it cannot even begin. */
const SILENCE_MS = 120_000;

export class Committer implements BatchWriter, TurnTask {
  deferred = false;
  openBatch: CommitId = 1;
  durableCommit: CommitId = 0;
  readonly #environment: Environment;
  readonly #clock: Clock;
  readonly #defer: (task: TurnTask) => void;
  readonly #events: CommitterEvents;
  readonly #judge: FailureJudge;
  readonly #sources: BatchSource[] = [];
  readonly #listeners: ((upTo: CommitId) => void)[] = [];
  #writes: Write[] = [];
  /** Set while a batch is on its way; its promise resolves when nothing is left to write. */
  #inFlight: Promise<void> | undefined;
  #closing = false;
  #closed = false;

  constructor(
    environment: Environment,
    clock: Clock,
    defer: (task: TurnTask) => void,
    judge: FailureJudge,
    events: CommitterEvents,
  ) {
    this.#environment = environment;
    this.#clock = clock;
    this.#defer = defer;
    this.#judge = judge;
    this.#events = events;
  }

  addSource(source: BatchSource): void {
    this.#sources.push(source);
  }

  onDurable(listener: (upTo: CommitId) => void): void {
    this.#listeners.push(listener);
  }

  // --- BatchWriter

  put(table: TableName, key: Uint8Array, value: Uint8Array): void {
    this.#writes.push({ table, key, value });
    this.request();
  }

  remove(table: TableName, key: Uint8Array): void {
    this.#writes.push({ table, key, value: undefined });
    this.request();
  }

  /** The open batch has something to write: it closes at the end of the turn, or when the one in flight is done. */
  request(): void {
    if (this.#inFlight === undefined && !this.deferred && !this.#closed) this.#defer(this);
  }

  /** The commit phase of a turn: closes the open batch. */
  runInTurn(): void {
    if (this.#inFlight !== undefined || this.#closed) return;
    const writes = this.#closeBatch();
    // What was settled before it was written has nothing to wait for.
    if (writes.length === 0) this.#durable();
    else this.#inFlight = this.#write(writes);
  }

  /** Writes what is left. Nothing may be added afterwards. Rejects when it cannot be written. */
  async close(): Promise<void> {
    this.#closing = true;
    while (!this.#closed) {
      this.runInTurn();
      if (this.#inFlight === undefined) break;
      await this.#inFlight;
    }
    this.#closed = true;
  }

  #closeBatch(): Write[] {
    for (const source of this.#sources) source.collect();
    const writes = this.#writes;
    this.#writes = [];
    this.openBatch++;
    return writes;
  }

  async #write(first: Write[]): Promise<void> {
    let writes = first;
    let waitMs = FIRST_RETRY_MS;
    let brokenSince: number | undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#commit(writes);
        if (attempt > 1) this.#events.recovered();
        break;
      } catch (error) {
        const kind = await this.#judge(error);
        const now = this.#clock.monotonicTime();
        brokenSince = kind === 'full' ? undefined : (brokenSince ?? now);
        if (brokenSince !== undefined && now - brokenSince >= PATIENCE_MS) {
          this.#closed = true;
          this.#events.gaveUp(error);
          return;
        }
        if (this.#closing && attempt >= ATTEMPTS_AT_CLOSE) throw error;
        this.#events.failed(error, attempt);
        await new Promise<void>((resolve) => this.#clock.after(waitMs, resolve));
        waitMs = Math.min(waitMs * 2, LONGEST_RETRY_MS);
        writes = lastOfEachKey([...writes, ...this.#closeBatch()]);
      }
    }
    this.#inFlight = undefined;
    this.#durable();
  }

  async #commit(writes: readonly Write[]): Promise<void> {
    const { root, tables } = this.#environment;
    const watch = this.#watchSilence();
    try {
      await root.batch(() => {
        for (const { table, key, value } of writes) {
          if (value === undefined) void tables[table].remove(asBuffer(key));
          else void tables[table].put(asBuffer(key), asBuffer(value));
        }
      });
    } catch (error) {
      throw await reasonOf(error);
    } finally {
      watch.cancel();
    }
  }

  #watchSilence(): Timer {
    return this.#clock.after(SILENCE_MS, () => {
      this.#closed = true;
      this.#events.gaveUp(new Error(`the storage has not answered for ${SILENCE_MS / 1000} s`));
    });
  }

  /** Every batch that was closed is on disk. */
  #durable(): void {
    for (const source of this.#sources) source.committed();
    this.durableCommit = this.openBatch - 1;
    for (const listener of this.#listeners) listener(this.durableCommit);
    if (this.#writes.length > 0) this.request();
  }
}

interface Write {
  readonly table: TableName;
  readonly key: Uint8Array;
  /** Undefined removes the key. */
  readonly value: Uint8Array | undefined;
}

function lastOfEachKey(writes: readonly Write[]): Write[] {
  const last = new Map<string, Write>();
  for (const write of writes) {
    const identity = `${write.table} ${asBuffer(write.key).toString('latin1')}`;
    // Deleted first, to come in the order of the last write.
    last.delete(identity);
    last.set(identity, write);
  }
  return [...last.values()];
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** lmdb rejects with a general error that carries the promise of the real one. */
async function reasonOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (reason) {
    return reason;
  }
}
