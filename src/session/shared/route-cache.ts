/**
 * Resolved routes of one channel or session, by the bytes that name the destination: the raw arguments of
 * basic.publish, the destination header of SEND. The same bytes mean the same route, so a publish like the one before
 * costs one comparison. An entry is good while the epoch stands.
 */
import type { Exchange } from '../../core/exchange/exchange.js';
import type { MessageTarget } from '../../core/queue/queue.js';

export interface CachedRoute {
  /** The bytes that it is found by. */
  readonly key: Uint8Array;
  readonly epoch: number;
  readonly exchange: Exchange;
  readonly routingKey: string;
  /** Undefined when the route depends on more than the key: it is looked up for every message. */
  readonly targets: readonly MessageTarget[] | undefined;
}

const FIRST_SLOTS = 64;
const MOST_SLOTS = 16_384;
/** A route is in the slot of its hash or in one of those behind it. */
const TRIED_SLOTS = 8;

export class RouteCache<Route extends CachedRoute = CachedRoute> {
  #last: Route | undefined;
  #slots: (Route | undefined)[] = [];
  /** Slots filled and routes driven out since room was made. */
  #count = 0;

  /** The route for these arguments if it is cached and of this epoch. */
  find(bytes: Uint8Array, start: number, end: number, epoch: number): Route | undefined {
    const last = this.#last;
    if (last !== undefined && last.epoch === epoch && equals(last.key, bytes, start, end)) return last;
    const slots = this.#slots;
    if (slots.length === 0) return undefined;
    const first = hash(bytes, start, end);
    for (let tried = 0; tried < TRIED_SLOTS; tried++) {
      const found = slots[(first + tried) & (slots.length - 1)];
      if (found === undefined) return undefined;
      if (found.epoch === epoch && equals(found.key, bytes, start, end)) {
        this.#last = found;
        return found;
      }
    }
    return undefined;
  }

  add(route: Route): void {
    this.#last = route;
    if (this.#slots.length === 0) this.#slots = new Array(FIRST_SLOTS).fill(undefined);
    else if (this.#count >= this.#slots.length) this.#makeRoom(route.epoch);
    this.#put(route);
  }

  /** How many routes there is room for. */
  get slotCount(): number {
    return this.#slots.length;
  }

  /** Drops the routes of epochs before; more slots only where those of this one fill them. */
  #makeRoom(epoch: number): void {
    const old = this.#slots;
    const current = old.filter((route) => route?.epoch === epoch);
    const grows = current.length * 2 >= old.length && old.length < MOST_SLOTS;
    this.#slots = new Array(grows ? old.length * 4 : old.length).fill(undefined);
    for (const route of current) if (route !== undefined) this.#put(route);
    this.#count = grows ? current.length : 0;
  }

  /** In the first slot that is free or outdated; where none is, it drives one out. */
  #put(route: Route): void {
    const slots = this.#slots;
    const first = hash(route.key, 0, route.key.length);
    let at = first & (slots.length - 1);
    for (let tried = 0; tried < TRIED_SLOTS; tried++) {
      const candidate = (first + tried) & (slots.length - 1);
      if (slots[candidate]?.epoch === route.epoch) continue;
      at = candidate;
      break;
    }
    // One that takes the place of an outdated route is no sign of too few slots.
    const replaced = slots[at];
    if (replaced === undefined || replaced.epoch === route.epoch) this.#count++;
    slots[at] = route;
  }
}

function equals(key: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (key.length !== length) return false;
  // From the end: keys that differ mostly differ there.
  for (let i = length - 1; i >= 0; i--) {
    if (key[i] !== bytes[start + i]) return false;
  }
  return true;
}

/** FNV-1a. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  let value = 0x811c9dc5;
  for (let i = start; i < end; i++) value = Math.imul(value ^ (bytes[i] as number), 0x01000193);
  return value >>> 0;
}
