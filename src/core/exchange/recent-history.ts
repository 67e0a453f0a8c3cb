/**
 * The x-recent-history exchange: a fanout that keeps the latest messages and gives them to whatever is bound to it later,
 * the oldest first. Those with the header `x-recent-history-no-store` set to true are not kept.
 */
import { BrokerError } from '../../errors.js';
import type { Binding } from '../binding.js';
import { printTerm } from '../field-type-words.js';
import { type FieldTable, type FieldValue, lookUp } from '../field-value.js';
import type { ExchangePlace, ExchangeType, RoutedMessage, Router, RouteTargets } from './exchange-type.js';
import { addAll, OrderedSet } from './ordered-set.js';
import { RecentMessages } from './recent-messages.js';

const ARGUMENT = 'x-recent-history-length';
const NO_STORE = 'x-recent-history-no-store';
const DEFAULT_LENGTH = 20;

class RecentHistoryRouter implements Router {
  readonly routesByKey = false;
  readonly #bindings = new OrderedSet<Binding>();
  readonly #history: RecentMessages;

  constructor(args: FieldTable, place: ExchangePlace) {
    const length = lookUp(args, ARGUMENT);
    this.#history = new RecentMessages(
      place,
      length === undefined ? DEFAULT_LENGTH : (lengthOf(length) ?? DEFAULT_LENGTH),
    );
  }

  add(binding: Binding): void {
    this.#bindings.add(binding);
  }

  remove(binding: Binding): void {
    this.#bindings.remove(binding);
  }

  route(message: RoutedMessage, targets: RouteTargets): void {
    const noStore = lookUp(message.headers, NO_STORE);
    if (noStore?.type !== 't' || !noStore.value) targets.copyTo(this.#history);
    addAll(this.#bindings, targets);
  }

  bound({ destination }: Binding): void {
    this.#history.replayTo(destination);
  }

  restore(): void {
    this.#history.restore();
  }

  delete(): void {
    this.#history.delete();
  }
}

export const RECENT_HISTORY: ExchangeType = {
  name: 'x-recent-history',
  routesEachKey: false,
  keepsMessages: () => true,
  validateDeclaration: (args) => {
    const length = lookUp(args, ARGUMENT);
    if (length === undefined || lengthOf(length) !== undefined) return;
    throw new BrokerError(
      'precondition-failed',
      `Invalid argument ${printTerm(length)}, '${ARGUMENT}' must be a positive integer`,
    );
  },
  createRouter: (args, place) => new RecentHistoryRouter(args, place),
};

/** RabbitMQ takes signed integers only. */
function lengthOf(value: FieldValue): number | undefined {
  if (value.type !== 'b' && value.type !== 's' && value.type !== 'I' && value.type !== 'l') return undefined;
  return value.value > 0 ? Number(value.value) : undefined;
}
