/**
 * basic.publish of one channel: route cache, checks, enqueue, return and confirm. The hot path of the broker.
 */
import { undecodable } from '../../../protocol/amqp/errors.js';
import {
  type BasicPublish,
  decodeBasicPublish,
  MethodId,
  writeBasicReturn,
} from '../../../protocol/amqp/methods.gen.js';
import { ByteReader } from '../../../protocol/byte-reader.js';
import { copyRange } from '../../../protocol/copy-range.js';
import { MalformedError } from '../../../protocol/errors.js';
import { NO_EXPIRATION, RecordSource } from '../../core/log/record.js';
import { PublishOutcome } from '../../core/queue/queue.js';
import { reachesQueue } from '../../core/router.js';
import { BrokerError } from '../../errors.js';
import { PublishedContent } from '../shared/content.js';
import { type CachedRoute, RouteCache } from '../shared/route-cache.js';
import type { Channel } from './channel.js';

/** The reserved short before the exchange's name. */
const TICKET_BYTES = 2;
const FLAGS_BYTES = 1;
/** RabbitMQ's reply code and text for a mandatory message without a queue. */
const NO_ROUTE = 312;
const NO_FLAGS = 0;
const NO_BYTES = new Uint8Array(0);

interface PublishRoute extends CachedRoute {
  readonly mandatory: boolean;
}

export class Publisher {
  readonly #channel: Channel;
  readonly #maxMessageSize: number;
  readonly #routes = new RouteCache<PublishRoute>();
  readonly #content: PublishedContent;
  readonly #source = new RecordSource();
  readonly #outcome = new PublishOutcome();

  constructor(channel: Channel, maxMessageSizeBytes: number) {
    this.#channel = channel;
    this.#content = new PublishedContent(channel.origin);
    this.#maxMessageSize = maxMessageSizeBytes;
  }

  /** Ranges: the method's arguments, the raw properties, the body. `bodySize` may exceed what was kept of it. */
  publish(
    args: Uint8Array,
    argsStart: number,
    argsEnd: number,
    properties: Uint8Array,
    propertiesStart: number,
    propertiesEnd: number,
    body: Uint8Array,
    bodyStart: number,
    bodyEnd: number,
    bodySize: number,
  ): void {
    if (bodySize > this.#maxMessageSize) throw this.#tooLarge(bodySize);
    const channel = this.#channel;
    const access = channel.access;
    const route = this.#routes.find(args, argsStart, argsEnd, access.epoch) ?? this.#resolve(args, argsStart, argsEnd);
    const source = this.#source;
    source.properties = properties;
    source.propertiesStart = propertiesStart;
    source.propertiesEnd = propertiesEnd;
    let targets = route.targets;
    // Without any property there is nothing to check and nothing that could alter the route.
    const flags = ((properties[propertiesStart] as number) << 8) | (properties[propertiesStart + 1] as number);
    if (flags === NO_FLAGS && targets !== undefined && propertiesEnd - propertiesStart === 2) {
      source.persistent = false;
      source.priority = 0;
      source.expirationMs = NO_EXPIRATION;
      source.hiddenKeys = NO_BYTES;
    } else {
      const content = this.#content;
      content.routingKey = route.routingKey;
      content.read(properties, propertiesStart, propertiesEnd, channel);
      source.properties = content.properties;
      source.propertiesStart = content.start;
      source.propertiesEnd = content.end;
      source.persistent = content.persistent;
      source.priority = content.priority;
      source.expirationMs = content.expirationMs;
      source.hiddenKeys = content.hiddenKeys;
      if (targets === undefined || content.furtherKeys.length > 0) {
        targets = access.route(route.exchange, content, content.furtherKeys).targets;
      }
    }
    source.route = args;
    source.routeStart = argsStart + TICKET_BYTES;
    source.routeEnd = argsEnd - FLAGS_BYTES;
    source.body = body;
    source.bodyStart = bodyStart;
    source.bodyEnd = bodyEnd;
    route.exchange.counters.publishedIn++;
    if (channel.transaction !== undefined) {
      channel.transaction.publish(targets, source, route.mandatory);
      return;
    }
    // Asked now: delivering may lead to other routes, and the targets may be those of the latest one.
    const unroutable = route.mandatory && !reachesQueue(targets);
    const outcome = this.#outcome;
    outcome.reset();
    access.deliver(targets, source, outcome);
    if (outcome.commit !== 0) channel.host.environment.durability.published(outcome.commit, bodyEnd - bodyStart);
    // The return goes out before the confirm of the same message: clients rely on the order.
    if (unroutable) this.returnMessage(source);
    channel.confirmPublish(outcome);
  }

  /** Lets go of the message published last. */
  forget(): void {
    const source = this.#source;
    source.route = NO_BYTES;
    source.properties = NO_BYTES;
    source.body = NO_BYTES;
    this.#content.clear();
  }

  /** basic.return of a message that no queue takes. */
  returnMessage(source: RecordSource): void {
    const { output, number } = this.#channel;
    const reader = new ByteReader(source.route, source.routeStart, source.routeEnd);
    const exchange = reader.shortstr();
    writeBasicReturn(output.writer, number, NO_ROUTE, 'NO_ROUTE', exchange, reader.shortstr());
    output.content(
      number,
      source.properties,
      source.propertiesStart,
      source.propertiesEnd,
      source.body,
      source.bodyStart,
      source.bodyEnd,
    );
  }

  #resolve(args: Uint8Array, start: number, end: number): PublishRoute {
    const { exchange: name, routingKey, mandatory, immediate } = this.#decode(args, start, end);
    if (immediate) throw new BrokerError('not-implemented', 'immediate=true');
    const { access } = this.#channel;
    const exchange = access.exchangeToPublish(name);
    const content = this.#content;
    content.routingKey = routingKey;
    content.clear();
    const walk = access.route(exchange, content, []);
    const route: PublishRoute = {
      key: copyRange(args, start, end),
      epoch: access.epoch,
      exchange,
      routingKey,
      mandatory,
      targets: walk.byKey ? [...walk.targets] : undefined,
    };
    this.#routes.add(route);
    return route;
  }

  #decode(args: Uint8Array, start: number, end: number): BasicPublish {
    try {
      const reader = new ByteReader(args, start, end);
      const method = decodeBasicPublish(reader);
      if (reader.remaining() > 0) throw new MalformedError('data after the arguments');
      return method;
    } catch (error) {
      throw error instanceof MalformedError ? undecodable(error, MethodId.BasicPublish, args, start, end) : error;
    }
  }

  #tooLarge(size: number): BrokerError {
    return new BrokerError(
      'precondition-failed',
      `message size ${size} is larger than configured max size ${this.#maxMessageSize}`,
    );
  }
}
