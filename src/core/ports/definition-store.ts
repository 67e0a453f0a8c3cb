/**
 * What core and auth ask of a store for definitions: virtual hosts, their durable exchanges, queues and bindings, users
 * and what they may do. Only what is durable is handed over.
 */
import type { FieldTable } from '../field-value.js';
import type { CommitId } from './message-store.js';

export interface VirtualHostDefinition {
  readonly kind: 'virtual-host';
  readonly name: string;
}

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
  /** Names the queue's first log in the message store; the others have the numbers above it. */
  readonly id: number;
  readonly logCount: number;
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

export interface UserDefinition {
  readonly kind: 'user';
  readonly name: string;
  readonly tags: readonly string[];
  /** Salt and hash, never the password. Undefined: no password logs in. */
  readonly passwordHash: Uint8Array | undefined;
}

export interface PermissionDefinition {
  readonly kind: 'permission';
  readonly user: string;
  readonly virtualHost: string;
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

export type Definition =
  | VirtualHostDefinition
  | ExchangeDefinition
  | QueueDefinition
  | BindingDefinition
  | UserDefinition
  | PermissionDefinition;

export interface DefinitionStore {
  /** Of the latest change, whoever made it; 0 while there was none and when nothing is kept. */
  readonly lastCommit: CommitId;
  /** Replaces the definition of the same thing. The reply to the client waits until the returned commit is durable. */
  put(definition: Definition): CommitId;
  remove(definition: Definition): CommitId;
  load(): Iterable<Definition>;
}
