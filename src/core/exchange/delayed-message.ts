/**
 * The x-delayed-message exchange: it holds a message back for as long as its x-delay header says, and then routes it as
 * an exchange of the type does that `x-delayed-type` names. Without such a header it does so at once.
 */
import { BrokerError } from '../../errors.js';
import type { Binding, BindingDestination } from '../binding.js';
import { type FieldTable, lookUp } from '../field-value.js';
import type { RecordSource } from '../log/record.js';
import type { MessageTarget, PublishOutcome } from '../queue/queue.js';
import { routeKeys } from '../router.js';
import { delayOf } from './delay-header.js';
import { DelayedMessages } from './delayed-messages.js';
import type { ExchangePlace, ExchangeType, RoutedMessage, Router, RouteTargets } from './exchange-type.js';

const NAME = 'x-delayed-message';
const ARGUMENT = 'x-delayed-type';

/** One message's way into the log: the delay is known when it is routed, which in a transaction is before it is delivered. */
class Delay implements MessageTarget {
  readonly #messages: DelayedMessages;
  readonly #delayMs: number;

  constructor(messages: DelayedMessages, delayMs: number) {
    this.#messages = messages;
    this.#delayMs = delayMs;
  }

  enqueue(source: RecordSource, outcome: PublishOutcome): void {
    this.#messages.hold(source, this.#delayMs, outcome);
  }
}

class DelayedRouter implements Router {
  readonly routesByKey = false;
  readonly #type: ExchangeType;
  readonly #inner: Router;
  readonly #messages: DelayedMessages;

  constructor(type: ExchangeType, args: FieldTable, place: ExchangePlace) {
    this.#type = type;
    // The one log there is belongs to what is delayed.
    this.#inner = type.createRouter(args, { ...place, logId: undefined });
    this.#messages = new DelayedMessages(place);
  }

  validateBinding(routingKey: string, args: FieldTable, destination: BindingDestination): void {
    this.#type.validateBinding?.(routingKey, args, destination);
    this.#inner.validateBinding?.(routingKey, args, destination);
  }

  add(binding: Binding): void {
    this.#inner.add(binding);
  }

  remove(binding: Binding): void {
    this.#inner.remove(binding);
  }

  route(message: RoutedMessage, targets: RouteTargets, furtherKeys: readonly string[]): void {
    const delayMs = delayOf(message.headers);
    if (delayMs === 0) routeKeys(this.#type, this.#inner, message, targets, furtherKeys);
    else targets.divertTo(new Delay(this.#messages, delayMs));
  }

  bound(binding: Binding): void {
    this.#inner.bound?.(binding);
  }

  restore(): void {
    this.#messages.restore();
  }

  delete(): void {
    this.#messages.delete();
    this.#inner.delete?.();
  }
}

/** `typeOf` finds the other types: this one is made of them. */
export function delayedMessage(typeOf: (name: string) => ExchangeType | undefined): ExchangeType {
  const innerType = (args: FieldTable): ExchangeType => {
    const value = lookUp(args, ARGUMENT);
    const name = value?.type === 'S' ? value.value : undefined;
    if (typeof name !== 'string') throw refusal(`Invalid argument, '${ARGUMENT}' must be an existing exchange type`);
    if (name === NAME) throw refusal(`Invalid argument, '${NAME}' can't be used for '${ARGUMENT}'`);
    const type = typeOf(name);
    if (type === undefined) throw refusal(`unknown exchange type '${name}'`);
    return type;
  };
  return {
    name: NAME,
    routesEachKey: false,
    keepsMessages: () => true,
    validateDeclaration: (args) => innerType(args).validateDeclaration?.(args),
    createRouter: (args, place) => new DelayedRouter(innerType(args), args, place),
  };
}

function refusal(text: string): BrokerError {
  return new BrokerError('precondition-failed', text);
}
