import { describe, expect, it } from 'vitest';
import type { Definition } from '../../../../src/core/ports/definition-store.js';
import type { BatchWriter } from '../../../../src/store/lmdb/batch-writer.js';
import { encodeDefinition } from '../../../../src/store/lmdb/definition-records.js';
import { LmdbDefinitionStore } from '../../../../src/store/lmdb/lmdb-definition-store.js';

/** A table in key order, as LMDB has it. */
class Table implements BatchWriter {
  openBatch = 1;
  readonly rows = new Map<string, { readonly key: Uint8Array; readonly value: Uint8Array }>();

  put(table: string, key: Uint8Array, value: Uint8Array): void {
    this.rows.set(`${table} ${Buffer.from(key).toString('hex')}`, { key, value });
  }

  remove(table: string, key: Uint8Array): void {
    const row = `${table} ${Buffer.from(key).toString('hex')}`;
    if (!this.rows.delete(row)) throw new Error(`${row} is not there`);
  }

  get keys(): string[] {
    return [...this.rows.keys()].sort();
  }

  /** The store after a restart. */
  open(): LmdbDefinitionStore {
    return new LmdbDefinitionStore(
      this,
      this.keys.flatMap((key) => this.rows.get(key) ?? []),
    );
  }
}

const queue = (name: string, id = 1): Definition => ({
  kind: 'queue',
  virtualHost: '/',
  name,
  id,
  logCount: 1,
  type: 'classic',
  autoDelete: false,
  arguments: [],
});
const names = (store: LmdbDefinitionStore): string[] =>
  [...store.load()].map((definition) => ('name' in definition ? definition.name : definition.kind));

describe('the definitions of a data directory', () => {
  it('have numbers for keys, in order, however long their names are', () => {
    const table = new Table();
    const store = table.open();
    for (const name of ['c', 'x'.repeat(255), 'a']) store.put(queue(name));
    expect(table.keys).toEqual(['definitions 00000001', 'definitions 00000002', 'definitions 00000003']);
    expect(names(table.open())).toEqual(['c', 'x'.repeat(255), 'a']);
    expect(names(store)).toEqual(names(table.open()));
  });

  it('are overwritten in place', () => {
    const table = new Table();
    const store = table.open();
    store.put(queue('a'));
    store.put(queue('b'));
    store.put(queue('a', 7));
    expect(table.rows.size).toBe(2);
    for (const found of [store, table.open()]) expect([...found.load()]).toEqual([queue('a', 7), queue('b')]);
  });

  it('go when they are removed, by what they are and not by what they say', () => {
    const table = new Table();
    table.open().put(queue('a'));
    const store = table.open();
    store.put(queue('b'));
    store.remove(queue('a', 99));
    expect([table.keys, names(store)]).toEqual([['definitions 00000002'], ['b']]);
    expect(() => store.remove(queue('a'))).not.toThrow();
    store.put(queue('a'));
    expect(table.keys).toEqual(['definitions 00000002', 'definitions 00000003']);
  });

  it('belong to the batch that is open when they change', () => {
    const table = new Table();
    const store = table.open();
    expect(store.lastCommit).toBe(0);
    table.openBatch = 5;
    expect([store.put(queue('a')), store.lastCommit]).toEqual([5, 5]);
    table.openBatch = 6;
    expect(store.remove(queue('missing'))).toBe(5);
    expect([store.remove(queue('a')), store.lastCommit]).toEqual([6, 6]);
  });

  it('use numbers again when all have been used', () => {
    const table = new Table();
    const key = Buffer.from('ffffffff', 'hex');
    table.put('definitions', key, encodeDefinition(queue('last')));
    table.put('definitions', Buffer.from('00000001', 'hex'), encodeDefinition(queue('first')));
    const store = table.open();
    store.put(queue('next'));
    expect(table.keys).toContain('definitions 00000002');
    expect(names(store)).toEqual(['first', 'next', 'last']);
    expect(names(table.open())).toEqual(['first', 'next', 'last']);
  });

  it('are refused when they cannot be read or contradict each other', () => {
    const table = new Table();
    table.put('definitions', Buffer.from('00000001', 'hex'), encodeDefinition(queue('a')));
    table.put('definitions', Buffer.from('00000002', 'hex'), encodeDefinition(queue('a', 2)));
    expect(() => table.open()).toThrow('two definition records');
    table.put('definitions', Buffer.from('00000002', 'hex'), Uint8Array.of(9, 1, 0, 0));
    expect(() => table.open()).toThrow('version 9');
    const badKey = [{ key: Uint8Array.of(1), value: encodeDefinition(queue('a')) }];
    expect(() => new LmdbDefinitionStore(table, badKey)).toThrow('key of a definition has 1 bytes');
  });
});
