/**
 * The definitions of a data directory, one record each. A record's key is a number, not a name: names may be longer than
 * a key can be. All definitions are known in memory, so this only ever writes.
 */
import type { Definition, DefinitionStore } from '../../core/ports/definition-store.js';
import type { CommitId } from '../../core/ports/message-store.js';
import type { BatchWriter } from './batch-writer.js';
import { decodeDefinition, encodeDefinition, identityOf } from './definition-records.js';
import { numberKeyLayout } from './layouts.js';

const LARGEST_NUMBER = 0xffff_ffff;

/** A record as it is kept. */
export interface DefinitionEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

interface Kept {
  readonly number: number;
  readonly definition: Definition;
}

export class LmdbDefinitionStore implements DefinitionStore {
  lastCommit: CommitId = 0;
  readonly #writer: BatchWriter;
  /** By identity. */
  readonly #kept = new Map<string, Kept>();
  readonly #numbers = new Set<number>();
  #lastNumber = 0;

  /** `entries`: what the data directory holds. Throws Error for a record that cannot be read. */
  constructor(writer: BatchWriter, entries: Iterable<DefinitionEntry>) {
    this.#writer = writer;
    for (const { key, value } of entries) this.#take(numberOf(key), decodeDefinition(value));
  }

  put(definition: Definition): CommitId {
    const identity = identityOf(definition);
    const number = this.#kept.get(identity)?.number ?? this.#nextNumber();
    const value = encodeDefinition(definition);
    this.#kept.set(identity, { number, definition });
    this.#numbers.add(number);
    this.#writer.put('definitions', keyOf(number), value);
    return this.#changed();
  }

  /** What is not there need not be removed. */
  remove(definition: Definition): CommitId {
    const identity = identityOf(definition);
    const kept = this.#kept.get(identity);
    if (kept === undefined) return this.lastCommit;
    this.#kept.delete(identity);
    this.#numbers.delete(kept.number);
    this.#writer.remove('definitions', keyOf(kept.number));
    return this.#changed();
  }

  /** In the order of their keys. */
  load(): Iterable<Definition> {
    return [...this.#kept.values()].sort((a, b) => a.number - b.number).map(({ definition }) => definition);
  }

  #take(number: number, definition: Definition): void {
    const identity = identityOf(definition);
    if (this.#kept.has(identity)) throw new Error(`two definition records of ${identity}`);
    this.#kept.set(identity, { number, definition });
    this.#numbers.add(number);
    this.#lastNumber = Math.max(this.#lastNumber, number);
  }

  /** Numbers come round after four thousand million definitions, and some are in use then. */
  #nextNumber(): number {
    do {
      this.#lastNumber = this.#lastNumber === LARGEST_NUMBER ? 1 : this.#lastNumber + 1;
    } while (this.#numbers.has(this.#lastNumber));
    return this.#lastNumber;
  }

  #changed(): CommitId {
    this.lastCommit = this.#writer.openBatch;
    return this.lastCommit;
  }
}

function keyOf(number: number): Uint8Array {
  const key = Buffer.alloc(numberKeyLayout.span);
  numberKeyLayout.encode({ id: number }, key);
  return key;
}

function numberOf(key: Uint8Array): number {
  if (key.length !== numberKeyLayout.span) throw new Error(`key of a definition has ${key.length} bytes`);
  return numberKeyLayout.decode(Buffer.from(key)).id;
}
