/**
 * The direct exchange: a message goes where its routing key is bound.
 */
import type { Binding } from '../binding.js';
import type { ExchangeType, RoutedMessage, Router, RouteTargets } from './exchange-type.js';
import { addAll, OrderedSet } from './ordered-set.js';

class DirectRouter implements Router {
  readonly routesByKey = true;
  readonly #byKey = new Map<string, OrderedSet<Binding>>();

  add(binding: Binding): void {
    const bound = this.#byKey.get(binding.routingKey);
    if (bound !== undefined) {
      bound.add(binding);
      return;
    }
    const first = new OrderedSet<Binding>();
    first.add(binding);
    this.#byKey.set(binding.routingKey, first);
  }

  remove(binding: Binding): void {
    const bound = this.#byKey.get(binding.routingKey);
    if (bound === undefined) return;
    bound.remove(binding);
    if (bound.size === 0) this.#byKey.delete(binding.routingKey);
  }

  route(message: RoutedMessage, targets: RouteTargets): void {
    const bound = this.#byKey.get(message.routingKey);
    if (bound !== undefined) addAll(bound, targets);
  }
}

export const DIRECT: ExchangeType = {
  name: 'direct',
  routesEachKey: true,
  createRouter: () => new DirectRouter(),
};
