/**
 * The messages that a queue holds: the ready ones in the order in which they go out, and those that were delivered and
 * wait to be settled. A classic queue keeps them in one log: ready is what came back plus what is behind the cursor; what
 * came back goes out first because its place is before the cursor.
 */
import type { LogEnvironment } from '../log/log-environment.js';
import { MessageLog } from '../log/message-log.js';
import { PositionSet } from '../log/position-set.js';
import type { RecordReader, RecordSource } from '../log/record.js';
import type { CommitId } from '../ports/message-store.js';
import type { QueueSettings } from './settings.js';

export interface Backlog {
  readonly readyCount: number;
  /** The commit that makes the latest changes durable; 0 when none has to be written. */
  readonly pendingCommit: CommitId;
  /** A new message may come before those that are ready. */
  readonly reorders: boolean;
  /** What `takeHead` shows has a header that the message itself has not. */
  readonly addsHeader: boolean;
  /** When the first message that `restore` took back expires; 0 when none does. */
  readonly restoredExpiry: number;
  /** Takes back what the store kept. Only before anything else happens. */
  restore(): void;
  /** Settings that concern it have changed. */
  configure?(settings: QueueSettings): void;
  /** A message like it is there, so that this one shall not be added; where it is missing, none ever is. */
  isDuplicate?(source: RecordSource): boolean;
  /** Adds a message and returns the commit that makes it durable; 0 when nothing has to be written. */
  append(source: RecordSource): CommitId;
  /** Moves `reader` to the first ready message, which counts as delivered from then on; false when there is none. */
  takeHead(reader: RecordReader): boolean;
  /** Moves `reader`, but for a shared body, to the first ready message; false when there is none. */
  peekHead(reader: RecordReader): boolean;
  /** Moves `reader` to a message that was delivered. */
  readDelivered(position: number, reader: RecordReader): void;
  /** A delivered message is ready again; false when it was delivered too often for that. */
  putBack(position: number): boolean;
  /** A delivered message is done with. */
  settle(position: number): void;
  /** Settles what is ready and returns the number of messages. */
  purge(): number;
  /** Bytes of the body of each ready message; reads all of them. */
  readyBodyBytes(reader: RecordReader): Iterable<number>;
  /** The end: the store forgets it all. What is delivered can still be settled. */
  forget(): void;
}

export class LogBacklog implements Backlog {
  readonly reorders = false;
  readonly addsHeader = false;
  readonly #log: MessageLog;
  readonly #returned = new PositionSet();

  constructor(logId: number, logs: LogEnvironment, durable: boolean) {
    this.#log = new MessageLog(logId, logs, durable);
  }

  get readyCount(): number {
    return this.#log.unread + this.#returned.size;
  }

  get pendingCommit(): CommitId {
    return this.#log.pendingCommit;
  }

  get restoredExpiry(): number {
    return this.#log.restoredExpiry;
  }

  /** Records below it were delivered in an earlier life of the log; only right after `restore`. */
  get deliveredUpTo(): number {
    return this.#log.changes?.deliveredUpTo ?? 0;
  }

  restore(): void {
    this.#log.restore();
  }

  append(source: RecordSource): CommitId {
    return this.#log.append(source);
  }

  takeHead(reader: RecordReader): boolean {
    if (this.#returned.size === 0) return this.#log.readNext(reader);
    // It stays returned if it cannot be read.
    this.#log.readReturned(this.#returned.first, reader);
    this.#returned.takeFirst();
    return true;
  }

  peekHead(reader: RecordReader): boolean {
    if (this.#returned.size === 0) return this.#log.peekNext(reader);
    this.#log.readReturned(this.#returned.first, reader);
    return true;
  }

  readDelivered(position: number, reader: RecordReader): void {
    this.#log.readReturned(position, reader);
  }

  putBack(position: number): boolean {
    this.#returned.add(position);
    return true;
  }

  settle(position: number): void {
    this.#log.settle(position);
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

  *readyBodyBytes(reader: RecordReader): Iterable<number> {
    yield* this.#log.unreadBodyBytes(reader);
    for (const position of this.#returned) {
      this.#log.readReturned(position, reader);
      yield reader.bodyEnd - reader.bodyStart;
    }
  }

  forget(): void {
    this.#log.forget();
  }
}
