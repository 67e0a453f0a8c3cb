/**
 * The store against a model: random logs append, settle, are read, dropped and opened again, also from a copy of the
 * files that a killed process leaves.
 */
import { describe, expect, it } from 'vitest';
import type { BatchSink } from '../../src/core/ports/message-store.js';
import { examineRuns } from '../../src/store/lmdb/verify.js';
import { Random, seedOf } from '../support/random.js';
import { type OpenStore, openStore, ScriptedLog, temporaryDirectory } from './lmdb-environment.js';
import { encodedRecord } from './records.js';

interface ModelLog {
  readonly id: number;
  readonly live: Map<number, Buffer>;
  /** Positions of live records with a shared body, and its id. */
  readonly bodies: Map<number, number>;
  next: number;
  /** Positions below it were in a batch: only such are settled, what goes before is never appended. */
  collected: number;
  delivered: number;
}

const ROUNDS = 40;
const LOGS = 4;

class Model {
  readonly logs = new Map<number, ModelLog>();
  readonly bodies = new Map<number, Buffer>();
  readonly random: Random;
  readonly directory = temporaryDirectory();
  open!: OpenStore;
  scripts = new Map<number, ScriptedLog>();
  #nextLog = 1;
  #nextBody = 1;

  constructor(random: Random) {
    this.random = random;
  }

  async run(): Promise<void> {
    this.open = await openStore(this.directory);
    for (let round = 0; round < ROUNDS; round++) {
      while (this.logs.size < LOGS) this.#addLog();
      for (let step = this.random.below(6); step >= 0; step--) this.#step();
      if (this.random.chance(0.3)) this.open.fail(1 + this.random.below(3), () => this.#afterFailure());
      await this.open.commit();
      for (const log of this.logs.values()) log.collected = log.next;
      this.#check();
      if (this.random.chance(0.15)) await this.#reopen();
    }
    await this.open.abandon();
  }

  /** The batch that failed was collected, and what changes now goes into the next attempt. */
  #afterFailure(): void {
    for (const log of this.logs.values()) log.collected = log.next;
    for (let step = this.random.below(3); step > 0; step--) this.#step();
  }

  #addLog(): void {
    const id = this.#nextLog++;
    this.logs.set(id, { id, live: new Map(), bodies: new Map(), next: 1, collected: 1, delivered: 0 });
    this.scripts.set(id, new ScriptedLog(id, this.open.store));
  }

  #step(): void {
    const log = this.random.pick([...this.logs.values()]);
    const script = this.scripts.get(log.id) as ScriptedLog;
    const kind = this.random.below(20);
    if (kind === 0) {
      this.open.store.dropLog(log.id);
      this.logs.delete(log.id);
      // What it had not handed over yet is of no interest any more.
      script.forget();
    } else if (kind < 9) this.#append(log, script);
    else if (kind < 12) this.#tinyCommit(log, script);
    else if (kind < 18) this.#settle(log, script);
    else {
      const upTo = 1 + this.random.below(log.next);
      if (upTo <= log.delivered) return;
      log.delivered = upTo;
      script.change((sink) => sink.markDelivered(log.id, upTo));
    }
  }

  #append(log: ModelLog, script: ScriptedLog): void {
    const count = this.random.below(200);
    for (let i = 0; i < count; i++)
      this.#appendOne(log, script, this.random.below(this.random.chance(0.02) ? 400_000 : 600));
  }

  #tinyCommit(log: ModelLog, script: ScriptedLog): void {
    this.#appendOne(log, script, this.random.below(100));
  }

  #appendOne(log: ModelLog, script: ScriptedLog, bytes: number): void {
    // Transient messages and those settled before the batch leave holes.
    if (this.random.chance(0.1)) log.next += 1 + this.random.below(3);
    const position = log.next++;
    const bodyId = this.random.chance(0.05) ? this.#bodyId() : 0;
    const record = encodedRecord(bytes, bodyId, this.random.below(256));
    log.live.set(position, record);
    if (bodyId !== 0) log.bodies.set(position, bodyId);
    script.change((sink: BatchSink) => {
      const body = this.bodies.get(bodyId);
      if (body !== undefined) sink.putBody(bodyId, body);
      const copy = Uint8Array.from(record);
      sink.append(log.id, position, copy, 0, copy.length);
      copy.fill(0xcc);
    });
  }

  /** A new body, or one that another log names already. */
  #bodyId(): number {
    const inUse = [...this.logs.values()].flatMap((log) => [...log.bodies.values()]);
    if (inUse.length > 0 && this.random.chance(0.5)) return this.random.pick(inUse);
    const id = this.#nextBody++;
    this.bodies.set(id, Buffer.alloc(4096 + this.random.below(8000), id));
    return id;
  }

  #settle(log: ModelLog, script: ScriptedLog): void {
    const ranges = 1 + this.random.below(5);
    for (let i = 0; i < ranges; i++) {
      const first = 1 + this.random.below(log.collected);
      const width = this.random.chance(0.1) ? log.next : this.random.below(40);
      const last = Math.min(first + width, log.collected - 1);
      if (first > last) continue;
      for (let position = first; position <= last; position++) {
        log.live.delete(position);
        log.bodies.delete(position);
      }
      script.change((sink) => sink.settle(log.id, first, last));
    }
  }

  async #reopen(): Promise<void> {
    await this.open.abandon();
    this.open = await openStore(this.directory);
    const { store } = this.open;
    this.scripts = new Map([...this.logs.keys()].map((id) => [id, new ScriptedLog(id, store)]));
    if (this.random.chance(0.5)) store.keepOnly(new Set(this.logs.keys()));
    expect(store.highestLogId).toBeLessThan(this.#nextLog);
    this.#check();
  }

  #check(): void {
    for (const log of this.logs.values()) this.#checkLog(log);
    const references = new Map<number, number>();
    for (const { bodies } of this.logs.values()) {
      for (const id of bodies.values()) references.set(id, (references.get(id) ?? 0) + 1);
    }
    for (const { id, references: count, sizeBytes } of this.open.store.recoverBodies()) {
      if (!references.has(id)) continue;
      expect(count).toBeGreaterThanOrEqual(references.get(id) as number);
      expect(sizeBytes).toBe(this.bodies.get(id)?.length);
    }
    for (const id of references.keys()) {
      expect(Buffer.compare(this.open.store.readBody(id), this.bodies.get(id) as Buffer)).toBe(0);
    }
    for (const result of examineRuns(this.open.environment)) expect(result).not.toBeTypeOf('string');
  }

  #checkLog({ id, live, delivered }: ModelLog): void {
    const recovered = this.open.store.recover(id);
    const runs = [...(recovered?.runs ?? [])];
    const positions = [...live.keys()].sort((a, b) => a - b);
    expect(runs.reduce((sum, run) => sum + run.live, 0)).toBe(live.size);
    if (recovered !== undefined) {
      expect(recovered.nextPosition).toBeGreaterThan(positions[positions.length - 1] ?? 0);
      const marked = positions.filter((position) => position < recovered.deliveredUpTo);
      expect(marked).toEqual(positions.filter((position) => position < delivered));
    }
    const found: number[] = [];
    this.open.store.read(id, 0, Number.MAX_SAFE_INTEGER, (position, bytes, start, end) => {
      found.push(position);
      const expected = live.get(position) as Buffer;
      // The first eight bytes are the length and the delta, which depends on the run.
      expect(end - start).toBe(expected.length);
      expect(Buffer.compare(Buffer.from(bytes.subarray(start + 8, end)), expected.subarray(8))).toBe(0);
    });
    expect(found).toEqual(positions);
    this.#checkPart(id, positions);
  }

  #checkPart(id: number, positions: readonly number[]): void {
    const highest = positions[positions.length - 1] ?? 1;
    const first = this.random.below(highest);
    const last = first + this.random.below(highest);
    const found: number[] = [];
    this.open.store.read(id, first, last, (position) => found.push(position));
    expect(found).toEqual(positions.filter((position) => position >= first && position <= last));
  }
}

describe('the LMDB message store', () => {
  it('finds after every commit, failed ones too, and after every restart what a model holds', {
    timeout: 60_000,
  }, async () => {
    const random = new Random(seedOf('LMDB message store'));
    for (let run = 0; run < 2; run++) await new Model(random).run();
  });
});
