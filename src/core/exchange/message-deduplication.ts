/**
 * The x-message-deduplication exchange: a fanout that routes a message only if the value of its x-deduplication-header
 * was not seen before, or not for a while. A duplicate finds no destination here, so that it goes to the alternate
 * exchange or, when it is mandatory, back.
 */
import { BrokerError } from '../../errors.js';
import type { Binding } from '../binding.js';
import { deduplicationHeader, deduplicationKey } from '../deduplication-key.js';
import { isInteger } from '../field-type-words.js';
import { type FieldTable, lookUp } from '../field-value.js';
import type { ExchangePlace, ExchangeType, RoutedMessage, Router, RouteTargets } from './exchange-type.js';
import { KeyLog } from './key-log.js';
import { addAll, OrderedSet } from './ordered-set.js';
import { SeenKeys } from './seen-keys.js';

const SIZE = 'x-cache-size';
/** Of an exchange, and as a header of one message. */
const TTL = 'x-cache-ttl';
const PERSISTENCE = 'x-cache-persistence';

class DeduplicationRouter implements Router {
  readonly routesByKey = false;
  readonly #bindings = new OrderedSet<Binding>();
  readonly #header: string;
  readonly #ttlMs: number | undefined;
  readonly #seen: SeenKeys;

  constructor(args: FieldTable, place: ExchangePlace) {
    this.#header = deduplicationHeader(args);
    this.#ttlMs = positiveInteger(args, TTL);
    const log = isKept(args) ? new KeyLog(place) : undefined;
    this.#seen = new SeenKeys(positiveInteger(args, SIZE) ?? 1, place.host.logs.clock, log);
  }

  add(binding: Binding): void {
    this.#bindings.add(binding);
  }

  remove(binding: Binding): void {
    this.#bindings.remove(binding);
  }

  route({ headers }: RoutedMessage, targets: RouteTargets): void {
    const key = deduplicationKey(headers, this.#header);
    if (key !== undefined && !this.#seen.add(key, ttlOf(headers) ?? this.#ttlMs)) return;
    addAll(this.#bindings, targets);
  }

  restore(): void {
    this.#seen.restore();
  }

  delete(): void {
    this.#seen.forget();
  }
}

export const MESSAGE_DEDUPLICATION: ExchangeType = {
  name: 'x-message-deduplication',
  routesEachKey: false,
  keepsMessages: isKept,
  validateDeclaration: (args) => {
    if (positiveInteger(args, SIZE) === undefined) {
      throw refusal(`Missing or invalid argument, '${SIZE}' must be an integer greater than 0`);
    }
    if (lookUp(args, TTL) !== undefined && positiveInteger(args, TTL) === undefined) {
      throw refusal(`Invalid argument, '${TTL}' must be an integer greater than 0`);
    }
    const persistence = lookUp(args, PERSISTENCE);
    if (persistence === undefined) return;
    if (persistence.type === 'S' && (persistence.value === 'disk' || persistence.value === 'memory')) return;
    throw refusal(`Invalid argument, '${PERSISTENCE}' must be either 'disk' or 'memory'`);
  },
  createRouter: (args, place) => new DeduplicationRouter(args, place),
};

/** Whether what was seen outlives the broker. */
function isKept(args: FieldTable): boolean {
  const persistence = lookUp(args, PERSISTENCE);
  return persistence?.type === 'S' && persistence.value === 'disk';
}

/** undefined when it is missing or something else. A string that holds one will do. */
function positiveInteger(args: FieldTable, key: string): number | undefined {
  const value = lookUp(args, key);
  if (value === undefined) return undefined;
  const isText = value.type === 'S' && typeof value.value === 'string' && /^\+?[0-9]+$/.test(value.value);
  const number = isInteger(value) || isText ? Number(value.value) : 0;
  return number > 0 ? number : undefined;
}

function ttlOf(headers: FieldTable): number | undefined {
  const value = lookUp(headers, TTL);
  return value !== undefined && isInteger(value) ? Number(value.value) : undefined;
}

function refusal(text: string): BrokerError {
  return new BrokerError('precondition-failed', text);
}
