/**
 * The messages of a queue with x-message-deduplication: another backlog, and the values of a header that are in it. A value is there until the message that has it is settled: acknowledged, dropped, expired or purged.
 */
import { deduplicationKey } from '../deduplication-key.js';
import { EMPTY_TABLE } from '../field-value.js';
import { RecordReader, type RecordSource } from '../log/record.js';
import type { CommitId } from '../ports/message-store.js';
import type { PropertiesCodec } from '../ports/properties-codec.js';
import type { Backlog } from './backlog.js';
import type { QueueSettings } from './settings.js';

export class DeduplicatingBacklog implements Backlog {
  readonly reorders: boolean;
  readonly addsHeader: boolean;
  readonly #inner: Backlog;
  readonly #header: string;
  readonly #codec: PropertiesCodec;
  readonly #present = new Set<string>();
  /** Of those that were delivered, by position. */
  readonly #delivered = new Map<number, string>();

  constructor(inner: Backlog, header: string, codec: PropertiesCodec) {
    this.#inner = inner;
    this.#header = header;
    this.#codec = codec;
    this.reorders = inner.reorders;
    this.addsHeader = inner.addsHeader;
  }

  get readyCount(): number {
    return this.#inner.readyCount;
  }

  get pendingCommit(): CommitId {
    return this.#inner.pendingCommit;
  }

  get restoredExpiry(): number {
    return this.#inner.restoredExpiry;
  }

  /** Reads all of them. */
  restore(): void {
    this.#inner.restore();
    const reader = new RecordReader();
    for (const _ of this.#inner.readyBodyBytes(reader)) {
      const key = this.#keyOf(reader.bytes, reader.propertiesStart, reader.propertiesEnd);
      if (key !== undefined) this.#present.add(key);
    }
  }

  configure(settings: QueueSettings): void {
    this.#inner.configure?.(settings);
  }

  isDuplicate({ properties, propertiesStart, propertiesEnd }: RecordSource): boolean {
    const key = this.#keyOf(properties, propertiesStart, propertiesEnd);
    return key !== undefined && this.#present.has(key);
  }

  append(source: RecordSource): CommitId {
    const key = this.#keyOf(source.properties, source.propertiesStart, source.propertiesEnd);
    if (key !== undefined) this.#present.add(key);
    return this.#inner.append(source);
  }

  takeHead(reader: RecordReader): boolean {
    if (!this.#inner.takeHead(reader)) return false;
    const key = this.#keyOf(reader.bytes, reader.propertiesStart, reader.propertiesEnd);
    if (key !== undefined) this.#delivered.set(reader.position, key);
    return true;
  }

  peekHead(reader: RecordReader): boolean {
    return this.#inner.peekHead(reader);
  }

  readDelivered(position: number, reader: RecordReader): void {
    this.#inner.readDelivered(position, reader);
  }

  putBack(position: number): boolean {
    if (!this.#inner.putBack(position)) return false;
    this.#delivered.delete(position);
    return true;
  }

  settle(position: number): void {
    const key = this.#delivered.get(position);
    if (key !== undefined) {
      this.#delivered.delete(position);
      this.#present.delete(key);
    }
    this.#inner.settle(position);
  }

  purge(): number {
    const purged = this.#inner.purge();
    this.#present.clear();
    for (const key of this.#delivered.values()) this.#present.add(key);
    return purged;
  }

  readyBodyBytes(reader: RecordReader): Iterable<number> {
    return this.#inner.readyBodyBytes(reader);
  }

  forget(): void {
    this.#inner.forget();
  }

  #keyOf(bytes: Uint8Array, start: number, end: number): string | undefined {
    return deduplicationKey(this.#codec.decode(bytes, start, end).headers ?? EMPTY_TABLE, this.#header);
  }
}
