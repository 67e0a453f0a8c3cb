/**
 * One AMQP channel: its state, and dispatch of its commands. The one place where an error becomes channel.close or
 * connection.close. What a method does is in `handlers/`.
 */
import { CommandAssembler } from '../../../protocol/amqp/command-assembler.js';
import {
  MethodId,
  writeBasicAck,
  writeBasicCancel,
  writeBasicNack,
  writeChannelClose,
  writeChannelCloseOk,
} from '../../../protocol/amqp/methods.gen.js';
import type { ByteWriter } from '../../../protocol/byte-writer.js';
import type { VirtualHostAccess } from '../../auth/virtual-host-access.js';
import { text } from '../../core/events.js';
import type { PublishOutcome, Queue } from '../../core/queue/queue.js';
import type { Origin } from '../../core/tracer.js';
import { TurnPhase, type TurnTask } from '../../core/turn.js';
import { BrokerError } from '../../errors.js';
import { type ConfirmSink, ConfirmTracker } from '../shared/confirm-tracker.js';
import type { DeliveringSession } from '../shared/consumer-timeouts.js';
import type { Publishing } from '../shared/content.js';
import { DeliveryLedger, type DeliverySource, type SettlementSink } from '../shared/delivery-ledger.js';
import { ChannelPrefetch } from '../shared/prefetch.js';
import type { SettlementKind, Transaction } from '../shared/transaction.js';
import { type AmqpConsumer, GetSource, type ReplyConsumer } from './amqp-consumer.js';
import type { FrameOutput } from './frame-output.js';
import { dispatchMethod } from './handlers/dispatch.js';
import type { Capabilities } from './handshake.js';
import { PendingReplies, type PendingRepliesHost } from './pending-replies.js';
import { Publisher } from './publisher.js';
import { type AmqpError, toAmqpError } from './reply-codes.js';

/** What a channel needs of its connection. */
export interface ChannelHost extends PendingRepliesHost {
  readonly connectionName: string;
  readonly access: VirtualHostAccess;
  readonly capabilities: Capabilities;
  /** Closes the whole connection. */
  failConnection(error: AmqpError): void;
  channelFailed(channel: Channel, error: AmqpError): void;
  /** The peer does not read its direct replies. */
  repliesDropped(channel: Channel): void;
  channelGone(channel: Channel): void;
  /** A method was handled that costs more than an ack or a publish. */
  methodHandled(): void;
}

export class Channel implements ConfirmSink, DeliveringSession, SettlementSink, TurnTask, Publishing {
  readonly number: number;
  readonly access: VirtualHostAccess;
  readonly output: FrameOutput;
  readonly host: ChannelHost;
  readonly ledger = new DeliveryLedger();
  readonly prefetch = new ChannelPrefetch();
  readonly consumers = new Map<string, AmqpConsumer>();
  readonly publisher: Publisher;
  readonly replies: PendingReplies;
  replyConsumer: ReplyConsumer | undefined;
  transaction: Transaction | undefined;
  /** What an empty queue name stands for. */
  lastQueueName = '';
  readonly origin: Origin;
  /** 'closing': we sent channel.close and wait for close-ok. */
  state: 'open' | 'closing' | 'closed' = 'open';
  deferred = false;
  readonly #assembler: CommandAssembler;
  #confirms: ConfirmTracker | undefined;
  #deliveryTag = 0;
  /** How `settle` treats what the ledger gives it. */
  #settlement: SettlementKind = 'ack';
  readonly #gets = new Map<Queue, GetSource>();

  constructor(number: number, host: ChannelHost) {
    const { maxMessageSizeBytes } = host.environment.limits;
    this.number = number;
    this.host = host;
    this.access = host.access;
    this.origin = { connectionName: host.connectionName, channel: number, user: host.access.user.name };
    this.output = host.output;
    this.replies = new PendingReplies(number, host);
    this.publisher = new Publisher(this, maxMessageSizeBytes);
    this.#assembler = new CommandAssembler(maxMessageSizeBytes);
    this.#emit('channel.created');
  }

  #emit(key: 'channel.created' | 'channel.closed'): void {
    const { events } = this.host.environment;
    const { connectionName, user } = this.origin;
    events.by(user, () =>
      events.emit(key, () => [
        ['name', text(`${connectionName} (${this.number})`)],
        ['number', { type: 'I', value: this.number }],
        ['user', text(user)],
        ['vhost', text(this.access.virtualHostName)],
        ['connection', text(connectionName)],
      ]),
    );
  }

  // --- incoming

  /** Throws FrameError for frames out of sequence, also while closing. */
  onFrame(type: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.replies.waiting && this.replies.hold(type, bytes, start, end)) return;
    const assembler = this.#assembler;
    if (!assembler.accept(type, bytes, start, end)) return;
    const id = assembler.methodId;
    if (id === MethodId.BasicPublish) this.#publish();
    else this.#dispatch(id, assembler.method, assembler.argumentsStart, assembler.argumentsEnd);
  }

  /** A publish in one piece; false when the channel is in no state for it. */
  onPublish(
    bytes: Uint8Array,
    argsStart: number,
    argsEnd: number,
    propertiesStart: number,
    propertiesEnd: number,
    bodyStart: number,
    bodyEnd: number,
  ): boolean {
    if (this.state !== 'open' || this.#assembler.isAssembling || this.replies.waiting) return false;
    const size = bodyEnd - bodyStart;
    try {
      this.publisher.publish(
        bytes,
        argsStart,
        argsEnd,
        bytes,
        propertiesStart,
        propertiesEnd,
        bytes,
        bodyStart,
        bodyEnd,
        size,
      );
    } catch (error) {
      this.fail(error, MethodId.BasicPublish);
    }
    return true;
  }

  #publish(): void {
    if (this.state === 'open') this.#publishAssembled();
    this.#assembler.forgetContent();
    this.publisher.forget();
  }

  #publishAssembled(): void {
    const command = this.#assembler;
    try {
      this.#refuseDuringCommit();
      this.publisher.publish(
        command.method,
        command.argumentsStart,
        command.argumentsEnd,
        command.properties,
        command.propertiesStart,
        command.propertiesEnd,
        command.body,
        command.bodyStart,
        command.bodyEnd,
        command.bodySize,
      );
    } catch (error) {
      this.fail(error, MethodId.BasicPublish);
    }
  }

  #dispatch(id: number, bytes: Uint8Array, start: number, end: number): void {
    try {
      this.#refuseDuringCommit();
      dispatchMethod(this, id, bytes, start, end);
    } catch (error) {
      this.fail(error, id);
    }
    if (id !== MethodId.BasicAck) this.host.methodHandled();
  }

  #refuseDuringCommit(): void {
    if (!this.replies.refusing || this.state !== 'open') return;
    throw new BrokerError('channel-error', "unexpected command while processing 'tx.commit'");
  }

  // --- errors and the end

  /** Closes the channel or the connection, as the error demands. `method`: the ids of the method that failed. */
  fail(error: unknown, method: number): void {
    const answer = toAmqpError(error, method);
    if (!this.replies.failInTurn(() => this.#closeFor(answer))) this.#closeFor(answer);
  }

  #closeFor(answer: AmqpError): void {
    if (answer.hard) {
      this.host.failConnection(answer);
      return;
    }
    if (this.state !== 'open') return;
    this.host.channelFailed(this, answer);
    this.release();
    this.state = 'closing';
    writeChannelClose(this.output.writer, this.number, answer.code, answer.text, answer.classId, answer.methodId);
    this.output.touch();
  }

  /** channel.close from the client. */
  closeByClient(): void {
    if (this.state === 'open') {
      this.release();
      this.state = 'closed';
      this.host.channelGone(this);
    }
    writeChannelCloseOk(this.output.writer, this.number);
    this.output.touch();
  }

  /** channel.close-ok from the client. */
  closeConfirmed(): void {
    if (this.state !== 'closing') throw new BrokerError('command-invalid', 'unimplemented method');
    this.state = 'closed';
    this.host.channelGone(this);
  }

  /** Consumers go and unsettled deliveries return to their queues, now and not when the peer agrees. */
  release(): void {
    if (this.state !== 'open') return;
    this.host.environment.consumerTimeouts.forget(this);
    for (const consumer of this.consumers.values()) consumer.queue.removeConsumer(consumer);
    this.consumers.clear();
    this.closeReplyConsumer();
    this.transaction?.rollback(this.ledger);
    this.transaction = undefined;
    this.#confirms = undefined;
    this.#settlement = 'requeue';
    this.ledger.takeUpTo(0, this);
    this.state = 'closed';
    this.#emit('channel.closed');
  }

  // --- deliveries

  nextDeliveryTag(): number {
    return ++this.#deliveryTag;
  }

  get lastDeliveryTag(): number {
    return this.#deliveryTag;
  }

  getSource(queue: Queue): GetSource {
    let source = this.#gets.get(queue);
    if (source === undefined) {
      source = new GetSource(this, queue);
      this.host.environment.consumerTimeouts.watch(this, queue);
      if (this.#gets.size > 64) this.#gets.clear();
      this.#gets.set(queue, source);
    }
    return source;
  }

  /** basic.ack, nack and reject. Throws BrokerError('precondition-failed') for a tag that is not outstanding. */
  settleDeliveries(tag: number, multiple: boolean, kind: SettlementKind): void {
    const { ledger } = this;
    if (!multiple) {
      if (!ledger.take(tag)) throw unknownTag(tag);
      if (ledger.source !== undefined) this.#settleOne(kind, ledger.source, ledger.position, tag);
      return;
    }
    this.#settlement = kind;
    if (!ledger.takeUpTo(tag, this)) throw unknownTag(tag);
    this.prefetchFreed();
  }

  /** basic.recover. In a transaction too it takes effect at once. */
  requeueDeliveries(): void {
    const settle = (source: DeliverySource, position: number, tag: number): void =>
      this.applySettlement('requeue', source, position, tag);
    this.ledger.takeUpTo(0, { settle });
    this.prefetchFreed();
  }

  settle(source: DeliverySource, position: number, tag: number): void {
    this.#settleOne(this.#settlement, source, position, tag);
  }

  #settleOne(kind: SettlementKind, source: DeliverySource, position: number, tag: number): void {
    if (this.transaction !== undefined) this.transaction.settle(kind, source, position, tag);
    else {
      this.applySettlement(kind, source, position, tag);
      if (this.prefetch.channelLimit !== 0) this.prefetchFreed();
    }
  }

  applySettlement(kind: SettlementKind, source: DeliverySource, position: number, tag: number): void {
    if (kind === 'ack') source.queue.ack(position);
    else if (kind === 'requeue') source.queue.requeue(position);
    else source.queue.reject(position);
    source.released(tag);
  }

  /** Any consumer may have credit again. */
  prefetchFreed(): void {
    for (const consumer of this.consumers.values()) consumer.queue.wake();
  }

  /** Where to write the reply to a change of definitions; `replies.end` must follow. */
  beginReply(): ByteWriter {
    return this.replies.begin(this.access.takeCommit());
  }

  /** Looks a queue name up as the spec has it: '' is the last one declared on this channel. */
  queueName(name: string): string {
    if (name !== '') return name;
    if (this.lastQueueName === '') throw new BrokerError('not-found', 'no previously declared queue');
    return this.lastQueueName;
  }

  /** RabbitMQ's consumer timeout. */
  acknowledgementLate(timeoutMs: number): void {
    const text =
      `delivery acknowledgement on channel ${this.number} timed out. Timeout value used: ${timeoutMs} ms. ` +
      'This timeout value can be configured, see consumers doc guide to learn more';
    this.fail(new BrokerError('precondition-failed', text), 0);
  }

  // --- consumers

  /** The queue is gone. Clients that said so hear of it. */
  consumerCancelled(consumer: AmqpConsumer): void {
    if (!this.consumers.delete(consumer.tag) || !this.host.capabilities.consumerCancelNotify) return;
    writeBasicCancel(this.output.writer, this.number, consumer.tag, true);
    this.output.touch();
  }

  closeReplyConsumer(): void {
    if (this.replyConsumer === undefined) return;
    this.access.closeReplyQueue(this.replyConsumer.queue);
    this.replyConsumer = undefined;
  }

  // --- confirms

  get confirming(): boolean {
    return this.#confirms !== undefined;
  }

  selectConfirms(): void {
    this.#confirms ??= new ConfirmTracker();
  }

  confirmPublish(outcome: PublishOutcome): void {
    const confirms = this.#confirms;
    if (confirms === undefined) return;
    const number = confirms.begin();
    if (outcome.rejected) confirms.rejected(number);
    else confirms.accepted(number, outcome.commit);
    if (!this.deferred) this.host.environment.turn.defer(TurnPhase.Confirm, this);
  }

  /** Confirm phase of the turn: answers what is durable. */
  runInTurn(): void {
    const { durability } = this.host.environment;
    if (this.#confirms?.flush(durability.durableCommit, this) === true) durability.wakeNext(this);
  }

  confirm(number: number, multiple: boolean): void {
    writeBasicAck(this.output.writer, this.number, number, multiple);
    this.output.touch();
  }

  reject(number: number, multiple: boolean): void {
    // RabbitMQ sets the requeue bit in its nacks.
    writeBasicNack(this.output.writer, this.number, number, multiple, true);
    this.output.touch();
  }

  // --- Publishing

  get userName(): string {
    return this.access.user.name;
  }

  get mayImpersonate(): boolean {
    return this.access.user.tags.includes('impersonator');
  }

  get replyQueueName(): string | undefined {
    return this.replyConsumer?.queue.name;
  }
}

function unknownTag(tag: number): BrokerError {
  return new BrokerError('precondition-failed', `unknown delivery tag ${tag}`);
}
