/**
 * What the crash test knows of each message: where it went, and what may have become of it. A copy is one message in
 * one queue. Bodies are cut from one random pattern, so that a damaged one shows and none has to be kept.
 */
import { Buffer } from 'node:buffer';
import { Random } from '../../support/random.js';
import type { Message } from './client.js';

const PATTERN = Buffer.from(new Random(20).bytes(1 << 20));
/** From this size on a message in several queues is counted once in what must be stored. */
const SHARED_FROM_BYTES = 4096;
const OVERHEAD_BYTES = 100;

/** 'sent': the settlement may or may not be on disk. 'gone': it is, and the message must never come back. */
export type Settlement = 'none' | 'sent' | 'gone';
/** Of a copy after a restart: 'never' and 'always' are promises, 'maybe' is not. */
export type Redelivery = 'never' | 'maybe' | 'always';

export class Sent {
  confirmed = false;
  readonly copies: Copy[] = [];
  readonly publisher: string;
  readonly number: number;
  readonly exchange: string;
  readonly routingKey: string;
  readonly size: number;
  readonly persistent: boolean;

  constructor(publisher: string, number: number, target: Target, size: number, persistent: boolean) {
    this.publisher = publisher;
    this.number = number;
    this.exchange = target.exchange;
    this.routingKey = target.routingKey;
    this.size = size;
    this.persistent = persistent;
  }

  get id(): string {
    return `${this.publisher}/${this.number}`;
  }

  get body(): Buffer {
    const start = (this.number * 7919 + this.publisher.length * 104_729) % (PATTERN.length - this.size);
    return PATTERN.subarray(start, start + this.size);
  }

  /** Undefined when `received` is this message, otherwise what is wrong with it. */
  difference({ properties, body, exchange, routingKey }: Message): string | undefined {
    if (!this.body.equals(body)) return `its body differs (${body.length} bytes for ${this.size})`;
    if (properties.deliveryMode !== (this.persistent ? 2 : 1)) return `delivery mode ${properties.deliveryMode}`;
    if (exchange !== this.exchange || routingKey !== this.routingKey) return `came by '${exchange}' '${routingKey}'`;
    return undefined;
  }
}

export interface Target {
  readonly exchange: string;
  readonly routingKey: string;
}

export class Copy {
  settlement: Settlement = 'none';
  redelivery: Redelivery;
  /** False: a binding or the queue itself changed while it was under way, so it may never have come here. */
  certain: boolean;
  /** Held by a consumer of ours. */
  unacked = false;
  requeued = false;
  /** It came back from a restart: it is on disk, confirmed or not. */
  stored = false;
  /** Its place at the drain before; -1 when it was published since. */
  rank = -1;
  readonly message: Sent;
  readonly queue: StoredQueue;

  constructor(message: Sent, queue: StoredQueue, certain: boolean) {
    this.message = message;
    this.queue = queue;
    this.certain = certain && !queue.purging;
    this.redelivery = queue.readers > 0 ? 'maybe' : 'never';
    message.copies.push(this);
    queue.copies.set(message.id, this);
  }

  /** It must be there after a restart that keeps what is persistent. */
  isOwed(keepsAll: boolean): boolean {
    const { confirmed, persistent } = this.message;
    return (confirmed || this.stored) && this.certain && this.settlement === 'none' && (persistent || keepsAll);
  }

  /** It must not be there. */
  isForbidden(keepsAll: boolean): boolean {
    return this.settlement === 'gone' || !(this.message.persistent || keepsAll);
  }

  describe(): string {
    const { id, size, persistent, confirmed, exchange, routingKey } = this.message;
    const facts = { size, persistent, confirmed, exchange, routingKey, certain: this.certain };
    const state = { settlement: this.settlement, redelivery: this.redelivery, rank: this.rank };
    return `${id} in ${this.queue.name} ${JSON.stringify({ ...facts, ...state })}`;
  }
}

/** One incarnation of a durable queue. */
export class StoredQueue {
  readonly copies = new Map<string, Copy>();
  /** Consumers on it now. */
  readers = 0;
  /** A purge was asked for and not answered: what arrives now may go with it. */
  purging = false;
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /** Someone reads it: what the broker delivered is not known until it has arrived here. */
  startReading(): void {
    this.readers++;
    for (const copy of this.copies.values()) {
      if (copy.redelivery === 'never') copy.redelivery = 'maybe';
    }
  }
}

/** What a store has to keep for these queues, at most. */
export function liveBytes(queues: Iterable<StoredQueue>): number {
  let total = 0;
  const shared = new Set<Sent>();
  for (const queue of queues) {
    for (const { message, settlement } of queue.copies.values()) {
      if (settlement === 'gone' || !message.persistent) continue;
      total += OVERHEAD_BYTES;
      if (shared.has(message)) continue;
      if (message.size >= SHARED_FROM_BYTES) shared.add(message);
      total += message.size;
    }
  }
  return total;
}
