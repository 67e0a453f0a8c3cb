/**
 * What happens in a broker, for whoever wants to know: the event exchange, and whatever counts or lists. An event costs
 * next to nothing while nobody listens.
 */
import type { FieldTable, FieldValue } from './field-value.js';

export type EventKey =
  | `${'exchange' | 'queue' | 'vhost' | 'user' | 'permission' | 'consumer'}.${'created' | 'deleted'}`
  | `binding.${'created' | 'deleted'}`
  | `${'connection' | 'channel'}.${'created' | 'closed'}`
  | `${'policy' | 'parameter' | 'alarm'}.${'set' | 'cleared'}`
  | `user.authentication.${'success' | 'failure'}`;

export type EventListener = (key: EventKey, facts: FieldTable) => void;

/** Who acts when no client does. */
const INTERNAL = 'rmq-internal';

export class Events {
  readonly #listeners = new Set<EventListener>();
  #actor = INTERNAL;

  listen(listener: EventListener): void {
    this.#listeners.add(listener);
  }

  /** `facts` are only asked for when somebody listens. Who acts is added. */
  emit(key: EventKey, facts: () => FieldTable): void {
    if (this.#listeners.size === 0) return;
    const all: FieldTable = [['user_who_performed_action', text(this.#actor)], ...facts()];
    for (const listener of this.#listeners) listener(key, all);
  }

  /** What `act` causes was done by `user`. */
  by<Result>(user: string, act: () => Result): Result {
    if (this.#listeners.size === 0) return act();
    const before = this.#actor;
    this.#actor = user;
    try {
      return act();
    } finally {
      this.#actor = before;
    }
  }
}

export function text(value: string): FieldValue {
  return { type: 'S', value };
}

export function flag(value: boolean): FieldValue {
  return { type: 't', value };
}

export function table(value: FieldTable): FieldValue {
  return { type: 'F', value };
}
