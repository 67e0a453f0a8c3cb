/**
 * Which consumer gets the next message: the highest priority that has credit; among equals round robin, where one that
 * comes, or has credit again, goes last (RabbitMQ's order). With single active consumer, only the active one.
 */
import type { Consumer } from '../consumer.js';

interface PriorityGroup {
  readonly priority: number;
  readonly consumers: Consumer[];
  /** Index of the consumer whose turn it is. */
  next: number;
  /** Those that had no credit when it was their turn. */
  readonly waiting: Consumer[];
}

export class Dispatcher {
  readonly singleActive: boolean;
  /** That a consumer wants to be the only one means nothing. */
  readonly isShared: boolean;
  /** Highest priority first. */
  readonly #groups: PriorityGroup[] = [];
  #count = 0;
  #active: Consumer | undefined;
  #exclusive = false;

  constructor(singleActive: boolean, isShared = false) {
    this.singleActive = singleActive;
    this.isShared = isShared;
  }

  get count(): number {
    return this.#count;
  }

  get hasExclusive(): boolean {
    return this.#exclusive;
  }

  get active(): Consumer | undefined {
    return this.#active;
  }

  add(consumer: Consumer): void {
    let at = this.#groups.findIndex((group) => group.priority <= consumer.priority);
    if (at === -1) at = this.#groups.length;
    let group = this.#groups[at];
    if (group?.priority !== consumer.priority) {
      group = { priority: consumer.priority, consumers: [], next: 0, waiting: [] };
      this.#groups.splice(at, 0, group);
    }
    placeLast(group, consumer);
    this.#count++;
    if (consumer.exclusive && !this.isShared) this.#exclusive = true;
    if (this.singleActive) this.#active ??= consumer;
  }

  /** False when the consumer was not here. */
  remove(consumer: Consumer): boolean {
    const group = this.#groups.find((candidate) => candidate.priority === consumer.priority);
    if (group === undefined || !removeFrom(group, consumer)) return false;
    if (group.consumers.length + group.waiting.length === 0) this.#groups.splice(this.#groups.indexOf(group), 1);
    this.#count--;
    if (consumer.exclusive) this.#exclusive = false;
    if (this.#active === consumer) this.#active = this.#groups[0]?.consumers[0];
    return true;
  }

  /** The consumer that gets the next message; undefined while none has credit. */
  next(): Consumer | undefined {
    if (this.singleActive) return this.#active?.hasCredit() === true ? this.#active : undefined;
    for (const group of this.#groups) {
      if (group.waiting.length > 0) readmit(group);
      const consumers = group.consumers;
      while (consumers.length > 0) {
        if (group.next >= consumers.length) group.next = 0;
        const consumer = consumers[group.next];
        if (consumer?.hasCredit() === true) {
          group.next++;
          return consumer;
        }
        group.waiting.push(...consumers.splice(group.next, 1));
      }
    }
    return undefined;
  }

  /** True when one consumer gets everything, so that a batch need not ask again for each message. */
  get hasSole(): boolean {
    return this.#count === 1 || this.singleActive;
  }

  /** Every consumer, highest priority first. */
  all(): Consumer[] {
    return this.#groups.flatMap((group) => [...group.consumers, ...group.waiting]);
  }
}

function placeLast(group: PriorityGroup, consumer: Consumer): void {
  // At index 0 a round begins: last is then at the end.
  if (group.next === 0) group.consumers.push(consumer);
  else group.consumers.splice(group.next++, 0, consumer);
}

function readmit(group: PriorityGroup): void {
  const { waiting } = group;
  let kept = 0;
  for (const consumer of waiting) {
    if (consumer.hasCredit()) placeLast(group, consumer);
    else waiting[kept++] = consumer;
  }
  waiting.length = kept;
}

/** False when it was not there. */
function removeFrom(group: PriorityGroup, consumer: Consumer): boolean {
  const at = group.consumers.indexOf(consumer);
  if (at !== -1) {
    group.consumers.splice(at, 1);
    if (at < group.next) group.next--;
    return true;
  }
  const waitingAt = group.waiting.indexOf(consumer);
  if (waitingAt === -1) return false;
  group.waiting.splice(waitingAt, 1);
  return true;
}
