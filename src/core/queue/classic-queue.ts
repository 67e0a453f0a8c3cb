/**
 * The classic queue: a log, its delivery cursor, and the positions that came back. Ready is what was returned plus
 * what is behind the cursor; a returned message goes out first because its place is before the cursor.
 */
import { BrokerError } from '../../errors.js';
import type { Binding } from '../binding.js';
import type { Consumer } from '../consumer.js';
import { lookUp } from '../field-value.js';
import { type LogEnvironment, MessageLog } from '../log/message-log.js';
import { PositionSet } from '../log/position-set.js';
import { RecordReader, type RecordSource } from '../log/record.js';
import type { CommitId } from '../ports/message-store.js';
import { type Turn, TurnPhase, type TurnTask } from '../turn.js';
import { Dispatcher } from './dispatcher.js';
import type { PublishOutcome, Queue, QueueCounters, QueueOptions } from './queue.js';

/** What one queue may deliver in one turn before the event loop looks at the others. */
const TURN_BUDGET_BYTES = 1024 * 1024;
/** What a delivery costs beside its bytes. */
const DELIVERY_COST_BYTES = 64;

/** What a queue needs of its virtual host. */
export interface QueueHost {
  readonly name: string;
  readonly turn: Turn;
  readonly logs: LogEnvironment;
  /** The last consumer of an auto-delete queue has gone. */
  lastConsumerGone(queue: Queue): void;
}

export class ClassicQueue implements Queue, TurnTask {
  readonly id: number;
  readonly name: string;
  readonly type = 'classic';
  readonly options: QueueOptions;
  readonly bindings = new Set<Binding>();
  readonly counters: QueueCounters = { published: 0, delivered: 0, acknowledged: 0, redelivered: 0 };
  unackedCount = 0;
  deleted = false;
  routeMark = 0;
  deferred = false;
  readonly #host: QueueHost;
  readonly #log: MessageLog;
  readonly #returned = new PositionSet();
  readonly #dispatcher: Dispatcher;
  readonly #reader = new RecordReader();

  constructor(id: number, name: string, options: QueueOptions, host: QueueHost) {
    this.id = id;
    this.name = name;
    this.options = options;
    this.#host = host;
    this.#log = new MessageLog(id, host.logs, options.durable && options.owner === undefined);
    const singleActive = lookUp(options.arguments, 'x-single-active-consumer');
    this.#dispatcher = new Dispatcher(singleActive?.type === 't' && singleActive.value);
  }

  /** Takes back the messages that the store kept. Only before anything else happens to the queue. */
  restore(): void {
    this.#log.restore();
  }

  get readyCount(): number {
    return this.#log.unread + this.#returned.size;
  }

  get pendingCommit(): CommitId {
    return this.#log.pendingCommit;
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
    const commit = this.#log.append(source);
    if (commit > outcome.commit) outcome.commit = commit;
    this.counters.published++;
    if (!this.deferred && this.#dispatcher.count > 0) this.#host.turn.defer(TurnPhase.Dispatch, this);
  }

  take(reader: RecordReader): boolean {
    if (this.#returned.size > 0) {
      // It stays returned if it cannot be read.
      this.#log.readReturned(this.#returned.first, reader);
      this.#returned.takeFirst();
    } else if (!this.#log.readNext(reader)) return false;
    this.unackedCount++;
    this.counters.delivered++;
    if (reader.redelivered) this.counters.redelivered++;
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
    this.unackedCount--;
    this.#returned.add(position);
    this.wake();
  }

  reject(position: number): void {
    this.#settle(position);
  }

  purge(): number {
    const purged = this.readyCount;
    this.#returned.forEachRange((first, last) => {
      for (let position = first; position <= last; position++) this.#log.settle(position);
    });
    this.#returned.clear();
    this.#log.settleUnread();
    return purged;
  }

  addConsumer(consumer: Consumer): void {
    const dispatcher = this.#dispatcher;
    const refused =
      dispatcher.hasExclusive || (consumer.exclusive && (dispatcher.count > 0 || dispatcher.singleActive));
    if (refused) {
      throw new BrokerError('access-refused', `queue '${this.name}' in vhost '${this.#host.name}' in exclusive use`);
    }
    dispatcher.add(consumer);
    this.wake();
  }

  removeConsumer(consumer: Consumer): void {
    if (!this.#dispatcher.remove(consumer) || this.deleted) return;
    if (this.#dispatcher.count > 0) this.wake();
    else if (this.options.autoDelete) this.#host.lastConsumerGone(this);
  }

  wake(): void {
    if (this.readyCount > 0 && this.#dispatcher.count > 0) this.#host.turn.defer(TurnPhase.Dispatch, this);
  }

  delete(): void {
    this.deleted = true;
    this.purge();
    this.#log.forget();
    for (const consumer of this.#dispatcher.all()) {
      this.#dispatcher.remove(consumer);
      consumer.cancelled(this);
    }
  }

  /** The end of a turn: hands out ready messages while a consumer has credit, up to the budget. */
  runInTurn(): void {
    let budget = TURN_BUDGET_BYTES;
    const reader = this.#reader;
    const dispatcher = this.#dispatcher;
    const sole = dispatcher.hasSole;
    let consumer: Consumer | undefined;
    while (this.readyCount > 0) {
      if (budget <= 0) {
        this.wake();
        return;
      }
      // Asking moves the round robin on, so it is asked only when a message is there to give.
      if (consumer === undefined || !sole || !consumer.hasCredit()) consumer = dispatcher.next();
      if (consumer === undefined) return;
      this.take(reader);
      const position = reader.position;
      consumer.deliver(this, reader);
      if (consumer.noAck) this.#settle(position);
      budget -= DELIVERY_COST_BYTES + reader.bodyEnd - reader.bodyStart;
    }
  }

  #settle(position: number): void {
    this.unackedCount--;
    this.#log.settle(position);
  }
}
