/**
 * The crash test's picture of one data directory through all its rounds, and the totals. `Failure` says that the broker
 * broke a promise.
 */
import type { Random } from '../../support/random.js';
import { type Client, type ClientChannel, ConnectionLost, type Message } from './client.js';
import { Copy, type Sent } from './messages.js';
import { Topology } from './topology.js';

export class Failure extends Error {}

export interface Totals {
  rounds: number;
  confirms: number;
  kills: number;
  killsWhileStarting: number;
  outstandingAtKill: number;
  published: number;
  delivered: number;
  acked: number;
  checked: number;
  redelivered: number;
  resurrected: number;
  transactions: number;
  transactionsInDoubt: number;
  definitions: number;
  restarts: number;
  restartMs: number;
  maxRestartMs: number;
  /** How far the data file went beyond the constant, in largest live data. */
  fileRatio: number;
  peakBytes: number;
}

export function emptyTotals(): Totals {
  return {
    rounds: 0,
    confirms: 0,
    kills: 0,
    killsWhileStarting: 0,
    outstandingAtKill: 0,
    published: 0,
    delivered: 0,
    acked: 0,
    checked: 0,
    redelivered: 0,
    resurrected: 0,
    transactions: 0,
    transactionsInDoubt: 0,
    definitions: 0,
    restarts: 0,
    restartMs: 0,
    maxRestartMs: 0,
    fileRatio: 0,
    peakBytes: 0,
  };
}

export interface TxRecord {
  readonly published: Sent[];
  readonly acked: Copy[];
  state: 'open' | 'in-doubt';
}

/** What a channel did whose effect on disk is promised only two commits after the broker has processed it. */
export class Pending {
  readonly channel: ClientChannel;
  effects: (() => void)[] = [];

  constructor(channel: ClientChannel) {
    this.channel = channel;
  }
}

export class World {
  readonly topology = new Topology();
  /** Published and neither confirmed nor lost. */
  readonly underWay = new Set<Sent>();
  /** The transactions that the last kill met. */
  readonly transactions = new Set<TxRecord>();
  /** The same as `Pending`, already known to be processed. */
  processed: (() => void)[] = [];
  pending: Pending[] = [];
  clients: Client[] = [];
  /** The largest that had to be kept so far. */
  peakBytes = 0;
  round = 0;
  /** The kill was sent: what still arrives counts, but nothing is begun. */
  stopping = false;
  failure: Error | undefined;
  onConfirm = (): void => {};
  readonly random: Random;
  readonly totals: Totals;

  constructor(random: Random, totals: Totals) {
    this.random = random;
    this.totals = totals;
  }

  /** A channel of a connection of its own, with its acknowledgements watched. */
  watch(channel: ClientChannel): Pending {
    const pending = new Pending(channel);
    this.pending.push(pending);
    return pending;
  }

  /** Call it when the message is about to be written. */
  sending(message: Sent): void {
    this.totals.published++;
    this.underWay.add(message);
    for (const [queue, certain] of this.topology.route(message)) new Copy(message, queue.stored, certain);
  }

  confirmed(message: Sent): void {
    this.totals.confirms++;
    message.confirmed = true;
    this.underWay.delete(message);
    this.onConfirm();
  }

  topologyChanges(): void {
    this.topology.unsettle(this.underWay, (message, queue) => new Copy(message, queue, false));
  }

  /** The copy that this delivery is, after all that can be said of it while the broker runs. */
  delivered(queueName: string, message: Message): Copy {
    const id = String(message.properties.messageId);
    const copy = this.topology.queue(queueName).stored.copies.get(id);
    if (copy === undefined) throw new Failure(`${queueName} delivered ${id}, which must not be there`);
    const wrong = copy.message.difference(message);
    if (wrong !== undefined) throw new Failure(`${wrong}: ${copy.describe()}`);
    if (copy.unacked) throw new Failure(`delivered while it is unacked: ${copy.describe()}`);
    if (copy.settlement !== 'none') throw new Failure(`delivered after its ack: ${copy.describe()}`);
    if (copy.requeued && !message.redelivered) throw new Failure(`requeued, not redelivered: ${copy.describe()}`);
    this.totals.delivered++;
    if (message.redelivered) this.totals.redelivered++;
    copy.certain = true;
    copy.unacked = true;
    if (copy.redelivery === 'never') copy.redelivery = 'maybe';
    return copy;
  }

  /** Runs what belongs to the round. Its connection may be lost when the kill came, and only then. */
  async run(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      if (error instanceof ConnectionLost && this.stopping) return;
      this.fail(error);
    }
  }

  /** For what is called by a socket and not awaited. */
  guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error: unknown): void {
    this.failure ??= error instanceof Error ? error : new Error(String(error));
  }
}
