import { describe, expect, it } from 'vitest';
import type { MessageTarget, PublishOutcome } from '../../../../src/core/queue/queue.js';
import { DeliveryLedger, type DeliverySource } from '../../../../src/session/shared/delivery-ledger.js';
import { Transaction, type TransactionTarget } from '../../../../src/session/shared/transaction.js';
import { digest, sourceOf } from '../../../support/messages.js';

const QUEUE_A = { name: 'a' } as unknown as MessageTarget;
const QUEUE_B = { name: 'b' } as unknown as MessageTarget;
const SOURCE = sourceWaitingFor(0);

function sourceWaitingFor(pendingCommit: number): DeliverySource {
  return { queue: { pendingCommit } } as unknown as DeliverySource;
}

/** Notes what takes effect, in order. */
class Effects implements TransactionTarget {
  readonly seen: string[] = [];
  commits: number[] = [];
  rejects = false;

  deliver(targets: readonly MessageTarget[], source: ReturnType<typeof sourceOf>, outcome: PublishOutcome): void {
    const names = targets.map((target) => (target as unknown as { name: string }).name);
    this.seen.push(`deliver ${bodyText(source)} to ${names.join(',')}`);
    outcome.commit = Math.max(outcome.commit, this.commits.shift() ?? 0);
    if (this.rejects) outcome.rejected = true;
  }

  returnMessage(source: ReturnType<typeof sourceOf>): void {
    this.seen.push(`return ${bodyText(source)}`);
  }

  applySettlement(kind: string, _source: DeliverySource, position: number, tag: number): void {
    this.seen.push(`${kind} ${tag} at ${position}`);
  }
}

function bodyText(source: ReturnType<typeof sourceOf>): string {
  return digest(source.body.subarray(source.bodyStart, source.bodyEnd));
}

describe('a transaction', () => {
  it('does nothing before commit, then publishes in order, then settles in order', () => {
    const transaction = new Transaction();
    const effects = new Effects();
    transaction.publish([QUEUE_A], sourceOf({ body: 'first' }), false);
    transaction.settle('ack', SOURCE, 10, 1);
    transaction.publish([], sourceOf({ body: 'unroutable' }), true);
    transaction.settle('requeue', SOURCE, 11, 2);
    transaction.publish([QUEUE_A, QUEUE_B], sourceOf({ body: 'second' }), false);
    transaction.settle('reject', SOURCE, 12, 3);
    expect(effects.seen).toEqual([]);
    transaction.commit(effects);
    expect(effects.seen).toEqual([
      'deliver first to a',
      'return unroutable',
      'deliver second to a,b',
      'ack 1 at 10',
      'requeue 2 at 11',
      'reject 3 at 12',
    ]);
    transaction.commit(effects);
    expect(effects.seen).toHaveLength(6);
  });

  it('returns what no queue takes, and gives it to an exchange that keeps it', () => {
    const transaction = new Transaction();
    const effects = new Effects();
    transaction.publish([{ enqueue: () => {} }], sourceOf({ body: 'kept' }), true);
    transaction.commit(effects);
    expect(effects.seen).toEqual(['return kept', 'deliver kept to ']);
  });

  it('keeps messages of its own: bytes and targets are void after the publish', () => {
    const transaction = new Transaction();
    const effects = new Effects();
    const source = sourceOf({ exchange: 'x', routingKey: 'k', properties: Uint8Array.of(0x10, 0, 2), body: 'body' });
    source.persistent = true;
    source.priority = 7;
    const targets = [QUEUE_A];
    transaction.publish(targets, source, false);
    expect(transaction.sizeBytes).toBe(4 + 3 + 4);
    targets.length = 0;
    for (const bytes of [source.body, source.route, source.properties]) bytes.fill(0xbb);
    let kept: ReturnType<typeof sourceOf> | undefined;
    effects.deliver = (to, given) => {
      expect(to).toEqual([QUEUE_A]);
      kept = given;
    };
    transaction.commit(effects);
    expect(kept).toMatchObject({ persistent: true, priority: 7, sharedBodyId: 0 });
    expect(Buffer.from(kept?.route ?? []).toString()).toBe('\x01x\x01k');
    expect(Buffer.from(kept?.properties ?? []).toString('hex')).toBe('100002');
    expect(Buffer.from(kept?.body ?? []).toString()).toBe('body');
    expect(transaction.sizeBytes).toBe(0);
  });

  it('is durable with its last commit, and rejected when any queue rejects', () => {
    const transaction = new Transaction();
    const effects = new Effects();
    effects.commits = [3, 9, 0];
    for (const body of ['a', 'b', 'c']) transaction.publish([QUEUE_A], sourceOf({ body }), false);
    expect(transaction.commit(effects)).toMatchObject({ commit: 9, rejected: false });
    expect(transaction.commit(effects)).toMatchObject({ commit: 0, rejected: false });
    transaction.publish([QUEUE_A], sourceOf({}), false);
    transaction.settle('ack', sourceWaitingFor(7), 1, 1);
    transaction.settle('ack', sourceWaitingFor(0), 2, 2);
    expect(transaction.commit(effects)).toMatchObject({ commit: 7 });
    effects.rejects = true;
    transaction.publish([QUEUE_A], sourceOf({}), false);
    expect(transaction.commit(effects)).toMatchObject({ rejected: true });
  });

  it('forgets publishes at rollback and gives deliveries back to the ledger', () => {
    const transaction = new Transaction();
    const effects = new Effects();
    const ledger = new DeliveryLedger();
    for (const tag of [1, 2, 3, 4]) ledger.add(tag, tag * 10, SOURCE);
    for (const tag of [3, 1]) {
      ledger.take(tag);
      transaction.settle('ack', SOURCE, ledger.position, tag);
    }
    transaction.publish([QUEUE_A], sourceOf({ body: 'body' }), false);
    expect(ledger.size).toBe(2);
    transaction.rollback(ledger);
    const restored: number[][] = [];
    ledger.takeUpTo(0, { settle: (_, position, tag) => restored.push([tag, position]) });
    expect(restored).toEqual([
      [1, 10],
      [2, 20],
      [3, 30],
      [4, 40],
    ]);
    expect(transaction.sizeBytes).toBe(0);
    transaction.commit(effects);
    expect(effects.seen).toEqual([]);
  });
});
