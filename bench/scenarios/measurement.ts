/**
 * The measured time of a run: what was counted at its beginning, CPU and memory over it, and the BenchResult that comes
 * of it. Rates are by the time until the last message, so a broker that lags behind is not flattered.
 */
import { nowMicros } from '../load/clock.js';
import { publicUrl } from '../load/handshake.js';
import type { LoadRun } from '../load/load-run.js';
import type { BenchOptions } from '../options.js';
import { UsageMeter } from '../report/process-usage.js';
import type { BenchResult, ProcessUsage } from '../result.js';
import type { RunContext } from './scenario.js';

const NO_USAGE: ProcessUsage = { cpuSeconds: 0, cpuMicrosPerMessage: 0, rssBytes: 0, rssPeakBytes: 0 };

interface Mark {
  readonly micros: number;
  readonly published: number;
  readonly delivered: number;
  readonly confirmed: number;
}

export class Measurement {
  readonly errors: string[] = [];
  readonly #scenario: string;
  readonly #options: BenchOptions;
  readonly #context: RunContext;
  readonly #startedAt = new Date().toISOString();
  readonly #generatorMeter = UsageMeter.ofThisProcess();
  readonly #brokerMeter: UsageMeter | undefined;
  #generator = NO_USAGE;
  #broker: ProcessUsage | undefined;
  #start: Mark = { micros: 0, published: 0, delivered: 0, confirmed: 0 };
  /** When deliveries began, where that is later than the rest. */
  #drainMicros: number | undefined;

  constructor(scenario: string, options: BenchOptions, context: RunContext) {
    this.#scenario = scenario;
    this.#options = options;
    this.#context = context;
    if (options.brokerPid !== undefined) this.#brokerMeter = UsageMeter.of(options.brokerPid);
  }

  start(run: LoadRun): void {
    this.#start = markOf(run);
    this.#generatorMeter.start();
    this.#brokerMeter?.start();
  }

  /** Deliveries begin now, and their rate counts from here. */
  drainFromNow(): void {
    this.#drainMicros = nowMicros();
  }

  stop(run: LoadRun): void {
    const messages = this.#messages(run);
    this.#generator = this.#generatorMeter.stop(messages);
    this.#broker = this.#brokerMeter?.stop(messages);
  }

  /** Instead of `stop`, when the run could not go on. */
  failed(error: unknown): void {
    this.errors.push(error instanceof Error ? error.message : String(error));
    this.#generatorMeter.close();
    this.#brokerMeter?.close();
  }

  loadResult(run: LoadRun): BenchResult {
    const { producers, consumers, confirmWindow } = this.#options;
    const published = run.published - this.#start.published;
    const delivered = run.delivered - this.#start.delivered;
    const publishEnd = largest(run.publishers.map(({ endMicros }) => endMicros));
    const deliveryEnd = largest(run.consumers.map(({ lastDeliveryMicros }) => lastDeliveryMicros));
    const end = Math.max(publishEnd, deliveryEnd);
    const publishSeconds = this.#secondsUntil(publishEnd);
    const deliverSeconds =
      this.#drainMicros === undefined ? this.#secondsUntil(end) : Math.max(0, deliveryEnd - this.#drainMicros) / 1e6;
    const latency = run.latency().summary();
    const confirmLatency = run.confirmLatency().summary();
    return {
      ...this.heading(run.identity),
      seconds: this.#secondsUntil(end),
      ...(producers > 0 && { published, publishedPerSecond: rate(published, publishSeconds) }),
      ...(consumers > 0 && { delivered, deliveredPerSecond: rate(delivered, deliverSeconds) }),
      ...(confirmWindow !== undefined && { confirmed: run.confirmed - this.#start.confirmed, nacked: run.nacked }),
      ...(run.returned > 0 && { returned: run.returned }),
      ...(latency !== undefined && { latency }),
      ...(confirmLatency !== undefined && { confirmLatency }),
      ...(this.#broker !== undefined && { broker: this.#broker }),
      generator: this.#generator,
      checks: run.account.checks(run.hasFailed || this.errors.length > 0),
      notes: run.account.notes(),
      errors: [],
    };
  }

  withErrors(result: BenchResult, errors: readonly string[]): BenchResult {
    return { ...result, errors: [...new Set([...this.errors, ...errors])] };
  }

  /** What every result begins with. */
  heading(identity: { readonly product: string; readonly version: string }) {
    return {
      scenario: this.#scenario,
      label: this.#options.label,
      arguments: this.#context.arguments,
      target: { url: publicUrl(this.#options.uri), ...identity },
      startedAt: this.#startedAt,
    };
  }

  /**
   * What CPU time is divided by. A message that a warm-up published and that is delivered only now is half a message's
   * work, so where both ends are there each counts half.
   */
  #messages(run: LoadRun): number {
    const published = run.published - this.#start.published;
    const delivered = run.delivered - this.#start.delivered;
    if (published === 0 || delivered === 0) return published || delivered;
    const copies = run.delivered / run.published;
    return (published + delivered / copies) / 2;
  }

  #secondsUntil(micros: number): number {
    return Math.max(0, (micros - this.#start.micros) / 1e6);
  }
}

function markOf(run: LoadRun): Mark {
  return { micros: nowMicros(), published: run.published, delivered: run.delivered, confirmed: run.confirmed };
}

function largest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}

function rate(count: number, seconds: number): number {
  return seconds > 0 ? count / seconds : 0;
}
