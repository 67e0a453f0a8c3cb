/**
 * Deliveries that wait too long for their acknowledgement (RabbitMQ's consumer timeout), for all channels of a broker from
 * one timer. Nothing is noted per delivery: at each look it is noted how far a channel's delivery tags have come, so that
 * later looks know the least age of those up to there.
 */
import type { Clock, Timer } from '../../clock.js';
import type { Queue } from '../../core/queue/queue.js';
import type { DeliveryLedger } from './delivery-ledger.js';

/** How late a timeout may be noticed. RabbitMQ looks once a minute. */
const LOOK_MS = 1000;

/** A channel, or what another protocol has in its place. */
export interface DeliveringSession {
  readonly ledger: DeliveryLedger;
  readonly lastDeliveryTag: number;
  /** A delivery waited for longer than `timeoutMs`. */
  acknowledgementLate(timeoutMs: number): void;
}

/** What is known of one session. */
class Watch {
  /** Where it gets messages from. */
  readonly #queues = new Set<Queue>();
  readonly #defaultMs: number;
  /** Tags that had been delivered, and when that was seen. */
  readonly #tags: number[] = [];
  readonly #times: number[] = [];

  constructor(defaultMs: number) {
    this.#defaultMs = defaultMs;
  }

  addQueue(queue: Queue): void {
    this.#queues.add(queue);
  }

  /** The timeout that a delivery has exceeded, if one has. */
  late({ ledger, lastDeliveryTag }: DeliveringSession, now: number): number | undefined {
    this.#forgetBelow(ledger.size === 0 ? Number.POSITIVE_INFINITY : ledger.oldestTag);
    const last = this.#lastOlderThan(this.#shortestMs(), now);
    if (lastDeliveryTag !== this.#tags[this.#tags.length - 1] && ledger.size > 0) {
      this.#tags.push(lastDeliveryTag);
      this.#times.push(now);
    }
    if (last === undefined) return undefined;
    return ledger.findUpTo(last, ({ queue }, tag) => {
      const timeoutMs = this.#timeoutOf(queue);
      return now - this.#timeOf(tag) >= timeoutMs ? timeoutMs : undefined;
    });
  }

  #timeoutOf({ settings }: Queue): number {
    return settings.consumerTimeoutMs ?? this.#defaultMs;
  }

  #shortestMs(): number {
    let shortest = Number.POSITIVE_INFINITY;
    for (const queue of this.#queues) {
      if (queue.deleted) this.#queues.delete(queue);
      else shortest = Math.min(shortest, this.#timeoutOf(queue));
    }
    return shortest;
  }

  #lastOlderThan(ageMs: number, now: number): number | undefined {
    let last: number | undefined;
    for (let i = 0; i < this.#tags.length && now - (this.#times[i] as number) >= ageMs; i++) last = this.#tags[i];
    return last;
  }

  /** When `tag` had been delivered at the latest. */
  #timeOf(tag: number): number {
    const at = this.#tags.findIndex((noted) => noted >= tag);
    return this.#times[at] ?? Number.POSITIVE_INFINITY;
  }

  #forgetBelow(oldestTag: number): void {
    let settled = 0;
    while (settled < this.#tags.length && (this.#tags[settled] as number) < oldestTag) settled++;
    this.#tags.splice(0, settled);
    this.#times.splice(0, settled);
  }
}

export class ConsumerTimeouts {
  readonly #clock: Clock;
  readonly #defaultMs: number;
  readonly #watches = new Map<DeliveringSession, Watch>();
  #timer: Timer | undefined;

  /** `defaultMs`: for queues that say nothing; 0 for none. */
  constructor(clock: Clock, defaultMs: number) {
    this.#clock = clock;
    this.#defaultMs = defaultMs === 0 ? Number.POSITIVE_INFINITY : defaultMs;
  }

  /** The session gets messages of `queue` that it has to acknowledge. */
  watch(session: DeliveringSession, queue: Queue): void {
    let watch = this.#watches.get(session);
    if (watch === undefined) {
      watch = new Watch(this.#defaultMs);
      this.#watches.set(session, watch);
      this.#timer ??= this.#clock.every(LOOK_MS, () => this.#look());
    }
    watch.addQueue(queue);
  }

  forget(session: DeliveringSession): void {
    this.#watches.delete(session);
    if (this.#watches.size === 0) this.close();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #look(): void {
    const now = this.#clock.monotonicTime();
    for (const [session, watch] of this.#watches) {
      const timeoutMs = watch.late(session, now);
      if (timeoutMs !== undefined) session.acknowledgementLate(timeoutMs);
    }
  }
}
