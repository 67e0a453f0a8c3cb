/**
 * What core and auth ask of a store for definitions: virtual hosts, their durable exchanges, queues and bindings,
 * policies and parameters, users and what they may do. Only what is durable is handed over.
 */
import type { FieldTable } from '../field-value.js';
import type { JsonObject, JsonValue } from '../json-value.js';
import type { CommitId } from './message-store.js';

export interface VirtualHostDefinition {
  readonly kind: 'virtual-host';
  readonly name: string;
  /** Older data directories have none. */
  readonly metadata?: VirtualHostMetadata | undefined;
}

export interface VirtualHostMetadata {
  readonly description: string;
  readonly tags: readonly string[];
  /** Of queues that are declared without x-queue-type; undefined is classic. */
  readonly defaultQueueType: string | undefined;
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
  /** Names the exchange's log in the message store; only for a type that keeps messages. */
  readonly logId?: number;
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
  /** Undefined is sha256. */
  readonly hashing?: PasswordHashing | undefined;
  readonly limits?: UserLimits | undefined;
}

export type PasswordHashing = 'sha256' | 'sha512' | 'md5';

/** Undefined or negative is no limit. */
export interface UserLimits {
  readonly maxConnections?: number | undefined;
  readonly maxChannels?: number | undefined;
}

export interface PermissionDefinition {
  readonly kind: 'permission';
  readonly user: string;
  readonly virtualHost: string;
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** Which messages a user may publish to and read from a topic exchange, by routing key. Kept, and not enforced. */
export interface TopicPermissionDefinition {
  readonly kind: 'topic-permission';
  readonly user: string;
  readonly virtualHost: string;
  readonly exchange: string;
  readonly write: string;
  readonly read: string;
}

export interface PolicyDefinition {
  readonly kind: 'policy' | 'operator-policy';
  readonly virtualHost: string;
  readonly name: string;
  readonly pattern: string;
  readonly definition: JsonObject;
  readonly priority: number;
  readonly applyTo: string;
}

/** Settings of a part of the broker (the component) for one virtual host. */
export interface ParameterDefinition {
  readonly kind: 'parameter';
  readonly virtualHost: string;
  readonly component: string;
  readonly name: string;
  readonly value: JsonValue;
}

export interface GlobalParameterDefinition {
  readonly kind: 'global-parameter';
  readonly name: string;
  readonly value: JsonValue;
}

export type Definition =
  | VirtualHostDefinition
  | ExchangeDefinition
  | QueueDefinition
  | BindingDefinition
  | UserDefinition
  | PermissionDefinition
  | TopicPermissionDefinition
  | PolicyDefinition
  | ParameterDefinition
  | GlobalParameterDefinition;

export interface DefinitionStore {
  /** Of the latest change, whoever made it; 0 while there was none and when nothing is kept. */
  readonly lastCommit: CommitId;
  /** Replaces the definition of the same thing. The reply to the client waits until the returned commit is durable. */
  put(definition: Definition): CommitId;
  remove(definition: Definition): CommitId;
  load(): Iterable<Definition>;
}
