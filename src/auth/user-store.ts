/**
 * Users, their tags, salted password hashes, and what they may do in each virtual host. In memory, and written through
 * to the definition store; passwords themselves are kept nowhere.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type {
  Definition,
  DefinitionStore,
  PermissionDefinition,
  UserDefinition,
} from '../core/ports/definition-store.js';
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

interface StoredUser extends User {
  /** RabbitMQ's form: 4 bytes of salt, then SHA-256 of salt and password. Undefined: no password logs in. */
  readonly passwordHash: Uint8Array | undefined;
  /** By virtual host. */
  readonly granted: Map<string, Granted>;
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
    for (const definition of definitions) if (definition.kind === 'permission') this.#grant(definition);
    this.epoch++;
  }

  /** A user of that name is replaced: their permissions go. */
  add(name: string, password: string, tags: readonly string[]): void {
    this.#clearAllPermissions(name);
    const passwordHash = hash(password, randomBytes(SALT_BYTES));
    const definition: UserDefinition = { kind: 'user', name, tags: [...tags], passwordHash };
    this.#insert(definition);
    this.#definitions.put(definition);
    this.epoch++;
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

  find(name: string): User | undefined {
    return this.#users.get(name);
  }

  /** Constant time in the password; an empty one never matches. */
  verify(name: string, password: Uint8Array): User | undefined {
    const user = this.#users.get(name);
    const stored = user?.passwordHash;
    if (user === undefined || stored === undefined || password.length === 0) return undefined;
    return timingSafeEqual(stored, hash(password, stored.subarray(0, SALT_BYTES))) ? user : undefined;
  }

  /** Throws SyntaxError when a pattern is no regular expression, Error for an unknown user. */
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

  permissions(name: string, virtualHost: string): Permissions | undefined {
    return this.#users.get(name)?.granted.get(virtualHost)?.permissions;
  }

  #insert({ name, tags, passwordHash }: UserDefinition): void {
    this.#users.set(name, { name, tags, passwordHash, granted: new Map() });
  }

  #grant(definition: PermissionDefinition): void {
    const user = this.#users.get(definition.user);
    if (user === undefined) throw new Error(`no user '${definition.user}'`);
    user.granted.set(definition.virtualHost, { definition, permissions: new Permissions(definition) });
  }

  #clearAllPermissions(name: string): void {
    for (const virtualHost of [...(this.#users.get(name)?.granted.keys() ?? [])]) {
      this.clearPermissions(name, virtualHost);
    }
  }
}

function hash(password: string | Uint8Array, salt: Uint8Array): Buffer {
  return Buffer.concat([salt, createHash('sha256').update(salt).update(password).digest()]);
}
