/** Bindings made and removed. At the end it asks by messages whether the broker does as it answered. */
import {
  conduct,
  type OpenChannel,
  type Operation,
  openChannels,
  operationsOn,
  repeat,
  uniqueName,
} from './conduct.js';
import { declareNew, deleteQueue, queueKind } from './queue-requests.js';
import type { Scenario } from './scenario.js';
import { REPEATING, type ScenarioRun } from './scenario-run.js';

const EXCHANGE_OF_TYPE = { direct: 'amq.direct', fanout: 'amq.fanout', topic: 'amq.topic', headers: 'amq.headers' };

export const bindChurn: Scenario = {
  name: 'bind-churn',
  summary: 'bind a queue and unbind it again',
  options: [...REPEATING, 'queue', 'durable', 'queueArguments', 'exchange', 'exchangeType'],
  defaults: { queue: 'bind-churn' },
  run: (options, context) => {
    const work = { scenario: bindChurn.name, operation: 'bindings', carryOut: bindAndUnbind };
    return conduct(work, options, context);
  },
};

interface Binding {
  readonly queue: string;
  readonly exchange: string;
  readonly routingKey: string;
}

async function bindAndUnbind(run: ScenarioRun): Promise<void> {
  const { queue: name, exchange: given, exchangeType, pipeline } = run.options;
  const places = await openChannels(run);
  const exchange = given === '' ? EXCHANGE_OF_TYPE[exchangeType] : given;
  const beginning = uniqueName(name);
  const queues = new Map(places.map((place, index) => [place, `${beginning}-${index}`]));
  const kind = queueKind(run.options);
  for (const [place, queue] of queues) await declareNew(run, place, queue, kind);
  const make = (place: OpenChannel, number: number): Operation =>
    churnOf(place, { queue: queues.get(place) ?? '', exchange, routingKey: `${beginning}.${number}` });
  await repeat(run, operationsOn(places, pipeline, make));
  for (const [place, queue] of queues) await deleteQueue(run, place, queue);
  if (exchangeType !== 'fanout' && exchangeType !== 'headers') await probe(run, exchange, beginning);
}

/** Every binding has a key of its own. */
function churnOf(place: OpenChannel, { queue, exchange, routingKey }: Binding): Operation {
  let count = 0;
  return async () => {
    const binding = { queue, exchange, routingKey: `${routingKey}.${++count}` };
    await bind(place, binding);
    await unbind(place, binding);
  };
}

/** A message that is mandatory comes back unless a binding takes it. */
async function probe(run: ScenarioRun, exchange: string, beginning: string): Promise<void> {
  let [returned, confirmed] = [0, () => {}];
  const onContent = (): void => {
    returned++;
  };
  const connection = await run.connect({ onContent, onConfirm: () => confirmed() });
  const place = { connection, channel: await connection.openChannel() };
  const binding = { queue: `${beginning}-probe`, exchange, routingKey: `${beginning}.probe` };
  await connection.request(place.channel, { name: 'confirm.select', noWait: false }, 'confirm.select-ok');
  await declareNew(run, place, binding.queue, queueKind(run.options));
  const isRouted = async (): Promise<boolean> => {
    returned = 0;
    const settled = new Promise<void>((resolve) => {
      confirmed = resolve;
    });
    connection.publish(place.channel, exchange, binding.routingKey, {}, new Uint8Array(1), true);
    await Promise.race([settled, run.failure]);
    return returned === 0;
  };
  await bind(place, binding);
  if (!(await isRouted())) run.note('a message did not go the way of its binding');
  await unbind(place, binding);
  if (await isRouted()) run.note('a message went the way of a binding that was removed');
  await deleteQueue(run, place, binding.queue, 1);
}

async function bind({ connection, channel }: OpenChannel, binding: Binding): Promise<void> {
  await connection.request(channel, { name: 'queue.bind', ...binding, noWait: false, arguments: [] }, 'queue.bind-ok');
}

async function unbind({ connection, channel }: OpenChannel, binding: Binding): Promise<void> {
  await connection.request(channel, { name: 'queue.unbind', ...binding, arguments: [] }, 'queue.unbind-ok');
}
