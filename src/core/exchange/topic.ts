/**
 * The topic exchange: a message goes where its routing key, read as words between dots, matches a bound pattern.
 */
import type { Binding } from '../binding.js';
import type { ExchangeType, RoutedMessage, Router, RouteTargets } from './exchange-type.js';
import { TopicTrie } from './topic-trie.js';

class TopicRouter implements Router {
  readonly routesByKey = true;
  readonly #trie = new TopicTrie();

  add(binding: Binding): void {
    this.#trie.add(binding);
  }

  remove(binding: Binding): void {
    this.#trie.remove(binding);
  }

  route(message: RoutedMessage, targets: RouteTargets): void {
    this.#trie.match(message.routingKey, targets);
  }
}

export const TOPIC: ExchangeType = {
  name: 'topic',
  routesEachKey: true,
  createRouter: () => new TopicRouter(),
};
