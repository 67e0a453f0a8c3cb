/**
 * The random exchange: a message goes along one of the bindings, whatever its routing key. A queue that is bound twice
 * has two chances.
 */
import type { Binding } from '../binding.js';
import type { ExchangeType, RandomSource, RoutedMessage, Router, RouteTargets } from './exchange-type.js';

export class RandomRouter implements Router {
  readonly routesByKey = false;
  readonly #random: RandomSource;
  /** In no order, so that removal need not keep one. */
  readonly #bindings: Binding[] = [];
  readonly #placeOf = new Map<Binding, number>();

  constructor(random: RandomSource) {
    this.#random = random;
  }

  add(binding: Binding): void {
    if (this.#placeOf.has(binding)) return;
    this.#placeOf.set(binding, this.#bindings.length);
    this.#bindings.push(binding);
  }

  remove(binding: Binding): void {
    const place = this.#placeOf.get(binding);
    if (place === undefined) return;
    this.#placeOf.delete(binding);
    const last = this.#bindings.pop();
    if (last === undefined || last === binding) return;
    this.#bindings[place] = last;
    this.#placeOf.set(last, place);
  }

  route(_message: RoutedMessage, targets: RouteTargets): void {
    const binding = this.#bindings[Math.floor(this.#random() * this.#bindings.length)];
    if (binding !== undefined) targets.add(binding);
  }
}

export const RANDOM: ExchangeType = {
  name: 'x-random',
  routesEachKey: false,
  createRouter: (_args, { host }) => new RandomRouter(host.random),
};
