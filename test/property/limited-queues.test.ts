import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
import { decodeProperties } from '../../protocol/amqp/properties.js';
import { RecordReader } from '../../src/core/log/record.js';
import { PublishOutcome, type Queue } from '../../src/core/queue/queue.js';
import { type CoreEnvironment, coreEnvironment } from '../support/core-environment.js';
import { FakeClock } from '../support/fake-clock.js';
import { bodyOf, sourceOf } from '../support/messages.js';
import { seedOf } from '../support/random.js';
import { RecordingStore } from '../support/recording-store.js';
import { ModelQueue, type QueueTraits } from './limited-queues.js';

fc.configureGlobal({ seed: seedOf('limited-queues') });

const LENGTH = 3;
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

/** Priorities and refusals only at the beginning: elsewhere two deaths at one time have no order. */
function traits(first: boolean): fc.Arbitrary<QueueTraits> {
  return fc
    .record({
      type: fc.constantFrom('classic' as const, 'quorum' as const),
      maxLength: maybe(fc.nat(6)),
      maxLengthBytes: maybe(fc.nat(60)),
      overflow: fc.constantFrom('drop-head' as const, 'reject-publish' as const, 'reject-publish-dlx' as const),
      messageTtlMs: maybe(fc.constantFrom(0, 1, 5, 20, 100)),
      maxPriority: fc.constantFrom(0, 0, 3, 9),
      deliveryLimit: maybe(fc.nat(3)),
    })
    .map((drawn) => {
      const maxPriority = first && drawn.type === 'classic' ? drawn.maxPriority : 0;
      const onlyClassic = drawn.type === 'quorum' && drawn.overflow === 'reject-publish-dlx';
      const overflow = !first || onlyClassic ? 'drop-head' : drawn.overflow;
      return { ...drawn, maxPriority, overflow };
    });
}

type Step =
  | {
      readonly kind: 'publish';
      readonly queue: number;
      readonly size: number;
      readonly priority: number;
      readonly expirationMs: number | undefined;
    }
  | { readonly kind: 'take' | 'purge'; readonly queue: number }
  | { readonly kind: 'ack' | 'requeue' | 'reject'; readonly queue: number; readonly which: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'restart' };

const queueIndex = fc.nat(LENGTH - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      queue: fc.constantFrom(0, 0, 0, 1, 2),
      size: fc.integer({ min: 8, max: 30 }),
      priority: fc.nat(12),
      expirationMs: maybe(fc.constantFrom(0, 1, 3, 10, 50)),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('take' as const), queue: queueIndex }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom('ack' as const, 'requeue' as const, 'requeue' as const, 'reject' as const),
      queue: queueIndex,
      which: fc.nat(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('purge' as const), queue: queueIndex }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 2, 7, 30) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
);

/** The chain of queues, the broker's and the model's. */
class Chain {
  readonly #store = new RecordingStore();
  readonly #traits: readonly QueueTraits[];
  readonly #models: ModelQueue[] = [];
  #core: CoreEnvironment;
  /** Positions of what was taken, by queue and name. */
  #taken: Map<string, number>[] = [];
  #published = 0;

  constructor(traits: readonly QueueTraits[]) {
    this.#traits = traits;
    for (const each of [...traits].reverse()) this.#models.unshift(new ModelQueue(each, this.#models[0]));
    this.#core = coreEnvironment(this.#store);
    traits.forEach((each, index) => {
      const options = { durable: true, autoDelete: false, owner: undefined };
      this.#core.host.declareQueue(`q${index}`, { ...options, arguments: argumentsOf(each, index) }, {});
      this.#taken.push(new Map());
    });
  }

  run(step: Step): void {
    const now = this.#core.clock.wallTime();
    switch (step.kind) {
      case 'publish':
        this.#publish(step, now);
        break;
      case 'take':
        this.#take(step.queue);
        break;
      case 'purge':
        assert.equal(this.#queue(step.queue).purge(), this.#model(step.queue).purge());
        break;
      case 'wait':
        this.#wait(step.ms);
        break;
      case 'restart':
        this.#restart();
        break;
      default:
        this.#settle(step, now);
    }
    this.#settleDown();
    this.#compare();
  }

  /** What is left comes out in the model's order. */
  finish(): void {
    for (let index = 0; index < LENGTH; index++) {
      while (this.#take(index));
      const model = this.#model(index);
      for (const name of [...model.unacked]) this.#settleOne(index, name, 'ack', this.#core.clock.wallTime());
    }
    this.#compare();
    assert.deepEqual(this.#core.failures, []);
  }

  #queue(index: number): Queue {
    return this.#core.host.queue(`q${index}`, {});
  }

  #model(index: number): ModelQueue {
    return this.#models[index] as ModelQueue;
  }

  #publish({ queue, size, priority, expirationMs }: Step & { kind: 'publish' }, now: number): void {
    const name = `m${++this.#published}`;
    const source = sourceOf({ routingKey: `q${queue}`, body: name.padEnd(size), priority, persistent: true });
    if (expirationMs !== undefined) source.expirationMs = expirationMs;
    const outcome = new PublishOutcome();
    this.#core.host.deliver([this.#queue(queue)], source, outcome);
    assert.equal(outcome.rejected, !this.#model(queue).publish({ name, size, priority }, now, expirationMs));
  }

  #take(index: number): boolean {
    const reader = new RecordReader();
    const found = this.#queue(index).take(reader);
    const expected = this.#model(index).take();
    assert.equal(found, expected !== undefined);
    if (expected === undefined) return false;
    const { headers = [] } = decodeProperties(reader.bytes, reader.propertiesStart, reader.propertiesEnd);
    const count = headers.find(([key]) => key === 'x-delivery-count')?.[1];
    const deliveries = count?.type === 'l' ? Number(count.value) : 0;
    const name = bodyOf(reader).toString().trim();
    const isQuorum = this.#traits[index]?.type === 'quorum';
    assert.deepEqual(
      { name, redelivered: reader.redelivered, deliveries },
      { ...expected, deliveries: isQuorum ? expected.deliveries : 0 },
    );
    this.#taken[index]?.set(name, reader.position);
    this.#settleDown();
    return true;
  }

  #settle({ queue, which, kind }: Step & { kind: 'ack' | 'requeue' | 'reject' }, now: number): void {
    const { unacked } = this.#model(queue);
    const name = unacked[which % Math.max(unacked.length, 1)];
    if (name !== undefined) this.#settleOne(queue, name, kind, now);
  }

  #settleOne(index: number, name: string, kind: 'ack' | 'requeue' | 'reject', now: number): void {
    const position = this.#taken[index]?.get(name);
    assert.ok(position !== undefined);
    this.#taken[index]?.delete(name);
    this.#queue(index)[kind](position);
    this.#model(index)[kind](name, now);
  }

  #wait(ms: number): void {
    for (let passed = 0; passed < ms; passed++) {
      this.#core.clock.advance(1);
      this.#settleDown();
    }
  }

  /** Until nothing is due any more. */
  #settleDown(): void {
    const { clock } = this.#core;
    clock.refresh();
    do clock.advance(0);
    while (clock.settle() > 0);
    for (const model of this.#models) model.expire(clock.wallTime());
  }

  #restart(): void {
    const { definitions, clock } = this.#core;
    this.#store.makeDurable(this.#store.closeBatch());
    this.#core = coreEnvironment(this.#store, definitions, undefined, new FakeClock(clock.wallTime()));
    for (const model of this.#models) model.restart();
    for (const model of this.#models) model.expire(clock.wallTime());
    for (const model of this.#models) model.dropAboveLimit(clock.wallTime());
    this.#taken = this.#taken.map(() => new Map());
  }

  #compare(): void {
    for (let index = 0; index < LENGTH; index++) {
      const [queue, model] = [this.#queue(index), this.#model(index)];
      const counts = { ready: queue.readyCount, unacked: queue.unackedCount };
      assert.deepEqual(counts, { ready: model.readyCount, unacked: model.unacked.length }, queue.name);
    }
  }
}

function argumentsOf(traits: QueueTraits, index: number) {
  const { type, maxLength, maxLengthBytes, overflow, messageTtlMs, maxPriority, deliveryLimit } = traits;
  const deadLetters =
    index < LENGTH - 1 ? { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': `q${index + 1}` } : {};
  const all = {
    'x-queue-type': type,
    'x-max-length': maxLength,
    'x-max-length-bytes': maxLengthBytes,
    'x-overflow': overflow,
    'x-message-ttl': messageTtlMs,
    'x-max-priority': type === 'quorum' ? undefined : maxPriority,
    'x-delivery-limit': type === 'quorum' ? deliveryLimit : undefined,
    ...deadLetters,
  };
  const given = Object.entries(all).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
  return table(Object.fromEntries(given));
}

describe('queues with limits, times to live, priorities, delivery counts and dead letters', () => {
  it('hold what the model says, after every step and over restarts', () => {
    fc.assert(
      fc.property(
        fc.tuple(traits(true), traits(false), traits(false)),
        fc.array(step, { maxLength: 80, size: 'max' }),
        (chain, steps) => {
          const program = new Chain(chain);
          for (const each of steps) program.run(each);
          program.finish();
        },
      ),
      { numRuns: 1500 },
    );
  });
});
