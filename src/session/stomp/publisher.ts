/**
 * SEND of one session: declares what its destination needs, maps the headers, routes and enqueues. The hot path: a SEND
 * with the head of the one before costs a look at its number.
 */
import { copyRange } from '../../../protocol/copy-range.js';
import type { StompFrame } from '../../../protocol/stomp/frame.js';
import { headerId } from '../../../protocol/stomp/names.js';
import type { VirtualHostAccess } from '../../auth/virtual-host-access.js';
import { RecordSource } from '../../core/log/record.js';
import { type MessageTarget, PublishOutcome } from '../../core/queue/queue.js';
import type { Origin } from '../../core/tracer.js';
import { PublishedContent, type Publishing } from '../shared/content.js';
import type { Durability } from '../shared/durability.js';
import { type CachedRoute, RouteCache } from '../shared/route-cache.js';
import { type Destination, parseDestination, routingOf } from './destinations.js';
import { processingError, StompError } from './errors.js';
import { PublishedProperties } from './published-properties.js';

/** What a publisher needs of its session. */
export interface PublisherHost extends Publishing {
  readonly access: VirtualHostAccess;
  readonly origin: Origin;
  /** `/queue/<name>`: declares it as the frame says, once a session. */
  declareNamed(name: string, frame: StompFrame): void;
  /** The queue behind `/temp-queue/<name>` in reply-to. */
  replyQueue(name: string): string;
}

interface SendRoute extends CachedRoute {
  /** Exchange and key, each with its length, as the core keeps them. */
  readonly route: Uint8Array;
}

const DESTINATION = headerId('destination');
const MESSAGE_ID = headerId('message-id');
const REPLY_TO = headerId('reply-to');
const NO_BYTES = new Uint8Array(0);

export class StompPublisher {
  readonly outcome = new PublishOutcome();
  readonly #host: PublisherHost;
  readonly #durability: Durability;
  readonly #routes = new RouteCache<SendRoute>();
  readonly #properties = new PublishedProperties();
  readonly #content: PublishedContent;
  readonly #source = new RecordSource();
  // What the SEND before came to, while one with the same head comes to the same.
  #headNumber = 0;
  #route: SendRoute | undefined;
  #targets: readonly MessageTarget[] = [];

  constructor(host: PublisherHost, durability: Durability) {
    this.#host = host;
    this.#durability = durability;
    this.#content = new PublishedContent(host.origin);
  }

  /** Leaves in `outcome` what became of it. Throws StompError and BrokerError, having published nothing. */
  publish(frame: StompFrame): void {
    const { access } = this.#host;
    let route = this.#route;
    if (frame.headNumber === 0 || frame.headNumber !== this.#headNumber || route?.epoch !== access.epoch) {
      route = this.#prepare(frame);
    }
    const source = this.#source;
    source.body = frame.body;
    source.bodyStart = frame.bodyStart;
    source.bodyEnd = frame.bodyEnd;
    route.exchange.counters.publishedIn++;
    const { outcome } = this;
    outcome.reset();
    access.deliver(this.#targets, source, outcome);
    source.body = NO_BYTES;
    if (outcome.commit !== 0) this.#durability.published(outcome.commit, frame.bodyEnd - frame.bodyStart);
  }

  #prepare(frame: StompFrame): SendRoute {
    this.#headNumber = 0;
    if (frame.has(MESSAGE_ID)) throw new StompError('Invalid header', "'message-id' is not allowed on 'SEND'.\n");
    const index = frame.indexOf(DESTINATION);
    if (index === -1) {
      throw new StompError('Missing destination', `"SEND" must include a 'destination' header\n`);
    }
    const [start, end] = [frame.valueStart(index), frame.valueEnd(index)];
    const { access } = this.#host;
    const route = this.#routes.find(frame.head, start, end, access.epoch) ?? this.#resolve(frame, start, end);
    this.#properties.encode(frame, this.#replyQueue(frame));
    this.#readProperties(route);
    const content = this.#content;
    if (route.targets !== undefined && content.furtherKeys.length === 0) {
      this.#targets = route.targets;
      this.#route = route;
      this.#headNumber = frame.headNumber;
    } else this.#targets = access.route(route.exchange, content, content.furtherKeys).targets;
    return route;
  }

  #readProperties(route: SendRoute): void {
    const content = this.#content;
    content.routingKey = route.routingKey;
    content.read(this.#properties.bytes, 0, this.#properties.end, this.#host);
    const source = this.#source;
    source.route = route.route;
    source.routeStart = 0;
    source.routeEnd = route.route.length;
    source.properties = content.properties;
    source.propertiesStart = content.start;
    source.propertiesEnd = content.end;
    source.persistent = content.persistent;
    source.priority = content.priority;
    source.expirationMs = content.expirationMs;
    source.hiddenKeys = content.hiddenKeys;
  }

  /** The name that stands for a temporary queue in reply-to. */
  #replyQueue(frame: StompFrame): Uint8Array | undefined {
    const text = frame.text(REPLY_TO);
    if (text === undefined) return undefined;
    const destination = replyDestination(text);
    return destination.kind === 'temp_queue' ? Buffer.from(this.#host.replyQueue(destination.name)) : undefined;
  }

  #resolve(frame: StompFrame, start: number, end: number): SendRoute {
    const text = frame.text(DESTINATION) ?? '';
    const destination = parseDestination(text);
    this.#declare(destination, text, frame);
    const { access } = this.#host;
    const { exchange: name, routingKey } = routingOf(destination);
    const exchange = access.exchangeToPublish(name);
    const content = this.#content;
    content.routingKey = routingKey;
    content.clear();
    const walk = access.route(exchange, content, []);
    const route: SendRoute = {
      key: copyRange(frame.head, start, end),
      epoch: access.epoch,
      exchange,
      routingKey,
      route: encodedRoute(name, routingKey),
      targets: walk.byKey ? [...walk.targets] : undefined,
    };
    this.#routes.add(route);
    return route;
  }

  #declare(destination: Destination, text: string, frame: StompFrame): void {
    if (destination.kind === 'temp_queue') {
      throw new StompError('Invalid destination', `'${text}' is not a valid destination for 'SEND'\n`);
    }
    if (destination.kind !== 'queue') return;
    if (destination.name === '') throw new StompError('Invalid destination', 'Destination cannot be blank');
    this.#host.declareNamed(destination.name, frame);
  }
}

/** RabbitMQ cannot go on with a reply-to that begins like a destination and is none. */
function replyDestination(text: string): Destination {
  try {
    return parseDestination(text);
  } catch {
    throw processingError();
  }
}

function encodedRoute(exchange: string, routingKey: string): Uint8Array {
  const names = [Buffer.from(exchange), Buffer.from(routingKey)];
  return Buffer.concat(names.flatMap((name) => [Buffer.of(name.length), name]));
}
