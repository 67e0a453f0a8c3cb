/**
 * What the arguments of a queue mean for it: read once, when the queue is made. Only valid arguments come here
 * (arguments.ts); ones that its type does not know are stored and mean nothing.
 */
import { isInteger } from '../field-type-words.js';
import { type FieldTable, lookUp } from '../field-value.js';

export type Overflow = 'drop-head' | 'reject-publish' | 'reject-publish-dlx';

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
  readonly singleActiveConsumer: boolean;
  /** Highest level; undefined or 0 for none. */
  readonly maxPriority: number | undefined;
  /** Failed deliveries of a message to put up with, negative: any number; undefined: the queue type's default. */
  readonly deliveryLimit: number | undefined;
}

export function settingsOf(args: FieldTable): QueueSettings {
  return args.length === 0 ? PLAIN : read(args);
}

function read(args: FieldTable): QueueSettings {
  const overflow = textOf(args, 'x-overflow');
  const singleActive = lookUp(args, 'x-single-active-consumer');
  return {
    messageTtlMs: numberOf(args, 'x-message-ttl'),
    expiresMs: numberOf(args, 'x-expires'),
    maxLength: numberOf(args, 'x-max-length'),
    maxLengthBytes: numberOf(args, 'x-max-length-bytes'),
    overflow: overflow === 'reject-publish' || overflow === 'reject-publish-dlx' ? overflow : 'drop-head',
    deadLetterExchange: textOf(args, 'x-dead-letter-exchange'),
    deadLetterRoutingKey: textOf(args, 'x-dead-letter-routing-key'),
    singleActiveConsumer: singleActive?.type === 't' && singleActive.value,
    maxPriority: numberOf(args, 'x-max-priority'),
    deliveryLimit: numberOf(args, 'x-delivery-limit'),
  };
}

function numberOf(args: FieldTable, key: string): number | undefined {
  const value = lookUp(args, key);
  return value !== undefined && isInteger(value) ? Number(value.value) : undefined;
}

function textOf(args: FieldTable, key: string): string | undefined {
  const value = lookUp(args, key);
  return value?.type === 'S' && typeof value.value === 'string' ? value.value : undefined;
}

/** Most queues share it. */
const PLAIN = read([]);
