/**
 * One line on a terminal that is rewritten each second while a run lasts: the rates of the last second and its p99.
 * Writes nothing where there is no terminal. Whoever prints JSON does not start it.
 */
import { LatencyHistogram } from './histogram.js';
import { duration, perSecond } from './units.js';

const INTERVAL_MS = 1000;
const DEFAULT_COLUMNS = 80;
const CLEAR_LINE = '\r\u001b[K';

/** Totals since the start of the run; a scenario leaves out what it does not count. */
export interface ProgressCounts {
  readonly published?: number;
  readonly delivered?: number;
  readonly confirmed?: number;
  readonly operations?: number;
}

export interface ProgressSource {
  /** What the run is doing at the moment, such as 'warm-up' or 'drain'. */
  phase(): string;
  counts(): ProgressCounts;
  /** Everything recorded so far; the line takes the difference. */
  latency(): LatencyHistogram | undefined;
}

export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export class ProgressLine {
  readonly #source: ProgressSource;
  readonly #output: ProgressOutput;
  readonly #earlierLatency = new LatencyHistogram();
  #earlier: ProgressCounts = {};
  #earlierMs = 0;
  #startedMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: ProgressSource, output: ProgressOutput = process.stderr) {
    this.#source = source;
    this.#output = output;
  }

  start(): void {
    if (this.#output.isTTY !== true || this.#timer !== undefined) return;
    this.#startedMs = performance.now();
    this.#remember(this.#startedMs, this.#source.counts());
    this.#timer = setInterval(() => this.update(performance.now()), INTERVAL_MS);
  }

  /** Removes the line, so that the table begins at the left. */
  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#output.write(CLEAR_LINE);
  }

  /** Called by the timer. */
  update(nowMs: number): void {
    const counts = this.#source.counts();
    const text = this.#text(nowMs, counts);
    this.#remember(nowMs, counts);
    // A line that wraps could not be rewritten. A terminal that does not know its width says 0.
    this.#output.write(`${CLEAR_LINE}${text.slice(0, (this.#output.columns || DEFAULT_COLUMNS) - 1)}`);
  }

  #text(nowMs: number, counts: ProgressCounts): string {
    const seconds = Math.max(0.001, (nowMs - this.#earlierMs) / 1000);
    const parts = [`${Math.round((nowMs - this.#startedMs) / 1000)} s ${this.#source.phase()}`];
    for (const name of ['published', 'delivered', 'confirmed', 'operations'] as const) {
      const count = counts[name];
      if (count !== undefined)
        parts.push(`${name} ${perSecond(Math.max(0, count - (this.#earlier[name] ?? 0)) / seconds)}`);
    }
    const p99 = this.#source.latency()?.percentile(0.99, this.#earlierLatency);
    if (p99 !== undefined) parts.push(`p99 ${duration(p99)}`);
    return parts.join('  ');
  }

  #remember(nowMs: number, counts: ProgressCounts): void {
    this.#earlierMs = nowMs;
    this.#earlier = counts;
    const latency = this.#source.latency();
    if (latency !== undefined) this.#earlierLatency.copyFrom(latency);
  }
}
