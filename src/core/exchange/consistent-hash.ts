/**
 * The consistent hash exchange: messages with the same routing key, or header or property that the declaration names,
 * go to the same destination, and each destination gets a share of them by its weight, which is the binding key.
 *
 * A destination counts once. When it is bound with several weights the largest counts: the first, as in RabbitMQ, would
 * be another one after a restart.
 */
import { BrokerError } from '../../errors.js';
import { type Binding, destinationName } from '../binding.js';
import { fieldTypeWord, printTerm } from '../field-type-words.js';
import { type FieldTable, type FieldValue, lookUp } from '../field-value.js';
import type { ExchangeType, RoutedMessage, Router, RouteTargets, RoutingProperty } from './exchange-type.js';
import { buildLookupTable, type LookupTable, lookUpSlot, type Weighted } from './lookup-table.js';
import { hashText } from './text-hash.js';

const LARGEST_WEIGHT = 10_000;
const PROPERTIES: readonly string[] = ['correlation_id', 'message_id', 'timestamp'] satisfies RoutingProperty[];
/** What hashes when a message has no such header or property: those messages stay together, too. */
const NOTHING = '';

/** What of a message is hashed. */
type HashedText = (message: RoutedMessage) => string;

/** A destination by its heaviest binding. */
interface Candidate extends Weighted {
  readonly binding: Binding;
}

class ConsistentHashRouter implements Router {
  readonly routesByKey: boolean;
  readonly #hashedText: HashedText;
  readonly #bindings = new Set<Binding>();
  /** Undefined after a change, until the next message: many changes in a row cost one table. */
  #table: LookupTable<Candidate> | undefined;

  constructor(args: FieldTable) {
    this.#hashedText = hashedText(args);
    this.routesByKey = this.#hashedText === routingKeyOf;
  }

  add(binding: Binding): void {
    this.#bindings.add(binding);
    this.#table = undefined;
  }

  remove(binding: Binding): void {
    this.#bindings.delete(binding);
    this.#table = undefined;
  }

  route(message: RoutedMessage, targets: RouteTargets): void {
    if (this.#bindings.size === 0) return;
    this.#table ??= buildLookupTable(candidates(this.#bindings));
    const chosen = lookUpSlot(this.#table, hashText(this.#hashedText(message)));
    if (chosen !== undefined) targets.add(chosen.binding);
  }
}

export const CONSISTENT_HASH: ExchangeType = {
  name: 'x-consistent-hash',
  routesEachKey: false,
  validateDeclaration: (args) => {
    const [header, property] = [textArgument(args, 'hash-header'), textArgument(args, 'hash-property')];
    if (header !== undefined && property !== undefined) {
      throw new BrokerError('precondition-failed', 'hash-header and hash-property are mutually exclusive');
    }
    if (property !== undefined && !isRoutingProperty(property)) {
      throw new BrokerError('precondition-failed', `Unsupported property: ${property}`);
    }
  },
  validateBinding: (routingKey) => {
    const refusal = describeInvalidWeight(routingKey);
    if (refusal !== undefined) throw new BrokerError('precondition-failed', refusal);
  },
  createRouter: (args) => new ConsistentHashRouter(args),
};

function hashedText(args: FieldTable): HashedText {
  const [header, property] = [textArgument(args, 'hash-header'), textArgument(args, 'hash-property')];
  if (header !== undefined) return ({ headers }) => textOf(lookUp(headers, header));
  if (property === undefined || !isRoutingProperty(property)) return routingKeyOf;
  return (message) => message.property(property) ?? NOTHING;
}

function routingKeyOf({ routingKey }: RoutedMessage): string {
  return routingKey;
}

/** Integers of any width are equal. Of an array RabbitMQ hashes the first element. */
function textOf(value: FieldValue | undefined): string {
  if (value === undefined) return NOTHING;
  if (value.type === 'A') return textOf(value.value[0]);
  return value.type === 'S' && typeof value.value === 'string' ? value.value : printTerm(value);
}

function textArgument(args: FieldTable, name: string): string | undefined {
  const value = lookUp(args, name);
  if (value === undefined) return undefined;
  if (value.type === 'S' && typeof value.value === 'string') return value.value;
  throw new BrokerError('precondition-failed', `invalid type '${fieldTypeWord(value)}' for arg '${name}'`);
}

function isRoutingProperty(name: string): name is RoutingProperty {
  return PROPERTIES.includes(name);
}

function describeInvalidWeight(routingKey: string): string | undefined {
  if (!/^[+-]?[0-9]+$/.test(routingKey)) {
    return `The binding key must be an integer: ${printTerm({ type: 'S', value: routingKey })}`;
  }
  const weight = Number(routingKey);
  if (weight < 1) return 'The binding key must be greater than 0';
  return weight > LARGEST_WEIGHT ? `The binding key must not exceed ${LARGEST_WEIGHT}` : undefined;
}

function candidates(bindings: Iterable<Binding>): Iterable<Candidate> {
  const heaviest = new Map<string, Candidate>();
  for (const binding of bindings) {
    const { destination, routingKey } = binding;
    const name = `${destination.kind} ${destinationName(destination)}`;
    const weight = Number(routingKey);
    const known = heaviest.get(name);
    if (known === undefined || weight > known.weight) heaviest.set(name, { name, weight, binding });
  }
  return heaviest.values();
}
