/**
 * Many connections at once, each with a queue, a consumer and a publisher that sends a message now and then, at times
 * spread evenly: what connections cost a broker that are there and hardly used. Latency counts from the due time.
 */
import type { AmqpConnection } from '../load/amqp-connection.js';
import { nowMicros } from '../load/clock.js';
import { DeliveryCheck, SequenceCheck } from '../load/message-checks.js';
import { Pacer } from '../load/pacer.js';
import { MOST_PRODUCERS, STAMP_BYTES, StampAt, TWO_TO_32, templateBody } from '../load/stamp.js';
import { demand } from '../options.js';
import { LatencyHistogram } from '../report/histogram.js';
import { conduct, pipelined, uniqueName } from './conduct.js';
import { cancel, consume, declareNew, deleteQueue, queueKind } from './queue-requests.js';
import type { Scenario } from './scenario.js';
import type { Findings, ScenarioRun } from './scenario-run.js';

const CONSUMER_TAG = 'member';
/** Handshakes at the same time: more would only wait in the broker's backlog. */
const OPENING_AT_A_TIME = 50;
/** Brokers agree on no less than 4096. */
const SMALL = { readBytes: 4096, frameMax: 4096 };

export const connectionCount: Scenario = {
  name: 'connection-count',
  summary: 'open --connections connections with a queue and a consumer each, and --rate messages a second on each',
  options: ['connections', 'ratePerSecond', 'sizesBytes', 'queue', 'durable', 'queueArguments'],
  defaults: { connections: 100, ratePerSecond: 1, queue: 'connection-count' },
  run: (options, context) => {
    demand(options.connections <= MOST_PRODUCERS, `give at most ${MOST_PRODUCERS} connections`);
    demand(options.sizesBytes.length === 1, 'messages have one --size here');
    let crowd: Crowd | undefined;
    const carryOut = async (run: ScenarioRun): Promise<void> => {
      crowd = new Crowd(run);
      await crowd.open();
      await crowd.exchange();
    };
    const findings = (): Findings => crowd?.findings() ?? {};
    return conduct({ scenario: connectionCount.name, operation: 'connections', carryOut, findings }, options, context);
  },
};

/** One connection. Its number stands where a run's does in the stamp, so a message that went astray is noticed. */
interface Member {
  readonly number: number;
  readonly connection: AmqpConnection;
  readonly channel: number;
  readonly queue: string;
  readonly check: DeliveryCheck;
  readonly sequence: SequenceCheck;
}

class Crowd {
  readonly #run: ScenarioRun;
  readonly #beginning: string;
  readonly #members: Member[] = [];
  readonly #latency = new LatencyHistogram();
  readonly #body: Uint8Array;
  readonly #view: DataView;
  #openSeconds = 0;
  #firstDueMicros = 0;
  /** Of all time. */
  #published = 0;
  #delivered = 0;
  /** Of the messages that were due in the measured time, whenever they came. */
  #measured = { published: 0, delivered: 0 };
  #measuredFromMicros = Number.POSITIVE_INFINITY;
  #onDelivered: () => void = () => undefined;

  constructor(run: ScenarioRun) {
    this.#run = run;
    this.#beginning = uniqueName(run.options.queue);
    this.#body = templateBody(Math.max(STAMP_BYTES, run.options.sizesBytes[0] ?? 0), 0, 0);
    this.#view = new DataView(this.#body.buffer);
    run.shownLatency = this.#latency;
    run.messageCounts = () => ({ published: this.#published, delivered: this.#delivered });
  }

  async open(): Promise<void> {
    const run = this.#run;
    const startedAtMicros = nowMicros();
    await pipelined(run, run.options.connections, OPENING_AT_A_TIME, async (number) => {
      this.#members.push(await this.#openOne(number));
    });
    this.#openSeconds = (nowMicros() - startedAtMicros) / 1e6;
  }

  async exchange(): Promise<void> {
    const run = this.#run;
    const { ratePerSecond, warmupSeconds, drainSeconds } = run.options;
    const perSecond = ratePerSecond * this.#members.length;
    run.enter('warm-up', Number.POSITIVE_INFINITY);
    this.#firstDueMicros = Number.POSITIVE_INFINITY;
    const pacer = perSecond > 0 ? new Pacer(perSecond, () => this.#publishDue(1e6 / perSecond)) : undefined;
    try {
      await pacer?.ticking;
      this.#firstDueMicros = nowMicros();
      if (warmupSeconds > 0) run.after(warmupSeconds, () => this.#measure());
      else this.#measure();
      await run.whenEnded;
    } finally {
      await pacer?.close();
    }
    run.enter('drain', drainSeconds);
    await this.#drain().finally(() => this.#countChecks());
    run.enter('clean-up');
    await this.#deleteDurable();
  }

  findings(): Findings {
    const { seconds } = this.#run;
    const { published, delivered } = this.#measured;
    const latency = this.#latency.summary();
    return {
      operations: this.#members.length,
      operationsPerSecond: rate(this.#members.length, this.#openSeconds),
      published,
      publishedPerSecond: rate(published, seconds),
      delivered,
      deliveredPerSecond: rate(delivered, seconds),
      ...(latency === undefined ? {} : { latency }),
    };
  }

  async #openOne(number: number): Promise<Member> {
    const run = this.#run;
    const sequence = new SequenceCheck({ first: 0, stride: 1 });
    const check = new DeliveryCheck({
      run: number,
      sizesBytes: [this.#body.length],
      sequences: [sequence],
      foreign: false,
    });
    const connection = await run.connect(
      {
        onContent: (_channel, method, _properties, body) => {
          if (method.name === 'basic.deliver') this.#onDelivery(check, body, method.redelivered);
        },
      },
      SMALL,
    );
    const channel = await connection.openChannel();
    const queue = `${this.#beginning}-${number}`;
    await declareNew(run, { connection, channel }, queue, queueKind(run.options));
    await consume(run, { connection, channel }, queue, CONSUMER_TAG);
    return { number, connection, channel, queue, check, sequence };
  }

  #measure(): void {
    // Stamps are whole microseconds.
    this.#measuredFromMicros = Math.ceil(nowMicros());
    this.#run.enter('running', Number.POSITIVE_INFINITY);
    this.#run.measure();
    this.#run.endInTime();
  }

  #publishDue(gapMicros: number): void {
    const now = nowMicros();
    for (;;) {
      const dueMicros = this.#firstDueMicros + this.#published * gapMicros;
      if (dueMicros > now || this.#run.ended) return;
      this.#publish(dueMicros);
    }
  }

  /** To each in turn. */
  #publish(dueMicros: number): void {
    const number = this.#published % this.#members.length;
    const member = this.#members[number];
    const sequence = Math.floor(this.#published / this.#members.length);
    this.#published++;
    if (dueMicros >= this.#measuredFromMicros) this.#measured.published++;
    if (member === undefined) return;
    const view = this.#view;
    view.setUint32(0, sequence);
    view.setUint16(StampAt.sequenceHigh, sequence / TWO_TO_32);
    view.setUint16(StampAt.sentHigh, dueMicros / TWO_TO_32);
    view.setUint32(StampAt.sentLow, dueMicros);
    view.setUint16(StampAt.run, member.number);
    member.connection.publish(member.channel, '', member.queue, {}, this.#body);
  }

  #onDelivery(check: DeliveryCheck, body: Uint8Array, redelivered: boolean): void {
    check.record(new DataView(body.buffer, body.byteOffset, body.length), 0, body.length, redelivered);
    this.#delivered++;
    if (check.sentMicros !== undefined && check.sentMicros >= this.#measuredFromMicros) {
      this.#measured.delivered++;
      this.#latency.record(nowMicros() - check.sentMicros);
    }
    this.#onDelivered();
  }

  async #drain(): Promise<void> {
    if (this.#delivered >= this.#published) return;
    const all = new Promise<void>((resolve) => {
      this.#onDelivered = () => {
        if (this.#delivered >= this.#published) resolve();
      };
    });
    await Promise.race([all, this.#run.failure]);
  }

  #countChecks(): void {
    const { checks } = this.#run;
    this.#members.forEach(({ check, sequence }, index) => {
      const sent = Math.ceil((this.#published - index) / this.#members.length);
      checks.lost += sent - sequence.seen;
      checks.duplicated += sequence.duplicated;
      checks.outOfOrder += check.outOfOrder;
      checks.corrupted += check.corrupted;
    });
  }

  /** The others are exclusive and go with their connections. */
  async #deleteDurable(): Promise<void> {
    if (!this.#run.options.durable) return;
    for (const { connection, channel, queue } of this.#members) {
      await cancel(this.#run, { connection, channel }, CONSUMER_TAG);
      await deleteQueue(this.#run, { connection, channel }, queue);
    }
  }
}

function rate(count: number, seconds: number): number {
  return seconds > 0 ? count / seconds : 0;
}
