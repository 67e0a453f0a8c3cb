/**
 * What a run of the load generator found: the one shape that every scenario returns, `--json` prints on a line, and
 * bench:compare reads. A scenario leaves out what it does not measure.
 */

/** Microseconds. At a fixed rate they count from when the message was due, so that a stall is not hidden. */
export interface LatencyMicros {
  readonly count: number;
  readonly min: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Of a process over the measured time; `cpuMicrosPerMessage` is user and system time by published message or operation. */
export interface ProcessUsage {
  readonly cpuSeconds: number;
  readonly cpuMicrosPerMessage: number;
  readonly rssBytes: number;
  readonly rssPeakBytes: number;
}

export interface MessageChecks {
  readonly passed: boolean;
  /** Confirmed, or published without confirms, and not delivered when the run ended. */
  readonly lost: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  /** Deliveries that are not what was published: size, content or redelivered flag. */
  readonly corrupted: number;
}

export interface BenchResult {
  readonly scenario: string;
  readonly label: string;
  /** As given on the command line, for whoever wants to run it again. */
  readonly arguments: readonly string[];
  readonly target: { readonly url: string; readonly product: string; readonly version: string };
  readonly startedAt: string;
  readonly seconds: number;
  readonly published?: number;
  readonly publishedPerSecond?: number;
  readonly delivered?: number;
  readonly deliveredPerSecond?: number;
  readonly confirmed?: number;
  readonly nacked?: number;
  readonly returned?: number;
  /** Of scenarios whose unit is not a message: connections opened, queues declared, requests answered. */
  readonly operations?: number;
  readonly operationsPerSecond?: number;
  readonly operation?: string;
  /** From publish (or due time) to delivery. */
  readonly latency?: LatencyMicros;
  /** From publish (or due time) to confirm. */
  readonly confirmLatency?: LatencyMicros;
  /** From request to reply, of `operation`. */
  readonly operationLatency?: LatencyMicros;
  readonly broker?: ProcessUsage;
  readonly generator: ProcessUsage;
  readonly checks: MessageChecks;
  /** What the checks of this run leave out, and what else its reader should know. */
  readonly notes?: readonly string[];
  /** What went wrong, in words: closed connections, protocol errors. Not empty means exit code 1. */
  readonly errors: readonly string[];
}
