/**
 * Arguments of basic.consume.
 */
import { fieldTypeWord, isInteger, printTerm, printValue } from '../../core/field-type-words.js';
import { type FieldTable, type FieldValue, lookUp } from '../../core/field-value.js';
import { describeQueue } from '../../core/names.js';
import type { Queue } from '../../core/queue/queue.js';
import type { QueueTypeName } from '../../core/queue/queue-type.js';
import { ageMs } from '../../core/queue/settings.js';
import type { StreamFilter, StreamOffset, StreamSubscription } from '../../core/stream-subscription.js';
import { BrokerError } from '../../errors.js';

const STREAM: readonly QueueTypeName[] = ['stream'];

/** Arguments that only some queue types take; the others refuse them, while they ignore what nobody knows. */
const KNOWN_TO: Readonly<Record<string, readonly QueueTypeName[]>> = {
  'x-stream-offset': STREAM,
  'x-stream-filter': STREAM,
  'x-stream-match-unfiltered': STREAM,
  'x-priority': ['classic', 'quorum'],
};

/** Throws BrokerError('precondition-failed') for an argument that the queue's type does not take. */
export function refuseForeignArguments(args: FieldTable, queue: Queue, virtualHostName: string): void {
  for (const [key] of args) {
    if (KNOWN_TO[key]?.includes(queue.type) !== false) continue;
    throw new BrokerError(
      'precondition-failed',
      `invalid arg '${key}' for queue '${queue.name}' in vhost '${virtualHostName}' of queue type rabbit_${queue.type}_queue`,
    );
  }
}

/** `x-priority`: any integer, 0 when absent. Throws BrokerError('precondition-failed') for another type. */
export function consumerPriority(args: FieldTable, queueName: string, virtualHostName: string): number {
  const value = lookUp(args, 'x-priority');
  if (value === undefined) return 0;
  if (isInteger(value)) return Number(value.value);
  const detail = `"expected integer, got ${fieldTypeWord(value)}"`;
  throw invalid('x-priority', queueName, virtualHostName, detail);
}

/**
 * What a consumer of a stream asks for; undefined for other queues. Throws BrokerError('precondition-failed') for an offset
 * that is none and for a consumer without a limit, 'not-implemented' for one that does not acknowledge, in RabbitMQ's order.
 */
export function streamSubscription(
  args: FieldTable,
  queue: Queue,
  consumer: { readonly noAck: boolean; readonly limit: number },
  virtualHostName: string,
): StreamSubscription | undefined {
  if (queue.type !== 'stream') return undefined;
  const subscription = subscriptionFrom(args, queue.name, virtualHostName);
  const described = describeQueue(queue.name, virtualHostName);
  if (consumer.limit === 0) {
    throw new BrokerError('precondition-failed', `consumer prefetch count is not set for stream ${described}`);
  }
  if (!consumer.noAck) return subscription;
  throw new BrokerError('not-implemented', `automatic acknowledgement not supported by stream ${described}`);
}

function subscriptionFrom(args: FieldTable, queueName: string, virtualHostName: string): StreamSubscription {
  const value = lookUp(args, 'x-stream-offset');
  const offset = streamOffset(value);
  if (offset === undefined && value !== undefined) {
    const detail = `{invalid_stream_offset_arg,{${fieldTypeWord(value)},${printTerm(value)}}}`;
    throw invalid('x-stream-offset', queueName, virtualHostName, detail);
  }
  return { offset: offset ?? { kind: 'next' }, filter: streamFilter(args) };
}

function streamOffset(value: FieldValue | undefined): StreamOffset | undefined {
  if (value === undefined) return { kind: 'next' };
  if (value.type === 'T') return { kind: 'timestamp', timeMs: Number(value.value) * 1000 };
  if (isInteger(value)) return { kind: 'offset', offset: Number(value.value) };
  if (value.type !== 'S') return undefined;
  const text = printValue(value);
  if (text === 'first' || text === 'last' || text === 'next') return { kind: text };
  const age = ageMs(text);
  return age === undefined || age === 0 ? undefined : { kind: 'age', ageMs: age };
}

/** Values of a list that are no strings are left out. */
function streamFilter(args: FieldTable): StreamFilter | undefined {
  const given = lookUp(args, 'x-stream-filter');
  const unfiltered = lookUp(args, 'x-stream-match-unfiltered');
  const matchUnfiltered = unfiltered?.type === 't' && unfiltered.value;
  if (given?.type === 'S') return { values: new Set([filterValue(given)]), matchUnfiltered };
  if (given?.type !== 'A') return undefined;
  return { values: new Set(given.value.filter(({ type }) => type === 'S').map(filterValue)), matchUnfiltered };
}

/** One character a byte, so that any two values that differ stay apart. */
function filterValue(value: FieldValue): string {
  return value.type === 'S' ? Buffer.from(value.value).toString('latin1') : '';
}

function invalid(key: string, queueName: string, virtualHostName: string, detail: string): BrokerError {
  const described = describeQueue(queueName, virtualHostName);
  return new BrokerError('precondition-failed', `invalid arg '${key}' for ${described}: ${detail}`);
}
