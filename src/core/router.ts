/**
 * Finds the queues a message goes to: the exchange's own bindings, exchange-to-exchange bindings, alternate exchanges
 * where nothing matched, and the further keys that the sender gave (CC, BCC). The result is a set; each exchange is
 * visited at most once per message, so cycles end.
 */
import type { Binding } from './binding.js';
import type { Exchange } from './exchange/exchange.js';
import type { ExchangeType, RoutedMessage, Router, RouteTargets, RoutingProperty } from './exchange/exchange-type.js';
import type { FieldTable } from './field-value.js';
import type { MessageTarget } from './queue/queue.js';

const NO_KEYS: readonly string[] = [];

/** A message under one of its several keys. */
class KeyedMessage implements RoutedMessage {
  routingKey = '';
  readonly #message: RoutedMessage;

  constructor(message: RoutedMessage) {
    this.#message = message;
  }

  get headers(): FieldTable {
    return this.#message.headers;
  }

  property(name: RoutingProperty): string | undefined {
    return this.#message.property(name);
  }
}

/** One per virtual host and reused: it marks queues and exchanges with its own number instead of keeping sets. */
export class RouteWalk implements RouteTargets {
  /** What the last walk found. */
  readonly targets: MessageTarget[] = [];
  /** True when the result depends on nothing but the routing keys. */
  byKey = true;
  /** Set to collect every binding that matched (trace, explain). */
  trace: Set<Binding> | undefined;
  readonly #findExchange: (name: string) => Exchange | undefined;
  readonly #waiting: Exchange[] = [];
  #mark = 0;
  #matched = 0;

  constructor(findExchange: (name: string) => Exchange | undefined) {
    this.#findExchange = findExchange;
  }

  /** Leaves the result in `targets`, which the next walk overwrites. */
  run(start: Exchange, message: RoutedMessage, furtherKeys: readonly string[]): void {
    this.#mark++;
    this.targets.length = 0;
    this.byKey = true;
    this.#visit(start);
    for (let exchange = this.#waiting.pop(); exchange !== undefined; exchange = this.#waiting.pop()) {
      if (!exchange.router.routesByKey) this.byKey = false;
      this.#matched = 0;
      routeKeys(exchange.type, exchange.router, message, this, furtherKeys);
      if (this.#matched === 0) {
        const alternate = exchange.alternateExchange;
        const next = alternate === undefined ? undefined : this.#findExchange(alternate);
        if (next !== undefined) this.#visit(next);
      }
    }
  }

  add(binding: Binding): void {
    this.#matched++;
    this.trace?.add(binding);
    const destination = binding.destination;
    if (destination.kind === 'exchange') this.#visit(destination.exchange);
    else if (destination.queue.routeMark !== this.#mark) {
      destination.queue.routeMark = this.#mark;
      this.targets.push(destination.queue);
    }
  }

  copyTo(target: MessageTarget): void {
    if (!this.targets.includes(target)) this.targets.push(target);
  }

  divertTo(target: MessageTarget): void {
    this.#matched++;
    this.targets.push(target);
  }

  #visit(exchange: Exchange): void {
    if (exchange.routeMark === this.#mark) return;
    exchange.routeMark = this.#mark;
    this.#waiting.push(exchange);
  }
}

/** Whether a message reaches a queue now: what an exchange keeps for itself does not count. */
export function reachesQueue(targets: readonly MessageTarget[]): boolean {
  for (let i = 0; i < targets.length; i++) {
    const target = targets[i];
    if (target?.name !== undefined && target.deleted !== true) return true;
  }
  return false;
}

/** Routes a message by all its keys, as exchanges of `type` do. */
export function routeKeys(
  type: ExchangeType,
  router: Router,
  message: RoutedMessage,
  targets: RouteTargets,
  furtherKeys: readonly string[],
): void {
  if (!type.routesEachKey) {
    router.route(message, targets, furtherKeys);
    return;
  }
  router.route(message, targets, NO_KEYS);
  if (furtherKeys.length === 0) return;
  const keyed = new KeyedMessage(message);
  for (const key of furtherKeys) {
    keyed.routingKey = key;
    router.route(keyed, targets, NO_KEYS);
  }
}
