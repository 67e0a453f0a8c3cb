/**
 * A queue from which messages are consumed: what goes out next is its backlog's to say, who gets it the dispatcher's. The
 * classic and the quorum type are made of it. What a limit, a time to live or a queue expiry asks for is in `settings`; a
 * queue without any of them pays for none.
 */
import { BrokerError } from '../../errors.js';
import type { Binding } from '../binding.js';
import type { Consumer } from '../consumer.js';
import type { DeathReason } from '../death-history.js';
import { NO_EXPIRATION, RecordReader, type RecordSource } from '../log/record.js';
import type { CommitId } from '../ports/message-store.js';
import { consumerFacts } from '../topology-events.js';
import { TurnPhase, type TurnTask } from '../turn.js';
import type { Backlog } from './backlog.js';
import { Dispatcher } from './dispatcher.js';
import { IdleExpiry } from './idle-expiry.js';
import { LengthLimit } from './length-limit.js';
import { type ExpiringQueue, MessageExpiry } from './message-expiry.js';
import type { PublishOutcome, Queue, QueueCounters, QueueOptions } from './queue.js';
import type { QueueHost, QueueTypeName } from './queue-type.js';
import type { QueueSettings } from './settings.js';
import { UndeliveredDead } from './undelivered-dead.js';

/** What one queue may deliver in one turn before the event loop looks at the others. */
const TURN_BUDGET_BYTES = 1024 * 1024;
/** What a delivery costs beside its bytes. */
const DELIVERY_COST_BYTES = 64;

/** What a queue is made of. */
export interface MessageQueueParts {
  readonly type: QueueTypeName;
  readonly backlog: Backlog;
  readonly settings: QueueSettings;
  /** No consumer can have it for itself. */
  readonly isShared?: boolean;
  /** What the type makes of settings. */
  readonly adapt?: (settings: QueueSettings) => QueueSettings;
}

export class MessageQueue implements Queue, TurnTask, ExpiringQueue {
  readonly id: number;
  readonly name: string;
  readonly type: QueueTypeName;
  readonly options: QueueOptions;
  settings: QueueSettings;
  readonly bindings = new Set<Binding>();
  readonly counters: QueueCounters = { published: 0, delivered: 0, acknowledged: 0, redelivered: 0 };
  unackedCount = 0;
  deleted = false;
  routeMark = 0;
  deferred = false;
  readonly #host: QueueHost;
  readonly #backlog: Backlog;
  readonly #adapt: (settings: QueueSettings) => QueueSettings;
  readonly #dispatcher: Dispatcher;
  readonly #reader = new RecordReader();
  /** For what is dropped while `#reader` is in use. */
  readonly #dropped = new RecordReader();
  #limit: LengthLimit | undefined;
  /** Made for the first message that has a deadline. */
  #expiry: MessageExpiry | undefined;
  /** Made when there is one. */
  #undelivered: UndeliveredDead | undefined;
  /** Made when an expiry is asked for. */
  #idle: IdleExpiry | undefined;

  constructor(id: number, name: string, options: QueueOptions, host: QueueHost, parts: MessageQueueParts) {
    this.id = id;
    this.name = name;
    this.type = parts.type;
    this.options = options;
    this.#adapt = parts.adapt ?? ((settings) => settings);
    this.settings = this.#adapt(parts.settings);
    this.#host = host;
    this.#backlog = parts.backlog;
    this.#backlog.configure?.(this.settings);
    this.#dispatcher = new Dispatcher(this.settings.singleActiveConsumer, parts.isShared);
    this.#limit = LengthLimit.of(this.settings);
    this.#limitIdleTime();
  }

  restore(): void {
    this.#backlog.restore();
    if (this.#limit !== undefined) {
      if (this.#limit.countsBytes) this.#countReady(this.#limit);
      // When the queues are there that what is dropped may go to.
      this.#host.turn.defer(TurnPhase.Dispatch, this);
    }
    const earliest = this.#backlog.restoredExpiry;
    if (earliest === 0) return;
    // The head is looked at then, and not read before.
    this.#expiring().awaitUntil(earliest);
  }

  configure(settings: QueueSettings): void {
    this.settings = this.#adapt(settings);
    this.#backlog.configure?.(this.settings);
    this.#limit = LengthLimit.of(this.settings);
    if (this.#limit !== undefined) {
      if (this.#limit.countsBytes) this.#countReady(this.#limit);
      this.#keepWithin(this.#limit);
    }
    this.#limitIdleTime();
  }

  get readyCount(): number {
    return this.#backlog.readyCount;
  }

  get pendingCommit(): CommitId {
    return this.#backlog.pendingCommit;
  }

  get consumerCount(): number {
    return this.#dispatcher.count;
  }

  get consumers(): readonly Consumer[] {
    return this.#dispatcher.all();
  }

  enqueue(source: RecordSource, outcome: PublishOutcome): void {
    // A transaction may have been routed here before the queue went.
    if (this.deleted) return;
    if (source.expirationMs !== NO_EXPIRATION || this.settings.messageTtlMs !== undefined) {
      this.#enqueueMortal(source, outcome);
    } else if (this.#limit !== undefined) this.#enqueueLimited(this.#limit, source, outcome);
    else this.#append(source, outcome);
  }

  take(reader: RecordReader): boolean {
    if (this.#expiry !== undefined) {
      this.#host.logs.clock.refresh();
      this.#expiry.dropExpired(Number.POSITIVE_INFINITY);
    }
    if (!this.#take(reader)) return false;
    if (this.#expiry !== undefined) {
      // What is ready now is told to who took this one.
      this.#expiry.dropExpired(Number.POSITIVE_INFINITY);
      this.#expiry.awaitHead();
    }
    return true;
  }

  ack(position: number): void {
    this.#settle(position);
    this.counters.acknowledged++;
  }

  requeue(position: number): void {
    if (this.deleted) {
      this.#settle(position);
      return;
    }
    if (this.#limit?.countsBytes === true) this.#backlog.readDelivered(position, this.#dropped);
    if (!this.#backlog.putBack(position)) {
      this.#giveUp(position, 'delivery_limit');
      return;
    }
    this.unackedCount--;
    if (this.#limit?.countsBytes === true) this.#limit.added(bodyBytes(this.#dropped));
    this.wake();
    if (this.#limit !== undefined) {
      // As in RabbitMQ a classic queue drops before a consumer can have what is too much, a quorum queue after it.
      if (this.type === 'quorum') this.#keepWithin(this.#limit);
      else this.#dropAbove(this.#limit);
    }
    if (this.#expiry !== undefined) this.#expiry.awaitHead();
  }

  reject(position: number): void {
    this.#giveUp(position, 'rejected');
  }

  purge(): number {
    const purged = this.#backlog.purge();
    this.#limit?.emptied();
    this.#expiry?.cancel();
    return purged;
  }

  addConsumer(consumer: Consumer): void {
    const dispatcher = this.#dispatcher;
    const refused =
      dispatcher.hasExclusive ||
      (consumer.exclusive && !dispatcher.isShared && (dispatcher.count > 0 || dispatcher.singleActive));
    if (refused) {
      throw new BrokerError('access-refused', `queue '${this.name}' in vhost '${this.#host.name}' in exclusive use`);
    }
    dispatcher.add(consumer);
    this.#host.events.emit('consumer.created', () => consumerFacts(consumer, this, this.#host.name));
    this.wake();
  }

  removeConsumer(consumer: Consumer): void {
    if (!this.#dispatcher.remove(consumer)) return;
    this.#host.events.emit('consumer.deleted', () => consumerFacts(consumer, this, this.#host.name));
    if (this.deleted) return;
    if (this.#dispatcher.count > 0) this.wake();
    else if (this.options.autoDelete) this.#host.outlived(this);
    else this.used();
  }

  used(): void {
    if (!this.deleted) this.#idle?.used();
  }

  wake(): void {
    if (this.readyCount > 0 && this.#dispatcher.count > 0) this.#host.turn.defer(TurnPhase.Dispatch, this);
  }

  delete(): void {
    this.deleted = true;
    this.#idle?.close();
    this.#undelivered?.close();
    this.purge();
    this.#backlog.forget();
    for (const consumer of this.#dispatcher.all()) {
      this.#dispatcher.remove(consumer);
      consumer.cancelled(this);
    }
  }

  /** The end of a turn: hands out ready messages while a consumer has credit, up to the budget. */
  runInTurn(): void {
    if (this.#expiry !== undefined && !this.#expiry.dropExpired()) {
      this.#host.turn.defer(TurnPhase.Dispatch, this);
      return;
    }
    this.#dispatch();
    if (this.#limit !== undefined) this.#keepWithin(this.#limit);
    if (this.#expiry !== undefined) this.#expiry.awaitHead();
  }

  #dispatch(): void {
    let budget = TURN_BUDGET_BYTES;
    const reader = this.#reader;
    const dispatcher = this.#dispatcher;
    const sole = dispatcher.hasSole;
    const { tracer } = this.#host;
    let consumer: Consumer | undefined;
    while (this.readyCount > 0) {
      if (budget <= 0) {
        this.wake();
        return;
      }
      // Asking moves the round robin on, so it is asked only when a message is there to give.
      if (consumer === undefined || !sole || !consumer.hasCredit()) consumer = dispatcher.next();
      if (consumer === undefined) return;
      if (!this.#take(reader)) return;
      const position = reader.position;
      if (tracer !== undefined && consumer.origin !== undefined) tracer.delivered(this.name, reader, consumer.origin);
      consumer.deliver(this, reader);
      if (consumer.noAck) this.#settle(position);
      budget -= DELIVERY_COST_BYTES + reader.bodyEnd - reader.bodyStart;
    }
  }

  #take(reader: RecordReader): boolean {
    do {
      if (!this.#readHead(reader)) return false;
    } while (reader.expiresAt !== 0 && this.#buryExpired(reader));
    this.unackedCount++;
    this.counters.delivered++;
    if (reader.redelivered) this.counters.redelivered++;
    return true;
  }

  /** False: it lives. In its last millisecond it may still be delivered, which one with a time to live of 0 depends on. */
  #buryExpired(record: RecordReader): boolean {
    if (record.expiresAt >= this.#host.logs.clock.coarseWallTime) return false;
    this.#buryTaken(record, 'expired');
    return true;
  }

  #readHead(reader: RecordReader): boolean {
    if (!this.#backlog.takeHead(reader)) return false;
    this.#limit?.removed(reader.bodyEnd - reader.bodyStart);
    return true;
  }

  #append(source: RecordSource, outcome: PublishOutcome): void {
    const commit = this.#backlog.append(source);
    if (commit > outcome.commit) outcome.commit = commit;
    this.counters.published++;
    if (!this.deferred && this.#dispatcher.count > 0) this.#host.turn.defer(TurnPhase.Dispatch, this);
  }

  /** A message that was delivered. */
  #giveUp(position: number, reason: DeathReason): void {
    if (this.settings.deadLetterExchange === undefined || this.deleted) {
      this.#settle(position);
      return;
    }
    this.unackedCount--;
    this.#backlog.readDelivered(position, this.#dropped);
    this.#bury(this.#dropped, reason);
  }

  #settle(position: number): void {
    this.unackedCount--;
    this.#backlog.settle(position);
  }

  // --- limits of length

  #enqueueLimited(limit: LengthLimit, source: RecordSource, outcome: PublishOutcome): void {
    const bytes = source.bodyEnd - source.bodyStart;
    if (this.settings.overflow !== 'drop-head' && this.#wouldExceed(limit, bytes)) {
      outcome.rejected = true;
      if (this.settings.overflow === 'reject-publish-dlx') this.#buryRefused(source);
      return;
    }
    if (this.#backlog.isDuplicate?.(source) === true) {
      // Confirmed with the one that is there.
      outcome.commit = Math.max(outcome.commit, this.#backlog.pendingCommit);
      return;
    }
    this.#append(source, outcome);
    limit.added(bytes);
    this.#keepWithin(limit);
  }

  #wouldExceed(limit: LengthLimit, bytes: number): boolean {
    if (!limit.isExceeded(this.readyCount + 1, bytes)) return false;
    // What consumers would have at the end of the turn is not the queue's any more.
    if (this.#dispatcher.count > 0) this.#dispatch();
    if (this.#expiry !== undefined) this.#expiry.awaitHead();
    return limit.isExceeded(this.readyCount + 1, bytes);
  }

  #keepWithin(limit: LengthLimit): void {
    if (this.settings.overflow !== 'drop-head' || !limit.isExceeded(this.readyCount, 0)) return;
    if (this.#dispatcher.count > 0) this.#dispatch();
    this.#dropAbove(limit);
  }

  #dropAbove(limit: LengthLimit): void {
    if (this.settings.overflow !== 'drop-head') return;
    while (limit.isExceeded(this.readyCount, 0) && this.#dropHead('maxlen'));
    if (this.#expiry !== undefined) this.#expiry.awaitHead();
  }

  #buryRefused(source: RecordSource): void {
    this.#dropped.showSource(source);
    this.#host.deadLetters.bury(this, this.#dropped, 'maxlen');
  }

  #countReady(limit: LengthLimit): void {
    for (const bytes of this.#backlog.readyBodyBytes(this.#dropped)) limit.added(bytes);
  }

  /** Gives up the oldest ready message; false when there is none. */
  #dropHead(reason: DeathReason): boolean {
    const record = this.#dropped;
    if (!this.#readHead(record)) return false;
    this.#buryTaken(record, reason);
    return true;
  }

  /** A message that was ready until now. */
  #buryTaken(record: RecordReader, reason: DeathReason): void {
    const { position } = record;
    if (this.#backlog.addsHeader) this.#backlog.readDelivered(position, record);
    this.#bury(record, reason);
  }

  /** A message that is neither ready nor with a consumer any more. */
  #bury(record: RecordReader, reason: DeathReason): void {
    const { position } = record;
    const { deadLetters } = this.#host;
    if (this.settings.deadLetterStrategy === 'at-most-once') {
      deadLetters.bury(this, record, reason);
      this.#backlog.settle(position);
      return;
    }
    deadLetters.bury(this, record, reason, (arrived) => {
      if (arrived || this.deleted) this.#backlog.settle(position);
      else this.#keepDead(position, reason);
    });
  }

  #keepDead(position: number, reason: DeathReason): void {
    this.#undelivered ??= new UndeliveredDead(this.#host, (kept, why) => {
      this.#backlog.readDelivered(kept, this.#dropped);
      this.#bury(this.#dropped, why);
    });
    this.#undelivered.add(position, reason);
  }

  // --- time to live

  #enqueueMortal(source: RecordSource, outcome: PublishOutcome): void {
    const own = source.expirationMs === NO_EXPIRATION ? Number.POSITIVE_INFINITY : source.expirationMs;
    const ttlMs = Math.min(own, this.settings.messageTtlMs ?? Number.POSITIVE_INFINITY);
    const { clock } = this.#host.logs;
    // The broker may have had no turn for long.
    clock.refresh();
    const expiresAt = clock.coarseWallTime + ttlMs;
    const becomesHead = this.readyCount === 0;
    const expiry = this.#expiring();
    source.expiresAt = expiresAt;
    try {
      if (this.#limit !== undefined) this.#enqueueLimited(this.#limit, source, outcome);
      else this.#append(source, outcome);
    } finally {
      source.expiresAt = 0;
    }
    // It lives for no longer than it takes to give it to a consumer.
    if (ttlMs === 0) this.#giveOrDrop(expiry);
    else if (this.#backlog.reorders) expiry.awaitHead();
    // Behind another one it changes nothing.
    else if (becomesHead && this.readyCount > 0) expiry.awaitUntil(expiresAt);
  }

  #giveOrDrop(expiry: MessageExpiry): void {
    if (this.#dispatcher.count > 0) this.#dispatch();
    expiry.dropExpired();
    expiry.awaitHead();
  }

  #expiring(): MessageExpiry {
    this.#expiry ??= new MessageExpiry(this, this.#backlog, this.#host, this.#dropped);
    return this.#expiry;
  }

  dropExpiredHead(): void {
    this.#dropHead('expired');
  }

  expireLater(): void {
    this.#host.turn.defer(TurnPhase.Dispatch, this);
  }

  #limitIdleTime(): void {
    const { expiresMs } = this.settings;
    if (expiresMs === undefined && this.#idle === undefined) return;
    this.#idle ??= new IdleExpiry(
      this.#host,
      () => this.#dispatcher.count > 0,
      () => this.#host.outlived(this),
    );
    this.#idle.limit(expiresMs);
  }
}

function bodyBytes(record: RecordReader): number {
  return record.bodyEnd - record.bodyStart;
}
