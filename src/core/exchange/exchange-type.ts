/**
 * What an exchange type provides, and the registry of types. A new type is one file and one line in
 * `EXCHANGE_TYPES` (`registry.ts`).
 */
import type { Binding } from '../binding.js';
import type { FieldTable } from '../field-value.js';

/** The part of a message that routing may look at. */
export interface RoutedMessage {
  readonly routingKey: string;
  /** Decoded on first use: a type that routes by key never pays for it. */
  readonly headers: FieldTable;
}

/** Collects what a router found. The receiver drops duplicate destinations; a tracing receiver notes each binding. */
export interface RouteTargets {
  add(binding: Binding): void;
}

export interface Router {
  add(binding: Binding): void;
  remove(binding: Binding): void;
  /** Calls `targets.add` for every matching binding. */
  route(message: RoutedMessage, targets: RouteTargets): void;
}

export interface ExchangeType {
  readonly name: string;
  /** True when the result depends on the routing key alone, so that a session may keep it until the topology changes. */
  readonly routesByKey: boolean;
  /** Throws BrokerError('precondition-failed') for arguments or a key this type refuses. */
  validateBinding?(routingKey: string, args: FieldTable): void;
  createRouter(args: FieldTable): Router;
}
