/**
 * The headers exchange: a message goes where the arguments of a binding match its headers. `x-match` says whether all
 * of them must or any may, and whether arguments that begin with `x-` take part.
 */
import { BrokerError } from '../../errors.js';
import type { Binding } from '../binding.js';
import { fieldTypeWord, printTerm, sameValue } from '../field-type-words.js';
import { type FieldTable, type FieldValue, lookUp } from '../field-value.js';
import type { ExchangeType, RoutedMessage, Router, RouteTargets } from './exchange-type.js';
import { OrderedSet } from './ordered-set.js';

const MATCH_MODES: readonly string[] = ['all', 'any', 'all-with-x', 'any-with-x'];

/** What a binding asks of the headers. */
interface HeadersPattern {
  readonly binding: Binding;
  readonly any: boolean;
  readonly wanted: FieldTable;
}

class HeadersRouter implements Router {
  readonly routesByKey = false;
  readonly #patterns = new OrderedSet<HeadersPattern>();
  readonly #patternOf = new Map<Binding, HeadersPattern>();

  add(binding: Binding): void {
    if (this.#patternOf.has(binding)) return;
    const pattern = patternOf(binding);
    this.#patternOf.set(binding, pattern);
    this.#patterns.add(pattern);
  }

  remove(binding: Binding): void {
    const pattern = this.#patternOf.get(binding);
    if (pattern === undefined) return;
    this.#patternOf.delete(binding);
    this.#patterns.remove(pattern);
  }

  route(message: RoutedMessage, targets: RouteTargets): void {
    const slots = this.#patterns.slots;
    if (slots.length === 0) return;
    const headers = message.headers;
    for (let i = 0; i < slots.length; i++) {
      const pattern = slots[i];
      if (pattern !== undefined && matches(pattern, headers)) targets.add(pattern.binding);
    }
  }
}

export const HEADERS: ExchangeType = {
  name: 'headers',
  routesEachKey: false,
  validateBinding: (_routingKey, args) => {
    const match = lookUp(args, 'x-match');
    const refusal = match === undefined ? undefined : describeInvalidMatch(match);
    if (refusal !== undefined) throw new BrokerError('precondition-failed', `Invalid x-match field ${refusal}`);
  },
  createRouter: () => new HeadersRouter(),
};

function describeInvalidMatch(match: FieldValue): string | undefined {
  const printed = printTerm(match);
  if (match.type !== 'S') return `type ${fieldTypeWord(match)} (value ${printed}); expected longstr`;
  if (typeof match.value === 'string' && MATCH_MODES.includes(match.value)) return undefined;
  return `value ${printed}; expected all, any, all-with-x, or any-with-x`;
}

function patternOf(binding: Binding): HeadersPattern {
  const match = lookUp(binding.arguments, 'x-match');
  const mode = match?.type === 'S' ? match.value : 'all';
  const withX = mode === 'all-with-x' || mode === 'any-with-x';
  const wanted = binding.arguments.filter(([key]) => key !== 'x-match' && (withX || !key.startsWith('x-')));
  return { binding, any: mode === 'any' || mode === 'any-with-x', wanted };
}

/** Without wanted headers all of them match, and none of them. */
function matches({ any, wanted }: HeadersPattern, headers: FieldTable): boolean {
  for (let i = 0; i < wanted.length; i++) {
    const entry = wanted[i];
    if (entry === undefined) continue;
    const header = lookUp(headers, entry[0]);
    if ((header !== undefined && satisfies(header, entry[1])) === any) return any;
  }
  return !any;
}

/**
 * A void argument asks for presence alone. From 3.13 on RabbitMQ keeps the timestamps of headers in milliseconds and
 * compares those with the seconds of the argument, so a timestamp header equals nothing.
 */
function satisfies(header: FieldValue, wanted: FieldValue): boolean {
  if (wanted.type === 'V') return true;
  return header.type !== 'T' && sameValue(header, wanted);
}
