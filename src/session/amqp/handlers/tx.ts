/**
 * Class tx. Publishes are checked and routed when they come; they take effect at commit, before the settlements.
 */
import {
  MethodId,
  writeTxCommitOk,
  writeTxRollbackOk,
  writeTxSelectOk,
} from '../../../../protocol/amqp/methods.gen.js';
import { BrokerError } from '../../../errors.js';
import { Transaction } from '../../shared/transaction.js';
import type { Channel } from '../channel.js';
import type { Handler } from './dispatch.js';

export const txHandlers: readonly (readonly [number, Handler])[] = [
  [MethodId.TxSelect, txSelect],
  [MethodId.TxCommit, txCommit],
  [MethodId.TxRollback, txRollback],
];

function txSelect(channel: Channel): void {
  if (channel.confirming) throw new BrokerError('precondition-failed', 'cannot switch from confirm to tx mode');
  channel.transaction ??= new Transaction();
  writeTxSelectOk(channel.output.writer, channel.number);
  channel.output.touch();
}

function txCommit(channel: Channel): void {
  const transaction = transactionOf(channel);
  const outcome = transaction.commit({
    deliver: (targets, source, into) => channel.access.deliver(targets, source, into),
    returnMessage: (source) => channel.publisher.returnMessage(source),
    applySettlement: (kind, source, position, tag) => channel.applySettlement(kind, source, position, tag),
  });
  channel.prefetchFreed();
  if (outcome.rejected) throw new BrokerError('precondition-failed', 'partial tx completion');
  writeTxCommitOk(channel.replies.begin(outcome.commit), channel.number);
  channel.replies.endCommit();
}

function txRollback(channel: Channel): void {
  transactionOf(channel).rollback(channel.ledger);
  writeTxRollbackOk(channel.output.writer, channel.number);
  channel.output.touch();
}

function transactionOf(channel: Channel): Transaction {
  if (channel.transaction === undefined) throw new BrokerError('precondition-failed', 'channel is not transactional');
  return channel.transaction;
}
