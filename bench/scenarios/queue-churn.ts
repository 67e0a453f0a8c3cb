/** Queues declared and deleted, durable or not. */
import {
  conduct,
  type OpenChannel,
  type Operation,
  openChannels,
  operationsOn,
  repeat,
  uniqueName,
} from './conduct.js';
import { declareNew, deleteQueue, expectGone, type QueueKind, queueKind } from './queue-requests.js';
import type { Scenario } from './scenario.js';
import { REPEATING, type ScenarioRun } from './scenario-run.js';

export const queueChurn: Scenario = {
  name: 'queue-churn',
  summary: 'declare a queue and delete it again',
  options: [...REPEATING, 'queue', 'durable', 'queueArguments'],
  defaults: { queue: 'queue-churn' },
  run: (options, context) => {
    const work = { scenario: queueChurn.name, operation: 'queues', carryOut: declareAndDelete };
    return conduct(work, options, context);
  },
};

async function declareAndDelete(run: ScenarioRun): Promise<void> {
  const { options } = run;
  const places = await openChannels(run);
  const queue = uniqueName(options.queue);
  const kind = queueKind(options);
  const make = (place: OpenChannel, number: number): Operation => churnOf(run, place, `${queue}-${number}`, kind);
  await repeat(run, operationsOn(places, options.pipeline, make));
  if (run.operations > 0) await expectGone(run, `${queue}-0-1`);
}

/** Every queue has a name of its own: a broker might be quick with one that it knows. */
function churnOf(run: ScenarioRun, place: OpenChannel, beginning: string, kind: QueueKind): Operation {
  let count = 0;
  return async () => {
    const queue = `${beginning}-${++count}`;
    await declareNew(run, place, queue, kind);
    await deleteQueue(run, place, queue);
  };
}
