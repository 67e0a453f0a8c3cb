/**
 * Random programs over the queues of a virtual host, run against the broker's queues and an array for each. The array
 * says what a queue must hold; the properties that use it say what else must be true.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EMPTY_TABLE } from '../../src/core/field-value.js';
import { RecordReader } from '../../src/core/log/record.js';
import type { CommitId } from '../../src/core/ports/message-store.js';
import { MessageQueue } from '../../src/core/queue/message-queue.js';
import { PublishOutcome } from '../../src/core/queue/queue.js';
import { ControlledScratch } from '../support/controlled-scratch.js';
import { type CoreEnvironment, coreEnvironment } from '../support/core-environment.js';
import { digest, readMessage, sourceOf } from '../support/messages.js';
import type { RecordingStore } from '../support/recording-store.js';

/** Two that a store keeps, and one that it does not. */
export const QUEUES = [
  { name: 'durable', durable: true },
  { name: 'other', durable: true },
  { name: 'transient', durable: false },
] as const;

/** Around what decides how a body is kept: nothing, copied by hand, shared, beyond a segment of any size. */
const BODY_SIZES = [0, 1, 47, 48, 49, 100, 1000, 4095, 4096, 5000, 70_000, 262_144, 300_000];

const queueIndex = fc.nat(QUEUES.length - 1);

export type Step =
  | {
      readonly kind: 'publish';
      readonly to: readonly number[];
      readonly size: number;
      readonly persistent: boolean;
      readonly priority: number;
      readonly properties: Uint8Array;
    }
  | { readonly kind: 'take' | 'purge' | 'delete'; readonly queue: number }
  | { readonly kind: 'ack' | 'requeue' | 'reject'; readonly queue: number; readonly which: number }
  | { readonly kind: 'page'; readonly budget: number; readonly turns: number }
  | { readonly kind: 'end'; readonly which: number; readonly succeeds: boolean }
  | { readonly kind: 'tick'; readonly ms: number }
  | { readonly kind: 'commit' | 'sync' | 'restart' | 'crash' };

export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      to: fc.subarray([0, 1, 2], { minLength: 1 }),
      size: fc.oneof(
        { weight: 5, arbitrary: fc.nat(60) },
        { weight: 3, arbitrary: fc.constantFrom(...BODY_SIZES.filter((size) => size <= 5000)) },
        { weight: 1, arbitrary: fc.constantFrom(...BODY_SIZES) },
      ),
      persistent: fc.boolean(),
      priority: fc.nat(255),
      properties: fc.uint8Array({ minLength: 2, maxLength: 60 }),
    }),
  },
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('take' as const), queue: queueIndex }) },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constantFrom('ack' as const, 'ack' as const, 'requeue' as const, 'reject' as const),
      queue: queueIndex,
      // Mostly the oldest, as clients do it.
      which: fc.oneof(fc.constant(0), fc.nat()),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('purge' as const), queue: queueIndex }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), queue: queueIndex }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('tick' as const), ms: fc.constantFrom(7, 1500) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('commit' as const) }) },
);

/** For programs on a store that keeps messages. */
export const stepWithRestarts: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: step },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('restart' as const, 'crash' as const) }) },
);

const paging: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('page' as const),
      budget: fc.constantFrom(0, 0, 0, 20_000, 300_000, Number.POSITIVE_INFINITY),
      turns: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      which: fc.oneof(fc.constant(0), fc.nat(20)),
      succeeds: fc.integer({ min: 0, max: 7 }).map((chance) => chance > 0),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('sync' as const) }) },
);

/** For programs with a scratch store. */
export const stepWithPaging: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: step },
  { weight: 1, arbitrary: paging },
);

/** For programs with a scratch store, on a store that keeps messages. */
export const stepWithPagingAndRestarts: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: stepWithRestarts },
  { weight: 1, arbitrary: paging },
);

/** A message in one queue. Messages are in order of `number`; their position is known once they were taken. */
export interface Entry {
  readonly number: number;
  readonly route: string;
  readonly properties: string;
  readonly body: string;
  readonly persistent: boolean;
  readonly priority: number;
  readonly enqueuedAt: number;
  state: 'ready' | 'unacked';
  redelivered: boolean;
  position: number;
  /** The batch that makes it durable; 0 when nothing is written. */
  readonly commit: CommitId;
}

export class ModelledQueue {
  readonly queue: MessageQueue;
  readonly durable: boolean;
  entries: Entry[];
  /** Settled entries, for what must not come back. */
  readonly settled: Entry[] = [];

  constructor(queue: MessageQueue, durable: boolean, entries: Entry[] = []) {
    this.queue = queue;
    this.durable = durable;
    this.entries = entries;
  }

  /** What outlives a restart: persistent messages of a durable queue, redelivered if they ever went out. */
  get kept(): Entry[] {
    return this.entries
      .filter(({ persistent }) => this.durable && persistent)
      .map((entry) => ({ ...entry, state: 'ready', redelivered: entry.redelivered || entry.state === 'unacked' }));
  }

  in(state: Entry['state']): Entry[] {
    return this.entries.filter((entry) => entry.state === state);
  }

  settle(gone: (entry: Entry) => boolean): void {
    this.settled.push(...this.entries.filter(gone));
    this.entries = this.entries.filter((entry) => !gone(entry));
  }
}

export class QueueProgram {
  readonly queues: ModelledQueue[];
  environment: CoreEnvironment;
  /** Deleted queues whose messages are still with a consumer. */
  deleted: ModelledQueue[] = [];
  readonly #store: RecordingStore | undefined;
  readonly #paged: boolean;
  scratch: ControlledScratch | undefined;
  readonly #onCommit: () => void;
  /** By queue id, what the last commit kept. */
  #committed = new Map<number, Entry[]>();
  readonly #owner = {};
  readonly #reader = new RecordReader();
  #published = 0;

  /** Without a store nothing is kept; `onCommit` runs after each batch that was closed. */
  constructor(store?: RecordingStore, onCommit: () => void = () => {}, { paged = false } = {}) {
    this.#store = store;
    this.#paged = paged;
    this.scratch = paged ? new ControlledScratch() : undefined;
    this.environment = coreEnvironment(store, undefined, this.scratch);
    this.#onCommit = onCommit;
    this.queues = QUEUES.map(({ name, durable }) => this.#declare(name, durable));
  }

  run(step: Step): void {
    switch (step.kind) {
      case 'publish':
        this.#publish(step);
        break;
      case 'take':
        this.#take(this.#at(step.queue));
        break;
      case 'ack':
      case 'requeue':
      case 'reject':
        this.#settle(this.#at(step.queue), step.kind, step.which);
        break;
      case 'purge':
        this.#purge(this.#at(step.queue));
        break;
      case 'delete':
        this.#delete(step.queue);
        break;
      case 'tick':
        this.environment.clock.advance(step.ms);
        this.environment.clock.refresh();
        break;
      case 'commit':
        this.commit();
        break;
      case 'sync':
        this.#sync();
        break;
      case 'page':
        this.environment.logs.pager.budgetBytes = step.budget;
        for (let turn = 0; turn < step.turns; turn++) this.environment.clock.endTurn();
        break;
      case 'end':
        this.scratch?.end(step.which, step.succeeds);
        break;
      case 'restart':
        this.commit();
        this.#restart();
        break;
      case 'crash':
        this.#store?.crash();
        this.#restart();
        break;
    }
    for (const modelled of this.queues) compareCounts(modelled);
  }

  /** Closes the open batch. */
  commit(): void {
    if (this.#store === undefined) return;
    // A batch closes when the one before it is on disk.
    this.#sync();
    this.#store.closeBatch();
    this.#committed = new Map(this.queues.map((modelled) => [modelled.queue.id, modelled.kept]));
    this.#onCommit();
  }

  /** Empties every queue in order and deletes it. */
  finish(): void {
    for (let index = 0; index < this.queues.length; index++) {
      const modelled = this.#at(index);
      while (modelled.in('ready').length > 0) this.#take(modelled);
      assert.equal(modelled.queue.take(this.#reader), false);
      while (modelled.entries.length > 0) this.#settle(modelled, 'ack', 0);
      this.#delete(index);
    }
    for (const modelled of this.deleted) {
      while (modelled.entries.length > 0) this.#settle(modelled, 'requeue', 0);
    }
  }

  #sync(): void {
    const store = this.#store;
    if (store !== undefined && store.durableCommit < store.openBatch - 1) store.makeDurable(store.openBatch - 1);
  }

  #restart(): void {
    const { definitions } = this.environment;
    if (this.#paged) this.scratch = new ControlledScratch();
    this.environment = coreEnvironment(this.#store, definitions, this.scratch);
    this.deleted = [];
    this.queues.splice(
      0,
      QUEUES.length,
      ...QUEUES.map(({ name, durable }) => {
        const { queue } = this.#declare(name, durable);
        const kept = this.#committed.get(queue.id) ?? [];
        return new ModelledQueue(
          queue,
          durable,
          kept.map((entry) => ({ ...entry })),
        );
      }),
    );
  }

  #at(index: number): ModelledQueue {
    return this.queues[index] as ModelledQueue;
  }

  #declare(name: string, durable: boolean): ModelledQueue {
    const options = { durable, autoDelete: false, owner: undefined, arguments: EMPTY_TABLE };
    const queue = this.environment.host.declareQueue(name, options, this.#owner);
    assert.ok(queue instanceof MessageQueue);
    return new ModelledQueue(queue, durable);
  }

  #publish({ to, size, persistent, priority, properties }: Step & { kind: 'publish' }): void {
    const { host, clock, logs } = this.environment;
    const number = ++this.#published;
    const body = Buffer.alloc(size, number).subarray(0, size);
    if (size >= 4) body.writeUInt32BE(number);
    const source = sourceOf({ exchange: `x${number}`, routingKey: 'key', properties, body, persistent, priority });
    const targets = to.map((index) => this.#at(index));
    const outcome = new PublishOutcome();
    host.deliver(
      targets.map(({ queue }) => queue),
      source,
      outcome,
    );
    const stored = logs.store.keepsMessages && persistent && targets.some(({ durable }) => durable);
    assert.deepEqual({ ...outcome }, { routed: true, rejected: false, commit: stored ? logs.store.openBatch : 0 });
    assert.equal(source.sharedBodyId, 0);
    for (const modelled of targets) {
      modelled.entries.push({
        number,
        route: digest(source.route.subarray(source.routeStart, source.routeEnd)),
        properties: digest(properties),
        body: digest(body),
        persistent,
        priority,
        enqueuedAt: clock.coarseWallTime,
        state: 'ready',
        redelivered: false,
        position: -1,
        commit: modelled.durable && persistent ? outcome.commit : 0,
      });
    }
    // The bytes were the connection's; what the log keeps is its own.
    source.body.fill(0xbb);
    source.route.fill(0xbb);
    source.properties.fill(0xbb);
  }

  #take(modelled: ModelledQueue): void {
    const reader = this.#reader;
    const [expected] = modelled.in('ready');
    const taken = modelled.queue.take(reader);
    assert.equal(taken, expected !== undefined);
    if (expected === undefined) return;
    const { route, properties, body, redelivered } = expected;
    assert.deepEqual(readMessage(reader), { position: reader.position, route, properties, body, redelivered });
    assert.equal(reader.priority, expected.priority);
    assert.equal(reader.enqueuedAt, expected.enqueuedAt);
    assert.equal(reader.expiresAt, 0);
    if (expected.position !== -1) assert.equal(reader.position, expected.position);
    expected.position = reader.position;
    expected.state = 'unacked';
  }

  #settle(modelled: ModelledQueue, kind: 'ack' | 'requeue' | 'reject', which: number): void {
    const unacked = modelled.in('unacked');
    const entry = unacked[which % Math.max(unacked.length, 1)];
    if (entry === undefined) return;
    modelled.queue[kind](entry.position);
    if (kind !== 'requeue' || modelled.queue.deleted) modelled.settle((other) => other === entry);
    else {
      entry.state = 'ready';
      entry.redelivered = true;
    }
  }

  #purge(modelled: ModelledQueue): void {
    assert.equal(modelled.queue.purge(), modelled.in('ready').length);
    modelled.settle(({ state }) => state === 'ready');
  }

  #delete(index: number): void {
    const modelled = this.#at(index);
    const { name } = modelled.queue;
    const ready = modelled.in('ready').length;
    assert.equal(this.environment.host.deleteQueue(name, this.#owner, false, false), ready);
    modelled.settle(({ state }) => state === 'ready');
    compareCounts(modelled);
    this.deleted.push(modelled);
    this.queues[index] = this.#declare(name, modelled.durable);
  }
}

function compareCounts(modelled: ModelledQueue): void {
  const { readyCount, unackedCount } = modelled.queue;
  const expected = { readyCount: modelled.in('ready').length, unackedCount: modelled.in('unacked').length };
  assert.deepEqual({ readyCount, unackedCount }, expected);
}
