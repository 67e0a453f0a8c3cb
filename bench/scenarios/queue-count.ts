/**
 * Many queues at once: all are declared, each gets one message, then all are consumed from. The operations are the
 * declarations; messages and deliveries have rates of their own. The queues are there until CPU and memory were read.
 */
import { nowMicros } from '../load/clock.js';
import { OutstandingConfirms } from '../load/outstanding-confirms.js';
import { isPersistent } from '../load/topology.js';
import { conduct, type OpenChannel, pipelined, uniqueName } from './conduct.js';
import { cancel, consume, declareNew, deleteQueue, queueKind } from './queue-requests.js';
import type { Scenario } from './scenario.js';
import type { Findings, ScenarioRun } from './scenario-run.js';

/** Messages without a confirm, or deletions without an answer, at a time. */
const WINDOW = 1000;
/** In front of the body: which queue it is for. */
const NUMBER_BYTES = 4;

export const queueCount: Scenario = {
  name: 'queue-count',
  summary: 'declare --queues queues, send one message to each, and consume from them all',
  options: ['queues', 'queue', 'durable', 'queueArguments', 'persistent', 'flags', 'sizesBytes', 'pipeline'],
  defaults: { queue: 'queue-count', queues: 100, pipeline: 100 },
  run: (options, context) => {
    let counted: ManyQueues | undefined;
    const carryOut = async (run: ScenarioRun): Promise<void> => {
      counted = new ManyQueues(run);
      await counted.open();
      await counted.useAll();
      await counted.deleteAll();
    };
    const findings = (): Findings => counted?.findings() ?? {};
    return conduct({ scenario: queueCount.name, operation: 'queues', carryOut, findings }, options, context);
  },
};

class ManyQueues {
  readonly #run: ScenarioRun;
  readonly #beginning: string;
  readonly #count: number;
  readonly #body: Buffer;
  /** By queue, 1 when its message came. */
  readonly #deliveries: Uint8Array;
  #place: OpenChannel | undefined;
  readonly #confirms = new OutstandingConfirms(WINDOW);
  #published = 0;
  #delivered = 0;
  #consumed = 0;
  #onChunkEnd: () => void = () => undefined;
  readonly #seconds = { declare: 0, publish: 0, deliver: 0 };

  constructor(run: ScenarioRun) {
    const { queue, queues, sizesBytes } = run.options;
    this.#run = run;
    this.#beginning = uniqueName(queue);
    this.#count = queues;
    this.#body = Buffer.alloc(Math.max(NUMBER_BYTES, sizesBytes[0] ?? 0));
    this.#deliveries = new Uint8Array(queues);
    run.messageCounts = () => ({ published: this.#published, delivered: this.#delivered });
  }

  async open(): Promise<void> {
    const connection = await this.#run.connect({
      onConfirm: (_channel, tag, multiple, nack) => this.#confirms.confirm(tag, multiple, nack, nowMicros()),
      onContent: (_channel, method, _properties, body) => {
        if (method.name === 'basic.deliver') this.#onDelivery(method.consumerTag, body);
      },
      onChunkEnd: () => this.#onChunkEnd(),
    });
    const channel = await connection.openChannel();
    await connection.request(channel, { name: 'confirm.select', noWait: false }, 'confirm.select-ok');
    this.#place = { connection, channel };
  }

  /** The measured time. */
  async useAll(): Promise<void> {
    const run = this.#run;
    run.enter('running');
    run.measure();
    try {
      this.#seconds.declare = await timed(() => this.#declareAll());
      this.#seconds.publish = await timed(() => this.#publishAll());
      this.#seconds.deliver = await timed(() => this.#consumeAll());
    } finally {
      run.end();
      // What an interrupted run did not consume from is not lost.
      const different = this.#deliveries.reduce((sum, count) => sum + count, 0);
      run.checks.lost += Math.max(0, this.#consumed - this.#confirms.nacked - different);
    }
  }

  /** Their consumers first: a broker tells a consumer whose queue was deleted, which is an error anywhere else. */
  async deleteAll(): Promise<void> {
    const run = this.#run;
    const place = this.#opened();
    run.enter('clean-up');
    for (let first = 0; first < run.operations; first += WINDOW) {
      const some = Array.from({ length: Math.min(WINDOW, run.operations - first) }, (_, offset) => first + offset);
      await Promise.all(
        some.filter((index) => index < this.#consumed).map((index) => cancel(run, place, String(index))),
      );
      await Promise.all(some.map((index) => deleteQueue(run, place, this.#name(index), this.#messagesIn(index))));
    }
  }

  findings(): Findings {
    const { declare, publish, deliver } = this.#seconds;
    const confirmLatency = this.#confirms.latency.summary();
    return {
      operationsPerSecond: rate(this.#run.operations, declare),
      published: this.#published,
      publishedPerSecond: rate(this.#published, publish),
      confirmed: this.#confirms.confirmed,
      nacked: this.#confirms.nacked,
      ...(confirmLatency === undefined ? {} : { confirmLatency }),
      delivered: this.#delivered,
      deliveredPerSecond: rate(this.#delivered, deliver),
    };
  }

  async #declareAll(): Promise<void> {
    const run = this.#run;
    const kind = queueKind(run.options);
    await pipelined(run, this.#count, run.options.pipeline, async (index) => {
      const startedAtMs = performance.now();
      await declareNew(run, this.#opened(), this.#name(index), kind);
      run.completed(startedAtMs);
    });
  }

  async #publishAll(): Promise<void> {
    const { connection, channel } = this.#opened();
    const properties = isPersistent(this.#run.options) ? { deliveryMode: 2 } : {};
    while (this.#published < this.#count && !this.#run.ended) {
      const end = Math.min(this.#count, this.#published + WINDOW);
      this.#confirms.published(end - this.#published, nowMicros(), 0);
      for (let index = this.#published; index < end; index++) {
        this.#body.writeUInt32BE(index);
        connection.publish(channel, '', this.#name(index), properties, this.#body);
      }
      this.#published = end;
      await this.#until(() => this.#confirms.outstanding === 0);
    }
  }

  async #consumeAll(): Promise<void> {
    const run = this.#run;
    await pipelined(run, this.#published, run.options.pipeline, async (index) => {
      await consume(run, this.#opened(), this.#name(index), String(index));
      this.#consumed++;
    });
    run.enter('drain', run.options.drainSeconds);
    await this.#until(() => this.#delivered >= this.#consumed - this.#confirms.nacked);
  }

  #onDelivery(consumerTag: string, body: Uint8Array): void {
    const index = Number(consumerTag);
    const { checks } = this.#run;
    this.#delivered++;
    this.#body.writeUInt32BE(index);
    if (this.#body.compare(body) !== 0) checks.corrupted++;
    if (this.#deliveries[index] === 1) checks.duplicated++;
    else this.#deliveries[index] = 1;
  }

  /** Resolves behind the chunk with which it is so. */
  async #until(isEnough: () => boolean): Promise<void> {
    if (isEnough()) return;
    const enough = new Promise<void>((resolve) => {
      this.#onChunkEnd = () => {
        if (isEnough()) resolve();
      };
    });
    await Promise.race([enough, this.#run.failure]);
  }

  #messagesIn(index: number): number {
    return index < this.#published && index >= this.#consumed ? 1 : 0;
  }

  #name(index: number): string {
    return `${this.#beginning}-${index}`;
  }

  #opened(): OpenChannel {
    if (this.#place === undefined) throw new Error('there is no connection yet');
    return this.#place;
  }
}

async function timed(phase: () => Promise<void>): Promise<number> {
  const startedAtMs = performance.now();
  await phase();
  return (performance.now() - startedAtMs) / 1000;
}

function rate(count: number, seconds: number): number {
  return seconds > 0 ? count / seconds : 0;
}
