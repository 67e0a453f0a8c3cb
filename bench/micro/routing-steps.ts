/** From a publish's arguments to the queues it goes to: a channel's cache of routes, and the exchange types behind it. */
import type { Binding } from '../../src/core/binding.js';
import { DIRECT } from '../../src/core/exchange/direct.js';
import { Exchange } from '../../src/core/exchange/exchange.js';
import type { ExchangeHost, ExchangeType } from '../../src/core/exchange/exchange-type.js';
import { FANOUT } from '../../src/core/exchange/fanout.js';
import { TOPIC } from '../../src/core/exchange/topic.js';
import { EMPTY_TABLE } from '../../src/core/field-value.js';
import { RouteCache } from '../../src/session/shared/route-cache.js';
import type { MicroStep, PreparedStep } from './step.js';

const AREA = 'routing';
const OPTIONS = { durable: true, autoDelete: false, internal: false, arguments: EMPTY_TABLE };

export const ROUTING_STEPS: readonly MicroStep[] = [
  { area: AREA, name: 'cached route, the same as before', messages: 60_000, prepare: () => cachedRoutes(1) },
  { area: AREA, name: 'cached route, 1,000 in turn', messages: 25_000, prepare: () => cachedRoutes(1000) },
  {
    area: AREA,
    name: 'direct exchange, 1,000 bindings, 1,000 keys',
    messages: 25_000,
    prepare: () =>
      routes(
        DIRECT,
        (i) => `route.${i}`,
        1000,
        (i) => `route.${i}`,
        1000,
      ),
  },
  {
    area: AREA,
    name: 'topic exchange, 1,000 bindings, 10,000 keys',
    messages: 12_000,
    prepare: () =>
      routes(
        TOPIC,
        (i) => `a.${i}.#`,
        1000,
        (i) => `a.${i % 2000}.${i}`,
        10_000,
      ),
  },
  {
    area: AREA,
    name: 'fanout exchange, 10 bindings',
    messages: 25_000,
    prepare: () =>
      routes(
        FANOUT,
        (i) => `${i}`,
        10,
        () => '',
        1,
      ),
  },
];

function cachedRoutes(count: number): PreparedStep {
  const cache = new RouteCache();
  const exchange = exchangeOf(DIRECT);
  const keys = Array.from({ length: count }, (_, i) => Buffer.from(`\0\0\0\x0aroute.${String(i).padStart(4, '0')}\0`));
  for (const key of keys) cache.add({ key, epoch: 1, exchange, routingKey: '', targets: [] });
  return {
    run: (messages) => {
      for (let i = 0; i < messages; i++) {
        const key = keys[i % count] as Buffer;
        cache.find(key, 0, key.length, 1);
      }
    },
  };
}

function routes(
  type: ExchangeType,
  bindingKey: (i: number) => string,
  bindings: number,
  routingKey: (i: number) => string,
  keys: number,
): PreparedStep {
  const source = exchangeOf(type);
  const { router } = source;
  for (let i = 0; i < bindings; i++) {
    const destination = { kind: 'exchange', exchange: exchangeOf(type) } as const;
    const binding: Binding = { source, destination, routingKey: bindingKey(i), arguments: EMPTY_TABLE };
    router.add(binding);
  }
  const published = Array.from({ length: keys }, (_, i) => ({
    routingKey: routingKey(i),
    headers: EMPTY_TABLE,
    property: () => undefined,
  }));
  const targets = { add: () => {}, copyTo: () => {}, divertTo: () => {} };
  return {
    run: (messages) => {
      for (let i = 0; i < messages; i++) router.route(published[i % keys] as (typeof published)[number], targets, []);
    },
  };
}

function exchangeOf(type: ExchangeType): Exchange {
  // None of these types keeps messages, and only those look at their host.
  return new Exchange('bench', type, OPTIONS, {} as ExchangeHost);
}
