/**
 * Which queues, exchanges and bindings there must be, may be (asked for or deleted, not yet answered) and must not be,
 * and so where a message goes for sure and where perhaps.
 */
import { type Sent, StoredQueue, type Target } from './messages.js';

/** 'coming' and 'going': the broker was asked and has not answered. */
export type State = 'absent' | 'coming' | 'present' | 'going';

export interface KnownQueue {
  readonly name: string;
  readonly args: Readonly<Record<string, number | string>>;
  state: State;
  /** Its messages; another one after each declaration. */
  stored: StoredQueue;
}

export interface KnownExchange {
  readonly name: string;
  readonly type: 'direct' | 'fanout' | 'topic';
  state: State;
}

export interface KnownBinding {
  readonly source: string;
  readonly destination: string;
  readonly toExchange: boolean;
  readonly key: string;
  state: State;
}

const RETIRED_LIMIT = 1000;

export class Topology {
  readonly queues = new Map<string, KnownQueue>();
  readonly exchanges = new Map<string, KnownExchange>();
  readonly bindings: KnownBinding[] = [];

  queue(name: string): KnownQueue {
    const queue = this.queues.get(name);
    if (queue === undefined) throw new Error(`no queue ${name} in the model`);
    return queue;
  }

  addQueue(name: string, args: KnownQueue['args'] = {}): KnownQueue {
    const queue: KnownQueue = { name, args, state: 'absent', stored: new StoredQueue(name) };
    this.queues.set(name, queue);
    return queue;
  }

  addExchange(name: string, type: KnownExchange['type']): KnownExchange {
    const exchange: KnownExchange = { name, type, state: 'absent' };
    this.exchanges.set(name, exchange);
    return exchange;
  }

  addBinding(source: string, destination: string, key: string, toExchange = false): KnownBinding {
    const binding: KnownBinding = { source, destination, key, toExchange, state: 'absent' };
    this.bindings.push(binding);
    if (this.bindings.length > RETIRED_LIMIT) throw new Error('too many bindings in the model');
    return binding;
  }

  /** A deleted queue took its bindings and messages along. */
  queueGone(queue: KnownQueue): void {
    queue.state = 'absent';
    queue.stored = new StoredQueue(queue.name);
    for (const binding of this.bindings) {
      if (!binding.toExchange && binding.destination === queue.name) binding.state = 'absent';
    }
  }

  exchangeGone(exchange: KnownExchange): void {
    exchange.state = 'absent';
    for (const binding of this.bindings) {
      const isTarget = binding.toExchange && binding.destination === exchange.name;
      if (isTarget || binding.source === exchange.name) binding.state = 'absent';
    }
  }

  /** The queues a message reaches, each with whether that is sure. */
  route({ exchange, routingKey }: Target): Map<KnownQueue, boolean> {
    const reached = new Map<KnownQueue, boolean>();
    if (exchange === '') this.#reach(reached, routingKey, true);
    else this.#walk(reached, exchange, routingKey, true);
    return reached;
  }

  /** Every exchange and key that leads, led or may lead somewhere. */
  targets(): Target[] {
    const seen = new Map<string, Target>();
    for (const { source, key } of this.bindings) seen.set(`${source} ${key}`, { exchange: source, routingKey: key });
    return [...seen.values()].filter(({ exchange }) => this.exchanges.get(exchange)?.state === 'present');
  }

  /**
   * The topology began to change: what is under way may go by the old one or by the new one. Call it after the state
   * became 'coming' or 'going'.
   */
  unsettle(underWay: Iterable<Sent>, addCopy: (message: Sent, queue: StoredQueue) => void): void {
    for (const message of underWay) {
      const route = this.route(message);
      const sure = new Set([...route].filter(([, certain]) => certain).map(([queue]) => queue.stored));
      for (const copy of message.copies) if (!sure.has(copy.queue)) copy.certain = false;
      for (const queue of route.keys()) {
        if (!queue.stored.copies.has(message.id)) addCopy(message, queue.stored);
      }
    }
  }

  #walk(reached: Map<KnownQueue, boolean>, name: string, key: string, certain: boolean, depth = 0): void {
    const exchange = this.exchanges.get(name);
    if (exchange === undefined || exchange.state === 'absent' || depth > 4) return;
    const here = certain && exchange.state === 'present';
    for (const binding of this.bindings) {
      if (binding.source !== name || binding.state === 'absent') continue;
      if (exchange.type !== 'fanout' && binding.key !== key) continue;
      const sure = here && binding.state === 'present';
      if (binding.toExchange) this.#walk(reached, binding.destination, key, sure, depth + 1);
      else this.#reach(reached, binding.destination, sure);
    }
  }

  #reach(reached: Map<KnownQueue, boolean>, name: string, certain: boolean): void {
    const queue = this.queues.get(name);
    if (queue === undefined || queue.state === 'absent') return;
    const sure = certain && queue.state === 'present';
    reached.set(queue, sure || reached.get(queue) === true);
  }
}
