/**
 * Bodies that several queues hold at once: stored once, counted, and dropped with the last record that refers to
 * them. Only bodies of `SHARE_FROM_BYTES` or more that go to several queues come here; smaller ones are cheaper to
 * copy than to count.
 */

export const SHARE_FROM_BYTES = 4096;

interface SharedBody {
  readonly bytes: Uint8Array;
  references: number;
}

export class SharedBodies {
  readonly #bodies = new Map<number, SharedBody>();
  #lastId = 0;
  #bytes = 0;

  get count(): number {
    return this.#bodies.size;
  }

  get sizeBytes(): number {
    return this.#bytes;
  }

  /** Copies the body and returns its id (1 and up, wrapping at 32 bits). It starts with no reference. */
  put(body: Uint8Array, start: number, end: number): number {
    do {
      this.#lastId = this.#lastId === 0xffffffff ? 1 : this.#lastId + 1;
    } while (this.#bodies.has(this.#lastId));
    this.#bodies.set(this.#lastId, { bytes: new Uint8Array(body.subarray(start, end)), references: 0 });
    this.#bytes += end - start;
    return this.#lastId;
  }

  /** Takes back a body that a store kept under this id; once is enough. */
  restore(id: number, body: Uint8Array): void {
    if (this.#bodies.has(id)) return;
    this.#bodies.set(id, { bytes: new Uint8Array(body), references: 0 });
    this.#bytes += body.length;
  }

  get(id: number): Uint8Array {
    return this.#find(id).bytes;
  }

  addReference(id: number): void {
    this.#find(id).references++;
  }

  release(id: number): void {
    const body = this.#find(id);
    body.references--;
    if (body.references <= 0) this.#drop(id, body);
  }

  /** Drops a body that no record came to refer to. */
  dropUnused(id: number): void {
    const body = this.#bodies.get(id);
    if (body?.references === 0) this.#drop(id, body);
  }

  #drop(id: number, body: SharedBody): void {
    this.#bytes -= body.bytes.length;
    this.#bodies.delete(id);
  }

  #find(id: number): SharedBody {
    const body = this.#bodies.get(id);
    if (body === undefined) throw new Error(`no shared body ${id}`);
    return body;
  }
}
