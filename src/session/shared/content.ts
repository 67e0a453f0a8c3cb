/**
 * The content of a publish: checks its properties, finds what routing needs in them, and rewrites them where the
 * broker has to. One reused object a channel; what it shows is valid until the next `read`.
 */
import { readTable } from '../../../protocol/amqp/field-table.js';
import {
  hasHeader,
  PropertiesPeek,
  readProperty,
  removeHeader,
  replaceReplyTo,
  validateHeaders,
} from '../../../protocol/amqp/properties.js';
import { ByteReader } from '../../../protocol/byte-reader.js';
import { MalformedError } from '../../../protocol/errors.js';
import type { RoutedMessage, RoutingProperty } from '../../core/exchange/exchange-type.js';
import { fieldTypeWord } from '../../core/field-type-words.js';
import { EMPTY_TABLE, type FieldTable, lookUp } from '../../core/field-value.js';
import { NO_EXPIRATION } from '../../core/log/record.js';
import { REPLY_TO } from '../../core/reply-queues.js';
import type { Origin } from '../../core/tracer.js';
import { BrokerError } from '../../errors.js';
import { parseExpiration } from './expiration.js';

const NO_BYTES = new Uint8Array(0);
const NO_KEYS: readonly string[] = [];
const CC = Buffer.from('CC');
const BCC = Buffer.from('BCC');
const PERSISTENT = 2;
const LONGEST_KEY = 255;

/** What the checks need to know of the publisher. */
export interface Publishing {
  readonly userName: string;
  readonly mayImpersonate: boolean;
  /** The channel's own reply pseudo-queue; undefined without a reply consumer. */
  readonly replyQueueName: string | undefined;
}

export class PublishedContent implements RoutedMessage {
  readonly origin: Origin | undefined;
  routingKey = '';
  /** Raw properties as they will be stored. */
  properties: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
  persistent = false;
  priority = 0;
  /** Keys of CC and BCC, in this order. */
  furtherKeys: readonly string[] = NO_KEYS;
  /** Those of BCC, encoded: no header shows them any more. */
  hiddenKeys: Uint8Array = NO_BYTES;
  /** ms, or NO_EXPIRATION. */
  expirationMs = NO_EXPIRATION;
  readonly #peek = new PropertiesPeek();
  #headers: FieldTable | undefined;

  constructor(origin?: Origin) {
    this.origin = origin;
  }

  /** Decoded when a router asks. */
  get headers(): FieldTable {
    if (this.#headers !== undefined) return this.#headers;
    const { headersStart, headersEnd } = this.#peek;
    if (headersStart === -1) return EMPTY_TABLE;
    this.#headers = readTable(new ByteReader(this.properties, headersStart, headersEnd));
    return this.#headers;
  }

  property(name: RoutingProperty): string | undefined {
    return readProperty(this.properties, this.start, this.end, name);
  }

  /** Shows no properties at all. */
  clear(): void {
    this.properties = NO_BYTES;
    this.start = 0;
    this.end = 0;
    this.#headers = EMPTY_TABLE;
    this.furtherKeys = NO_KEYS;
    this.hiddenKeys = NO_BYTES;
    this.expirationMs = NO_EXPIRATION;
  }

  /** Checks in RabbitMQ's order and throws BrokerError; properties that do not decode are an internal-error there. */
  read(properties: Uint8Array, start: number, end: number, publishing: Publishing): void {
    this.properties = properties;
    this.start = start;
    this.end = end;
    this.#headers = undefined;
    this.furtherKeys = NO_KEYS;
    this.hiddenKeys = NO_BYTES;
    this.expirationMs = NO_EXPIRATION;
    const peek = this.#peek;
    try {
      peek.reset(properties, start, end);
      if (peek.headersStart !== -1) validateHeaders(properties, peek.headersStart, peek.headersEnd);
    } catch (error) {
      if (error instanceof MalformedError) throw new UndecodableContent(error.message);
      throw error;
    }
    this.persistent = peek.deliveryMode === PERSISTENT;
    this.priority = peek.priority;
    if (peek.replyToStart !== -1) this.#rewriteReplyTo(publishing);
    if (peek.expirationStart !== -1) {
      this.expirationMs = parseExpiration(this.#text(peek.expirationStart, peek.expirationEnd));
    }
    if (peek.headersStart !== -1) this.#readFurtherKeys();
    if (peek.userIdStart !== -1) this.#checkUserId(publishing);
  }

  #rewriteReplyTo({ replyQueueName }: Publishing): void {
    const { replyToStart, replyToEnd } = this.#peek;
    if (replyToEnd - replyToStart !== REPLY_TO.length || this.#text(replyToStart, replyToEnd) !== REPLY_TO) return;
    if (replyQueueName === undefined) {
      throw new BrokerError('precondition-failed', 'fast reply consumer does not exist');
    }
    this.#replace(replaceReplyTo(this.properties, this.start, this.end, replyQueueName));
  }

  #readFurtherKeys(): void {
    const { headersStart, headersEnd } = this.#peek;
    const hasBcc = hasHeader(this.properties, headersStart, headersEnd, BCC);
    if (!hasBcc && !hasHeader(this.properties, headersStart, headersEnd, CC)) return;
    // CC first: the first that is wrong is the one refused.
    const shown = keysOf(this.headers, 'CC');
    const hidden = keysOf(this.headers, 'BCC');
    this.furtherKeys = [...shown, ...hidden];
    if (!hasBcc) return;
    this.hiddenKeys = encodedKeys(hidden);
    this.#replace(removeHeader(this.properties, this.start, this.end, 'BCC'));
  }

  #checkUserId({ userName, mayImpersonate }: Publishing): void {
    const { userIdStart, userIdEnd } = this.#peek;
    const claimed = this.#text(userIdStart, userIdEnd);
    if (claimed === userName || mayImpersonate) return;
    throw new BrokerError(
      'precondition-failed',
      `user_id property set to '${claimed}' but authenticated user was '${userName}'`,
    );
  }

  #replace(properties: Uint8Array): void {
    this.properties = properties;
    this.start = 0;
    this.end = properties.length;
    this.#headers = undefined;
    this.#peek.reset(properties, 0, properties.length);
  }

  #text(start: number, end: number): string {
    return Buffer.from(this.properties.buffer, this.properties.byteOffset + start, end - start).toString();
  }
}

/** Properties or headers that do not decode: RabbitMQ answers 541 with no method (SEMANTICS 2.15). */
export class UndecodableContent extends BrokerError {
  constructor(reason: string) {
    super('internal-error', `cannot decode content: ${reason}`);
  }
}

/** Each with its length octet. One that is longer than a routing key can be reaches no binding, now or later. */
function encodedKeys(keys: readonly string[]): Uint8Array {
  const encoded = keys.map((key) => Buffer.from(key)).filter((key) => key.length <= LONGEST_KEY);
  return Buffer.concat(encoded.flatMap((key) => [Buffer.of(key.length), key]));
}

/** Only strings count among the elements; anything but an array is refused. */
function keysOf(headers: FieldTable, name: 'CC' | 'BCC'): readonly string[] {
  const value = lookUp(headers, name);
  if (value === undefined) return NO_KEYS;
  if (value.type !== 'A') {
    throw new BrokerError(
      'precondition-failed',
      `invalid message: {unacceptable_type_in_header,"${name}",${fieldTypeWord(value)}}`,
    );
  }
  return value.value.flatMap((element) =>
    element.type === 'S' && typeof element.value === 'string' ? [element.value] : [],
  );
}
