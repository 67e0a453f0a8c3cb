/**
 * Bodies that several queues hold at once: stored once, counted, and dropped with the last record that refers to
 * them. Only bodies of `SHARE_FROM_BYTES` or more that go to several queues come here; smaller ones are cheaper to
 * copy than to count. One that memory has no room for is on a scratch page; one that a store kept is read from there
 * when it is asked for.
 */
import type { MessageStore, StoredBody } from '../ports/message-store.js';
import type { ScratchPage, ScratchStore } from '../ports/scratch-store.js';
import type { ScratchWriter } from './scratch-writer.js';

export const SHARE_FROM_BYTES = 4096;

/** Where bodies are that are not in memory. */
export interface BodySources {
  readonly store?: Pick<MessageStore, 'readBody'> | undefined;
  readonly scratch?: ScratchStore | undefined;
}

interface SharedBody {
  bytes: Uint8Array | undefined;
  readonly sizeBytes: number;
  references: number;
  /** The message store has it for as long as a record refers to it. */
  readonly inStore: boolean;
  page: ScratchPage | undefined;
}

export class SharedBodies {
  readonly #sources: BodySources;
  readonly #bodies = new Map<number, SharedBody>();
  /** In memory and not being written, oldest first. */
  readonly #hot = new Set<number>();
  #lastId = 0;
  #bytes = 0;
  #residentBytes = 0;

  constructor(sources: BodySources = {}) {
    this.#sources = sources;
  }

  get count(): number {
    return this.#bodies.size;
  }

  /** Of all bodies, wherever they are. */
  get sizeBytes(): number {
    return this.#bytes;
  }

  /** Of those in memory. */
  get residentBytes(): number {
    return this.#residentBytes;
  }

  /** Copies the body and returns its id (1 and up, wrapping at 32 bits). It starts with no reference. */
  put(body: Uint8Array, start: number, end: number): number {
    do {
      this.#lastId = this.#lastId === 0xffffffff ? 1 : this.#lastId + 1;
    } while (this.#bodies.has(this.#lastId));
    const id = this.#lastId;
    const bytes = new Uint8Array(body.subarray(start, end));
    this.#bodies.set(id, { bytes, sizeBytes: end - start, references: 0, inStore: false, page: undefined });
    this.#hot.add(id);
    this.#bytes += end - start;
    this.#residentBytes += end - start;
    return id;
  }

  /** Takes back a body that a store kept; nothing is read. Ids given from now on are larger. */
  restore({ id, sizeBytes, references }: StoredBody): void {
    this.#bodies.set(id, { bytes: undefined, sizeBytes, references, inStore: true, page: undefined });
    this.#bytes += sizeBytes;
    this.#lastId = Math.max(this.#lastId, id);
  }

  get(id: number): Uint8Array {
    const body = this.#find(id);
    return body.bytes ?? this.#load(id, body);
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

  /** Takes the oldest body out of memory, or starts to; returns its bytes, 0 when none can go now. */
  pageOut(writer: ScratchWriter): number {
    const [id] = this.#hot;
    const body = id === undefined ? undefined : this.#bodies.get(id);
    if (id === undefined || body?.bytes === undefined) return 0;
    if (body.inStore || body.page !== undefined) this.#cool(id, body);
    else if (writer.ready) this.#write(id, body, body.bytes, writer);
    else return 0;
    return body.sizeBytes;
  }

  #write(id: number, body: SharedBody, bytes: Uint8Array, writer: ScratchWriter): void {
    this.#hot.delete(id);
    writer.write(bytes, bytes.length, (page) => {
      if (this.#bodies.get(id) !== body) {
        if (page !== undefined) this.#sources.scratch?.free(page);
      } else if (page === undefined) this.#hot.add(id);
      else {
        body.page = page;
        this.#cool(id, body);
      }
    });
  }

  #cool(id: number, body: SharedBody): void {
    body.bytes = undefined;
    this.#hot.delete(id);
    this.#residentBytes -= body.sizeBytes;
  }

  #load(id: number, body: SharedBody): Uint8Array {
    const bytes = this.#read(id, body);
    body.bytes = bytes;
    this.#hot.add(id);
    this.#residentBytes += body.sizeBytes;
    return bytes;
  }

  #read(id: number, { page, sizeBytes }: SharedBody): Uint8Array {
    const { scratch, store } = this.#sources;
    if (page !== undefined && scratch !== undefined) {
      const bytes = new Uint8Array(sizeBytes);
      scratch.read(page, bytes);
      return bytes;
    }
    if (store === undefined) throw new Error(`shared body ${id} is nowhere`);
    return store.readBody(id);
  }

  #drop(id: number, body: SharedBody): void {
    this.#bytes -= body.sizeBytes;
    if (body.bytes !== undefined) this.#cool(id, body);
    if (body.page !== undefined) this.#sources.scratch?.free(body.page);
    this.#bodies.delete(id);
  }

  #find(id: number): SharedBody {
    const body = this.#bodies.get(id);
    if (body === undefined) throw new Error(`no shared body ${id}`);
    return body;
  }
}
