/**
 * A frame as the parser shows it: where its parts lie. One reused object a connection, valid while `onFrame` runs;
 * `copy` makes one that lasts. Header names and values are unescaped, and of a repeated header only the first is there.
 */
import { Buffer } from 'node:buffer';
import { copyRange } from '../copy-range.js';
import type { Command, HeaderId } from './names.js';
import { HEADER_COUNT } from './names.js';

const NO_BYTES = new Uint8Array(0);
/** Offsets of a header, of its name and of its value, each with its end; and the number of its name. */
const OFFSETS = 5;

export class StompFrame {
  command: Command = '';
  /** What the headers' offsets count in, from `headStart` on. */
  head: Uint8Array = NO_BYTES;
  headStart = 0;
  headerCount = 0;
  body: Uint8Array = NO_BYTES;
  bodyStart = 0;
  bodyEnd = 0;
  /** Frames with the same number have the same command and headers; 0 says nothing. */
  headNumber = 0;
  readonly #offsets: Int32Array;
  /** Index of each header that has a number, -1 where it is absent. */
  readonly #known = new Int16Array(HEADER_COUNT).fill(-1);

  constructor(mostHeaders: number) {
    this.#offsets = new Int32Array(mostHeaders * OFFSETS);
  }

  /** Index of a header, -1 when the frame has none of that name. */
  indexOf(id: HeaderId): number {
    return this.#known[id]!;
  }

  has(id: HeaderId): boolean {
    return this.#known[id] !== -1;
  }

  nameStart(index: number): number {
    return this.headStart + this.#offsets[index * OFFSETS]!;
  }

  nameEnd(index: number): number {
    return this.headStart + this.#offsets[index * OFFSETS + 1]!;
  }

  valueStart(index: number): number {
    return this.headStart + this.#offsets[index * OFFSETS + 2]!;
  }

  valueEnd(index: number): number {
    return this.headStart + this.#offsets[index * OFFSETS + 3]!;
  }

  /** The number of a header's name, -1 for one without a meaning. */
  idAt(index: number): HeaderId {
    return this.#offsets[index * OFFSETS + 4]!;
  }

  /** A header's value as text; undefined when it is absent. */
  text(id: HeaderId): string | undefined {
    const index = this.#known[id]!;
    if (index === -1) return undefined;
    const start = this.valueStart(index);
    return Buffer.from(this.head.buffer, this.head.byteOffset + start, this.valueEnd(index) - start).toString();
  }

  /** A copy of a header's value; undefined when it is absent. */
  valueOf(id: HeaderId): Uint8Array | undefined {
    const index = this.#known[id]!;
    return index === -1 ? undefined : copyRange(this.head, this.valueStart(index), this.valueEnd(index));
  }

  /** Everything the frame refers to, in memory of its own. */
  copy(): StompFrame {
    const copy = new StompFrame(this.headerCount);
    copy.command = this.command;
    const end = this.headerCount === 0 ? this.headStart : this.#headEnd();
    copy.head = copyRange(this.head, this.headStart, end);
    copy.headerCount = this.headerCount;
    copy.body = copyRange(this.body, this.bodyStart, this.bodyEnd);
    copy.bodyEnd = copy.body.length;
    copy.#offsets.set(this.#offsets.subarray(0, this.headerCount * OFFSETS));
    copy.#known.set(this.#known);
    return copy;
  }

  // --- for the parser

  /** Forgets the headers. */
  clear(): void {
    this.headerCount = 0;
    this.#known.fill(-1);
  }

  /** Adds a header; offsets count from `headStart`. */
  add(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const at = this.headerCount++ * OFFSETS;
    const offsets = this.#offsets;
    offsets[at] = nameStart;
    offsets[at + 1] = nameEnd;
    offsets[at + 2] = valueStart;
    offsets[at + 3] = valueEnd;
    offsets[at + 4] = -1;
  }

  /** The header added last has a number. */
  nameLast(id: HeaderId): void {
    this.#known[id] = this.headerCount - 1;
    this.#offsets[(this.headerCount - 1) * OFFSETS + 4] = id;
  }

  #headEnd(): number {
    let end = 0;
    for (let index = 0; index < this.headerCount; index++) end = Math.max(end, this.valueEnd(index));
    return end;
  }
}
