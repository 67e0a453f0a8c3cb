/**
 * Whether what was delivered is what was published: every message once, in order, unchanged. A SequenceCheck sees what
 * one producer sent to one queue; a DeliveryCheck is a consumer's, and knows the order in which that one got them.
 */
import { fillerAt, SEQUENCE_BYTES, STAMP_BYTES, StampAt, TWO_TO_32 } from './stamp.js';

const FIRST_AHEAD_BITS = 1024;

/** Which of a producer's messages a queue gets: those of `first`, `first + stride`, and so on. */
export interface SequencePart {
  readonly first: number;
  readonly stride: number;
}

export class SequenceCheck {
  readonly first: number;
  readonly stride: number;
  duplicated = 0;
  /** All below were seen. */
  #floor = 0;
  /** Of those above the floor, one bit each, index modulo the number of bits. */
  #ahead = new Uint32Array(FIRST_AHEAD_BITS / 32);
  #aheadCount = 0;

  constructor({ first, stride }: SequencePart) {
    this.first = first;
    this.stride = stride;
  }

  /** Different messages seen. */
  get seen(): number {
    return this.#floor + this.#aheadCount;
  }

  /** How many of a producer's first `published` messages belong to the queue. */
  expectedOf(published: number): number {
    return published <= this.first ? 0 : Math.floor((published - 1 - this.first) / this.stride) + 1;
  }

  /** False: the queue should not have got that one. */
  record(sequence: number): boolean {
    const index = this.stride === 1 ? sequence - this.first : (sequence - this.first) / this.stride;
    if (index === this.#floor && this.#aheadCount === 0) {
      this.#floor = index + 1;
      return true;
    }
    if (index < 0 || !Number.isInteger(index)) return false;
    if (index < this.#floor || this.#isAhead(index)) this.duplicated++;
    else this.#note(index);
    return true;
  }

  #isAhead(index: number): boolean {
    const bits = this.#ahead.length * 32;
    if (index - this.#floor >= bits) return false;
    const bit = index % bits;
    return (((this.#ahead[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 1;
  }

  #note(index: number): void {
    while (index - this.#floor >= this.#ahead.length * 32) this.#grow();
    this.#flip(index);
    this.#aheadCount++;
    while (this.#aheadCount > 0 && this.#isAhead(this.#floor)) {
      this.#flip(this.#floor);
      this.#aheadCount--;
      this.#floor++;
    }
  }

  #flip(index: number): void {
    const bit = index % (this.#ahead.length * 32);
    this.#ahead[bit >>> 5] = (this.#ahead[bit >>> 5] ?? 0) ^ (1 << (bit & 31));
  }

  #grow(): void {
    const bits = this.#ahead.length * 32;
    const ahead: number[] = [];
    for (let index = this.#floor; index < this.#floor + bits; index++) if (this.#isAhead(index)) ahead.push(index);
    this.#ahead = new Uint32Array(this.#ahead.length * 2);
    for (const index of ahead) this.#flip(index);
  }
}

export interface DeliveryCheckSetup {
  readonly run: number;
  readonly sizesBytes: readonly number[];
  /** By producer; a producer that the queue should get nothing of is undefined. */
  readonly sequences: readonly (SequenceCheck | undefined)[];
  /** Messages may be older than this run: no sequence is expected, only order within each producer. */
  readonly foreign: boolean;
}

export class DeliveryCheck {
  delivered = 0;
  outOfOrder = 0;
  corrupted = 0;
  /** When the message looked at last was sent; undefined when it does not say. */
  sentMicros: number | undefined;
  readonly #setup: DeliveryCheckSetup;
  readonly #size: number;
  readonly #lastOf: Float64Array;

  constructor(setup: DeliveryCheckSetup) {
    this.#setup = setup;
    this.#size = setup.sizesBytes.length === 1 ? (setup.sizesBytes[0] ?? 0) : -1;
    this.#lastOf = new Float64Array(Math.max(1, setup.sequences.length)).fill(-1);
  }

  record(view: DataView, at: number, sizeBytes: number, redelivered: boolean): void {
    this.delivered++;
    this.sentMicros = undefined;
    if (this.#setup.foreign) return;
    if (sizeBytes < SEQUENCE_BYTES) {
      if (redelivered || !this.#setup.sizesBytes.includes(sizeBytes)) this.corrupted++;
      return;
    }
    const sequence = view.getUint32(at) + view.getUint16(at + StampAt.sequenceHigh) * TWO_TO_32;
    const producer = view.getUint16(at + StampAt.producer);
    if (redelivered || !this.#isIntact(view, at, sizeBytes, sequence)) {
      this.corrupted++;
      return;
    }
    if (sizeBytes >= STAMP_BYTES) {
      this.sentMicros = view.getUint16(at + StampAt.sentHigh) * TWO_TO_32 + view.getUint32(at + StampAt.sentLow);
    }
    this.#place(producer, sequence);
  }

  #place(producer: number, sequence: number): void {
    const check = this.#setup.sequences[producer];
    if (check === undefined) {
      this.corrupted++;
      return;
    }
    const duplicates = check.duplicated;
    if (!check.record(sequence)) this.corrupted++;
    if (sequence > (this.#lastOf[producer] ?? 0)) this.#lastOf[producer] = sequence;
    else if (check.duplicated === duplicates) this.outOfOrder++;
  }

  /** The last byte and one in the middle, another one each time, stand for the whole filler. */
  #isIntact(view: DataView, at: number, sizeBytes: number, sequence: number): boolean {
    const { sizesBytes, run } = this.#setup;
    const size = this.#size >= 0 ? this.#size : (sizesBytes[sequence % sizesBytes.length] ?? 0);
    if (sizeBytes !== size) return false;
    if (sizeBytes < STAMP_BYTES) return true;
    if (view.getUint16(at + StampAt.run) !== run) return false;
    if (sizeBytes === STAMP_BYTES) return true;
    const middle = STAMP_BYTES + (sequence % (sizeBytes - STAMP_BYTES));
    return (
      view.getUint8(at + sizeBytes - 1) === fillerAt(sizeBytes - 1) && view.getUint8(at + middle) === fillerAt(middle)
    );
  }
}
