/**
 * Bodies that records of several logs share: stored once, counted, and deleted with the last record that names them.
 */
import type { StoredBody } from '../../core/ports/message-store.js';
import type { BatchWriter } from './batch-writer.js';
import { checksumOf, isIntact } from './checksum.js';
import type { Environment } from './environment.js';
import { bodyTrailerLayout, numberKey } from './layouts.js';
import type { Run } from './run.js';

interface KeptBody {
  readonly id: number;
  readonly sizeBytes: number;
  references: number;
}

export class BodyTable {
  readonly #environment: Environment;
  readonly #writer: BatchWriter;
  readonly #bodies = new Map<number, KeptBody>();
  #sizeBytes = 0;

  constructor(environment: Environment, writer: BatchWriter) {
    this.#environment = environment;
    this.#writer = writer;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  all(): Iterable<StoredBody> {
    return this.#bodies.values();
  }

  /** Stores the body, once; `use` counts the records. */
  put(id: number, body: Uint8Array): void {
    if (this.#bodies.has(id)) return;
    this.#add({ id, sizeBytes: body.length, references: 0 });
    this.#writer.put('bodies', numberKey(id), withChecksum(body));
  }

  use(id: number): void {
    const body = this.#bodies.get(id);
    if (body === undefined) throw new Error(`a record names body ${id}, which was not put`);
    body.references++;
  }

  release(id: number): void {
    const body = this.#bodies.get(id);
    if (body === undefined || --body.references > 0) return;
    this.#bodies.delete(id);
    this.#sizeBytes -= body.sizeBytes;
    this.#writer.remove('bodies', numberKey(id));
  }

  read(id: number): Uint8Array {
    return bodyIn(this.#environment.tables.bodies.getBinary(numberKey(id)), id);
  }

  /** Counts what the live records of a run on disk name. */
  restore(run: Run): void {
    const { bodyUses } = run;
    for (let i = 0; i < bodyUses.length; i += 2) {
      if (!run.isLive(bodyUses[i] as number)) continue;
      const id = bodyUses[i + 1] as number;
      const known = this.#bodies.get(id);
      if (known !== undefined) known.references++;
      else this.#add({ id, sizeBytes: this.#sizeOf(id), references: 1 });
    }
  }

  /** Deletes bodies that no live record names: what a removal in slices left. */
  sweep(): void {
    for (const key of this.#environment.tables.bodies.getKeys()) {
      if (!this.#bodies.has(key.readUInt32BE(0))) this.#writer.remove('bodies', Buffer.from(key));
    }
  }

  #add(body: KeptBody): void {
    this.#bodies.set(body.id, body);
    this.#sizeBytes += body.sizeBytes;
  }

  #sizeOf(id: number): number {
    const stored = this.#environment.tables.bodies.getBinaryFast(numberKey(id))?.length ?? 0;
    return Math.max(stored - bodyTrailerLayout.span, 0);
  }
}

function withChecksum(body: Uint8Array): Buffer {
  const value = Buffer.allocUnsafeSlow(body.length + bodyTrailerLayout.span);
  value.set(body);
  value.writeUInt32LE(checksumOf(body), body.length);
  return value;
}

/** The body in a value of the table. Throws RangeError when it is missing or damaged. */
export function bodyIn(value: Buffer | undefined, id: number): Uint8Array {
  const length = (value?.length ?? 0) - bodyTrailerLayout.span;
  if (value === undefined || length < 0) throw new RangeError(`the stored body ${id} is missing`);
  const body = value.subarray(0, length);
  if (!isIntact(body, bodyTrailerLayout.decode(value, length).checksum)) {
    throw new RangeError(`the stored body ${id} is damaged: the checksum does not match`);
  }
  return body;
}
