/**
 * The messages that one x-delayed-message exchange holds back: a log, and a heap that says which of it is due when. What
 * is due is routed by the bindings of that moment; it reaches its queues in the same call that takes it from the log,
 * and so in the same commit. One deadline, that of the first.
 */
import { Deadline } from '../deadlines.js';
import { MessageLog } from '../log/message-log.js';
import { expiryOf, RecordReader, type RecordSource } from '../log/record.js';
import { PublishOutcome } from '../queue/queue.js';
import { TurnPhase, type TurnTask } from '../turn.js';
import { withDelayOver } from './delay-header.js';
import { DueHeap } from './due-heap.js';
import type { ExchangePlace } from './exchange-type.js';
import { KeptMessage } from './kept-message.js';

/** How many messages, and bytes of them, may fall due before the event loop looks at others. */
const RELEASED_AT_ONCE = 2000;
const RELEASED_BYTES_AT_ONCE = 4 * 1024 * 1024;
/** After a message could not be read. */
const RETRY_AFTER_MS = 1000;

export class DelayedMessages implements TurnTask {
  deferred = false;
  readonly #place: ExchangePlace;
  readonly #log: MessageLog;
  readonly #pending = new DueHeap();
  readonly #deadline = new Deadline(() => this.runInTurn());
  readonly #reader = new RecordReader();
  readonly #message: KeptMessage;
  readonly #outcome = new PublishOutcome();
  #deleted = false;

  constructor(place: ExchangePlace) {
    const { host, exchange, logId } = place;
    this.#place = place;
    this.#log = new MessageLog(logId ?? 0, host.logs, logId !== undefined && exchange.options.durable);
    this.#message = new KeptMessage(host.properties);
  }

  restore(): void {
    const { store } = this.#place.host.logs;
    const log = this.#log;
    log.restore();
    log.skipUnread();
    // The one log that is read at once; nothing of it comes into memory.
    store.read(log.id, 1, log.nextPosition - 1, (position, bytes, start) => {
      this.#pending.add(expiryOf(bytes, start), position);
    });
    this.#awaitFirst();
  }

  hold(source: RecordSource, delayMs: number, outcome: PublishOutcome): void {
    // A transaction may have been routed here before the exchange went.
    if (this.#deleted) return;
    const due = this.#place.host.logs.clock.wallTime() + delayMs;
    const position = this.#log.nextPosition;
    source.expiresAt = due;
    try {
      const commit = this.#log.append(source);
      if (commit > outcome.commit) outcome.commit = commit;
    } finally {
      source.expiresAt = 0;
    }
    this.#log.skipUnread();
    this.#pending.add(due, position);
    this.#awaitFirst();
  }

  delete(): void {
    this.#deleted = true;
    this.#place.host.deadlines.cancel(this.#deadline);
    // First, so that the store need not be told of each message.
    this.#log.forget();
    this.#pending.forEachPosition((position) => this.#log.settle(position));
    this.#pending.clear();
  }

  /** When the first is due, and at the end of turns as long as there are more. */
  runInTurn(): void {
    if (this.#deleted) return;
    const { deadlines, logs, turn } = this.#place.host;
    try {
      if (this.#releaseDue(logs.clock.coarseWallTime)) this.#awaitFirst();
      else turn.defer(TurnPhase.Dispatch, this);
    } catch (error) {
      deadlines.set(this.#deadline, logs.clock.wallTime() + RETRY_AFTER_MS);
      throw error;
    }
  }

  /** False when more is due than may go at once. */
  #releaseDue(now: number): boolean {
    let bytes = 0;
    for (let count = 0; count < RELEASED_AT_ONCE && bytes < RELEASED_BYTES_AT_ONCE; count++) {
      if (this.#pending.firstDue > now) return true;
      bytes += this.#releaseFirst();
    }
    return false;
  }

  /** Returns how large the body is. */
  #releaseFirst(): number {
    const { host, exchange } = this.#place;
    const message = this.#message;
    const position = this.#pending.firstPosition;
    // It stays pending if it cannot be read.
    this.#log.readReturned(position, this.#reader);
    this.#pending.removeFirst();
    message.show(this.#reader, withDelayOver);
    this.#outcome.reset();
    host.deliver(host.route(exchange, message, message.furtherKeys).targets, message.source, this.#outcome);
    this.#log.settle(position);
    return message.source.bodyEnd - message.source.bodyStart;
  }

  #awaitFirst(): void {
    const { deadlines } = this.#place.host;
    if (this.#pending.size === 0) deadlines.cancel(this.#deadline);
    else if (!this.deferred) deadlines.set(this.#deadline, this.#pending.firstDue);
  }
}
