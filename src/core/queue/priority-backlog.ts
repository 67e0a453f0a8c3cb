/**
 * The messages of a priority queue: a log for each level, made when its first message comes. The highest level that has
 * something goes first, within a level the oldest (RabbitMQ's priority queues). A position says which level it is of.
 */
import type { LogEnvironment } from '../log/log-environment.js';
import type { RecordReader, RecordSource } from '../log/record.js';
import type { CommitId } from '../ports/message-store.js';
import { type Backlog, LogBacklog } from './backlog.js';

/** Above the highest level that x-max-priority can ask for. */
const LEVELS = 256;

export class PriorityBacklog implements Backlog {
  readonly reorders = true;
  readonly addsHeader = false;
  readyCount = 0;
  readonly #firstLogId: number;
  readonly #logs: LogEnvironment;
  readonly #durable: boolean;
  /** By priority. */
  readonly #levels: (LogBacklog | undefined)[];

  /** Level n has the log `firstLogId + n`. */
  constructor(firstLogId: number, logs: LogEnvironment, durable: boolean, maxPriority: number) {
    this.#firstLogId = firstLogId;
    this.#logs = logs;
    this.#durable = durable;
    this.#levels = new Array<LogBacklog | undefined>(maxPriority + 1).fill(undefined);
  }

  get pendingCommit(): CommitId {
    return Math.max(...this.#made().map((level) => level.pendingCommit), 0);
  }

  get restoredExpiry(): number {
    const expiries = this.#made().flatMap(({ restoredExpiry }) => (restoredExpiry === 0 ? [] : [restoredExpiry]));
    return expiries.length === 0 ? 0 : Math.min(...expiries);
  }

  restore(): void {
    if (!this.#durable || !this.#logs.store.keepsMessages) return;
    for (let priority = 0; priority < this.#levels.length; priority++) {
      if (this.#logs.store.recover(this.#firstLogId + priority) === undefined) continue;
      const level = this.#level(priority);
      level.restore();
      this.readyCount += level.readyCount;
    }
  }

  append(source: RecordSource): CommitId {
    this.readyCount++;
    return this.#level(Math.min(source.priority, this.#levels.length - 1)).append(source);
  }

  takeHead(reader: RecordReader): boolean {
    const priority = this.#highest();
    if (this.#levels[priority]?.takeHead(reader) !== true) return false;
    this.readyCount--;
    reader.position = reader.position * LEVELS + priority;
    return true;
  }

  peekHead(reader: RecordReader): boolean {
    const priority = this.#highest();
    if (this.#levels[priority]?.peekHead(reader) !== true) return false;
    reader.position = reader.position * LEVELS + priority;
    return true;
  }

  readDelivered(position: number, reader: RecordReader): void {
    this.#levelOf(position).readDelivered(Math.floor(position / LEVELS), reader);
    reader.position = position;
  }

  putBack(position: number): boolean {
    this.readyCount++;
    return this.#levelOf(position).putBack(Math.floor(position / LEVELS));
  }

  settle(position: number): void {
    this.#levelOf(position).settle(Math.floor(position / LEVELS));
  }

  purge(): number {
    this.readyCount = 0;
    return this.#made().reduce((purged, level) => purged + level.purge(), 0);
  }

  *readyBodyBytes(reader: RecordReader): Iterable<number> {
    for (const level of this.#made()) yield* level.readyBodyBytes(reader);
  }

  forget(): void {
    for (const level of this.#made()) level.forget();
  }

  /** The highest level with a ready message; -1 when there is none. */
  #highest(): number {
    let priority = this.#levels.length - 1;
    while (priority >= 0 && (this.#levels[priority]?.readyCount ?? 0) === 0) priority--;
    return priority;
  }

  #made(): LogBacklog[] {
    return this.#levels.filter((level) => level !== undefined);
  }

  #level(priority: number): LogBacklog {
    let level = this.#levels[priority];
    if (level === undefined) {
      level = new LogBacklog(this.#firstLogId + priority, this.#logs, this.#durable);
      this.#levels[priority] = level;
    }
    return level;
  }

  #levelOf(position: number): LogBacklog {
    const level = this.#levels[position % LEVELS];
    if (level === undefined) throw new Error(`no message of priority ${position % LEVELS} was ever here`);
    return level;
  }
}
