/** What a router gets that a test makes by itself, and what it finds. */
import type { Binding } from '../../src/core/binding.js';
import { DIRECT } from '../../src/core/exchange/direct.js';
import { Exchange } from '../../src/core/exchange/exchange.js';
import type { ExchangeHost, ExchangePlace, RandomSource, RouteTargets } from '../../src/core/exchange/exchange-type.js';
import { EMPTY_TABLE } from '../../src/core/field-value.js';
import { coreEnvironment } from './core-environment.js';

const TRANSIENT = { durable: false, autoDelete: false, internal: false, arguments: EMPTY_TABLE };

export function anyPlace(random: RandomSource = Math.random): ExchangePlace {
  const { host: owner } = coreEnvironment();
  const { turn, logs, deadlines, properties } = owner;
  const host: ExchangeHost = {
    turn,
    logs,
    deadlines,
    properties,
    random,
    route: (exchange, message, furtherKeys) => owner.route(exchange, message, furtherKeys),
    deliver: (targets, source, outcome) => owner.deliver(targets, source, outcome),
  };
  return { host, exchange: new Exchange('x', DIRECT, TRANSIENT, host), logId: undefined };
}

/** Collects bindings only. */
export function foundBindings(): RouteTargets & { readonly found: Binding[] } {
  const found: Binding[] = [];
  return { found, add: (binding) => found.push(binding), copyTo: () => {}, divertTo: () => {} };
}
