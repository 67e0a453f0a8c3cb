/**
 * Users, their tags, salted password hashes, and what they may do in each virtual host. In memory, and written through
 * to the definition store; passwords themselves are kept nowhere.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type {
  Definition,
  DefinitionStore,
  PasswordHashing,
  PermissionDefinition,
  TopicPermissionDefinition,
  UserDefinition,
  UserLimits,
} from '../core/ports/definition-store.js';
import { BrokerError } from '../errors.js';
import { type PermissionPatterns, Permissions } from './permissions.js';

const SALT_BYTES = 4;

export interface User {
  readonly name: string;
  readonly tags: readonly string[];
}

interface Granted {
  readonly definition: PermissionDefinition;
  readonly permissions: Permissions;
}

/** What is known of a user; the password's hash has RabbitMQ's form: 4 bytes of salt, then the hash of salt and password. */
export interface UserRecord extends User {
  /** Undefined: no password logs in. */
  readonly passwordHash: Uint8Array | undefined;
  readonly hashing: PasswordHashing;
  readonly limits: UserLimits;
}

interface StoredUser extends UserRecord {
  /** By virtual host. */
  readonly granted: Map<string, Granted>;
  /** By virtual host and exchange. Kept for who asks, and not enforced. */
  readonly topics: Map<string, TopicPermissionDefinition>;
}

export class UserStore {
  readonly #definitions: DefinitionStore;
  readonly #users = new Map<string, StoredUser>();
  /** Moves on with every change, which ends cached decisions. */
  epoch = 1;

  constructor(definitions: DefinitionStore) {
    this.#definitions = definitions;
  }

  get size(): number {
    return this.#users.size;
  }

  /** Takes back what the store kept, which may hold other definitions too. */
  restore(definitions: readonly Definition[]): void {
    for (const definition of definitions) if (definition.kind === 'user') this.#insert(definition);
    for (const definition of definitions) {
      if (definition.kind === 'permission') this.#grant(definition);
      else if (definition.kind === 'topic-permission')
        this.#stored(definition.user).topics.set(topicKey(definition), definition);
    }
    this.epoch++;
  }

  get all(): readonly UserRecord[] {
    return [...this.#users.values()];
  }

  get allPermissions(): readonly PermissionDefinition[] {
    return [...this.#users.values()].flatMap(({ granted }) =>
      [...granted.values()].map(({ definition }) => definition),
    );
  }

  get allTopicPermissions(): readonly TopicPermissionDefinition[] {
    return [...this.#users.values()].flatMap(({ topics }) => [...topics.values()]);
  }

  /** A user of that name is replaced: their permissions go. */
  add(name: string, password: string, tags: readonly string[]): void {
    this.#clearAllPermissions(name);
    this.#users.delete(name);
    this.put({ name, tags, ...hashedPassword(password), limits: {} });
  }

  /** Adds a user, or changes one who keeps their permissions. */
  put({ name, tags, passwordHash, hashing, limits }: UserRecord): void {
    const definition: UserDefinition = {
      kind: 'user',
      name,
      tags: [...tags],
      passwordHash,
      ...(hashing !== 'sha256' && { hashing }),
      ...(Object.keys(limits).length > 0 && { limits }),
    };
    this.#insert(definition);
    this.#definitions.put(definition);
    this.epoch++;
  }

  /** Throws BrokerError('not-found') for an unknown user. */
  setLimits(name: string, limits: UserLimits): void {
    this.put({ ...this.#stored(name), limits });
  }

  /** The user goes, with their permissions. An unknown one is no error. */
  remove(name: string): void {
    const user = this.#users.get(name);
    if (user === undefined) return;
    this.#clearAllPermissions(name);
    this.#users.delete(name);
    this.#definitions.remove({ kind: 'user', name, tags: user.tags, passwordHash: user.passwordHash });
    this.epoch++;
  }

  find(name: string): UserRecord | undefined {
    return this.#users.get(name);
  }

  /** Constant time in the password; an empty one never matches. */
  verify(name: string, password: Uint8Array): User | undefined {
    const user = this.#users.get(name);
    const stored = user?.passwordHash;
    if (user === undefined || stored === undefined || password.length === 0) return undefined;
    const given = hash(password, stored.subarray(0, SALT_BYTES), user.hashing);
    return stored.length === given.length && timingSafeEqual(stored, given) ? user : undefined;
  }

  /** Throws SyntaxError when a pattern is no regular expression, BrokerError('not-found') for an unknown user. */
  setPermissions(name: string, virtualHost: string, patterns: PermissionPatterns): void {
    const { configure, write, read } = patterns;
    const definition: PermissionDefinition = { kind: 'permission', user: name, virtualHost, configure, write, read };
    this.#grant(definition);
    this.#definitions.put(definition);
    this.epoch++;
  }

  clearPermissions(name: string, virtualHost: string): void {
    const granted = this.#users.get(name)?.granted;
    const definition = granted?.get(virtualHost)?.definition;
    if (definition !== undefined) {
      granted?.delete(virtualHost);
      this.#definitions.remove(definition);
    }
    this.epoch++;
  }

  /** Throws BrokerError('not-found') for an unknown user. */
  setTopicPermissions(definition: TopicPermissionDefinition): void {
    this.#stored(definition.user).topics.set(topicKey(definition), definition);
    this.#definitions.put(definition);
  }

  /** Nobody may do anything in that virtual host any more. */
  clearVirtualHost(virtualHost: string): void {
    for (const { name, topics } of this.#users.values()) {
      this.clearPermissions(name, virtualHost);
      for (const definition of topics.values()) {
        if (definition.virtualHost === virtualHost) this.#removeTopic(topics, definition);
      }
    }
  }

  permissions(name: string, virtualHost: string): Permissions | undefined {
    return this.#users.get(name)?.granted.get(virtualHost)?.permissions;
  }

  #insert({ name, tags, passwordHash, hashing = 'sha256', limits = {} }: UserDefinition): void {
    const { granted, topics } = this.#users.get(name) ?? { granted: new Map(), topics: new Map() };
    this.#users.set(name, { name, tags, passwordHash, hashing, limits, granted, topics });
  }

  #stored(name: string): StoredUser {
    const user = this.#users.get(name);
    if (user === undefined) throw new BrokerError('not-found', `no user '${name}'`);
    return user;
  }

  #grant(definition: PermissionDefinition): void {
    const { granted } = this.#stored(definition.user);
    granted.set(definition.virtualHost, { definition, permissions: new Permissions(definition) });
  }

  #removeTopic(topics: Map<string, TopicPermissionDefinition>, definition: TopicPermissionDefinition): void {
    topics.delete(topicKey(definition));
    this.#definitions.remove(definition);
  }

  #clearAllPermissions(name: string): void {
    const user = this.#users.get(name);
    if (user === undefined) return;
    for (const virtualHost of [...user.granted.keys()]) this.clearPermissions(name, virtualHost);
    for (const definition of [...user.topics.values()]) this.#removeTopic(user.topics, definition);
  }
}

/** With new salt. */
export function hashedPassword(password: string): Pick<UserRecord, 'passwordHash' | 'hashing'> {
  return { passwordHash: hash(password, randomBytes(SALT_BYTES), 'sha256'), hashing: 'sha256' };
}

function hash(password: string | Uint8Array, salt: Uint8Array, hashing: PasswordHashing): Buffer {
  return Buffer.concat([salt, createHash(hashing).update(salt).update(password).digest()]);
}

function topicKey({ virtualHost, exchange }: TopicPermissionDefinition): string {
  return JSON.stringify([virtualHost, exchange]);
}
