/** Consumers started and cancelled on a queue that stays. */
import {
  conduct,
  type OpenChannel,
  type Operation,
  openChannels,
  operationsOn,
  repeat,
  uniqueName,
} from './conduct.js';
import { cancel, consume, consumerCount, declareNew, deleteQueue, queueKind } from './queue-requests.js';
import type { Scenario } from './scenario.js';
import { REPEATING, type ScenarioRun } from './scenario-run.js';

export const consumerChurn: Scenario = {
  name: 'consumer-churn',
  summary: 'start a consumer and cancel it again',
  options: [...REPEATING, 'queue', 'durable', 'queueArguments'],
  defaults: { queue: 'consumer-churn' },
  run: (options, context) => {
    const work = { scenario: consumerChurn.name, operation: 'consumers', carryOut: consumeAndCancel };
    return conduct(work, options, context);
  },
};

async function consumeAndCancel(run: ScenarioRun): Promise<void> {
  const { options } = run;
  const places = await openChannels(run);
  const beginning = uniqueName(options.queue);
  // An exclusive queue belongs to one connection, so each channel has a queue of its own.
  const queues = new Map(places.map((place, index) => [place, `${beginning}-${index}`]));
  const kind = queueKind(options);
  for (const [place, queue] of queues) await declareNew(run, place, queue, kind);
  const make = (place: OpenChannel, number: number): Operation =>
    churnOf(run, place, queues.get(place) ?? '', `consumer-${number}`);
  await repeat(run, operationsOn(places, options.pipeline, make));
  for (const [place, queue] of queues) {
    const left = await consumerCount(place, queue);
    if (left > 0) run.note(`queue ${queue} still has ${left} consumers after all were cancelled`);
    await deleteQueue(run, place, queue);
  }
}

function churnOf(run: ScenarioRun, place: OpenChannel, queue: string, consumerTag: string): Operation {
  return async () => {
    await consume(run, place, queue, consumerTag);
    await cancel(run, place, consumerTag);
  };
}
