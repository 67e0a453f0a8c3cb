/**
 * SUBSCRIBE and UNSUBSCRIBE: which queue a subscription reads, how it is known, and what becomes of its queue.
 */
import type { StompFrame } from '../../../protocol/stomp/frame.js';
import { headerId } from '../../../protocol/stomp/names.js';
import type { FieldTable, FieldValue } from '../../core/field-value.js';
import type { Queue } from '../../core/queue/queue.js';
import { consumerPriority, refuseForeignArguments, streamSubscription } from '../shared/consumer-arguments.js';
import { type Destination, parseDestination, routingOf } from './destinations.js';
import { processingError, StompError } from './errors.js';
import { booleanHeader, integerHeader, isDurable, parseInteger } from './frame-headers.js';
import { subscriptionQueueDeclaration, subscriptionQueueName } from './queue-declaration.js';
import type { StompSession } from './session.js';
import { type AckMode, StompConsumer } from './stomp-consumer.js';

/** Subscriptions to the queues of reply-to headers have ids of this kind. */
export const REPLY_ID_PREFIX = '/temp-queue/';
const ID = headerId('id');
const DESTINATION = headerId('destination');
const ACK = headerId('ack');
const STREAM_OFFSET = headerId('x-stream-offset');
const STREAM_FILTER = headerId('x-stream-filter');

/** How a subscription is known: by its id, or by its destination. */
export interface SubscriptionName {
  readonly tag: string;
  readonly id: string | undefined;
  /** In error texts. */
  readonly described: string;
}

export function subscribe(session: StompSession, frame: StompFrame): void {
  requireIdWhenDurable(frame);
  const text = frame.text(DESTINATION);
  if (text === undefined) throw missingDestination('SUBSCRIBE');
  const destination = parseDestination(text);
  const limit = integerHeader(frame, 'prefetch-count') ?? 0;
  const ack = ackMode(frame);
  if (limit < 0 || limit > 0xffff) throw processingError();
  const queue = queueToRead(session, destination, text, frame);
  const name = subscriptionName(frame);
  if (name === undefined || name.id?.startsWith(REPLY_ID_PREFIX) === true) throw processingError();
  if (session.consumers.has(name.tag)) {
    throw new StompError(
      'Duplicated subscription identifier',
      `A subscription identified by '${name.tag}' already exists.`,
      true,
    );
  }
  const { virtualHostName } = session.access;
  const args = consumeArguments(frame);
  refuseForeignArguments(args, queue, virtualHostName);
  const priority = consumerPriority(args, queue.name, virtualHostName);
  const stream = streamSubscription(args, queue, { noAck: ack === 'auto', limit }, virtualHostName);
  const { tag, id } = name;
  session.addConsumer(new StompConsumer(session, queue, { tag, id, destination: text, ack, priority, limit, stream }));
  const { exchange, routingKey } = routingOf(destination);
  if (exchange !== '') session.access.bind(exchange, { kind: 'queue', name: queue.name }, routingKey, []);
}

export function unsubscribe(session: StompSession, frame: StompFrame): void {
  requireIdWhenDurable(frame);
  const name = subscriptionName(frame);
  if (name === undefined) {
    throw new StompError('Missing destination or id', `UNSUBSCRIBE must include a 'destination' or 'id' header`);
  }
  if (name.id?.startsWith(REPLY_ID_PREFIX) === true) {
    throw new StompError('Invalid id', `UNSUBSCRIBE 'id' may not start with ${REPLY_ID_PREFIX}\n`);
  }
  const consumer = session.consumers.get(name.tag);
  if (consumer === undefined) {
    throw new StompError(
      'No subscription found',
      `UNSUBSCRIBE must refer to an existing subscription.\nSubscription to "${name.described}" not found.\n`,
    );
  }
  session.removeConsumer(consumer);
  const isTopic = parseDestination(consumer.subscription.destination).kind === 'topic';
  if (isTopic && isDurable(frame) && !consumer.queue.deleted) {
    session.access.deleteQueue(consumer.queue.name, false, false);
  }
}

export function missingDestination(command: string): StompError {
  return new StompError('Missing destination', `"${command}" must include a 'destination' header\n`);
}

/** The queue that `subscription` reads, in the words of error texts. */
export function describeSubscription(id: string | undefined, destination: string): string {
  return id === undefined ? `destination='${destination}'` : `id='${id}'`;
}

function subscriptionName(frame: StompFrame): SubscriptionName | undefined {
  const id = frame.text(ID);
  const destination = frame.text(DESTINATION);
  if (id !== undefined) return { tag: `T_${id}`, id, described: describeSubscription(id, '') };
  if (destination === undefined) return undefined;
  return { tag: `Q_${destination}`, id, described: describeSubscription(undefined, destination) };
}

function requireIdWhenDurable(frame: StompFrame): void {
  if (!isDurable(frame) || frame.has(ID)) return;
  throw new StompError('Missing Header', `Header 'id' is required for durable subscriptions`);
}

function ackMode(frame: StompFrame): AckMode {
  const mode = frame.text(ACK) ?? 'auto';
  if (mode === 'auto' || mode === 'client' || mode === 'client-individual') return mode;
  throw processingError();
}

function queueToRead(session: StompSession, destination: Destination, text: string, frame: StompFrame): Queue {
  const { access } = session;
  switch (destination.kind) {
    case 'queue':
      if (destination.name === '') throw new StompError('Invalid destination', 'Destination cannot be blank');
      session.declareNamed(destination.name, frame);
      return access.queueToRead(destination.name);
    case 'amqqueue':
    case 'reply_queue':
      return access.queueToRead(destination.name);
    case 'temp_queue':
      throw new StompError('Invalid destination', `'${text}' is not a valid destination for 'SUBSCRIBE'\n`);
    case 'exchange':
    case 'topic': {
      // What it will be bound to; a queue that could not be bound would be left behind.
      access.assertExchange(routingOf(destination).exchange);
      const name = subscriptionQueueName(destination, frame);
      return access.queueToRead(session.declare(name, subscriptionQueueDeclaration(frame)));
    }
  }
}

function consumeArguments(frame: StompFrame): FieldTable {
  const table: [string, FieldValue][] = [];
  const offset = frame.text(STREAM_OFFSET);
  if (offset !== undefined) {
    const value = streamOffset(offset);
    if (value !== undefined) table.push(['x-stream-offset', value]);
  }
  const filter = frame.text(STREAM_FILTER);
  if (filter !== undefined) {
    const values = filter.split(',').map((value): FieldValue => ({ type: 'S', value: value.trim() }));
    table.push(['x-stream-filter', { type: 'A', value: values }]);
  }
  const unfiltered = booleanHeader(frame, 'x-stream-match-unfiltered');
  if (unfiltered !== undefined) table.push(['x-stream-match-unfiltered', { type: 't', value: unfiltered }]);
  const priority = integerHeader(frame, 'x-priority');
  if (priority !== undefined) table.push(['x-priority', { type: 'l', value: BigInt(priority) }]);
  return table;
}

/** `first`, `last`, `next`, `offset=<n>` or `timestamp=<seconds>`; anything else is as if it were not there. */
function streamOffset(text: string): FieldValue | undefined {
  if (text === 'first' || text === 'last' || text === 'next') return { type: 'S', value: text };
  const [kind, value = ''] = text.split('=');
  if (kind !== 'offset' && kind !== 'timestamp') return undefined;
  const number = parseInteger(value);
  if (!Number.isSafeInteger(number)) throw processingError();
  return { type: kind === 'offset' ? 'l' : 'T', value: BigInt(number) };
}
