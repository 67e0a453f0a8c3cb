/**
 * Settings of the whole broker under names that whoever sets them chooses; they mean nothing to the broker itself.
 */
import type { JsonValue } from './json-value.js';
import type { Definition, DefinitionStore } from './ports/definition-store.js';

export interface GlobalParameter {
  readonly name: string;
  readonly value: JsonValue;
}

export class GlobalParameters {
  readonly #definitions: DefinitionStore;
  readonly #values = new Map<string, JsonValue>();

  constructor(definitions: DefinitionStore) {
    this.#definitions = definitions;
  }

  restore(definitions: readonly Definition[]): void {
    for (const definition of definitions) {
      if (definition.kind === 'global-parameter') this.#values.set(definition.name, definition.value);
    }
  }

  list(): readonly GlobalParameter[] {
    return [...this.#values].map(([name, value]) => ({ name, value }));
  }

  set(name: string, value: JsonValue): void {
    this.#values.set(name, value);
    this.#definitions.put({ kind: 'global-parameter', name, value });
  }

  /** False: there is none. */
  clear(name: string): boolean {
    const value = this.#values.get(name);
    if (value === undefined) return false;
    this.#values.delete(name);
    this.#definitions.remove({ kind: 'global-parameter', name, value });
    return true;
  }
}
