/**
 * The exchange that selects for JMS: a message goes along each binding whose selector its headers satisfy. Despite its
 * name the routing key does not count: clients bind it to a topic exchange, which has looked at the key.
 */
import { BrokerError } from '../../errors.js';
import type { Binding } from '../binding.js';
import { type FieldTable, lookUp } from '../field-value.js';
import type { ExchangeType, RoutedMessage, Router, RouteTargets } from './exchange-type.js';
import { compileSelector, type Selector } from './jms-selector.js';

class JmsTopicRouter implements Router {
  readonly routesByKey = false;
  readonly #selectors = new Map<Binding, Selector>();

  /** The selector compiles: it did when the binding was validated. */
  add(binding: Binding): void {
    this.#selectors.set(binding, compileSelector(selectorArgument(binding.arguments) ?? ''));
  }

  remove(binding: Binding): void {
    this.#selectors.delete(binding);
  }

  route(message: RoutedMessage, targets: RouteTargets): void {
    if (this.#selectors.size === 0) return;
    const headers = message.headers;
    for (const [binding, selects] of this.#selectors) if (selects(headers)) targets.add(binding);
  }
}

export const JMS_TOPIC: ExchangeType = {
  name: 'x-jms-topic',
  routesEachKey: false,
  validateBinding: (_routingKey, args) => {
    try {
      compileSelector(selectorArgument(args) ?? '');
    } catch (error) {
      throw error instanceof SyntaxError ? new BrokerError('precondition-failed', error.message) : error;
    }
  },
  createRouter: () => new JmsTopicRouter(),
};

function selectorArgument(args: FieldTable): string | undefined {
  const value = lookUp(args, 'rjms_erlang_selector');
  return value?.type === 'S' && typeof value.value === 'string' ? value.value : undefined;
}
