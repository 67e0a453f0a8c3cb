/**
 * Carries a scenario of requests and replies through: sets up, repeats its operations until time or count are over,
 * waits for what is outstanding, and cleans up. Whatever is thrown on the way ends in `errors` of the result.
 */
import { randomBytes } from 'node:crypto';
import type { AmqpConnection } from '../load/amqp-connection.js';
import type { BenchOptions } from '../options.js';
import type { BenchResult } from '../result.js';
import type { RunContext } from './scenario.js';
import { type Findings, ScenarioRun } from './scenario-run.js';

export interface Work {
  readonly scenario: string;
  /** In the plural, as the table names what was counted. */
  readonly operation: string;
  carryOut(run: ScenarioRun): Promise<void>;
  /** What it found besides operations, as far as it came. */
  findings?(run: ScenarioRun): Findings;
}

/** One operation, from its first request to its last reply. Rejects when the broker refuses or is gone. */
export type Operation = () => Promise<void>;

export interface OpenChannel {
  readonly connection: AmqpConnection;
  readonly channel: number;
}

export async function conduct(work: Work, options: BenchOptions, context: RunContext): Promise<BenchResult> {
  const run = new ScenarioRun(options);
  const stop = (): void => run.stop();
  context.signal.addEventListener('abort', stop);
  try {
    if (context.signal.aborted) stop();
    context.watch(run);
    if (!run.failed) await work.carryOut(run);
  } catch (error) {
    run.fail(error);
  }
  run.end();
  await run.close();
  context.signal.removeEventListener('abort', stop);
  const found = { ...operationFindings(work.operation, run), ...work.findings?.(run) };
  return run.result(work.scenario, context, found, found.published ?? found.operations ?? 0);
}

/** Every operation over and over, each in a chain of its own, so that as many are outstanding at a time. */
export async function repeat(run: ScenarioRun, operations: readonly Operation[]): Promise<void> {
  const { warmupSeconds, drainSeconds } = run.options;
  if (warmupSeconds > 0) {
    run.enter('warm-up');
    run.after(warmupSeconds, () => beginMeasuring(run));
  } else beginMeasuring(run);
  const chains = Promise.all(operations.map((operation) => chain(run, operation)));
  await Promise.race([chains, run.whenEnded]);
  run.enter('drain', drainSeconds);
  await chains;
  run.enter('clean-up');
}

/** `make(0)` to `make(count - 1)`, in order, with at most `depth` of them outstanding, unless the run ends before. */
export async function pipelined(
  run: ScenarioRun,
  count: number,
  depth: number,
  make: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count && !run.ended) await make(next++);
  };
  await Promise.all(Array.from({ length: Math.min(count, depth) }, worker));
}

/** As many connections, and channels on each, as the options say. */
export async function openChannels(run: ScenarioRun): Promise<readonly OpenChannel[]> {
  const { connections, channels } = run.options;
  const open: OpenChannel[] = [];
  for (let index = 0; index < connections; index++) {
    const connection = await run.connect();
    for (let number = 0; number < channels; number++) {
      open.push({ connection, channel: await connection.openChannel() });
    }
  }
  return open;
}

/** For every channel as many operations as may be outstanding on it; `number` tells all of them apart. */
export function operationsOn(
  channels: readonly OpenChannel[],
  pipeline: number,
  make: (place: OpenChannel, number: number) => Operation,
): Operation[] {
  return channels.flatMap((place, index) =>
    Array.from({ length: pipeline }, (_, slot) => make(place, index * pipeline + slot)),
  );
}

/** So that runs at the same time, and what an earlier one left behind, do not meet. */
export function uniqueName(beginning: string): string {
  return `${beginning}-${randomBytes(4).toString('hex')}`;
}

function beginMeasuring(run: ScenarioRun): void {
  run.enter('running');
  run.measure();
  run.endInTime();
}

async function chain(run: ScenarioRun, operation: Operation): Promise<void> {
  while (run.claim()) {
    const startedAtMs = performance.now();
    await operation();
    run.completed(startedAtMs);
  }
}

function operationFindings(operation: string, run: ScenarioRun): Findings {
  const { operations, seconds } = run;
  const operationLatency = run.operationLatency.summary();
  return {
    operation,
    operations,
    operationsPerSecond: seconds > 0 ? operations / seconds : 0,
    ...(operationLatency === undefined ? {} : { operationLatency }),
  };
}
