/**
 * A message store that keeps every call it gets. The test closes batches and says when they are durable, and can have
 * a log rebuilt from the calls alone, as a restart would. It holds the core to the port's contract and throws when a
 * call breaks it.
 */
import { RecordFlag, recordHeader } from '../../src/core/log/record-layout.js';
import type {
  BatchedLog,
  BatchSink,
  CommitId,
  MessageStore,
  RecordVisitor,
  RecoveredLog,
  StoredBody,
  StoredRun,
} from '../../src/core/ports/message-store.js';

export type StoreCall =
  | { readonly kind: 'append'; readonly logId: number; readonly position: number; readonly record: Buffer }
  | { readonly kind: 'putBody'; readonly bodyId: number; readonly body: Uint8Array }
  | { readonly kind: 'settle'; readonly logId: number; readonly first: number; readonly last: number }
  | { readonly kind: 'markDelivered'; readonly logId: number; readonly upTo: number }
  | { readonly kind: 'dropLog'; readonly logId: number };

export interface RebuiltMessage {
  readonly position: number;
  readonly route: Uint8Array;
  readonly properties: Uint8Array;
  readonly body: Uint8Array;
  readonly redelivered: boolean;
  readonly priority: number;
  readonly enqueuedAt: number;
}

interface StoredRecord {
  readonly position: number;
  readonly batch: CommitId;
  readonly bodyId: number;
  readonly record: Buffer;
  readonly body: Uint8Array | undefined;
}

interface LogContents {
  readonly records: readonly StoredRecord[];
  readonly deliveredUpTo: number;
  readonly nextPosition: number;
}

export class RecordingStore implements MessageStore, BatchSink {
  readonly keepsMessages = true;
  openBatch: CommitId = 1;
  durableCommit: CommitId = 0;
  /** Calls of each closed batch, by its number; `dropLog` comes between batches and counts to the open one. */
  readonly batches = new Map<CommitId, StoreCall[]>();
  readCount = 0;
  readonly prefetched: (readonly [number, number])[] = [];
  #calls: StoreCall[] = [];
  #enlisted: BatchedLog[] = [];
  #collecting = false;
  readonly #dropped = new Set<number>();
  readonly #listeners: ((upTo: CommitId) => void)[] = [];

  // --- MessageStore

  enlist(log: BatchedLog): void {
    if (log.enlisted) throw new Error(`log ${log.id} is enlisted already`);
    if (this.#collecting) throw new Error(`log ${log.id} enlists itself while batches are collected`);
    log.enlisted = true;
    this.#enlisted.push(log);
  }

  /** After a restart or a crash: what is in closed batches was durable. */
  recover(logId: number): RecoveredLog | undefined {
    this.durableCommit = this.openBatch - 1;
    const { records, deliveredUpTo, nextPosition } = this.#contents(logId, this.openBatch - 1);
    if (nextPosition === 1) return undefined;
    return { nextPosition, deliveredUpTo, runs: runsOf(records) };
  }

  recoverBodies(): Iterable<StoredBody> {
    const bodies = new Map<number, StoredBody>();
    const calls = [...this.batches.values()].flat();
    const logIds = new Set(calls.flatMap((call) => (call.kind === 'append' ? [call.logId] : [])));
    for (const logId of logIds) {
      if (this.#dropped.has(logId)) continue;
      for (const { bodyId, body } of this.#contents(logId, this.openBatch - 1).records) {
        if (body === undefined) continue;
        const references = (bodies.get(bodyId)?.references ?? 0) + 1;
        bodies.set(bodyId, { id: bodyId, sizeBytes: body.length, references });
      }
    }
    return bodies.values();
  }

  /** Gives as little as the port allows: nothing that is not durable yet. */
  read(logId: number, first: number, last: number, visit: RecordVisitor): void {
    this.readCount++;
    if (this.#dropped.has(logId)) return;
    for (const { position, batch, record } of this.#contents(logId, this.openBatch - 1).records) {
      if (position < first || position > last || batch > this.durableCommit) continue;
      const bytes = Buffer.concat([Buffer.alloc(3, 0xcc), record, Buffer.alloc(3, 0xcc)]);
      visit(position, bytes, 3, bytes.length - 3);
      bytes.fill(0xcc);
    }
  }

  prefetch(logId: number, first: number, last: number): void {
    this.#assertKnown(logId);
    this.prefetched.push([first, last]);
  }

  readBody(bodyId: number): Uint8Array {
    const puts = [...this.batches.values()].flat().filter((call) => call.kind === 'putBody' && call.bodyId === bodyId);
    const last = puts.at(-1);
    if (last?.kind !== 'putBody') throw new Error(`there is no body ${bodyId}`);
    return Uint8Array.from(last.body);
  }

  dropLog(logId: number): void {
    this.#dropped.add(logId);
    this.#calls.push({ kind: 'dropLog', logId });
  }

  onDurable(listener: (upTo: CommitId) => void): void {
    this.#listeners.push(listener);
  }

  // --- BatchSink

  append(logId: number, position: number, bytes: Uint8Array, start: number, end: number): void {
    this.#assertKnown(logId);
    this.#calls.push({ kind: 'append', logId, position, record: Buffer.from(bytes.subarray(start, end)) });
  }

  putBody(bodyId: number, body: Uint8Array): void {
    const put = this.#calls.find((call) => call.kind === 'putBody' && call.bodyId === bodyId);
    if (put?.kind === 'putBody') {
      if (Buffer.compare(put.body, body) !== 0) throw new Error(`body ${bodyId} changes within a batch`);
      return;
    }
    this.#calls.push({ kind: 'putBody', bodyId, body: Buffer.from(body) });
  }

  settle(logId: number, first: number, last: number): void {
    this.#assertKnown(logId);
    if (first > last) throw new Error(`empty range ${first}..${last} is settled`);
    this.#calls.push({ kind: 'settle', logId, first, last });
  }

  markDelivered(logId: number, upTo: number): void {
    this.#assertKnown(logId);
    this.#calls.push({ kind: 'markDelivered', logId, upTo });
  }

  // --- for the test

  get enlistedCount(): number {
    return this.#enlisted.length;
  }

  /** Asks every enlisted log for its changes and returns the number of the batch that this closed. */
  closeBatch(): CommitId {
    const enlisted = this.#enlisted;
    this.#enlisted = [];
    this.#collecting = true;
    for (const log of enlisted) {
      log.enlisted = false;
      log.collect(this);
    }
    this.#collecting = false;
    const closed = this.openBatch++;
    this.batches.set(closed, this.#calls);
    this.#calls = [];
    return closed;
  }

  /** What was not in a closed batch is lost, and whoever wrote it is gone. */
  crash(): void {
    this.#calls = [];
    this.#enlisted = [];
  }

  makeDurable(upTo: CommitId): void {
    this.durableCommit = upTo;
    for (const listener of this.#listeners) listener(upTo);
  }

  /** Every append so far of one log, closed batches only. */
  appendedPositions(logId: number): number[] {
    return [...this.batches.values()]
      .flat()
      .flatMap((call) => (call.kind === 'append' && call.logId === logId ? [call.position] : []));
  }

  /** What a restart would find of a log after batch `upTo`, in order. */
  rebuild(logId: number, upTo: CommitId = this.openBatch - 1): RebuiltMessage[] {
    const { records, deliveredUpTo } = this.#contents(logId, upTo);
    return records.map((stored) => ({
      position: stored.position,
      redelivered: stored.position < deliveredUpTo,
      ...partsOf(stored),
    }));
  }

  #contents(logId: number, upTo: CommitId): LogContents {
    const records = new Map<number, StoredRecord>();
    let deliveredUpTo = 0;
    let nextPosition = 1;
    for (const [batch, calls] of this.batches) {
      if (batch > upTo) continue;
      const bodies = new Map<number, Uint8Array>();
      for (const call of calls) {
        if (call.kind === 'putBody') bodies.set(call.bodyId, call.body);
        else if (call.logId !== logId) continue;
        else if (call.kind === 'append') {
          records.set(call.position, storedRecord(call.position, batch, call.record, bodies));
          nextPosition = Math.max(nextPosition, call.position + 1);
        } else if (call.kind === 'markDelivered') deliveredUpTo = Math.max(deliveredUpTo, call.upTo);
        else if (call.kind === 'dropLog') records.clear();
        else {
          for (const position of [...records.keys()]) {
            if (position >= call.first && position <= call.last) records.delete(position);
          }
          nextPosition = Math.max(nextPosition, call.last + 1);
        }
      }
    }
    const sorted = [...records.values()].sort((a, b) => a.position - b.position);
    return { records: sorted, deliveredUpTo, nextPosition: Math.max(nextPosition, deliveredUpTo) };
  }

  #assertKnown(logId: number): void {
    if (this.#dropped.has(logId)) throw new Error(`log ${logId} was dropped`);
  }
}

/** One run for each batch that wrote some of them. */
function runsOf(records: readonly StoredRecord[]): StoredRun[] {
  const runs: StoredRun[] = [];
  for (const batch of new Set(records.map((stored) => stored.batch))) {
    const members = records.filter((stored) => stored.batch === batch);
    const positions = members.map(({ position }) => position);
    runs.push({
      firstPosition: Math.min(...positions),
      lastPosition: Math.max(...positions),
      live: members.length,
      sizeBytes: members.reduce((sum, { record }) => sum + record.length, 0),
      sharedBodyCount: members.filter(({ body }) => body !== undefined).length,
      earliestExpiry: earliest(members.flatMap(({ record }) => expiryOf(record))),
      firstEnqueuedAt: earliest(members.map(({ record }) => recordHeader.decode(record).enqueuedAt)),
    });
  }
  return runs;
}

function earliest(times: readonly number[]): number {
  return times.length === 0 ? 0 : Math.min(...times);
}

/** One or none. */
function expiryOf(record: Buffer): number[] {
  const expires = (recordHeader.decode(record).flags & RecordFlag.Expires) !== 0;
  return expires ? [record.readDoubleLE(recordHeader.span)] : [];
}

function storedRecord(
  position: number,
  batch: CommitId,
  record: Buffer,
  bodies: ReadonlyMap<number, Uint8Array>,
): StoredRecord {
  const { flags } = recordHeader.decode(record);
  if ((flags & RecordFlag.SharedBody) === 0) return { position, batch, record, bodyId: 0, body: undefined };
  const view = new DataView(record.buffer, record.byteOffset);
  const bodyId = view.getUint32(recordHeader.span, true);
  const length = view.getUint32(recordHeader.span + 4, true);
  const body = bodies.get(bodyId);
  if (body === undefined) throw new Error(`the batch holds no body ${bodyId} for its record`);
  if (body.length !== length) throw new Error(`body ${bodyId} has ${body.length} bytes, its record says ${length}`);
  return { position, batch, record, bodyId, body };
}

/** Read with `recordHeader`, not with the broker's own reader. */
function partsOf({ record, body }: StoredRecord): Omit<RebuiltMessage, 'position' | 'redelivered'> {
  const { length, routeLength, propertiesLength, priority, enqueuedAt } = recordHeader.decode(record);
  if (length !== record.length) throw new Error(`a record of ${record.length} bytes says it has ${length}`);
  const route = recordHeader.span + (body === undefined ? 0 : 8);
  const properties = route + routeLength;
  const end = properties + propertiesLength;
  return {
    route: record.subarray(route, properties),
    properties: record.subarray(properties, end),
    body: body ?? record.subarray(end),
    priority,
    enqueuedAt,
  };
}
