/**
 * Dead-lettering (SEMANTICS 3.5): a message that a queue gives up is published to the queue's dead-letter exchange, with
 * its history in the x-death header. It reaches its new queues in the same call that takes it from the old one, and so
 * in the same commit.
 */
import type { Clock } from '../clock.js';
import { DeathHistory, type DeathReason } from './death-history.js';
import type { Exchange } from './exchange/exchange.js';
import type { RoutedMessage, RoutingProperty } from './exchange/exchange-type.js';
import { EMPTY_TABLE, type FieldTable } from './field-value.js';
import { hiddenKeysStart, type RecordReader, RecordSource } from './log/record.js';
import { RecordFlag } from './log/record-layout.js';
import type { Properties, PropertiesCodec } from './ports/properties-codec.js';
import { type MessageTarget, PublishOutcome } from './queue/queue.js';
import type { QueueSettings } from './queue/settings.js';
import type { RouteWalk } from './router.js';
import { routeOf, routingProperty, shortstrs, visibleKeys } from './routing-parts.js';

/** Bytes of a routing key on the wire. An argument may be longer, but no binding has such a key. */
const LONGEST_KEY = 255;

/** The queue that gives a message up. */
export interface DyingPlace {
  readonly name: string;
  readonly settings: QueueSettings;
}

/** What dead-lettering needs of the virtual host. */
export interface DeadLetterHost {
  findExchange(name: string): Exchange | undefined;
  route(exchange: Exchange, message: RoutedMessage, furtherKeys: readonly string[]): RouteWalk;
  deliver(targets: readonly MessageTarget[], source: RecordSource, outcome: PublishOutcome): void;
}

/** A message on its way from one queue to others. */
class DeadMessage implements RoutedMessage {
  readonly exchange: Exchange;
  readonly routingKey: string;
  readonly furtherKeys: readonly string[];
  readonly properties: Properties;
  readonly history: DeathHistory;
  readonly reason: DeathReason;
  readonly source = new RecordSource();
  done: ((arrived: boolean) => void) | undefined;

  constructor(
    exchange: Exchange,
    [routingKey = '', ...furtherKeys]: readonly string[],
    reason: DeathReason,
    history: DeathHistory,
    properties: Properties,
  ) {
    this.exchange = exchange;
    this.routingKey = routingKey;
    this.furtherKeys = furtherKeys;
    this.properties = properties;
    this.history = history;
    this.reason = reason;
  }

  get headers(): FieldTable {
    return this.properties.headers ?? EMPTY_TABLE;
  }

  property(name: RoutingProperty): string | undefined {
    return routingProperty(this.properties, name);
  }
}

export class DeadLetters {
  readonly #host: DeadLetterHost;
  readonly #codec: PropertiesCodec;
  readonly #clock: Clock;
  readonly #outcome = new PublishOutcome();
  /** Those that came while another publish was being delivered: they wait for its end. */
  #waiting: DeadMessage[] = [];
  readonly #trustsClients: boolean;
  /** Deliveries under way. */
  #held = 0;

  /** `trustsClients`: an x-death header that a client published is its history, as up to RabbitMQ 3.13. */
  constructor(host: DeadLetterHost, codec: PropertiesCodec, clock: Clock, trustsClients = false) {
    this.#host = host;
    this.#codec = codec;
    this.#clock = clock;
    this.#trustsClients = trustsClients;
  }

  /** What comes until `release` is published then: a walk over queues must not meet another one. */
  hold(): void {
    this.#held++;
  }

  release(): void {
    this.#held--;
    if (this.#held === 0 && this.#waiting.length > 0) this.#publishWaiting();
  }

  /**
   * The queue gives up the message that `record` shows; without a dead-letter exchange it is dropped. `done` hears whether
   * there was a queue for it and none refused it: in this call, or when what is being delivered now has been.
   */
  bury(queue: DyingPlace, record: RecordReader, reason: DeathReason, done?: (arrived: boolean) => void): void {
    const { deadLetterExchange, deadLetterRoutingKey } = queue.settings;
    const exchange = deadLetterExchange === undefined ? undefined : this.#host.findExchange(deadLetterExchange);
    if (exchange === undefined || Buffer.byteLength(deadLetterRoutingKey ?? '') > LONGEST_KEY) {
      done?.(false);
      return;
    }
    const properties = this.#codec.decode(record.bytes, record.propertiesStart, record.propertiesEnd);
    const [origin = '', publishedKey = ''] = shortstrs(record.bytes, record.routeStart, record.routeEnd);
    const shownKeys = [publishedKey, ...visibleKeys(properties.headers)];
    const hiddenKeys = shortstrs(record.bytes, hiddenKeysStart(record), record.extensionEnd);
    const isOurs = this.#trustsClients || (record.flags & RecordFlag.DeadLettered) !== 0;
    const history = DeathHistory.of(isOurs ? (properties.headers ?? EMPTY_TABLE) : EMPTY_TABLE);
    history.add({
      queue: queue.name,
      reason,
      exchange: origin,
      routingKeys: shownKeys,
      originalExpiration: properties.expiration,
      timeSeconds: Math.floor(this.#clock.wallTime() / 1000),
    });
    const keys = deadLetterRoutingKey === undefined ? [...shownKeys, ...hiddenKeys] : [deadLetterRoutingKey];
    const { expiration: _, ...kept } = properties;
    const headers = history.headers(properties.headers ?? EMPTY_TABLE);
    const message = new DeadMessage(exchange, keys, reason, history, { ...kept, headers });
    message.done = done;
    this.#fill(message.source, record, message);
    this.#waiting.push(message);
    if (this.#held === 0) this.#publishWaiting();
  }

  /** In the order in which they died, those too that this makes die. */
  #publishWaiting(): void {
    this.#held++;
    try {
      for (let message = this.#waiting.shift(); message !== undefined; message = this.#waiting.shift()) {
        this.#publish(message);
      }
    } finally {
      this.#held--;
    }
  }

  #publish(message: DeadMessage): void {
    const { exchange, history, reason, source } = message;
    const found = this.#host.route(exchange, message, message.furtherKeys).targets;
    const hasQueue = found.length > 0;
    const targets = found.filter((target) => target.name === undefined || !history.isCycle(target.name, reason));
    exchange.counters.publishedIn++;
    this.#outcome.reset();
    this.#host.deliver(targets, source, this.#outcome);
    message.done?.(hasQueue && !this.#outcome.rejected);
  }

  /** A copy: the record may be gone before it is published. */
  #fill(source: RecordSource, record: RecordReader, message: DeadMessage): void {
    const route = routeOf(message.exchange.name, message.routingKey);
    const encoded = this.#codec.encode(message.properties);
    source.route = route;
    source.routeEnd = route.length;
    source.properties = encoded;
    source.propertiesEnd = encoded.length;
    source.body = new Uint8Array(record.body.subarray(record.bodyStart, record.bodyEnd));
    source.bodyEnd = source.body.length;
    source.persistent = (record.flags & RecordFlag.Persistent) !== 0;
    source.priority = record.priority;
    source.deadLettered = true;
  }
}
