/**
 * A set that is read by index, in order of insertion, so that routing needs no iterator. Removal is by identity and
 * does not depend on the size: a large set finds the place in an index and leaves a hole, and closes the holes when
 * they are the majority.
 */
import type { Binding } from '../binding.js';
import type { RouteTargets } from './exchange-type.js';

/** Up to here a linear search is no slower than the index, and saves its memory for the many keys with few bindings. */
const SCANNED_SIZE = 16;

export class OrderedSet<T extends object> {
  #slots: (T | undefined)[] = [];
  #index: Map<T, number> | undefined;
  #size = 0;

  /** Holes are undefined. Valid until the next `add` or `remove`. */
  get slots(): readonly (T | undefined)[] {
    return this.#slots;
  }

  get size(): number {
    return this.#size;
  }

  add(item: T): void {
    if (this.#find(item) !== undefined) return;
    this.#index?.set(item, this.#slots.length);
    this.#slots.push(item);
    this.#size++;
    if (this.#index === undefined && this.#size > SCANNED_SIZE) this.#rebuild();
  }

  remove(item: T): void {
    const slot = this.#find(item);
    if (slot === undefined) return;
    this.#size--;
    if (this.#index === undefined) {
      this.#slots.splice(slot, 1);
      return;
    }
    this.#index.delete(item);
    this.#slots[slot] = undefined;
    if (this.#slots.length > this.#size * 2) this.#rebuild();
  }

  #find(item: T): number | undefined {
    if (this.#index !== undefined) return this.#index.get(item);
    const slot = this.#slots.indexOf(item);
    return slot < 0 ? undefined : slot;
  }

  /** Closes the holes, and keeps an index only for a large set. */
  #rebuild(): void {
    const items = this.#slots.filter((item) => item !== undefined);
    this.#slots = items;
    this.#index = items.length > SCANNED_SIZE ? new Map(items.map((item, slot) => [item, slot])) : undefined;
  }
}

export function addAll(bindings: OrderedSet<Binding>, targets: RouteTargets): void {
  const slots = bindings.slots;
  for (let i = 0; i < slots.length; i++) {
    const binding = slots[i];
    if (binding !== undefined) targets.add(binding);
  }
}
