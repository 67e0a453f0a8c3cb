/** Fills the queues while nobody consumes, then drains them: both rates, and what a long queue costs. */
import { LoadRun } from '../load/load-run.js';
import { type BenchOptions, demand } from '../options.js';
import type { BenchResult } from '../result.js';
import { Measurement } from './measurement.js';
import type { RunContext, Scenario } from './scenario.js';
import { checkLoad, LOAD_OPTIONS } from './throughput.js';

const OTHER_OPTIONS = ['messagesPerConsumer'];

export const backlog: Scenario = {
  name: 'backlog',
  summary: 'publish --pmessages messages while nobody consumes, then consume them all',
  options: LOAD_OPTIONS.filter((name) => !OTHER_OPTIONS.includes(name)),
  defaults: { messagesPerProducer: 1_000_000 },
  run: runBacklog,
};

async function runBacklog(options: BenchOptions, context: RunContext): Promise<BenchResult> {
  checkLoad(options);
  demand(options.producers > 0 && options.consumers > 0, 'a backlog needs producers and consumers');
  demand(options.seconds === undefined && options.warmupSeconds === 0, 'a backlog ends by --pmessages, not by time');
  const run = new LoadRun(options, context.signal);
  const measurement = new Measurement('backlog', options, context);
  try {
    await run.open();
    context.watch(run);
    measurement.start(run);
    run.startPublishers();
    await fill(run);
    measurement.drainFromNow();
    await run.startConsumers();
    await run.settle('drain', () => run.account.missing === 0);
    measurement.stop(run);
  } catch (error) {
    measurement.failed(error);
  }
  const result = measurement.loadResult(run);
  await run.close();
  return measurement.withErrors(result, run.errors);
}

/** Until the broker has everything: confirmed, or without confirms by its own count. */
async function fill(run: LoadRun): Promise<void> {
  await run.until('fill', () => run.publishers.every(({ isDone }) => isDone));
  run.stopPublishers();
  if (run.options.confirmWindow !== undefined) await run.settle('confirms', () => run.unconfirmed === 0);
  else await run.untilReady();
}
