/**
 * What an exchange type provides, and the registry of types. A new type is one file and one line in
 * `EXCHANGE_TYPES` (`registry.ts`).
 */
import type { Binding, BindingDestination } from '../binding.js';
import type { FieldTable } from '../field-value.js';

/** Properties that a type may route by, as RabbitMQ's arguments name them. */
export type RoutingProperty = 'correlation_id' | 'message_id' | 'timestamp';

/** The part of a message that routing may look at. */
export interface RoutedMessage {
  readonly routingKey: string;
  /** Decoded on first use: a type that routes by key never pays for it. */
  readonly headers: FieldTable;
  /** As text; undefined when the message has none. Read when asked for. */
  property(name: RoutingProperty): string | undefined;
}

/** Collects what a router found. The receiver drops duplicate destinations; a tracing receiver notes each binding. */
export interface RouteTargets {
  add(binding: Binding): void;
}

export interface Router {
  add(binding: Binding): void;
  remove(binding: Binding): void;
  /** True when the result depends on the routing keys alone, so that a session may keep it until the topology changes. */
  readonly routesByKey: boolean;
  /** Calls `targets.add` for every matching binding. `furtherKeys` is empty for a type that routes each key. */
  route(message: RoutedMessage, targets: RouteTargets, furtherKeys: readonly string[]): void;
}

/** 0 to 1, without 1. */
export type RandomSource = () => number;

export interface ExchangeType {
  readonly name: string;
  /** True when a message is routed again for each further key (CC, BCC); else it is routed once, whatever its keys. */
  readonly routesEachKey: boolean;
  /** Throws BrokerError('precondition-failed') for arguments of a new exchange that this type refuses. */
  validateDeclaration?(args: FieldTable): void;
  /** Throws BrokerError('precondition-failed') for arguments, a key or a destination that this type refuses. */
  validateBinding?(routingKey: string, args: FieldTable, destination: BindingDestination): void;
  createRouter(args: FieldTable, random: RandomSource): Router;
}
