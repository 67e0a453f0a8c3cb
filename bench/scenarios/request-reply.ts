/**
 * Remote procedure calls by direct reply-to: clients with some requests outstanding each, a queue of requests, and
 * servers that send each body back. An operation is a request with its reply: four hops through the broker.
 */
import { decodeProperties } from '../../protocol/amqp/properties.js';
import type { AmqpConnection } from '../load/amqp-connection.js';
import { demand } from '../options.js';
import { conduct, repeat, uniqueName } from './conduct.js';
import { consume } from './queue-requests.js';
import { Requester } from './requester.js';
import type { Scenario } from './scenario.js';
import { REPEATING, type ScenarioRun } from './scenario-run.js';

export const requestReply: Scenario = {
  name: 'request-reply',
  summary: 'requests with direct reply-to: --pipeline outstanding on each channel, --consumers servers',
  options: [...REPEATING, 'consumers', 'queue', 'sizesBytes'],
  defaults: { queue: 'request-reply' },
  run: (options, context) => {
    demand(options.consumers > 0, 'requests need at least one of --consumers to answer them');
    demand(options.sizesBytes.length === 1, 'requests have one --size');
    return conduct({ scenario: requestReply.name, operation: 'requests', carryOut: callAndAnswer }, options, context);
  },
};

async function callAndAnswer(run: ScenarioRun): Promise<void> {
  const queue = uniqueName(run.options.queue);
  for (let index = 0; index < run.options.consumers; index++) await startServer(run, queue);
  const requesters = await openClients(run, queue);
  const call = (requester: Requester) => () => requester.request();
  await repeat(
    run,
    requesters.flatMap((requester) => Array.from({ length: run.options.pipeline }, () => call(requester))),
  );
}

/** Replies come on the channel of the request, so each channel has a requester of its own. */
async function openClients(run: ScenarioRun, queue: string): Promise<Requester[]> {
  const requesters: Requester[] = [];
  for (let index = 0; index < run.options.connections; index++) {
    const own = new Map<number, Requester>();
    const connection = await run.connect({
      onContent: (channel, _method, properties, body) => own.get(channel)?.onReply(properties, body),
    });
    for (let number = 0; number < run.options.channels; number++) {
      const place = { connection, channel: await connection.openChannel() };
      const requester = new Requester(run, place, queue, requesters.length);
      own.set(place.channel, requester);
      requesters.push(requester);
      await requester.start();
    }
  }
  return requesters;
}

/** The queue goes with the last of them. */
async function startServer(run: ScenarioRun, queue: string): Promise<void> {
  let connection: AmqpConnection | undefined;
  connection = await run.connect({
    onContent: (channel, _method, properties, body) => {
      const { replyTo = '', correlationId = '' } = decodeProperties(properties, 0, properties.length);
      connection?.publish(channel, '', replyTo, { correlationId }, body);
    },
  });
  const channel = await connection.openChannel();
  const kind = { durable: false, exclusive: false, autoDelete: true, passive: false, noWait: false, arguments: [] };
  await connection.request(channel, { name: 'queue.declare', queue, ...kind }, 'queue.declare-ok');
  await consume(run, { connection, channel }, queue, '');
}
