/**
 * A simple model of queues with limits, times to live, priorities, delivery counts and dead-lettering: lists that are
 * searched and spliced, one millisecond at a time. The queues are a chain, so that no order is left open: what dies in
 * one goes to the next.
 */

export interface QueueTraits {
  readonly type: 'classic' | 'quorum';
  readonly maxLength: number | undefined;
  readonly maxLengthBytes: number | undefined;
  readonly overflow: 'drop-head' | 'reject-publish' | 'reject-publish-dlx';
  readonly messageTtlMs: number | undefined;
  /** 0: none. */
  readonly maxPriority: number;
  readonly deliveryLimit: number | undefined;
}

export interface ModelMessage {
  readonly name: string;
  readonly size: number;
  readonly priority: number;
}

interface Held extends ModelMessage {
  /** Order of arrival; of a quorum queue also of coming back. */
  place: number;
  readonly deadline: number;
  unacked: boolean;
  wentOut: boolean;
  /** It goes before those that never came back. */
  cameBack: boolean;
  deliveries: number;
  /** The broker ended while it was out. */
  interrupted: boolean;
}

export interface Taken {
  readonly name: string;
  readonly redelivered: boolean;
  /** Of a quorum queue. */
  readonly deliveries: number;
}

const DEFAULT_DELIVERY_LIMIT = 20;

export class ModelQueue {
  readonly traits: QueueTraits;
  readonly #next: ModelQueue | undefined;
  #held: Held[] = [];
  #places = 0;

  constructor(traits: QueueTraits, next: ModelQueue | undefined) {
    this.traits = traits;
    this.#next = next;
  }

  get readyCount(): number {
    return this.#ready().length;
  }

  /** Names of what was taken and not settled, oldest delivery first. */
  get unacked(): readonly string[] {
    return this.#held.filter(({ unacked }) => unacked).map(({ name }) => name);
  }

  /** False when it was refused. */
  publish(message: ModelMessage, now: number, expirationMs = Number.POSITIVE_INFINITY): boolean {
    const { overflow, messageTtlMs = Number.POSITIVE_INFINITY } = this.traits;
    if (overflow !== 'drop-head' && this.#exceeds(this.readyCount + 1, this.#readyBytes() + message.size)) {
      if (overflow === 'reject-publish-dlx') this.#next?.publish(message, now);
      return false;
    }
    const deadline = now + Math.min(messageTtlMs, expirationMs);
    const place = ++this.#places;
    this.#held.push({
      ...message,
      place,
      deadline,
      unacked: false,
      wentOut: false,
      cameBack: false,
      deliveries: 0,
      interrupted: false,
    });
    this.dropAboveLimit(now);
    this.expire(now);
    return true;
  }

  /** Drops what has expired at the head. */
  expire(now: number): void {
    for (let head = this.#head(); head !== undefined && head.deadline <= now; head = this.#head()) this.#die(head, now);
  }

  /** Drops from the head what is above the limit. */
  dropAboveLimit(now: number): void {
    if (this.traits.overflow !== 'drop-head') return;
    for (let head = this.#head(); head !== undefined; head = this.#head()) {
      if (!this.#exceeds(this.readyCount, this.#readyBytes())) return;
      this.#die(head, now);
    }
  }

  take(): Taken | undefined {
    const head = this.#head();
    if (head === undefined) return undefined;
    const { name, deliveries } = head;
    const redelivered = this.traits.type === 'quorum' ? deliveries > 0 : head.wentOut;
    head.unacked = true;
    head.wentOut = true;
    return { name, redelivered, deliveries };
  }

  ack(name: string): void {
    this.#remove(this.#find(name));
  }

  reject(name: string, now: number): void {
    this.#die(this.#find(name), now);
  }

  requeue(name: string, now: number): void {
    const message = this.#find(name);
    if (this.traits.type === 'quorum') {
      if (++message.deliveries > (this.traits.deliveryLimit ?? DEFAULT_DELIVERY_LIMIT)) {
        this.#die(message, now);
        return;
      }
      message.place = ++this.#places;
      message.interrupted = false;
      message.cameBack = true;
    }
    message.unacked = false;
    this.dropAboveLimit(now);
    this.expire(now);
  }

  purge(): number {
    const ready = this.#ready();
    for (const message of ready) this.#remove(message);
    return ready.length;
  }

  /** Everything that was out is ready again; several restarts one after the other count as one delivery. */
  restart(): void {
    for (const message of this.#held) {
      if (!message.unacked) continue;
      message.unacked = false;
      if (!message.interrupted) message.deliveries++;
      message.interrupted = true;
    }
  }

  #find(name: string): Held {
    const found = this.#held.find((message) => message.unacked && message.name === name);
    if (found === undefined) throw new Error(`${name} was not taken`);
    return found;
  }

  #ready(): Held[] {
    return this.#held.filter(({ unacked }) => !unacked);
  }

  #head(): Held | undefined {
    return this.#ready().sort((a, b) => this.#level(b) - this.#level(a) || a.place - b.place)[0];
  }

  #level({ priority, cameBack }: Held): number {
    return this.traits.type === 'quorum' ? Number(cameBack) : Math.min(priority, this.traits.maxPriority);
  }

  #readyBytes(): number {
    return this.#ready().reduce((sum, { size }) => sum + size, 0);
  }

  #exceeds(length: number, bytes: number): boolean {
    const { maxLength, maxLengthBytes } = this.traits;
    return length > (maxLength ?? length) || bytes > (maxLengthBytes ?? bytes);
  }

  #die(message: Held, now: number): void {
    this.#remove(message);
    const { name, size, priority } = message;
    this.#next?.publish({ name, size, priority }, now);
  }

  #remove(message: Held): void {
    this.#held = this.#held.filter((other) => other !== message);
  }
}
