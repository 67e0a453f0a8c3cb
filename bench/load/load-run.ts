/**
 * Publishers and consumers against one broker, from the declarations to the checks at the end. Scenarios decide when
 * they start and stop; this owns the connections, knows what is still missing, and puts the result together.
 */
import { randomInt } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { BenchOptions } from '../options.js';
import { LatencyHistogram } from '../report/histogram.js';
import type { ProgressCounts, ProgressSource } from '../report/progress.js';
import { AmqpConnection } from './amqp-connection.js';
import { nowMicros } from './clock.js';
import { Consumer } from './consumer.js';
import { MessageAccount, sum } from './message-account.js';
import { DeliveryCheck } from './message-checks.js';
import { Pacer } from './pacer.js';
import { Publisher } from './publisher.js';
import { declareTopology, deleteTopology, isPersistent, planTopology, type Topology } from './topology.js';

const LOOK_MS = 5;

export class LoadRun implements ProgressSource {
  readonly options: BenchOptions;
  readonly topology: Topology;
  readonly publishers: Publisher[] = [];
  readonly consumers: Consumer[] = [];
  readonly errors: string[] = [];
  readonly account: MessageAccount;
  readonly #signal: AbortSignal;
  readonly #run = randomInt(0x1_0000);
  #control: AmqpConnection | undefined;
  #channel = 0;
  #isDeclared = false;
  #pacer: Pacer | undefined;
  #phase = 'set-up';

  /** Throws OptionError. */
  constructor(options: BenchOptions, signal: AbortSignal) {
    this.options = options;
    this.topology = planTopology(options);
    this.#signal = signal;
    this.account = new MessageAccount(options, this.topology, this.publishers, this.consumers);
  }

  /** Declares and connects; nothing flows yet. Rejects with what the broker said. */
  async open(): Promise<void> {
    const { options, topology } = this;
    this.#control = await AmqpConnection.connect(options.uri);
    this.#channel = await this.#control.openChannel();
    this.#isDeclared = true;
    await declareTopology(this.#control, this.#channel, topology, options).catch((error: unknown) => {
      // What could not be declared as wanted belongs to somebody else.
      this.#isDeclared = false;
      throw error;
    });
    for (let index = 0; index < options.consumers; index++) this.consumers.push(await this.#newConsumer(index));
    for (let producer = 0; producer < options.producers; producer++) {
      const publisher = await this.#newPublisher(producer);
      this.publishers.push(publisher);
      await publisher.open();
    }
    await this.#startPacer();
  }

  async startConsumers(): Promise<void> {
    await Promise.all(this.consumers.map((consumer) => consumer.start()));
  }

  startPublishers(): void {
    for (const publisher of this.publishers) publisher.start();
  }

  stopPublishers(): void {
    for (const publisher of this.publishers) publisher.stop();
  }

  /** Waits for that, looking often. False: the run was ended from outside, or a connection failed. */
  async until(phase: string, condition: () => boolean): Promise<boolean> {
    this.#phase = phase;
    while (!condition()) {
      if (this.#signal.aborted || this.hasFailed) return false;
      await pause(LOOK_MS);
    }
    return !this.hasFailed;
  }

  /** Waits for that as long as anything moves. False: nothing did for `drainSeconds`. Goes on when the run is ended. */
  async settle(phase: string, condition: () => boolean): Promise<boolean> {
    this.#phase = phase;
    let before = -1;
    let movedMicros = nowMicros();
    while (!condition() && !this.hasFailed) {
      const now = nowMicros();
      const moved = this.delivered + this.settledConfirms + this.returned;
      if (moved !== before) {
        before = moved;
        movedMicros = now;
      } else if (now - movedMicros > this.options.drainSeconds * 1e6) return false;
      await pause(LOOK_MS);
    }
    return true;
  }

  get hasFailed(): boolean {
    return [...this.publishers, ...this.consumers].some(({ failure }) => failure !== undefined);
  }

  get published(): number {
    return sum(this.publishers, ({ published }) => published);
  }

  get returned(): number {
    return sum(this.publishers, ({ returned }) => returned);
  }

  get delivered(): number {
    return sum(this.consumers, ({ check }) => check.delivered);
  }

  get confirmed(): number {
    return sum(this.publishers, ({ confirms }) => confirms?.confirmed ?? 0);
  }

  get nacked(): number {
    return sum(this.publishers, ({ confirms }) => confirms?.nacked ?? 0);
  }

  get settledConfirms(): number {
    return this.confirmed + this.nacked;
  }

  get unconfirmed(): number {
    return sum(this.publishers, ({ confirms }) => confirms?.outstanding ?? 0);
  }

  get identity(): { product: string; version: string } {
    return this.#control?.identity ?? { product: 'unknown', version: '' };
  }

  /** Waits until the broker counts in its queues what was published, or no more comes. */
  async untilReady(): Promise<void> {
    let before = -1;
    let movedMicros = nowMicros();
    while (this.account.missing > 0 && !this.hasFailed && nowMicros() - movedMicros < this.options.drainSeconds * 1e6) {
      const ready = await this.#ready();
      if (ready >= this.account.missing) return;
      if (ready !== before) movedMicros = nowMicros();
      before = ready;
      await pause(10 * LOOK_MS);
    }
  }

  /** Messages in all queues, as the broker says. */
  async #ready(): Promise<number> {
    let count = 0;
    for (const { name: queue } of this.topology.queues) {
      const kind = { queue, passive: true, durable: false, exclusive: false, autoDelete: false } as const;
      const request = { name: 'queue.declare', ...kind, noWait: false, arguments: [] } as const;
      const reply = await this.#control?.request(this.#channel, request, 'queue.declare-ok');
      count += reply?.messageCount ?? 0;
    }
    return count;
  }

  phase(): string {
    return this.#phase;
  }

  counts(): ProgressCounts {
    return {
      ...(this.options.producers > 0 && { published: this.published }),
      ...(this.options.consumers > 0 && { delivered: this.delivered }),
      ...(this.options.confirmWindow !== undefined && { confirmed: this.confirmed }),
    };
  }

  latency(): LatencyHistogram {
    return together(this.consumers.map(({ latency }) => latency));
  }

  confirmLatency(): LatencyHistogram {
    return together(this.publishers.flatMap(({ confirms }) => (confirms === undefined ? [] : [confirms.latency])));
  }

  /** After a warm-up. */
  resetLatencies(): void {
    for (const { latency } of this.consumers) latency.reset();
    for (const { confirms } of this.publishers) confirms?.latency.reset();
  }

  /** Deletes what was declared and says goodbye. Never rejects. */
  async close(): Promise<void> {
    this.#phase = 'clean-up';
    await this.#pacer?.close();
    const ends = [...this.publishers, ...this.consumers];
    for (const { failure } of ends) if (failure !== undefined) this.errors.push(failure.message);
    for (const publisher of this.publishers) this.#checkConfirms(publisher);
    if (!this.hasFailed) for (const consumer of this.consumers) consumer.settle();
    await Promise.all(ends.map(({ connection }) => connection.close()));
    const control = this.#control;
    if (control === undefined) return;
    if (this.#isDeclared && this.options.producers > 0) {
      const removal = deleteTopology(control, this.#channel, this.topology, this.options);
      await removal.catch((error: Error) => this.errors.push(`clean-up: ${error.message}`));
    }
    await control.close();
  }

  #checkConfirms({ confirms, failure }: Publisher): void {
    if (confirms === undefined) return;
    if (confirms.unexpected > 0) {
      this.errors.push(`${confirms.unexpected} confirms of messages confirmed before or never published`);
    }
    if (confirms.outstanding > 0 && failure === undefined) {
      this.errors.push(`${confirms.outstanding} messages were not confirmed`);
    }
  }

  async #startPacer(): Promise<void> {
    const perSecond = this.options.ratePerSecond * this.publishers.length;
    if (perSecond === 0) return;
    this.#pacer = new Pacer(perSecond, () => {
      for (const publisher of this.publishers) publisher.pump();
    });
    await this.#pacer.ticking;
  }

  async #newConsumer(index: number): Promise<Consumer> {
    const { topology, options } = this;
    const at = index % topology.queues.length;
    const check = new DeliveryCheck({
      run: this.#run,
      sizesBytes: options.sizesBytes,
      sequences: this.account.sequences[at] ?? [],
      foreign: options.producers === 0,
    });
    const connection = await AmqpConnection.connect(options.uri);
    return new Consumer(connection, check, { ...options, queue: topology.queues[at]?.name ?? '' });
  }

  async #newPublisher(producer: number): Promise<Publisher> {
    const { topology, options } = this;
    const connection = await AmqpConnection.connect(options.uri, { readBytes: 64 * 1024 });
    return new Publisher(connection, {
      ...options,
      routingKeys: topology.routingKeys[producer] ?? [],
      persistent: isPersistent(options),
      mandatory: options.mandatory || options.flags.includes('mandatory'),
      producer,
      run: this.#run,
      messages: options.messagesPerProducer,
    });
  }
}

function together(histograms: readonly LatencyHistogram[]): LatencyHistogram {
  const [first] = histograms;
  if (histograms.length === 1 && first !== undefined) return first;
  const all = new LatencyHistogram();
  for (const histogram of histograms) all.add(histogram);
  return all;
}
