/**
 * Maglev's lookup table (Eisenbud et al., NSDI 2016), which makes hashing consistent: each destination goes through the
 * slots in an order of its own and takes the first that is free, in turns as frequent as its weight is large.
 *
 * The shares are exact to a slot; what is in the table depends on names and weights alone, not on the order in which
 * they came; and when one comes or goes, hardly a slot of the others changes hands. Every index here is below the length
 * of its array, which is what the assertions `as number` rest on.
 */
import { hashText } from './text-hash.js';

/** A prime, so that any step visits all slots, and the largest whose indexes fit 16 bits. More destinations get none. */
export const SLOT_COUNT = 65_521;

export interface Weighted {
  /** Different for each. */
  readonly name: string;
  /** 1 or more. */
  readonly weight: number;
}

export interface LookupTable<T extends Weighted> {
  /** Indexes into `members`; empty when there is no choice. */
  readonly slots: Uint16Array;
  readonly members: readonly T[];
}

/** Seeds of what is derived from a name. */
const FIRST_SLOT_SEED = 1;
const STEP_SEED = 2;
const TURN_SEED = 3;

export function lookUpSlot<T extends Weighted>({ slots, members }: LookupTable<T>, hash: number): T | undefined {
  return slots.length === 0 ? members[0] : members[slots[hash % SLOT_COUNT] as number];
}

export function buildLookupTable<T extends Weighted>(weighted: Iterable<T>): LookupTable<T> {
  const members = inOrderOfTurns(weighted);
  if (members.length < 2) return { slots: new Uint16Array(0), members };
  const slots = new Uint16Array(SLOT_COUNT);
  const taken = new Uint8Array(SLOT_COUNT);
  const next = Int32Array.from(members, ({ name }) => hashText(name, FIRST_SLOT_SEED) % SLOT_COUNT);
  const step = Int32Array.from(members, ({ name }) => 1 + (hashText(name, STEP_SEED) % (SLOT_COUNT - 1)));
  const turns = new Turns(members);
  for (let count = 0; count < SLOT_COUNT; count++) {
    const member = turns.take();
    let slot = next[member] as number;
    while (taken[slot] !== 0) {
      slot += step[member] as number;
      if (slot >= SLOT_COUNT) slot -= SLOT_COUNT;
    }
    taken[slot] = 1;
    slots[slot] = member;
    next[member] = slot;
  }
  return { slots, members };
}

/** Those of the same weight in an order that does not favour names, for the last of them may get a slot less. */
function inOrderOfTurns<T extends Weighted>(weighted: Iterable<T>): readonly T[] {
  return Array.from(weighted, (member) => ({ member, tie: hashText(member.name, TURN_SEED) }))
    .sort((a, b) => b.member.weight - a.member.weight || a.tie - b.tie || (a.member.name < b.member.name ? -1 : 1))
    .map(({ member }) => member);
}

/** Whose turn it is: a heap by due time, where a member of weight w is due at 0.5/w, 1.5/w and so on. */
class Turns {
  /** Members by index, the one that is due first at the top. They come sorted, which is a heap. */
  readonly #heap: Uint32Array;
  readonly #due: Float64Array;
  readonly #interval: Float64Array;

  constructor(members: readonly Weighted[]) {
    this.#heap = Uint32Array.from(members, (_, index) => index);
    this.#interval = Float64Array.from(members, ({ weight }) => 1 / weight);
    this.#due = this.#interval.map((interval) => interval / 2);
  }

  take(): number {
    const member = this.#heap[0] as number;
    this.#due[member] = (this.#due[member] as number) + (this.#interval[member] as number);
    this.#sink(member);
    return member;
  }

  /** From the top to its place. */
  #sink(member: number): void {
    const heap = this.#heap;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && this.#isBefore(heap[below + 1] as number, heap[below] as number)) below++;
      if (!this.#isBefore(heap[below] as number, member)) break;
      heap[place] = heap[below] as number;
      place = below;
    }
    heap[place] = member;
  }

  #isBefore(a: number, b: number): boolean {
    const dueA = this.#due[a] as number;
    const dueB = this.#due[b] as number;
    return dueA < dueB || (dueA === dueB && a < b);
  }
}
