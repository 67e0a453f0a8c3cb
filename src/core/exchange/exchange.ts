/**
 * An exchange: its flags, the bindings that leave it, and the router its type made for them.
 */
import { type Binding, type BindingDestination, destinationName } from '../binding.js';
import type { FieldTable, FieldValue } from '../field-value.js';
import { lookUp } from '../field-value.js';
import type { ExchangeHost, ExchangeType, Router } from './exchange-type.js';

export interface ExchangeOptions {
  readonly durable: boolean;
  readonly autoDelete: boolean;
  /** Only other exchanges may publish to it. */
  readonly internal: boolean;
  readonly arguments: FieldTable;
}

export class Exchange {
  readonly name: string;
  readonly type: ExchangeType;
  readonly options: ExchangeOptions;
  /** Names the exchange's log in the store; undefined when its type keeps no messages. */
  readonly logId: number | undefined;
  readonly router: Router;
  /** Bindings from other exchanges that lead here. */
  readonly incoming = new Set<Binding>();
  readonly counters = { publishedIn: 0 };
  /** The router's mark: the walk that visited this exchange last. */
  routeMark = 0;
  /** Where messages go that find no destination here. */
  alternateExchange: string | undefined;
  readonly #outgoing = new Map<string, Binding>();

  constructor(name: string, type: ExchangeType, options: ExchangeOptions, host: ExchangeHost, logId?: number) {
    this.name = name;
    this.type = type;
    this.options = options;
    this.logId = logId;
    this.router = type.createRouter(options.arguments, { host, exchange: this, logId });
    this.configure(undefined);
  }

  /** A policy names another alternate exchange, or none any more. The exchange's own argument wins. */
  configure(alternateExchange: string | undefined): void {
    const value = lookUp(this.options.arguments, 'alternate-exchange');
    const own = value?.type === 'S' && typeof value.value === 'string' ? value.value : undefined;
    this.alternateExchange = own ?? alternateExchange;
  }

  get outgoing(): Iterable<Binding> {
    return this.#outgoing.values();
  }

  get outgoingCount(): number {
    return this.#outgoing.size;
  }

  /** The binding with this identity, if there is one. */
  find(destination: BindingDestination, routingKey: string, args: FieldTable): Binding | undefined {
    return this.#outgoing.get(bindingIdentity(destination, routingKey, args));
  }

  add(binding: Binding): void {
    this.#outgoing.set(bindingIdentity(binding.destination, binding.routingKey, binding.arguments), binding);
    this.router.add(binding);
  }

  remove(binding: Binding): void {
    this.#outgoing.delete(bindingIdentity(binding.destination, binding.routingKey, binding.arguments));
    this.router.remove(binding);
  }
}

/** Names and keys may hold any character, so the parts are quoted, not joined. */
function bindingIdentity(destination: BindingDestination, routingKey: string, args: FieldTable): string {
  const parts = JSON.stringify([destination.kind, destinationName(destination), routingKey]);
  return args.length === 0 ? parts : parts + JSON.stringify(canonicalTable(args));
}

function canonicalTable(table: FieldTable): unknown {
  return table
    .map(([key, value]) => [key, canonicalValue(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function canonicalValue(value: FieldValue): unknown {
  switch (value.type) {
    case 'A':
      return ['A', value.value.map(canonicalValue)];
    case 'F':
      return ['F', canonicalTable(value.value)];
    case 'D':
      return ['D', value.scale, value.value];
    case 'V':
      return ['V'];
    case 'S':
    case 'x':
      return typeof value.value === 'string' ? ['S', value.value] : [value.type, Array.from(value.value)];
    case 't':
      return ['t', value.value];
    case 'f':
    case 'd':
      return [value.type, String(value.value)];
    default:
      return [value.type, String(value.value)];
  }
}
