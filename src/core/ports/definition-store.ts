/**
 * What the core asks of a store for definitions: durable exchanges, queues and bindings of the virtual hosts. Only
 * durable ones are handed over.
 */
import type { FieldTable } from '../field-value.js';
import type { CommitId } from './message-store.js';

interface Named {
  readonly virtualHost: string;
  readonly name: string;
  readonly autoDelete: boolean;
  readonly arguments: FieldTable;
}

export interface ExchangeDefinition extends Named {
  readonly kind: 'exchange';
  readonly type: string;
  readonly internal: boolean;
}

export interface QueueDefinition extends Named {
  readonly kind: 'queue';
  /** Names the queue's log in the message store. */
  readonly id: number;
  readonly type: string;
}

export interface BindingDefinition {
  readonly kind: 'binding';
  readonly virtualHost: string;
  readonly source: string;
  readonly destinationKind: 'queue' | 'exchange';
  readonly destination: string;
  readonly routingKey: string;
  readonly arguments: FieldTable;
}

export type Definition = ExchangeDefinition | QueueDefinition | BindingDefinition;

export interface DefinitionStore {
  /** The reply to the client waits until the returned commit is durable. */
  put(definition: Definition): CommitId;
  remove(definition: Definition): CommitId;
  load(): Iterable<Definition>;
}
