/**
 * What the arguments of a queue and the policies over it mean: read when the queue is made and when a policy changes.
 * Only valid arguments come here (arguments.ts); ones that its type does not know are stored and mean nothing.
 */
import { deduplicationHeader } from '../deduplication-key.js';
import { isInteger } from '../field-type-words.js';
import { EMPTY_TABLE, type FieldTable, lookUp } from '../field-value.js';

export type Overflow = 'drop-head' | 'reject-publish' | 'reject-publish-dlx';
export type DeadLetterStrategy = 'at-most-once' | 'at-least-once';

export interface QueueSettings {
  /** Least of what a message may live; undefined: only its own `expiration` ends it. */
  readonly messageTtlMs: number | undefined;
  /** Unused for that long, the queue goes. */
  readonly expiresMs: number | undefined;
  /** Ready messages. */
  readonly maxLength: number | undefined;
  /** Bodies of ready messages. */
  readonly maxLengthBytes: number | undefined;
  readonly overflow: Overflow;
  readonly deadLetterExchange: string | undefined;
  /** undefined: the keys a message was published with. */
  readonly deadLetterRoutingKey: string | undefined;
  readonly deadLetterStrategy: DeadLetterStrategy;
  readonly singleActiveConsumer: boolean;
  /** Highest level; undefined or 0 for none. */
  readonly maxPriority: number | undefined;
  /** Failed deliveries of a message to put up with, negative: any number; undefined: the queue type's default. */
  readonly deliveryLimit: number | undefined;
  /** How long a delivery may stay unacknowledged; undefined: what the broker has for all. */
  readonly consumerTimeoutMs: number | undefined;
  /** It takes no message whose value of this header is in it already; undefined: it takes them all. */
  readonly deduplicationHeader: string | undefined;
  /** Of a stream: what is older goes. */
  readonly maxAgeMs: number | undefined;
  readonly streamMaxSegmentSizeBytes: number | undefined;
  readonly streamFilterSizeBytes: number | undefined;
}

/** `fromPolicies`: what policies say where that counts, in the form of arguments (`policy-merge.ts`). */
export function settingsOf(args: FieldTable, fromPolicies: FieldTable = EMPTY_TABLE): QueueSettings {
  if (fromPolicies.length === 0) return args.length === 0 ? PLAIN : read(args);
  // The first entry of a key is the one that is found.
  return read([...fromPolicies, ...args]);
}

function read(args: FieldTable): QueueSettings {
  const overflow = textOf(args, 'x-overflow');
  const strategy = textOf(args, 'x-dead-letter-strategy');
  return {
    messageTtlMs: numberOf(args, 'x-message-ttl'),
    expiresMs: numberOf(args, 'x-expires'),
    maxLength: numberOf(args, 'x-max-length'),
    maxLengthBytes: numberOf(args, 'x-max-length-bytes'),
    overflow: overflow === 'reject-publish' || overflow === 'reject-publish-dlx' ? overflow : 'drop-head',
    deadLetterExchange: textOf(args, 'x-dead-letter-exchange'),
    deadLetterRoutingKey: textOf(args, 'x-dead-letter-routing-key'),
    deadLetterStrategy: strategy === 'at-least-once' ? strategy : 'at-most-once',
    singleActiveConsumer: flagOf(args, 'x-single-active-consumer'),
    maxPriority: numberOf(args, 'x-max-priority'),
    deliveryLimit: numberOf(args, 'x-delivery-limit'),
    consumerTimeoutMs: numberOf(args, 'x-consumer-timeout'),
    deduplicationHeader: flagOf(args, 'x-message-deduplication') ? deduplicationHeader(args) : undefined,
    maxAgeMs: ageMs(textOf(args, 'x-max-age')),
    streamMaxSegmentSizeBytes: numberOf(args, 'x-stream-max-segment-size-bytes'),
    streamFilterSizeBytes: numberOf(args, 'x-stream-filter-size-bytes'),
  };
}

function numberOf(args: FieldTable, key: string): number | undefined {
  const value = lookUp(args, key);
  return value !== undefined && isInteger(value) ? Number(value.value) : undefined;
}

function flagOf(args: FieldTable, key: string): boolean {
  const value = lookUp(args, key);
  return value?.type === 't' && value.value;
}

function textOf(args: FieldTable, key: string): string | undefined {
  const value = lookUp(args, key);
  return value?.type === 'S' && typeof value.value === 'string' ? value.value : undefined;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** Years and months as RabbitMQ counts them. */
const AGE_UNITS_MS: Readonly<Record<string, number>> = {
  Y: 365 * DAY_MS,
  M: 30 * DAY_MS,
  D: DAY_MS,
  h: 60 * 60 * 1000,
  m: 60 * 1000,
  s: 1000,
};

/** `7D`, `12h`; undefined for anything else. */
export function ageMs(age: string | undefined): number | undefined {
  const [, count = '', unit = ''] = /^(\d+)([YMDhms])$/.exec(age ?? '') ?? [];
  const unitMs = AGE_UNITS_MS[unit];
  return unitMs === undefined ? undefined : Number(count) * unitMs;
}

/** Most queues share it. */
const PLAIN = read([]);
