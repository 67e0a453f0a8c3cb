/**
 * Destinations: what their text means, where a SEND to one goes, and how the destination of a MESSAGE reads
 * (SEMANTICS 4.4, 4.7).
 */
import { escapedSize, escapeTo } from '../../../protocol/stomp/header-escaping.js';
import { processingError, StompError } from './errors.js';

/** Named as RabbitMQ's error texts name them. */
export type NamedKind = 'queue' | 'topic' | 'amqqueue' | 'reply_queue' | 'temp_queue';

export type Destination =
  | { readonly kind: NamedKind; readonly name: string }
  | { readonly kind: 'exchange'; readonly name: string; readonly pattern: string };

export interface Routing {
  readonly exchange: string;
  readonly routingKey: string;
}

export const TOPIC_EXCHANGE = 'amq.topic';
export const LONGEST_NAME = 255;
const REPLY_PREFIX = '/reply-queue/';
const PREFIXES = ['/temp-queue', '/exchange', '/topic', '/queue', '/amq/queue', '/reply-queue/'];

/** Throws StompError. */
export function parseDestination(text: string): Destination {
  const parts = text.split('/');
  if (parts.length === 1) return named('queue', unescapeSlash(text));
  const [before, type, ...rest] = parts;
  if (before !== '') throw unknown(text);
  switch (type) {
    case 'exchange':
      return exchange(rest);
    case 'queue':
      return single('queue', rest);
    case 'topic':
      return single('topic', rest);
    case 'temp-queue':
      return single('temp_queue', rest);
    case 'amq':
      if (rest[0] === 'queue') return single('amqqueue', rest.slice(1));
      throw unknown(text);
    case 'reply-queue':
      // Names of reply queues may have slashes.
      if (rest.length > 0) return single('reply_queue', [text.slice(REPLY_PREFIX.length)]);
      throw unknown(text);
    default:
      throw unknown(text);
  }
}

/** Where a message for the destination is published; a temporary queue has no such place. */
export function routingOf(destination: Destination): Routing {
  switch (destination.kind) {
    case 'exchange':
      return { exchange: destination.name, routingKey: destination.pattern };
    case 'topic':
      return { exchange: TOPIC_EXCHANGE, routingKey: destination.name };
    default:
      return { exchange: '', routingKey: destination.name };
  }
}

export function hasKnownPrefix(text: string): boolean {
  return PREFIXES.some((prefix) => text.startsWith(prefix));
}

/** The destination header of a message, escaped for the wire. `route`: exchange and key, each with its length. */
export function destinationOf(route: Uint8Array, start: number): Uint8Array {
  const exchangeEnd = start + 1 + (route[start] ?? 0);
  const exchange = Buffer.from(route.subarray(start + 1, exchangeEnd));
  const key = Buffer.from(route.subarray(exchangeEnd + 1, exchangeEnd + 1 + (route[exchangeEnd] ?? 0)));
  const text = Buffer.from(destinationText(exchange, key));
  const escaped = new Uint8Array(escapedSize(text, 0, text.length));
  escapeTo(escaped, 0, text, 0, text.length);
  return escaped;
}

function destinationText(exchange: Buffer, key: Buffer): string {
  if (exchange.length === 0) return `/queue/${percentEncoded(key)}`;
  if (exchange.equals(TOPIC_EXCHANGE_BYTES)) return `/topic/${percentEncoded(key)}`;
  const path = `/exchange/${percentEncoded(exchange)}`;
  return key.length === 0 ? path : `${path}/${percentEncoded(key)}`;
}

const TOPIC_EXCHANGE_BYTES = Buffer.from(TOPIC_EXCHANGE);

function percentEncoded(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    const plain = byte >= 0x20 && byte <= 0x7f && byte !== 0x2f && byte !== 0x25;
    text += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

function exchange(parts: readonly string[]): Destination {
  const [name = '', pattern = ''] = parts;
  if (name === '' || parts.length > 2) throw invalid('exchange', parts);
  return { kind: 'exchange', name: unescapeSlash(name), pattern: unescapeSlash(pattern) };
}

function single(kind: NamedKind, parts: readonly string[]): Destination {
  const [name = ''] = parts;
  if (name === '' || parts.length > 1) throw invalid(kind, parts);
  return named(kind, unescapeSlash(name));
}

function named(kind: NamedKind, name: string): Destination {
  return { kind, name };
}

/** Names that exist anywhere in the broker are short strings. */
function unescapeSlash(text: string): string {
  const name = text.replaceAll('%2F', '/');
  if (Buffer.byteLength(name) > LONGEST_NAME) throw processingError();
  return name;
}

function invalid(kind: string, parts: readonly string[]): StompError {
  const path = parts.map((part) => `/${part}`).join('');
  return new StompError('Invalid destination', `'${path}' is not a valid ${kind} destination\n`);
}

function unknown(text: string): StompError {
  return new StompError(
    'Unknown destination',
    `'${text}' is not a valid destination.\nValid destination types are: ${PREFIXES.join(', ')}.\n`,
  );
}
