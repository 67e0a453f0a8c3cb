/**
 * The modulus hash exchange: the routing keys of a message, hashed, choose one of the bindings, which are in the order
 * of their destinations' names. The binding key does not count.
 */
import { type Binding, destinationName } from '../binding.js';
import type { ExchangeType, RoutedMessage, Router, RouteTargets } from './exchange-type.js';
import { hashText } from './text-hash.js';

class ModulusHashRouter implements Router {
  readonly routesByKey = true;
  readonly #bindings = new Set<Binding>();
  /** Undefined after a change, until the next message. */
  #sorted: readonly Binding[] | undefined;

  add(binding: Binding): void {
    this.#bindings.add(binding);
    this.#sorted = undefined;
  }

  remove(binding: Binding): void {
    this.#bindings.delete(binding);
    this.#sorted = undefined;
  }

  route(message: RoutedMessage, targets: RouteTargets, furtherKeys: readonly string[]): void {
    this.#sorted ??= [...this.#bindings].sort(byDestination);
    let hash = hashText(message.routingKey);
    for (const key of furtherKeys) hash = hashText(key, hash);
    const chosen = this.#sorted[hash % this.#sorted.length];
    if (chosen !== undefined) targets.add(chosen);
  }
}

export const MODULUS_HASH: ExchangeType = {
  name: 'x-modulus-hash',
  routesEachKey: false,
  createRouter: () => new ModulusHashRouter(),
};

/** Bindings of one destination are equal: it does not matter which of them is chosen. */
function byDestination({ destination: a }: Binding, { destination: b }: Binding): number {
  if (a.kind !== b.kind) return a.kind < b.kind ? -1 : 1;
  const [nameOfA, nameOfB] = [destinationName(a), destinationName(b)];
  return nameOfA < nameOfB ? -1 : nameOfA > nameOfB ? 1 : 0;
}
