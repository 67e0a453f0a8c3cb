/**
 * One STOMP session on a virtual host, from the login to the end: dispatch of its frames, and the one place where an
 * error becomes an ERROR frame. It knows no socket; the connection lends it the output.
 */
import { randomBytes } from 'node:crypto';
import type { StompFrame } from '../../../protocol/stomp/frame.js';
import { headerId } from '../../../protocol/stomp/names.js';
import type { VirtualHostAccess } from '../../auth/virtual-host-access.js';
import type { CommitId } from '../../core/ports/message-store.js';
import type { Origin } from '../../core/tracer.js';
import { BrokerError } from '../../errors.js';
import type { DeliveringSession } from '../shared/consumer-timeouts.js';
import type { Publishing } from '../shared/content.js';
import { DeliveryLedger, type DeliverySource, type SettlementSink } from '../shared/delivery-ledger.js';
import type { SettlementKind } from '../shared/transaction.js';
import type { TurnOutput } from '../shared/turn-output.js';
import type { StompEnvironment } from './environment.js';
import { StompError } from './errors.js';
import { HeldTransactions } from './held-transactions.js';
import { type PublisherHost, StompPublisher } from './publisher.js';
import { namedQueueDeclaration, type QueueDeclaration } from './queue-declaration.js';
import { Receipts, type ReceiptsHost } from './receipts.js';
import { settle } from './settling.js';
import { type ConsumerHost, StompConsumer } from './stomp-consumer.js';
import { describeSubscription, REPLY_ID_PREFIX, subscribe, unsubscribe } from './subscribing.js';

export type StompVersion = '1.0' | '1.1' | '1.2';

/** What a session needs of its connection. */
export interface SessionHost extends ReceiptsHost {
  readonly environment: StompEnvironment;
  readonly connectionName: string;
  /** Sends an ERROR frame, and closes when the error says so. */
  failed(error: unknown): void;
  /** The server cancelled a subscription. */
  subscriptionCancelled(id: string, described: string): void;
  /** A message was published. */
  published(): void;
  /** A frame was handled that costs more than an ack or a publish. */
  commandHandled(): void;
  /** The client has said that it goes; everything it asked for is answered. */
  finish(): void;
}

const RECEIPT = headerId('receipt');
const TRANSACTION = headerId('transaction');
/** Names of queues that were declared; above this many, those of queues that are gone are forgotten. */
const MOST_DECLARED = 4096;

export class StompSession implements ConsumerHost, DeliveringSession, PublisherHost, Publishing, SettlementSink {
  readonly access: VirtualHostAccess;
  readonly output: TurnOutput;
  readonly sessionId = `session-${randomBytes(16).toString('base64url')}`;
  readonly sendsAck: boolean;
  readonly ledger = new DeliveryLedger();
  readonly consumers = new Map<string, StompConsumer>();
  readonly replyQueueName = undefined;
  readonly origin: Origin;
  readonly #host: SessionHost;
  readonly #publisher: StompPublisher;
  readonly #receipts: Receipts;
  readonly #transactions = new HeldTransactions();
  readonly #replyQueues = new Map<string, string>();
  #declared = new Set<string>();
  #mostDeclared = MOST_DECLARED;
  /** `finishing`: the client has sent DISCONNECT. */
  #state: 'open' | 'finishing' | 'closed' = 'open';
  #deliveryTag = 0;
  #settlement: SettlementKind = 'ack';
  /** Of the latest changes of definitions. */
  #definitions: CommitId = 0;
  /** Of what the frame at hand published. */
  #published: CommitId = 0;

  constructor(host: SessionHost, access: VirtualHostAccess, version: StompVersion) {
    const { turn, durability } = host.environment;
    this.#host = host;
    this.access = access;
    this.output = host.output;
    this.origin = { connectionName: host.connectionName, channel: 1, user: access.user.name };
    this.sendsAck = version === '1.2';
    this.#publisher = new StompPublisher(this, durability);
    this.#receipts = new Receipts(host, turn, durability);
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  // --- frames

  handle(frame: StompFrame): void {
    if (this.#state !== 'open') return;
    try {
      this.#published = 0;
      this.#dispatch(frame);
      if (frame.command !== 'SEND') this.#owe(frame);
    } catch (error) {
      this.#fail(error, frame);
    }
    if (frame.command !== 'SEND' && frame.command !== 'ACK') this.#host.commandHandled();
  }

  #dispatch(frame: StompFrame): void {
    switch (frame.command) {
      case 'SEND':
      case 'ACK':
      case 'NACK':
        if (frame.has(TRANSACTION)) this.#transactions.add(frame.text(TRANSACTION) ?? '', frame);
        else this.#act(frame);
        return;
      case 'SUBSCRIBE':
        subscribe(this, frame);
        return;
      case 'UNSUBSCRIBE':
        unsubscribe(this, frame);
        this.#noteDefinitions();
        return;
      case 'BEGIN':
        this.#transactions.begin(transactionOf(frame));
        return;
      case 'COMMIT':
        this.#commit(transactionOf(frame));
        return;
      case 'ABORT':
        this.#transactions.take(transactionOf(frame));
        return;
      case 'DISCONNECT':
        this.#disconnect();
        return;
      default:
        throw new StompError('Bad command', `Could not interpret command "${frame.command}"\n`);
    }
  }

  /** What a transaction holds back. */
  #act(frame: StompFrame): void {
    if (frame.command === 'SEND') this.#send(frame);
    else settle(this, frame);
  }

  #send(frame: StompFrame): void {
    const publisher = this.#publisher;
    try {
      publisher.publish(frame);
    } finally {
      this.#host.published();
    }
    const { outcome } = publisher;
    this.#published = Math.max(this.#published, outcome.commit);
    const receipt = frame.valueOf(RECEIPT);
    if (receipt === undefined) return;
    this.#receipts.oweForSend(receipt, outcome, Math.max(outcome.commit, this.#definitions));
  }

  /** One failure does not keep the others from their turn, unless it ends the session. */
  #commit(name: string): void {
    for (const frame of this.#transactions.take(name)) {
      if (this.#state !== 'open') return;
      try {
        this.#act(frame);
      } catch (error) {
        this.#host.failed(error);
      }
    }
  }

  #disconnect(): void {
    this.#state = 'finishing';
  }

  /** A receipt of anything but SEND. */
  #owe(frame: StompFrame): void {
    if (this.#state === 'closed') return;
    const receipt = frame.valueOf(RECEIPT);
    const commit = Math.max(this.#published, this.#definitions);
    if (this.#state === 'open') {
      if (receipt !== undefined) this.#receipts.owe(receipt, commit);
      return;
    }
    // The receipt of DISCONNECT says that all before it was done, so it is the last.
    this.#receipts.whenNone(() => {
      if (receipt !== undefined) this.#receipts.owe(receipt, 0);
      this.#host.finish();
    });
  }

  /** RabbitMQ sends the receipt of a SUBSCRIBE even when its id is taken. */
  #fail(error: unknown, frame: StompFrame): void {
    const isDuplicate = error instanceof StompError && error.closes;
    const receipt = isDuplicate ? frame.valueOf(RECEIPT) : undefined;
    this.#host.failed(error);
    if (receipt !== undefined) this.#receipts.owe(receipt, 0);
  }

  // --- queues

  declareNamed(name: string, frame: StompFrame): void {
    if (this.#declared.has(name)) return;
    this.declare(name, namedQueueDeclaration(frame));
    if (this.#declared.size >= this.#mostDeclared) this.#forgetDeclared();
    this.#declared.add(name);
  }

  /** Returns the queue's name, which is made up where none is given. */
  declare(name: string, declaration: QueueDeclaration): string {
    const queue = this.access.declareQueue(name, declaration);
    this.#noteDefinitions();
    return queue.name;
  }

  replyQueue(name: string): string {
    const existing = this.#replyQueues.get(name);
    if (existing !== undefined) return existing;
    const declared = this.declare('', { durable: false, exclusive: true, autoDelete: true, arguments: [] });
    const id = REPLY_ID_PREFIX + name;
    const queue = this.access.queueToRead(declared);
    const subscription = { tag: `T_${id}`, id, destination: id, ack: 'auto', priority: 0, limit: 0 } as const;
    this.addConsumer(new StompConsumer(this, queue, subscription));
    this.#replyQueues.set(name, declared);
    return declared;
  }

  #noteDefinitions(): void {
    this.#definitions = Math.max(this.#definitions, this.access.takeCommit());
  }

  #forgetDeclared(): void {
    this.#declared = new Set([...this.#declared].filter((name) => this.access.hasQueue(name)));
    this.#mostDeclared = Math.max(MOST_DECLARED, this.#declared.size * 2);
  }

  // --- consumers

  addConsumer(consumer: StompConsumer): void {
    consumer.queue.addConsumer(consumer);
    this.consumers.set(consumer.tag, consumer);
    if (!consumer.noAck) this.#host.environment.consumerTimeouts.watch(this, consumer.queue);
  }

  removeConsumer(consumer: StompConsumer): void {
    this.consumers.delete(consumer.tag);
    consumer.queue.removeConsumer(consumer);
  }

  /** Any consumer may have credit again. */
  wakeConsumers(): void {
    for (const consumer of this.consumers.values()) consumer.queue.wake();
  }

  /** The queue is gone. */
  consumerCancelled(consumer: StompConsumer): void {
    if (!this.consumers.delete(consumer.tag) || this.#state !== 'open') return;
    const { id, destination } = consumer.subscription;
    if (id?.startsWith(REPLY_ID_PREFIX) === true) this.#replyQueues.delete(id.slice(REPLY_ID_PREFIX.length));
    this.#host.subscriptionCancelled(id ?? destination, describeSubscription(id, destination));
  }

  nextDeliveryTag(): number {
    return ++this.#deliveryTag;
  }

  get lastDeliveryTag(): number {
    return this.#deliveryTag;
  }

  /** RabbitMQ's consumer timeout. Its sessions have one channel. */
  acknowledgementLate(timeoutMs: number): void {
    const text =
      `delivery acknowledgement on channel 1 timed out. Timeout value used: ${timeoutMs} ms. ` +
      'This timeout value can be configured, see consumers doc guide to learn more';
    this.fail(new BrokerError('precondition-failed', text));
  }

  fail(error: unknown): void {
    this.#host.failed(error);
  }

  // --- settling

  /** False when the delivery is not outstanding. */
  settleDeliveries(tag: number, multiple: boolean, kind: SettlementKind): boolean {
    const { ledger } = this;
    this.#settlement = kind;
    if (multiple) return ledger.takeUpTo(tag, this);
    if (!ledger.take(tag)) return false;
    if (ledger.source !== undefined) this.settle(ledger.source, ledger.position, tag);
    return true;
  }

  settle(source: DeliverySource, position: number, tag: number): void {
    if (this.#settlement === 'ack') source.queue.ack(position);
    else if (this.#settlement === 'requeue') source.queue.requeue(position);
    else source.queue.reject(position);
    source.released(tag);
  }

  // --- the end

  /** Subscriptions end and what was not settled returns to its queues. */
  release(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#host.environment.consumerTimeouts.forget(this);
    for (const consumer of this.consumers.values()) consumer.queue.removeConsumer(consumer);
    this.consumers.clear();
    this.#receipts.drop();
    this.#settlement = 'requeue';
    this.ledger.takeUpTo(0, this);
    this.access.releaseExclusiveQueues();
  }

  // --- Publishing

  get userName(): string {
    return this.access.user.name;
  }

  get mayImpersonate(): boolean {
    return this.access.user.tags.includes('impersonator');
  }
}

function transactionOf(frame: StompFrame): string {
  const name = frame.text(TRANSACTION);
  if (name !== undefined) return name;
  throw new StompError('Missing transaction', `"${frame.command}" must include a 'transaction' header\n`);
}
