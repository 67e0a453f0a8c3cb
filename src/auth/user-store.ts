/**
 * Users, their tags, salted password hashes, and what they may do in each virtual host. Kept in memory for now.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type PermissionPatterns, Permissions } from './permissions.js';

const SALT_BYTES = 4;

export interface User {
  readonly name: string;
  readonly tags: readonly string[];
}

interface StoredUser extends User {
  /** RabbitMQ's form: 4 bytes of salt, then SHA-256 of salt and password. Undefined: no password logs in. */
  readonly passwordHash: Buffer | undefined;
  readonly permissions: Map<string, Permissions>;
}

export class UserStore {
  readonly #users = new Map<string, StoredUser>();
  /** Moves on with every change, which ends cached decisions. */
  epoch = 1;

  add(name: string, password: string, tags: readonly string[]): void {
    this.#users.set(name, {
      name,
      tags,
      passwordHash: hash(password, randomBytes(SALT_BYTES)),
      permissions: new Map(),
    });
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
    const user = this.#users.get(name);
    if (user === undefined) throw new Error(`no user '${name}'`);
    user.permissions.set(virtualHost, new Permissions(patterns));
    this.epoch++;
  }

  clearPermissions(name: string, virtualHost: string): void {
    this.#users.get(name)?.permissions.delete(virtualHost);
    this.epoch++;
  }

  permissions(name: string, virtualHost: string): Permissions | undefined {
    return this.#users.get(name)?.permissions.get(virtualHost);
  }
}

function hash(password: string | Uint8Array, salt: Buffer): Buffer {
  return Buffer.concat([salt, createHash('sha256').update(salt).update(password).digest()]);
}
