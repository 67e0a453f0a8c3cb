/** The requests about queues that several scenarios make, with what a right answer must say. */
import { type FieldTable, table } from '../../protocol/amqp/field-table.js';
import { BrokerFailure } from '../load/amqp-connection.js';
import type { BenchOptions } from '../options.js';
import type { OpenChannel } from './conduct.js';
import type { ScenarioRun } from './scenario-run.js';

const NOT_FOUND = 404;

export interface QueueKind {
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  readonly arguments: FieldTable;
}

/** Queues that are not durable are exclusive: so they go with a generator that is ended in the middle. */
export function queueKind({ durable, queueArguments }: BenchOptions): QueueKind {
  return { durable, exclusive: !durable, autoDelete: false, arguments: table(queueArguments) };
}

/** A queue that the answer says is another one, or not empty, is noted as corrupted. */
export async function declareNew(run: ScenarioRun, place: OpenChannel, queue: string, kind: QueueKind): Promise<void> {
  const declare = { name: 'queue.declare', queue, passive: false, noWait: false, ...kind } as const;
  const answer = await place.connection.request(place.channel, declare, 'queue.declare-ok');
  const isNew = answer.queue === queue && answer.messageCount === 0 && answer.consumerCount === 0;
  if (!isNew) run.checks.corrupted++;
}

export async function deleteQueue(run: ScenarioRun, place: OpenChannel, queue: string, messages = 0): Promise<void> {
  const remove = { name: 'queue.delete', queue, ifUnused: false, ifEmpty: false, noWait: false } as const;
  const { messageCount } = await place.connection.request(place.channel, remove, 'queue.delete-ok');
  if (messageCount !== messages) run.checks.corrupted++;
}

/** Without acknowledgements. An answer with another tag is noted as corrupted. */
export async function consume(run: ScenarioRun, place: OpenChannel, queue: string, consumerTag: string): Promise<void> {
  const flags = { noLocal: false, noAck: true, exclusive: false, noWait: false, arguments: [] };
  const request = { name: 'basic.consume', queue, consumerTag, ...flags } as const;
  const answer = await place.connection.request(place.channel, request, 'basic.consume-ok');
  if (consumerTag !== '' && answer.consumerTag !== consumerTag) run.checks.corrupted++;
}

export async function cancel(run: ScenarioRun, place: OpenChannel, consumerTag: string): Promise<void> {
  const request = { name: 'basic.cancel', consumerTag, noWait: false } as const;
  const answer = await place.connection.request(place.channel, request, 'basic.cancel-ok');
  if (answer.consumerTag !== consumerTag) run.checks.corrupted++;
}

export async function consumerCount({ connection, channel }: OpenChannel, queue: string): Promise<number> {
  return (await connection.request(channel, passive(queue), 'queue.declare-ok')).consumerCount;
}

/** Asks the broker on a connection that may break, since asking for a queue that is not there closes the channel. */
export async function expectGone(run: ScenarioRun, queue: string): Promise<void> {
  const connection = await run.connectAside();
  try {
    const channel = await connection.openChannel();
    await connection.request(channel, passive(queue), 'queue.declare-ok');
    run.note(`queue ${queue} is still there after it was deleted`);
  } catch (error) {
    if (!(error instanceof BrokerFailure && error.code === NOT_FOUND)) throw error;
  } finally {
    await connection.close();
  }
}

function passive(queue: string) {
  const flags = { durable: false, exclusive: false, autoDelete: false, noWait: false, arguments: [] };
  return { name: 'queue.declare', queue, passive: true, ...flags } as const;
}
