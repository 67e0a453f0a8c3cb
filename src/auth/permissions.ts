/**
 * What a user may do in a virtual host: three patterns over resource names, as RabbitMQ has them. An empty pattern
 * matches nothing; a pattern matches anywhere in the name unless it is anchored.
 */
import { compilePattern } from '../core/pattern.js';

export type Access = 'configure' | 'write' | 'read';

export interface PermissionPatterns {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

export const FULL_PERMISSIONS: PermissionPatterns = { configure: '.*', write: '.*', read: '.*' };

/** The answers last given, per access and name, are kept up to this many. */
const REMEMBERED = 4096;

export class Permissions {
  readonly #patterns: Readonly<Record<Access, RegExp | undefined>>;
  readonly #everything: Readonly<Record<Access, boolean>>;
  readonly #answers: Record<Access, Map<string, boolean>> = {
    configure: new Map(),
    write: new Map(),
    read: new Map(),
  };

  /** Throws SyntaxError when a pattern is no regular expression. */
  constructor(patterns: PermissionPatterns) {
    this.#patterns = {
      configure: compile(patterns.configure),
      write: compile(patterns.write),
      read: compile(patterns.read),
    };
    this.#everything = {
      configure: patterns.configure === '.*',
      write: patterns.write === '.*',
      read: patterns.read === '.*',
    };
  }

  allows(access: Access, name: string): boolean {
    if (this.#everything[access]) return true;
    const answers = this.#answers[access];
    let allowed = answers.get(name);
    if (allowed === undefined) {
      allowed = this.#patterns[access]?.test(name) ?? false;
      if (answers.size >= REMEMBERED) answers.clear();
      answers.set(name, allowed);
    }
    return allowed;
  }
}

function compile(pattern: string): RegExp | undefined {
  return pattern === '' ? undefined : compilePattern(pattern);
}
