/**
 * The latest messages of one x-recent-history exchange, in a log of their own: a durable exchange has its persistent
 * ones back after a restart.
 */
import type { BindingDestination } from '../binding.js';
import { MessageLog } from '../log/message-log.js';
import { PositionSet } from '../log/position-set.js';
import { RecordReader, type RecordSource } from '../log/record.js';
import { type MessageTarget, PublishOutcome } from '../queue/queue.js';
import type { ExchangePlace } from './exchange-type.js';
import { KeptMessage } from './kept-message.js';

/** Of one history, whatever its length: twenty messages may be large, and a million are many. The latest always stays. */
const MOST_BYTES = 64 * 1024 * 1024;

export class RecentMessages implements MessageTarget {
  readonly #place: ExchangePlace;
  readonly #most: number;
  readonly #log: MessageLog;
  readonly #kept = new PositionSet();
  #bytes = 0;
  readonly #reader = new RecordReader();
  readonly #message: KeptMessage;
  readonly #outcome = new PublishOutcome();
  #deleted = false;

  constructor(place: ExchangePlace, most: number) {
    const { host, exchange, logId } = place;
    this.#place = place;
    this.#most = most;
    this.#log = new MessageLog(logId ?? 0, host.logs, logId !== undefined && exchange.options.durable);
    this.#message = new KeptMessage(host.properties);
  }

  enqueue(source: RecordSource, outcome: PublishOutcome): void {
    // A transaction may have been routed here before the exchange went.
    if (this.#deleted) return;
    const position = this.#log.nextPosition;
    const commit = this.#log.append(source);
    if (commit > outcome.commit) outcome.commit = commit;
    this.#log.skipUnread();
    this.#kept.add(position);
    this.#bytes += this.#sizeOf(position);
    while (this.#kept.size > this.#most || (this.#bytes > MOST_BYTES && this.#kept.size > 1)) this.#dropOldest();
  }

  /** The oldest first. A queue gets them as they are; an exchange routes them. */
  replayTo(destination: BindingDestination): void {
    const { host } = this.#place;
    const message = this.#message;
    for (const position of this.#positions()) {
      // What a full queue gives up may come back here and drive out what is to follow.
      if (!this.#kept.has(position)) continue;
      this.#log.readReturned(position, this.#reader);
      message.show(this.#reader);
      this.#outcome.reset();
      const targets =
        destination.kind === 'queue'
          ? [destination.queue]
          : host.route(destination.exchange, message, message.furtherKeys).targets;
      host.deliver(targets, message.source, this.#outcome);
    }
  }

  restore(): void {
    const log = this.#log;
    log.restore();
    log.skipUnread();
    this.#place.host.logs.store.read(log.id, 1, log.nextPosition - 1, (position) => this.#kept.add(position));
    for (const position of this.#positions()) this.#bytes += this.#sizeOf(position);
  }

  delete(): void {
    this.#deleted = true;
    this.#log.forget();
    for (const position of this.#positions()) this.#log.settle(position);
    this.#kept.clear();
  }

  #dropOldest(): void {
    this.#bytes -= this.#sizeOf(this.#kept.first);
    this.#log.settle(this.#kept.takeFirst());
  }

  /** Moves `#reader`. */
  #sizeOf(position: number): number {
    const reader = this.#reader;
    this.#log.readReturned(position, reader);
    return reader.end - reader.start + (reader.sharedBodyId === 0 ? 0 : reader.bodyEnd);
  }

  #positions(): number[] {
    const positions: number[] = [];
    this.#kept.forEachRange((first, last) => {
      for (let position = first; position <= last; position++) positions.push(position);
    });
    return positions;
  }
}
