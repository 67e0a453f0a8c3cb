/**
 * The consumers of a stream. Each has a cursor of its own, so all that they share is the turn: one that has credit gets a
 * share of its budget, whoever comes next in the next turn.
 */
import type { Consumer } from '../consumer.js';
import { RecordReader } from '../log/record.js';
import type { StreamLog } from '../log/stream-log.js';
import { StreamCursor } from '../log/stream-part.js';
import type { StreamFilter } from '../stream-subscription.js';

/** What a stream may deliver in one turn before the event loop looks at the others. */
const TURN_BUDGET_BYTES = 1024 * 1024;
const SMALLEST_SHARE_BYTES = 16 * 1024;
/** What a record costs beside its bytes, wanted or not. */
const RECORD_COST_BYTES = 64;

/** Gives a record that `filter` may want to the consumer; returns the bytes that went, 0 when it was not wanted. */
export type Deliver = (consumer: Consumer, record: RecordReader, filter: StreamFilter | undefined) => number;

interface StreamReader {
  readonly consumer: Consumer;
  readonly cursor: StreamCursor;
  readonly filter: StreamFilter | undefined;
}

export class StreamReaders {
  readonly #log: StreamLog;
  readonly #deliver: Deliver;
  /** Replaced when one comes or goes, which may happen while they are served. */
  #readers: readonly StreamReader[] = [];
  #first = 0;
  readonly #record = new RecordReader();

  constructor(log: StreamLog, deliver: Deliver) {
    this.#log = log;
    this.#deliver = deliver;
  }

  get count(): number {
    return this.#readers.length;
  }

  get consumers(): Consumer[] {
    return this.#readers.map(({ consumer }) => consumer);
  }

  add(consumer: Consumer, position: number): void {
    const reader = { consumer, cursor: new StreamCursor(position), filter: consumer.stream?.filter };
    this.#readers = [...this.#readers, reader];
  }

  /** False when the consumer was not here. */
  remove(consumer: Consumer): boolean {
    const left = this.#readers.filter((reader) => reader.consumer !== consumer);
    if (left.length === this.#readers.length) return false;
    this.#readers = left;
    return true;
  }

  /** Delivers what one turn allows; true when there is more to deliver now. */
  serve(): boolean {
    const readers = this.#readers;
    const log = this.#log;
    const end = log.durableEnd;
    const ready = readers.filter(({ consumer, cursor }) => cursor.position < end && consumer.hasCredit());
    log.movingCursors = ready.length;
    const count = ready.length;
    const share = Math.max(TURN_BUDGET_BYTES / count, SMALLEST_SHARE_BYTES);
    let budget = TURN_BUDGET_BYTES;
    let more = false;
    let served = 0;
    for (; served < count && budget > 0; served++) {
      const reader = ready[(this.#first + served) % count] as StreamReader;
      budget -= this.#serveOne(reader, share, end);
      more ||= reader.cursor.position < end && reader.consumer.hasCredit();
    }
    this.#first = count === 0 ? 0 : (this.#first + served) % count;
    return more || served < count;
  }

  /** Returns what it took of the budget. */
  #serveOne({ consumer, cursor, filter }: StreamReader, share: number, end: number): number {
    const log = this.#log;
    const record = this.#record;
    let used = 0;
    while (used < share && consumer.hasCredit()) {
      // Not at the end: it stepped over as much as a turn allows.
      if (!log.readNext(cursor, record, end, filter)) return cursor.position < end ? share : used;
      used += RECORD_COST_BYTES + this.#deliver(consumer, record, filter);
    }
    return used;
  }
}
