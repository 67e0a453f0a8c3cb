/**
 * Names that the broker looks for, found by comparing bytes: commands, and headers as small numbers.
 */
import { Buffer } from 'node:buffer';

/** Headers with a meaning. Their order is that of their numbers. */
const HEADERS = [
  'destination',
  'content-length',
  'receipt',
  'transaction',
  'id',
  'ack',
  'message-id',
  'content-type',
  'content-encoding',
  'persistent',
  'priority',
  'correlation-id',
  'reply-to',
  'expiration',
  'amqp-message-id',
  'timestamp',
  'type',
  'user-id',
  'app-id',
  'durable',
  'exclusive',
  'auto-delete',
  'prefetch-count',
  'requeue',
  'accept-version',
  'login',
  'passcode',
  'host',
  'heart-beat',
  'x-queue-name',
  'x-queue-type',
  'x-priority',
  'x-dead-letter-exchange',
  'x-dead-letter-routing-key',
  'x-expires',
  'x-max-length',
  'x-max-length-bytes',
  'x-max-priority',
  'x-message-ttl',
  'x-max-age',
  'x-stream-max-segment-size-bytes',
  'x-stream-filter-size-bytes',
  'x-stream-offset',
  'x-stream-filter',
  'x-stream-match-unfiltered',
] as const;

export type HeaderName = (typeof HEADERS)[number];
export type HeaderId = number;

export const HEADER_COUNT = HEADERS.length;

const COMMANDS = [
  'SEND',
  'ACK',
  'NACK',
  'SUBSCRIBE',
  'UNSUBSCRIBE',
  'BEGIN',
  'COMMIT',
  'ABORT',
  'DISCONNECT',
  'CONNECT',
  'STOMP',
] as const;

/** One of those above, or whatever the peer sent, a character a byte. */
export type Command = string;

interface Name<Meaning> {
  readonly bytes: Uint8Array;
  readonly meaning: Meaning;
}

const HEADERS_BY_LENGTH = byLength(HEADERS.map((name, id) => ({ bytes: Buffer.from(name), meaning: id })));
const COMMANDS_BY_LENGTH = byLength(COMMANDS.map((name) => ({ bytes: Buffer.from(name), meaning: name })));

/** The number that stands for a header's name. */
export function headerId(name: HeaderName): HeaderId {
  return HEADERS.indexOf(name);
}

/** The number of the header called `bytes[start, end)`; -1 for one without a meaning. */
export function findHeader(bytes: Uint8Array, start: number, end: number): HeaderId {
  return find(HEADERS_BY_LENGTH, bytes, start, end) ?? -1;
}

export function commandAt(bytes: Uint8Array, start: number, end: number): Command {
  const known = find(COMMANDS_BY_LENGTH, bytes, start, end);
  return known ?? Buffer.from(bytes.subarray(start, end)).toString('latin1');
}

export function bytesEqual(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number, length: number): boolean {
  for (let index = 0; index < length; index++) {
    if (a[aStart + index] !== b[bStart + index]) return false;
  }
  return true;
}

function byLength<Meaning>(names: readonly Name<Meaning>[]): readonly (readonly Name<Meaning>[])[] {
  const longest = Math.max(...names.map(({ bytes }) => bytes.length));
  return Array.from({ length: longest + 1 }, (_, length) => names.filter(({ bytes }) => bytes.length === length));
}

function find<Meaning>(
  names: readonly (readonly Name<Meaning>[])[],
  bytes: Uint8Array,
  start: number,
  end: number,
): Meaning | undefined {
  const length = end - start;
  const candidates = names[length];
  if (candidates === undefined) return undefined;
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index]!;
    if (bytesEqual(candidate.bytes, 0, bytes, start, length)) return candidate.meaning;
  }
  return undefined;
}
