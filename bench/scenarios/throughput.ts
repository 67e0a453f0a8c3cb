/** Publishers and consumers at full speed or at a fixed rate: the scenario that the others are variations of. */
import { nowMicros } from '../load/clock.js';
import { LoadRun } from '../load/load-run.js';
import { type BenchOptions, demand, type OptionName } from '../options.js';
import type { BenchResult } from '../result.js';
import { Measurement } from './measurement.js';
import type { RunContext, Scenario } from './scenario.js';

const DEFAULT_SECONDS = 10;
const MOST_CONNECTIONS = 10_000;

/** What every scenario with publishers and consumers reads. */
export const LOAD_OPTIONS = [
  'producers',
  'consumers',
  'queue',
  'queues',
  'queuePattern',
  'queuePatternFrom',
  'queuePatternTo',
  'queueArguments',
  'durable',
  'autoDelete',
  'purge',
  'exchange',
  'exchangeType',
  'routingKey',
  'routingKeys',
  'bindings',
  'bindingKey',
  'sizesBytes',
  'flags',
  'persistent',
  'mandatory',
  'confirmWindow',
  'ratePerSecond',
  'messagesPerProducer',
  'messagesPerConsumer',
  'prefetch',
  'channelPrefetch',
  'autoAck',
  'ackEvery',
] as const satisfies readonly OptionName[];

export const throughput: Scenario = {
  name: 'throughput',
  summary: 'publish and consume, as fast as it goes or at a fixed --rate',
  options: LOAD_OPTIONS,
  run: (options, context) => runThroughput('throughput', options, context),
};

export async function runThroughput(
  scenario: string,
  options: BenchOptions,
  context: RunContext,
): Promise<BenchResult> {
  checkLoad(options);
  const run = new LoadRun(options, context.signal);
  const measurement = new Measurement(scenario, options, context);
  try {
    await run.open();
    context.watch(run);
    // Where others have published, deliveries come at once.
    if (options.producers === 0) measurement.start(run);
    await run.startConsumers();
    if (options.producers > 0) measurement.start(run);
    run.startPublishers();
    if (options.warmupSeconds > 0) {
      await warmUp(run, options);
      run.resetLatencies();
      measurement.start(run);
    }
    await load(run, options);
    await drain(run, options);
    measurement.stop(run);
  } catch (error) {
    measurement.failed(error);
  }
  const result = measurement.loadResult(run);
  await run.close();
  return measurement.withErrors(result, run.errors);
}

export function checkLoad(options: BenchOptions): void {
  const { producers, consumers, warmupSeconds, messagesPerProducer, prefetch, channelPrefetch, ackEvery } = options;
  demand(producers + consumers > 0, 'give at least one of --producers and --consumers');
  demand(producers <= MOST_CONNECTIONS && consumers <= MOST_CONNECTIONS, `give at most ${MOST_CONNECTIONS} of each`);
  demand(warmupSeconds === 0 || messagesPerProducer === undefined, '--warmup and --pmessages exclude each other');
  demand(options.confirmWindow === undefined || options.confirmWindow <= 1e7, 'give a --confirm window up to 10000000');
  demand(prefetch <= 65_535 && channelPrefetch <= 65_535, 'a prefetch is at most 65535');
  const limits = [prefetch, channelPrefetch].filter((limit) => limit > 0);
  demand(
    options.autoAck || limits.every((limit) => ackEvery <= limit),
    '--multi-ack-every above the prefetch would wait forever',
  );
}

async function warmUp(run: LoadRun, { warmupSeconds }: BenchOptions): Promise<void> {
  const end = nowMicros() + warmupSeconds * 1e6;
  await run.until('warm-up', () => nowMicros() >= end);
}

/** Until the time is over, or the counts are reached, or somebody ends it. */
async function load(run: LoadRun, options: BenchOptions): Promise<void> {
  const { seconds, messagesPerProducer, messagesPerConsumer, producers } = options;
  const isCounted = messagesPerProducer !== undefined || messagesPerConsumer !== undefined;
  const length = seconds ?? (isCounted ? Number.POSITIVE_INFINITY : DEFAULT_SECONDS);
  const end = nowMicros() + length * 1e6;
  for (const publisher of run.publishers) publisher.stopAt(end);
  const isOver = (): boolean =>
    nowMicros() >= end ||
    (producers > 0 && run.publishers.every(({ isDone }) => isDone)) ||
    (messagesPerConsumer !== undefined && run.consumers.some(({ check }) => check.delivered >= messagesPerConsumer));
  if (producers > 0) await run.until('run', isOver);
  else await run.settle('run', isOver);
  run.stopPublishers();
}

async function drain(run: LoadRun, { consumers, producers, messagesPerConsumer }: BenchOptions): Promise<void> {
  const isRead = consumers === 0 || producers === 0 || messagesPerConsumer !== undefined;
  await run.settle('drain', () => run.unconfirmed === 0 && (isRead || run.account.missing === 0));
}
