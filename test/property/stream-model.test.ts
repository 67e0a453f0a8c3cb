/** Random appends, cursors, filters, limits and restarts of a stream, against an array. */
import { expect, it } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
import { encodeProperties } from '../../protocol/amqp/properties.js';
import type { Consumer } from '../../src/core/consumer.js';
import type { RecordReader } from '../../src/core/log/record.js';
import { PublishOutcome, type Queue } from '../../src/core/queue/queue.js';
import { settingsOf } from '../../src/core/queue/settings.js';
import type { StreamFilter, StreamOffset, StreamSubscription } from '../../src/core/stream-subscription.js';
import { type CoreEnvironment, coreEnvironment } from '../support/core-environment.js';
import { bodyOf, sourceOf } from '../support/messages.js';
import { Random, seedOf } from '../support/random.js';
import { RecordingStore } from '../support/recording-store.js';

const PROGRAMS = 60;
const STEPS = 80;
const VALUES = ['a', 'b', 'c', undefined] as const;
const SIZES = [1, 50, 400, 3000];
const SEGMENT_BYTES = 2000;

interface ModelMessage {
  readonly body: string;
  readonly value: string | undefined;
  readonly timeMs: number;
}

/** Follows the model: what it gets must be the next message it wants, save for those that are gone. */
class CheckedConsumer implements Consumer {
  readonly tag = 'c';
  readonly noAck = false;
  readonly exclusive = false;
  readonly priority = 0;
  readonly stream: StreamSubscription;
  credit: number;
  #next: number;
  readonly #program: Program;

  constructor(program: Program, stream: StreamSubscription, next: number, credit: number) {
    this.#program = program;
    this.stream = stream;
    this.#next = next;
    this.credit = credit;
  }

  hasCredit(): boolean {
    return this.credit > 0;
  }

  deliver(_queue: Queue, record: RecordReader): void {
    const offset = record.position - 1;
    expect(offset).toBe(this.wanted());
    expect(bodyOf(record).toString()).toBe(this.#program.messages[offset]?.body);
    this.#next = offset + 1;
    this.credit--;
  }

  cancelled(): void {}

  /** Offset of what it should get next; undefined: there is nothing yet. */
  wanted(): number | undefined {
    const { messages, durable, first } = this.#program;
    for (let offset = Math.max(this.#next, first); offset < durable; offset++) {
      const { value } = messages[offset] as ModelMessage;
      const { filter } = this.stream;
      if (filter === undefined || (value === undefined ? filter.matchUnfiltered : filter.values.has(value)))
        return offset;
    }
    return undefined;
  }
}

class Program {
  readonly messages: ModelMessage[] = [];
  durable = 0;
  readonly #random: Random;
  readonly #store = new RecordingStore();
  #core: CoreEnvironment;
  #queue: Queue;
  #consumers: CheckedConsumer[] = [];
  #maxBytes: number | undefined;
  #firstSeen = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#core = coreEnvironment(this.#store);
    const args = table({ 'x-queue-type': 'stream', 'x-stream-max-segment-size-bytes': SEGMENT_BYTES });
    const options = { durable: true, autoDelete: false, owner: undefined, arguments: args };
    this.#queue = this.#core.host.declareQueue('s', options, {});
  }

  /** Offset of the first message that is kept. */
  get first(): number {
    return this.messages.length - this.#queue.readyCount;
  }

  step(): void {
    const random = this.#random;
    const steps: readonly (() => void)[] = [
      () => this.#publish(1 + random.below(8)),
      () => this.#publish(1 + random.below(8)),
      () => this.#commit(),
      () => this.#commit(),
      () => this.#add(),
      () => this.#give(),
      () => this.#give(),
      () => this.#remove(),
      () => this.#limit(),
      () => this.#page(),
      () => this.#core.clock.advance(random.below(5000)),
      () => this.#restart(),
    ];
    // A restart and what it undoes are rarer.
    if (random.chance(0.9)) steps[random.below(steps.length - 1)]?.();
    else steps[random.below(steps.length)]?.();
    this.#core.clock.settle();
    this.#check();
  }

  #publish(count: number): void {
    for (let i = 0; i < count; i++) {
      const value = this.#random.pick(VALUES);
      const body = `${this.messages.length}`.padEnd(this.#random.pick(SIZES));
      const properties = encodeProperties(
        value === undefined ? {} : { headers: table({ 'x-stream-filter-value': value }) },
      );
      this.messages.push({ body, value, timeMs: this.#core.clock.coarseWallTime });
      this.#core.host.deliver([this.#queue], sourceOf({ body, properties }), new PublishOutcome());
    }
  }

  #commit(): void {
    const batch = this.#store.closeBatch();
    this.durable = this.messages.length;
    this.#store.makeDurable(batch);
  }

  #add(): void {
    const random = this.#random;
    const values = new Set(['a', 'b', 'c', 'd'].filter(() => random.chance(0.4)));
    const filter: StreamFilter | undefined = random.chance(0.5)
      ? { values, matchUnfiltered: random.chance(0.5) }
      : undefined;
    const { offset, next } = this.#place();
    const consumer = new CheckedConsumer(this, { offset, filter }, next, random.below(20));
    this.#queue.addConsumer(consumer);
    this.#consumers.push(consumer);
  }

  #place(): { offset: StreamOffset; next: number } {
    const random = this.#random;
    const end = this.messages.length;
    switch (random.below(4)) {
      case 0:
        return { offset: { kind: 'first' }, next: 0 };
      case 1:
        return { offset: { kind: 'next' }, next: end };
      case 2: {
        const offset = random.below(end + 10) - 2;
        return { offset: { kind: 'offset', offset }, next: Math.max(offset, 0) };
      }
      default: {
        const timeMs = this.#core.clock.wallTime() - random.below(20_000);
        const found = this.messages.findIndex((message, offset) => offset >= this.first && message.timeMs >= timeMs);
        return { offset: { kind: 'timestamp', timeMs }, next: found === -1 ? end : found };
      }
    }
  }

  #give(): void {
    if (this.#consumers.length === 0) return;
    this.#random.pick(this.#consumers).credit += this.#random.below(30);
    this.#queue.wake();
  }

  #remove(): void {
    const [consumer] = this.#consumers.splice(this.#random.below(this.#consumers.length), 1);
    if (consumer !== undefined) this.#queue.removeConsumer(consumer);
  }

  #limit(): void {
    this.#maxBytes = this.#random.chance(0.3) ? undefined : this.#random.below(20_000);
    this.#applyLimit();
  }

  /** Without a budget every segment leaves memory that can. */
  #page(): void {
    this.#core.logs.pager.budgetBytes = this.#random.chance(0.5) ? 0 : Number.POSITIVE_INFINITY;
  }

  #applyLimit(): void {
    const limits = this.#maxBytes === undefined ? {} : { 'x-max-length-bytes': this.#maxBytes };
    this.#queue.configure(settingsOf(table({ 'x-stream-max-segment-size-bytes': SEGMENT_BYTES, ...limits })));
  }

  /** What is in no closed batch is lost. */
  #restart(): void {
    this.#store.crash();
    this.messages.length = this.durable;
    this.#consumers = [];
    this.#firstSeen = 0;
    this.#core = coreEnvironment(this.#store, this.#core.definitions, undefined, this.#core.clock);
    this.#queue = this.#core.host.queue('s', {});
    this.#applyLimit();
    const all = new CheckedConsumer(this, { offset: { kind: 'first' }, filter: undefined }, 0, this.messages.length);
    this.#queue.addConsumer(all);
    this.#core.clock.settle();
    expect(all.wanted()).toBeUndefined();
    this.#queue.removeConsumer(all);
  }

  #check(): void {
    expect(this.#core.failures).toEqual([]);
    expect(this.first).toBeGreaterThanOrEqual(this.#firstSeen);
    this.#firstSeen = this.first;
    if (this.messages.length > 0) expect(this.first).toBeLessThan(this.messages.length);
    for (const consumer of this.#consumers) if (consumer.hasCredit()) expect(consumer.wanted()).toBeUndefined();
  }
}

it('a stream gives every consumer what an array would', () => {
  const seed = seedOf('stream-model');
  for (let number = 0; number < PROGRAMS; number++) {
    const program = new Program(new Random(seed + number));
    for (let step = 0; step < STEPS; step++) program.step();
  }
});
