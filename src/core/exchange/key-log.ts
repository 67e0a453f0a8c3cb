/** The keys of an exchange with x-cache-persistence `disk`, one record each, in a log of the exchange's own. */
import { MessageLog } from '../log/message-log.js';
import { RecordReader, RecordSource } from '../log/record.js';
import type { ExchangePlace } from './exchange-type.js';

const NO_PROPERTIES = Uint8Array.of(0, 0);

export class KeyLog {
  readonly #place: ExchangePlace;
  readonly #log: MessageLog;
  readonly #positions = new Map<string, number>();
  readonly #source = new RecordSource();

  constructor(place: ExchangePlace) {
    const { host, exchange, logId } = place;
    this.#place = place;
    this.#log = new MessageLog(logId ?? 0, host.logs, logId !== undefined && exchange.options.durable);
    this.#source.properties = NO_PROPERTIES;
    this.#source.propertiesEnd = NO_PROPERTIES.length;
    this.#source.persistent = true;
  }

  /** `until`: Infinity for a key that stays. */
  add(key: string, until: number): void {
    const source = this.#source;
    source.body = Buffer.from(key);
    source.bodyEnd = source.body.length;
    source.expiresAt = until === Number.POSITIVE_INFINITY ? 0 : until;
    this.#positions.set(key, this.#log.nextPosition);
    this.#log.append(source);
    this.#log.skipUnread();
  }

  remove(key: string): void {
    const position = this.#positions.get(key);
    if (position === undefined) return;
    this.#positions.delete(key);
    this.#log.settle(position);
  }

  /** Visits what the store kept, the oldest first. */
  restore(visit: (key: string, until: number) => void): void {
    const log = this.#log;
    log.restore();
    log.skipUnread();
    const positions: number[] = [];
    this.#place.host.logs.store.read(log.id, 1, log.nextPosition - 1, (position) => positions.push(position));
    const reader = new RecordReader();
    for (const position of positions) {
      log.readReturned(position, reader);
      const key = Buffer.from(reader.body.subarray(reader.bodyStart, reader.bodyEnd)).toString();
      this.#positions.set(key, position);
      visit(key, reader.expiresAt === 0 ? Number.POSITIVE_INFINITY : reader.expiresAt);
    }
  }

  /** The end: nothing is added any more. */
  forget(): void {
    this.#log.forget();
    for (const position of this.#positions.values()) this.#log.settle(position);
    this.#positions.clear();
  }
}
