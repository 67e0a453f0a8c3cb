/**
 * What an exchange type provides, and what its exchanges get from the virtual host. A new type is one file and one line
 * in `EXCHANGE_TYPES` (`registry.ts`).
 */
import type { Binding, BindingDestination } from '../binding.js';
import type { Deadlines } from '../deadlines.js';
import type { FieldTable } from '../field-value.js';
import type { LogEnvironment } from '../log/log-environment.js';
import type { RecordSource } from '../log/record.js';
import type { PropertiesCodec } from '../ports/properties-codec.js';
import type { MessageTarget, PublishOutcome, Queue } from '../queue/queue.js';
import type { RouteWalk } from '../router.js';
import type { Origin } from '../tracer.js';
import type { Turn } from '../turn.js';
import type { Exchange } from './exchange.js';

/** Properties that a type may route by, as RabbitMQ's arguments name them. */
export type RoutingProperty = 'correlation_id' | 'message_id' | 'timestamp';

/** The part of a message that routing may look at. */
export interface RoutedMessage {
  /** Of what a client publishes. */
  readonly origin?: Origin | undefined;
  readonly routingKey: string;
  /** Decoded on first use: a type that routes by key never pays for it. */
  readonly headers: FieldTable;
  /** As text; undefined when the message has none. Read when asked for. */
  property(name: RoutingProperty): string | undefined;
}

/** Collects what a router found. The receiver drops duplicate destinations; a tracing receiver notes each binding. */
export interface RouteTargets {
  add(binding: Binding): void;
  /** The exchange itself takes a copy, wherever else the message goes. */
  copyTo(target: MessageTarget): void;
  /** The exchange itself takes the message, which for now goes nowhere else: not to an alternate exchange either. */
  divertTo(target: MessageTarget): void;
}

export interface Router {
  /** As the type's, for what depends on the arguments of the exchange. */
  validateBinding?(routingKey: string, args: FieldTable, destination: BindingDestination): void;
  add(binding: Binding): void;
  remove(binding: Binding): void;
  /** True when the result depends on the routing keys alone, so that a session may keep it until the topology changes. */
  readonly routesByKey: boolean;
  /** Calls `targets.add` for every matching binding. `furtherKeys` is empty for a type that routes each key. */
  route(message: RoutedMessage, targets: RouteTargets, furtherKeys: readonly string[]): void;
  /** A client has made the binding, which was added before. Not called for what a restart brings back. */
  bound?(binding: Binding): void;
  /** Takes back the messages that the store kept. Only before anything else happens to the exchange. */
  restore?(): void;
  /** The exchange is gone, and so are the messages it kept. */
  delete?(): void;
}

/** What exchanges get of the virtual host. */
export interface ExchangeHost {
  readonly turn: Turn;
  readonly logs: LogEnvironment;
  readonly deadlines: Deadlines;
  readonly properties: PropertiesCodec;
  readonly random: RandomSource;
  route(exchange: Exchange, message: RoutedMessage, furtherKeys: readonly string[]): RouteWalk;
  deliver(targets: readonly MessageTarget[], source: RecordSource, outcome: PublishOutcome): void;
}

/** Where a router is. */
export interface ExchangePlace {
  readonly host: ExchangeHost;
  readonly exchange: Exchange;
  /** Of the exchange's log; undefined when nothing in it outlives the process. */
  readonly logId: number | undefined;
}

/** 0 to 1, without 1. */
export type RandomSource = () => number;

/** What a type may know of the destination of a binding, which may be yet to come. */
export type KnownDestination =
  | { readonly kind: 'queue'; readonly queue: Pick<Queue, 'name' | 'type'> }
  | { readonly kind: 'exchange' };

export interface ExchangeType {
  readonly name: string;
  /** True when a message is routed again for each further key (CC, BCC); else it is routed once, whatever its keys. */
  readonly routesEachKey: boolean;
  /** An exchange with these arguments keeps messages: it gets a log of its own. */
  keepsMessages?(args: FieldTable): boolean;
  /** Throws BrokerError('precondition-failed') for arguments of a new exchange that this type refuses. */
  validateDeclaration?(args: FieldTable): void;
  /** Throws BrokerError('precondition-failed') for arguments, a key or a destination that this type refuses. */
  validateBinding?(routingKey: string, args: FieldTable, destination: KnownDestination): void;
  createRouter(args: FieldTable, place: ExchangePlace): Router;
}
