/**
 * The fanout exchange: a message goes wherever the exchange is bound, whatever the routing key.
 */
import type { Binding } from '../binding.js';
import type { ExchangeType, RoutedMessage, Router, RouteTargets } from './exchange-type.js';
import { addAll, OrderedSet } from './ordered-set.js';

class FanoutRouter implements Router {
  readonly routesByKey = true;
  readonly #bindings = new OrderedSet<Binding>();

  add(binding: Binding): void {
    this.#bindings.add(binding);
  }

  remove(binding: Binding): void {
    this.#bindings.remove(binding);
  }

  route(_message: RoutedMessage, targets: RouteTargets): void {
    addAll(this.#bindings, targets);
  }
}

export const FANOUT: ExchangeType = {
  name: 'fanout',
  routesEachKey: false,
  createRouter: () => new FanoutRouter(),
};
