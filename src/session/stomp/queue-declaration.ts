/**
 * What queue a destination stands for and how it is declared: defaults by kind, overridden by headers (SEMANTICS 4.4).
 */
import { createHash, randomBytes } from 'node:crypto';
import type { StompFrame } from '../../../protocol/stomp/frame.js';
import { type HeaderName, headerId } from '../../../protocol/stomp/names.js';
import type { FieldTable, FieldValue } from '../../core/field-value.js';
import { type Destination, LONGEST_NAME, routingOf } from './destinations.js';
import { processingError } from './errors.js';
import { booleanHeader, integerHeader, isDurable } from './frame-headers.js';

export interface QueueDeclaration {
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  readonly arguments: FieldTable;
}

const TEXT_ARGUMENTS: readonly HeaderName[] = [
  'x-dead-letter-exchange',
  'x-dead-letter-routing-key',
  'x-max-age',
  'x-queue-type',
];
const INTEGER_ARGUMENTS: readonly HeaderName[] = [
  'x-expires',
  'x-max-length',
  'x-max-length-bytes',
  'x-max-priority',
  'x-message-ttl',
  'x-stream-max-segment-size-bytes',
  'x-stream-filter-size-bytes',
];
const REPLICATED_TYPES = ['quorum', 'stream'];
const QUEUE_TYPE = headerId('x-queue-type');
const QUEUE_NAME = headerId('x-queue-name');
const SUBSCRIPTION_ID = headerId('id');
const SUBSCRIPTION_PREFIX = 'stomp-subscription-';
/** As many characters of base64url as RabbitMQ's names have behind the prefix. */
const HASH_BYTES = 16;

/** `/queue/…`, on SEND as on SUBSCRIBE. */
export function namedQueueDeclaration(frame: StompFrame): QueueDeclaration {
  const durable = durability(frame) ?? true;
  return declaration(frame, { durable, exclusive: !durable, autoDelete: !durable });
}

/** The queue of a subscription to `/topic/…` and `/exchange/…`. */
export function subscriptionQueueDeclaration(frame: StompFrame): QueueDeclaration {
  const durable = durability(frame) ?? false;
  // RabbitMQ makes the queue of a durable /exchange subscription exclusive: with that it could not outlive the session.
  return declaration(frame, { durable, exclusive: !durable, autoDelete: true });
}

/** The name of that queue: stable when it is durable, so that a later session finds it. */
export function subscriptionQueueName(destination: Destination, frame: StompFrame): string {
  const given = frame.text(QUEUE_NAME);
  if (given !== undefined) {
    if (Buffer.byteLength(given) > LONGEST_NAME) throw processingError();
    return given;
  }
  if (!isDurable(frame)) return SUBSCRIPTION_PREFIX + randomBytes(HASH_BYTES).toString('base64url');
  const hash = createHash('sha256');
  hash.update(JSON.stringify([routingOf(destination).routingKey, frame.text(SUBSCRIPTION_ID)]));
  return SUBSCRIPTION_PREFIX + hash.digest().subarray(0, HASH_BYTES).toString('base64url');
}

/** `durable`, or `persistent`, which RabbitMQ takes for the same. */
function durability(frame: StompFrame): boolean | undefined {
  return booleanHeader(frame, 'durable') ?? booleanHeader(frame, 'persistent');
}

function declaration(frame: StompFrame, defaults: Omit<QueueDeclaration, 'arguments'>): QueueDeclaration {
  const exclusive = booleanHeader(frame, 'exclusive');
  const autoDelete = booleanHeader(frame, 'auto-delete');
  if (REPLICATED_TYPES.includes(frame.text(QUEUE_TYPE) ?? '')) {
    return { durable: true, exclusive: false, autoDelete: autoDelete ?? false, arguments: queueArguments(frame) };
  }
  const owned = exclusive ?? defaults.exclusive;
  return {
    durable: defaults.durable,
    exclusive: owned,
    autoDelete: autoDelete ?? defaults.autoDelete,
    arguments: queueArguments(frame),
  };
}

function queueArguments(frame: StompFrame): FieldTable {
  const table: [string, FieldValue][] = [];
  for (const name of TEXT_ARGUMENTS) {
    const value = frame.text(headerId(name));
    if (value !== undefined) table.push([name, { type: 'S', value }]);
  }
  for (const name of INTEGER_ARGUMENTS) {
    const value = integerHeader(frame, name);
    if (value !== undefined) table.push([name, { type: 'l', value: BigInt(value) }]);
  }
  return table;
}
