/**
 * One run of a scenario that works by requests and replies: its connections, what it counts, the measured time, the
 * reasons to end early, and the BenchResult at the end. `conduct` guards the whole of it, so that a scenario only throws.
 */
import { AmqpConnection, type ConnectionOptions, type Receiver } from '../load/amqp-connection.js';
import { publicUrl } from '../load/handshake.js';
import type { BenchOptions, OptionName } from '../options.js';
import { LatencyHistogram } from '../report/histogram.js';
import { UsageMeter } from '../report/process-usage.js';
import type { ProgressCounts, ProgressSource } from '../report/progress.js';
import type { BenchResult, ProcessUsage } from '../result.js';
import type { RunContext } from './scenario.js';

/** The phases of a run, as the progress line names them. */
export type Phase = 'set-up' | 'warm-up' | 'running' | 'drain' | 'clean-up';

/** Without an answer for that long, a broker that owes one is taken for dead. */
const SILENCE_LIMIT_SECONDS = 60;
const SILENCE_CHECK_MS = 250;
const DEFAULT_SECONDS = 10;

/** Options of everything that is repeated until time or count are over. */
export const REPEATING: readonly OptionName[] = ['connections', 'channels', 'pipeline', 'operations'];

/** What a scenario adds to the result itself. */
export type Findings = Partial<BenchResult>;

export class ScenarioRun implements ProgressSource {
  readonly options: BenchOptions;
  /** From request to reply, of operations. */
  readonly operationLatency = new LatencyHistogram();
  /** What the progress line shows; scenarios that measure messages set it. */
  shownLatency = this.operationLatency;
  readonly checks = { lost: 0, duplicated: 0, outOfOrder: 0, corrupted: 0 };
  /** For the progress line; set by scenarios that count messages. */
  messageCounts: () => ProgressCounts = () => ({});
  operations = 0;
  #claimed = 0;
  #state: 'preparing' | 'measuring' | 'ended' = 'preparing';
  #phase: Phase = 'set-up';
  #silenceLimitMs = SILENCE_LIMIT_SECONDS * 1000;
  #heardAtMs = performance.now();
  #startedAt = new Date();
  #measuredFromMs = 0;
  #measuredMs = 0;
  readonly #errors: string[] = [];
  readonly #connections = new Set<AmqpConnection>();
  #identity: { product: string; version: string } | undefined;
  readonly #generatorMeter = UsageMeter.ofThisProcess();
  readonly #brokerMeter: UsageMeter | undefined;
  #generatorUsage: ProcessUsage | undefined;
  #brokerUsage: ProcessUsage | undefined;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #watchdog: NodeJS.Timeout;
  #onEnd: () => void = () => undefined;
  #onFailure: (error: unknown) => void = () => undefined;
  /** Resolves when the measured time is over, for whatever reason. */
  readonly whenEnded: Promise<void>;
  /** Rejects when the run fails, for whoever waits for something that is not a reply. */
  readonly failure: Promise<never>;

  constructor(options: BenchOptions) {
    this.options = options;
    this.whenEnded = new Promise((resolve) => {
      this.#onEnd = resolve;
    });
    this.failure = new Promise((_resolve, reject) => {
      this.#onFailure = reject;
    });
    // Most runs do not fail, and in most nobody waits.
    this.failure.catch(() => undefined);
    this.#brokerMeter = options.brokerPid === undefined ? undefined : UsageMeter.of(options.brokerPid);
    this.#watchdog = setInterval(() => this.#checkSilence(), SILENCE_CHECK_MS);
  }

  get ended(): boolean {
    return this.#state === 'ended';
  }

  get failed(): boolean {
    return this.#errors.length > 0;
  }

  phase(): string {
    return this.#phase;
  }

  counts(): ProgressCounts {
    return { ...this.messageCounts(), ...(this.operations > 0 && { operations: this.operations }) };
  }

  latency(): LatencyHistogram | undefined {
    return this.shownLatency;
  }

  /** `silenceSeconds`: how long the broker may say nothing meanwhile; Infinity where it need not say anything. */
  enter(phase: Phase, silenceSeconds = SILENCE_LIMIT_SECONDS): void {
    this.#phase = phase;
    this.#silenceLimitMs = silenceSeconds * 1000;
    this.#heardAtMs = performance.now();
  }

  /** A connection that the run closes at its end, and whose failure ends the run. */
  async connect(receiver: Receiver = {}, options: ConnectionOptions = {}): Promise<AmqpConnection> {
    const connection = await this.connectAside(options);
    connection.receive({
      ...receiver,
      onChunkEnd: () => {
        this.#heard();
        receiver.onChunkEnd?.();
      },
      onFailure: (failure) => this.fail(failure),
    });
    return connection;
  }

  /** One that may fail: what it rejects with is for whoever asked. */
  async connectAside(options: ConnectionOptions = {}): Promise<AmqpConnection> {
    const connection = await AmqpConnection.connect(this.options.uri, options);
    this.#identity ??= connection.identity;
    this.#heard();
    this.#connections.add(connection);
    if (this.failed) connection.destroy();
    return connection;
  }

  /** Before the end of the run. */
  async disconnect(connection: AmqpConnection): Promise<void> {
    await connection.close();
    this.#connections.delete(connection);
    this.#heard();
  }

  /** From now on it counts; what was counted before was warm-up. */
  measure(): void {
    if (this.#state !== 'preparing') return;
    this.operationLatency.reset();
    this.operations = 0;
    this.#claimed = 0;
    this.#startedAt = new Date();
    this.#generatorMeter.start();
    this.#brokerMeter?.start();
    this.#state = 'measuring';
    this.#measuredFromMs = performance.now();
  }

  /** Seconds of the measured time up to now, or all of it when it is over. */
  get seconds(): number {
    return (this.#state === 'measuring' ? performance.now() - this.#measuredFromMs : this.#measuredMs) / 1000;
  }

  /** Ends the measured time by the options: after --time, or undefined when only --operations does. */
  endInTime(): void {
    const seconds = this.options.seconds ?? (this.options.operations === undefined ? DEFAULT_SECONDS : undefined);
    if (seconds !== undefined) this.after(seconds, () => this.end());
  }

  after(seconds: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      try {
        action();
      } catch (error) {
        this.fail(error);
      }
    }, seconds * 1000);
    this.#timers.add(timer);
  }

  /** Whether one more operation may begin. */
  claim(): boolean {
    if (this.#state === 'ended') return false;
    if (this.#state === 'measuring' && this.#claimed >= (this.options.operations ?? Number.POSITIVE_INFINITY))
      return false;
    this.#claimed++;
    return true;
  }

  /** An operation has its answer. What comes after the end is not counted. */
  completed(startedAtMs: number): void {
    if (this.#state === 'ended') return;
    this.operations++;
    this.operationLatency.record((performance.now() - startedAtMs) * 1000);
    if (this.#state === 'measuring' && this.operations === this.options.operations) this.end();
  }

  end(): void {
    if (this.#state === 'ended') return;
    if (this.#state === 'measuring') this.#takeUsage();
    this.#state = 'ended';
    this.#onEnd();
  }

  /** The run ends, and whoever still waits for an answer is told so too. Later errors follow from the first. */
  fail(error: unknown): void {
    if (!this.failed) this.note(error);
    this.end();
    this.#onFailure(error);
    for (const connection of this.#connections) connection.destroy();
  }

  /** Something is wrong, but the run may go on. */
  note(error: unknown): void {
    this.#errors.push(error instanceof Error ? error.message : String(error));
  }

  /** As the user asked for: what is outstanding is still waited for. */
  stop(): void {
    if (this.#state === 'preparing') this.fail('interrupted before anything was measured');
    else this.end();
  }

  /** CPU time is given by message or operation: `unit` is how many there were. */
  result(scenario: string, context: RunContext, findings: Findings, unit: number): BenchResult {
    const { lost, duplicated, outOfOrder, corrupted } = this.checks;
    const passed = lost + duplicated + outOfOrder + corrupted === 0;
    const broker = this.#brokerUsage;
    return {
      scenario,
      label: this.options.label,
      arguments: context.arguments,
      target: { url: publicUrl(this.options.uri), ...(this.#identity ?? { product: 'unknown', version: '' }) },
      startedAt: this.#startedAt.toISOString(),
      seconds: this.seconds,
      ...findings,
      ...(broker === undefined ? {} : { broker: byUnit(broker, unit) }),
      generator: byUnit(this.#generatorUsage ?? this.#generatorMeter.stop(0), unit),
      checks: { passed, lost, duplicated, outOfOrder, corrupted },
      errors: this.#errors,
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#watchdog);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#generatorMeter.close();
    this.#brokerMeter?.close();
    await Promise.all([...this.#connections].map((connection) => connection.close()));
  }

  #takeUsage(): void {
    this.#measuredMs = performance.now() - this.#measuredFromMs;
    this.#generatorUsage = this.#generatorMeter.stop(0);
    try {
      this.#brokerUsage = this.#brokerMeter?.stop(0);
    } catch (error) {
      this.note(error);
    }
  }

  #heard(): void {
    this.#heardAtMs = performance.now();
  }

  #checkSilence(): void {
    if (this.#connections.size === 0 || performance.now() - this.#heardAtMs < this.#silenceLimitMs) return;
    this.fail(`the broker did not answer for ${this.#silenceLimitMs / 1000} s (${this.#phase})`);
  }
}

function byUnit(usage: ProcessUsage, unit: number): ProcessUsage {
  return { ...usage, cpuMicrosPerMessage: unit > 0 ? (usage.cpuSeconds * 1e6) / unit : 0 };
}
