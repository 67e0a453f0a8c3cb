/**
 * What a transaction holds back: publishes, already checked and routed, and settlements, already taken from the
 * ledger. Commit applies the publishes in order, then the settlements; rollback forgets the publishes and gives the
 * deliveries back to the ledger.
 */
import { copyRange } from '../../../protocol/copy-range.js';
import { RecordSource } from '../../core/log/record.js';
import { type MessageTarget, PublishOutcome } from '../../core/queue/queue.js';
import { reachesQueue } from '../../core/router.js';
import type { DeliveryLedger, DeliverySource } from './delivery-ledger.js';

export type SettlementKind = 'ack' | 'requeue' | 'reject';

export interface BufferedPublish {
  readonly targets: readonly MessageTarget[];
  readonly source: RecordSource;
  /** Goes back to the publisher at commit, when no queue takes it then. */
  readonly mandatory: boolean;
}

export interface BufferedSettlement {
  readonly kind: SettlementKind;
  readonly source: DeliverySource;
  readonly position: number;
  readonly tag: number;
}

/** What a transaction needs to take effect. */
export interface TransactionTarget {
  deliver(targets: readonly MessageTarget[], source: RecordSource, outcome: PublishOutcome): void;
  returnMessage(source: RecordSource): void;
  applySettlement(kind: SettlementKind, source: DeliverySource, position: number, tag: number): void;
}

export class Transaction {
  #publishes: BufferedPublish[] = [];
  #settlements: BufferedSettlement[] = [];
  #bytes = 0;

  /** Bytes of the messages held back. */
  get sizeBytes(): number {
    return this.#bytes;
  }

  publish(targets: readonly MessageTarget[], source: RecordSource, mandatory: boolean): void {
    const copy = copyOf(source);
    this.#bytes += copy.bodyEnd + copy.propertiesEnd + copy.routeEnd;
    this.#publishes.push({ targets: [...targets], source: copy, mandatory });
  }

  settle(kind: SettlementKind, source: DeliverySource, position: number, tag: number): void {
    this.#settlements.push({ kind, source, position, tag });
  }

  /** Applies everything; the outcome says which commit makes it durable. */
  commit(target: TransactionTarget): PublishOutcome {
    const outcome = new PublishOutcome();
    for (const { targets, source, mandatory } of this.#publishes) {
      if (mandatory && !reachesQueue(targets)) target.returnMessage(source);
      // An exchange may keep what no queue takes.
      if (targets.length > 0) target.deliver(targets, source, outcome);
    }
    for (const { kind, source, position, tag } of this.#settlements) {
      target.applySettlement(kind, source, position, tag);
      // What is acknowledged is promised as much as what is published.
      outcome.commit = Math.max(outcome.commit, source.queue.pendingCommit);
    }
    this.#clear();
    return outcome;
  }

  rollback(ledger: DeliveryLedger): void {
    ledger.restore(this.#settlements);
    this.#clear();
  }

  #clear(): void {
    this.#publishes = [];
    this.#settlements = [];
    this.#bytes = 0;
  }
}

function copyOf(source: RecordSource): RecordSource {
  const copy = new RecordSource();
  copy.route = copyRange(source.route, source.routeStart, source.routeEnd);
  copy.routeEnd = copy.route.length;
  copy.properties = copyRange(source.properties, source.propertiesStart, source.propertiesEnd);
  copy.propertiesEnd = copy.properties.length;
  copy.body = copyRange(source.body, source.bodyStart, source.bodyEnd);
  copy.bodyEnd = copy.body.length;
  copy.persistent = source.persistent;
  copy.priority = source.priority;
  copy.expirationMs = source.expirationMs;
  copy.hiddenKeys = source.hiddenKeys;
  return copy;
}
