/**
 * The arguments of a queue declaration, one row each: which queue types know it, what values are valid, and what
 * policies may say about it. A row is all there is to validation, to the comparison on redeclaration and to policies;
 * arguments without a row are stored and ignored.
 */
import { BrokerError } from '../../errors.js';
import { assertEquivalentArgument } from '../arguments-equivalence.js';
import { fieldTypeWord, isInteger, printValue } from '../field-type-words.js';
import { type FieldTable, type FieldValue, lookUp } from '../field-value.js';
import { describeQueue } from '../names.js';
import {
  above,
  belowUnlessQuorum,
  choiceRule,
  greatest,
  leastLimit,
  leastUnlessStream,
  limitRule,
  numberRule,
  type PolicyRule,
  patternRule,
  textRule,
} from './policy-rules.js';
import type { QueueOptions } from './queue.js';
import type { QueueType, QueueTypeName } from './queue-type.js';
import { QUEUE_TYPES } from './registry.js';

interface GivenArgument {
  readonly key: string;
  readonly value: FieldValue;
  /** All arguments of the declaration. */
  readonly others: FieldTable;
  /** `queue 'q' in vhost '/'` */
  readonly resource: string;
}

/** Returns the text of the refusal, or undefined for a valid value. */
type Check = (given: GivenArgument) => string | undefined;

export interface QueueArgument {
  readonly key: string;
  readonly knownTo: readonly QueueTypeName[];
  readonly check: Check;
  /** Undefined: not by policy. */
  readonly policy?: PolicyRule;
}

const ALL: readonly QueueTypeName[] = ['classic', 'quorum', 'stream'];
const CLASSIC: readonly QueueTypeName[] = ['classic'];
const QUORUM: readonly QueueTypeName[] = ['quorum'];
const STREAM: readonly QueueTypeName[] = ['stream'];
const CLASSIC_AND_QUORUM: readonly QueueTypeName[] = ['classic', 'quorum'];

/** Ten years of 365 days. */
const LONGEST_EXPIRY_MS = 10 * 365 * 24 * 60 * 60 * 1000;
const HIGHEST_PRIORITY = 255;
const LARGEST_STREAM_SEGMENT_BYTES = 3_000_000_000;
const STRATEGIES = ['at-most-once', 'at-least-once'];
const OVERFLOWS = ['drop-head', 'reject-publish', 'reject-publish-dlx'];
const MODES = ['default', 'lazy'];
const LOCATORS = ['client-local', 'balanced', 'random', 'least-leaders'];
const RETRY_TYPES = ['all', 'failed', 'returned', 'disabled'];
const RETRY_NOUN = `delayed retry type. Must be one of: ${RETRY_TYPES.join(', ')}`;
const AGE = /^0*[1-9][0-9]*[YMDhms]$/;

/** In the order in which RabbitMQ checks and compares them: the first that fails is the one reported. */
export const QUEUE_ARGUMENTS: readonly QueueArgument[] = [
  {
    key: 'x-expires',
    knownTo: CLASSIC_AND_QUORUM,
    check: integerFrom(1, LONGEST_EXPIRY_MS),
    policy: limitRule('queue expiry', 1),
  },
  {
    key: 'x-message-ttl',
    knownTo: CLASSIC_AND_QUORUM,
    check: integerFrom(0, LONGEST_EXPIRY_MS),
    policy: limitRule('message TTL', 0),
  },
  {
    key: 'x-dead-letter-exchange',
    knownTo: CLASSIC_AND_QUORUM,
    check: checkDeadLetterExchange,
    policy: textRule('dead letter exchange name'),
  },
  {
    key: 'x-dead-letter-routing-key',
    knownTo: CLASSIC_AND_QUORUM,
    check: checkDeadLetterRoutingKey,
    policy: textRule('dead letter routing key'),
  },
  {
    key: 'x-dead-letter-strategy',
    knownTo: QUORUM,
    check: oneOf(STRATEGIES, () => 'invalid_dlx_strategy'),
    policy: choiceRule('dead letter strategy', STRATEGIES),
  },
  { key: 'x-max-length', knownTo: CLASSIC_AND_QUORUM, check: integerFrom(0), policy: limitRule('maximum length', 0) },
  {
    key: 'x-max-length-bytes',
    knownTo: ALL,
    check: integerFrom(0),
    policy: limitRule('maximum length in bytes', 0, { overArgument: leastUnlessStream }),
  },
  {
    key: 'x-max-in-memory-length',
    knownTo: QUORUM,
    check: integerFrom(0),
    policy: limitRule('maximum memory in bytes', 0),
  },
  {
    key: 'x-max-in-memory-bytes',
    knownTo: QUORUM,
    check: integerFrom(0),
    policy: limitRule('maximum memory in bytes', 0),
  },
  { key: 'x-max-priority', knownTo: CLASSIC, check: integerFrom(0, HIGHEST_PRIORITY, 'max_value_exceeded') },
  {
    key: 'x-overflow',
    knownTo: CLASSIC_AND_QUORUM,
    check: oneOf(OVERFLOWS, () => 'invalid_overflow'),
    policy: choiceRule('overflow value', OVERFLOWS, { overPolicy: above, overArgument: belowUnlessQuorum }),
  },
  {
    key: 'x-queue-mode',
    knownTo: CLASSIC,
    check: oneOf(MODES, (mode) => `"unsupported queue mode '${mode}'"`),
    policy: choiceRule('queue-mode value', MODES),
  },
  {
    key: 'x-queue-version',
    knownTo: CLASSIC,
    check: checkQueueVersion,
    policy: choiceRule('queue-version value', [1, 2], { overPolicy: above, coversOtherTypes: true }),
  },
  { key: 'x-single-active-consumer', knownTo: CLASSIC_AND_QUORUM, check: ofType('t') },
  { key: 'x-queue-type', knownTo: ALL, check: checkQueueType },
  // Where a queue's leader goes means nothing on one node, so any strategy is accepted.
  {
    key: 'x-queue-master-locator',
    knownTo: CLASSIC,
    check: ofType('S'),
    policy: textRule('master locator', { overPolicy: above }),
  },
  {
    key: 'x-queue-leader-locator',
    knownTo: ALL,
    check: oneOf(LOCATORS, () => 'invalid_queue_locator_arg'),
    policy: choiceRule('queue leader locator value', LOCATORS),
  },
  // RabbitMQ takes a value of any type here.
  {
    key: 'x-delivery-limit',
    knownTo: QUORUM,
    check: () => undefined,
    policy: numberRule('delivery limit', Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, {
      overPolicy: leastLimit,
      overArgument: leastLimit,
    }),
  },
  { key: 'x-quorum-initial-group-size', knownTo: QUORUM, check: integerFrom(1) },
  {
    key: 'x-consumer-timeout',
    knownTo: CLASSIC_AND_QUORUM,
    check: integerFrom(0),
    policy: limitRule('consumer timeout', 0, { overPolicy: undefined, coversOtherTypes: true }),
  },
  {
    key: 'x-delayed-retry-type',
    knownTo: QUORUM,
    check: ofType('S'),
    policy: choiceRule(RETRY_NOUN, RETRY_TYPES, { overPolicy: above, overArgument: above, coversOtherTypes: true }),
  },
  {
    key: 'x-delayed-retry-min',
    knownTo: QUORUM,
    check: integerFrom(0),
    policy: limitRule('delayed retry minimum delay. Must be a positive integer', 1, {
      overPolicy: greatest,
      coversOtherTypes: true,
    }),
  },
  {
    key: 'x-delayed-retry-max',
    knownTo: QUORUM,
    check: integerFrom(0),
    policy: limitRule('delayed retry maximum delay. Must be a positive integer', 1, { coversOtherTypes: true }),
  },
  {
    key: 'x-max-age',
    knownTo: STREAM,
    check: checkMaxAge,
    policy: patternRule('max age', AGE, { overArgument: above }),
  },
  {
    key: 'x-stream-max-segment-size-bytes',
    knownTo: STREAM,
    check: checkStreamSegmentSize,
    policy: numberRule('segment size', 0, LARGEST_STREAM_SEGMENT_BYTES, { overArgument: above }),
  },
  {
    key: 'x-stream-filter-size-bytes',
    knownTo: STREAM,
    check: checkStreamFilterSize,
    policy: numberRule('filter size. Valid range is 16-255', 16, 255, { overArgument: above, coversOtherTypes: true }),
  },
  {
    key: 'x-initial-cluster-size',
    knownTo: STREAM,
    check: integerFrom(1),
    policy: numberRule('cluster size', 0, Number.POSITIVE_INFINITY, { overArgument: above }),
  },
];

const ROWS: ReadonlyMap<string, QueueArgument> = new Map(QUEUE_ARGUMENTS.map((row) => [row.key, row]));

const CLASSIC_TYPE: FieldValue = { type: 'S', value: 'classic' };

/** The type that a declaration asks for. Throws BrokerError('precondition-failed') when there is none such. */
export function queueTypeOf(args: FieldTable, queueName: string, virtualHost: string): QueueTypeName {
  refuseInvalid('x-queue-type', args, describeQueue(queueName, virtualHost));
  return requestedType(args);
}

/** Throws BrokerError('precondition-failed') for the first argument that a queue of this type cannot have. */
export function validateQueueArguments(
  args: FieldTable,
  queueName: string,
  virtualHost: string,
  queueType: QueueTypeName,
): void {
  const resource = describeQueue(queueName, virtualHost);
  for (const { key, knownTo } of QUEUE_ARGUMENTS) {
    if (knownTo.includes(queueType)) refuseInvalid(key, args, resource);
  }
  for (const [key] of args) {
    const row = ROWS.get(key);
    if (row === undefined || row.knownTo.includes(queueType)) continue;
    throw new BrokerError(
      'precondition-failed',
      `invalid arg '${key}' for ${resource} of queue type rabbit_${queueType}_queue`,
    );
  }
}

/** Throws BrokerError('precondition-failed') for a type whose queues their clients name. */
export function refuseServerName(args: FieldTable): void {
  const type = requestedType(args);
  if (type === 'classic') return;
  throw new BrokerError('precondition-failed', `Cannot declare a server-named queue for type rabbit_${type}_queue`);
}

/** Compares what the stored queue's type knows. Throws BrokerError('precondition-failed') for the first difference. */
export function assertEquivalentArguments(stored: FieldTable, received: FieldTable, resource: string): void {
  const queueType = requestedType(stored);
  const keys = QUEUE_ARGUMENTS.filter(({ knownTo }) => knownTo.includes(queueType)).map(({ key }) => key);
  for (const key of queueType === 'quorum' ? keys.toSorted(inOrderOfQuorum) : keys) {
    const missing = key === 'x-queue-type' ? CLASSIC_TYPE : undefined;
    assertEquivalentArgument(key, lookUp(stored, key) ?? missing, lookUp(received, key) ?? missing, resource);
  }
}

/** RabbitMQ compares those of quorum queues in an order of its own. */
function inOrderOfQuorum(one: string, other: string): number {
  return placeAmongQuorum(one) - placeAmongQuorum(other);
}

function placeAmongQuorum(key: string): number {
  if (key.startsWith('x-dead-letter')) return 0;
  return key === 'x-message-ttl' || key === 'x-queue-leader-locator' ? 2 : 1;
}

/** Throws BrokerError('precondition-failed') for a queue that would not outlive the broker where its type must. */
export function validateQueueProperties(type: QueueType, options: QueueOptions, resource: string): void {
  if (!type.alwaysKept) return;
  const { durable, autoDelete, owner } = options;
  const invalidProperty = autoDelete ? 'auto-delete' : owner !== undefined ? 'exclusive-owner' : 'non-durable';
  if (durable && !autoDelete && owner === undefined) return;
  throw new BrokerError('precondition-failed', `invalid property '${invalidProperty}' for ${resource}`);
}

function requestedType(args: FieldTable): QueueTypeName {
  const value = lookUp(args, 'x-queue-type');
  const name = value?.type === 'S' ? value.value : 'classic';
  return ALL.find((type) => type === name) ?? 'classic';
}

function refuseInvalid(key: string, others: FieldTable, resource: string): void {
  const value = lookUp(others, key);
  const refusal = value === undefined ? undefined : ROWS.get(key)?.check({ key, value, others, resource });
  if (refusal !== undefined) throw new BrokerError('precondition-failed', refusal);
}

function invalid({ key, resource }: GivenArgument, detail: string): string {
  return `invalid arg '${key}' for ${resource}: ${detail}`;
}

/** `tooLarge` is RabbitMQ's word for a value above `most`. */
function integerFrom(least: 0 | 1, most = Number.POSITIVE_INFINITY, tooLarge = 'value_too_large'): Check {
  return (given) => {
    const value = given.value;
    if (!isInteger(value)) return invalid(given, `"expected integer, got ${fieldTypeWord(value)}"`);
    if (value.value < 0) return invalid(given, `{value_negative,${value.value}}`);
    if (value.value < least) return invalid(given, '{value_zero,0}');
    return value.value > most ? invalid(given, `{${tooLarge},${value.value}}`) : undefined;
  };
}

function ofType(type: 't' | 'S'): Check {
  return (given) =>
    given.value.type === type ? undefined : invalid(given, `{unacceptable_type,${fieldTypeWord(given.value)}}`);
}

function oneOf(allowed: readonly string[], detail: (printed: string) => string): Check {
  const isString = ofType('S');
  return (given) => {
    const refusal = isString(given);
    if (refusal !== undefined) return refusal;
    const printed = printValue(given.value);
    return allowed.includes(printed) ? undefined : invalid(given, detail(printed));
  };
}

function checkQueueType(given: GivenArgument): string | undefined {
  const names = QUEUE_TYPES.map(({ name }) => name);
  return oneOf(names, (type) => `"unsupported queue type '${type}'"`)(given);
}

function checkDeadLetterExchange({ key, value, resource }: GivenArgument): string | undefined {
  return value.type === 'S' ? undefined : `invalid type '${fieldTypeWord(value)}' for arg '${key}' in ${resource}`;
}

function checkDeadLetterRoutingKey(given: GivenArgument): string | undefined {
  const refusal = ofType('S')(given);
  if (refusal !== undefined || lookUp(given.others, 'x-dead-letter-exchange') !== undefined) return refusal;
  return invalid(given, 'routing_key_but_no_dlx_defined');
}

function checkQueueVersion(given: GivenArgument): string | undefined {
  const refusal = integerFrom(0)(given);
  if (refusal !== undefined) return refusal;
  const version = printValue(given.value);
  return version === '1' || version === '2' ? undefined : invalid(given, `"unsupported queue version '${version}'"`);
}

function checkMaxAge(given: GivenArgument): string | undefined {
  const refusal = ofType('S')(given);
  if (refusal !== undefined) return refusal;
  return AGE.test(printValue(given.value)) ? undefined : invalid(given, 'invalid_max_age');
}

function checkStreamSegmentSize(given: GivenArgument): string | undefined {
  const refusal = integerFrom(0)(given);
  if (refusal !== undefined) return refusal;
  const exceeded = integerFrom(0, LARGEST_STREAM_SEGMENT_BYTES)(given) !== undefined;
  return exceeded ? `Exceeded max value for ${given.key}` : undefined;
}

function checkStreamFilterSize(given: GivenArgument): string | undefined {
  const refusal = integerFrom(0)(given);
  if (refusal !== undefined || !isInteger(given.value)) return refusal;
  const size = given.value.value;
  return size < 16 || size > 255 ? `Invalid value for ${given.key}` : undefined;
}
