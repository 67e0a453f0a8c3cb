/**
 * The messages of a quorum queue. One that comes back moves to the end of a second log, which goes out first, with the
 * number of its deliveries in the new record; so the number is as durable as the message. A position says in which of the
 * two logs it is.
 */
import { type FieldTable, type FieldValue, lookUp } from '../field-value.js';
import type { LogEnvironment } from '../log/log-environment.js';
import { RecordReader, RecordSource } from '../log/record.js';
import { DELIVERY_COUNT_BYTES, RecordFlag } from '../log/record-layout.js';
import type { CommitId } from '../ports/message-store.js';
import type { PropertiesCodec } from '../ports/properties-codec.js';
import { type Backlog, LogBacklog } from './backlog.js';
import type { QueueSettings } from './settings.js';

const LOGS = 2;
const FRESH = 0;
const RETURNED = 1;
/** RabbitMQ 4.0 and later. */
const DEFAULT_DELIVERY_LIMIT = 20;
const HEADER = 'x-delivery-count';

export class QuorumBacklog implements Backlog {
  readonly reorders = false;
  readonly addsHeader = true;
  readonly #fresh: LogBacklog;
  readonly #returned: LogBacklog;
  readonly #properties: PropertiesCodec;
  /**
   * Records below it were delivered, and not settled, when the broker ended. That counts, once however often it happens
   * before one comes back. By log.
   */
  readonly #interrupted = [0, 0];
  readonly #reader = new RecordReader();
  readonly #source = new RecordSource();
  /** So often a message may come back. */
  #deliveryLimit = DEFAULT_DELIVERY_LIMIT;

  /** The second log is `firstLogId + 1`. */
  constructor(firstLogId: number, logs: LogEnvironment, properties: PropertiesCodec) {
    this.#fresh = new LogBacklog(firstLogId, logs, true);
    this.#returned = new LogBacklog(firstLogId + 1, logs, true);
    this.#properties = properties;
  }

  get readyCount(): number {
    return this.#fresh.readyCount + this.#returned.readyCount;
  }

  get pendingCommit(): CommitId {
    return Math.max(this.#fresh.pendingCommit, this.#returned.pendingCommit);
  }

  get restoredExpiry(): number {
    const [fresh, returned] = [this.#fresh.restoredExpiry, this.#returned.restoredExpiry];
    return fresh === 0 || returned === 0 ? Math.max(fresh, returned) : Math.min(fresh, returned);
  }

  restore(): void {
    this.#fresh.restore();
    this.#returned.restore();
    this.#interrupted[FRESH] = this.#fresh.deliveredUpTo;
    this.#interrupted[RETURNED] = this.#returned.deliveredUpTo;
  }

  configure({ deliveryLimit = DEFAULT_DELIVERY_LIMIT }: QueueSettings): void {
    this.#deliveryLimit = deliveryLimit < 0 ? Number.POSITIVE_INFINITY : deliveryLimit;
  }

  append(source: RecordSource): CommitId {
    const { persistent } = source;
    // Whatever its delivery mode says (RabbitMQ: quorum queues).
    source.persistent = true;
    try {
      return this.#fresh.append(source);
    } finally {
      source.persistent = persistent;
    }
  }

  takeHead(reader: RecordReader): boolean {
    const log = this.#first();
    if (!this.#logOf(log).takeHead(reader)) return false;
    const count = this.#deliveriesOf(log, reader);
    reader.position = reader.position * LOGS + log;
    reader.redelivered = count > 0;
    if (count > 0) this.#show(count, reader);
    return true;
  }

  peekHead(reader: RecordReader): boolean {
    const log = this.#first();
    if (!this.#logOf(log).peekHead(reader)) return false;
    reader.position = reader.position * LOGS + log;
    return true;
  }

  readDelivered(position: number, reader: RecordReader): void {
    this.#logOf(position % LOGS).readDelivered(Math.floor(position / LOGS), reader);
    reader.position = position;
  }

  putBack(position: number): boolean {
    const log = position % LOGS;
    const inLog = Math.floor(position / LOGS);
    const record = this.#reader;
    this.#logOf(log).readDelivered(inLog, record);
    const count = this.#deliveriesOf(log, record) + 1;
    if (count > this.#deliveryLimit) return false;
    this.#returned.append(this.#sourceOf(record, count));
    this.#logOf(log).settle(inLog);
    return true;
  }

  settle(position: number): void {
    this.#logOf(position % LOGS).settle(Math.floor(position / LOGS));
  }

  purge(): number {
    return this.#returned.purge() + this.#fresh.purge();
  }

  *readyBodyBytes(reader: RecordReader): Iterable<number> {
    yield* this.#returned.readyBodyBytes(reader);
    yield* this.#fresh.readyBodyBytes(reader);
  }

  forget(): void {
    this.#fresh.forget();
    this.#returned.forget();
  }

  #first(): number {
    return this.#returned.readyCount > 0 ? RETURNED : FRESH;
  }

  #logOf(log: number): LogBacklog {
    return log === FRESH ? this.#fresh : this.#returned;
  }

  /** Failed ones before this; `record` shows its position within the log. */
  #deliveriesOf(log: number, record: RecordReader): number {
    const interrupted = record.position < (this.#interrupted[log] ?? 0) ? 1 : 0;
    if ((record.flags & RecordFlag.DeliveryCount) === 0) return interrupted;
    return viewOf(record.bytes).getUint32(record.extensionStart, true) + interrupted;
  }

  #sourceOf(record: RecordReader, count: number): RecordSource {
    const source = this.#source;
    const hasCount = (record.flags & RecordFlag.DeliveryCount) !== 0;
    const keysStart = record.extensionStart + (hasCount ? DELIVERY_COUNT_BYTES : 0);
    const extension = Buffer.alloc(DELIVERY_COUNT_BYTES + record.extensionEnd - keysStart);
    extension.writeUInt32LE(count, 0);
    extension.set(record.bytes.subarray(keysStart, record.extensionEnd), DELIVERY_COUNT_BYTES);
    source.hiddenKeys = extension;
    source.hasDeliveryCount = true;
    source.route = record.bytes;
    source.routeStart = record.routeStart;
    source.routeEnd = record.routeEnd;
    source.properties = record.bytes;
    source.propertiesStart = record.propertiesStart;
    source.propertiesEnd = record.propertiesEnd;
    source.body = record.body;
    source.bodyStart = record.bodyStart;
    source.bodyEnd = record.bodyEnd;
    source.sharedBodyId = record.sharedBodyId;
    source.persistent = true;
    source.priority = record.priority;
    source.expiresAt = record.expiresAt;
    source.deadLettered = (record.flags & RecordFlag.DeadLettered) !== 0;
    return source;
  }

  /** Lets `reader` show the message with the header that tells how often it came back. */
  #show(count: number, reader: RecordReader): void {
    const properties = this.#properties.decode(reader.bytes, reader.propertiesStart, reader.propertiesEnd);
    const headers = withCount(properties.headers ?? [], { type: 'l', value: BigInt(count) });
    const encoded = this.#properties.encode({ ...properties, headers });
    const route = reader.bytes.subarray(reader.routeStart, reader.routeEnd);
    const bytes = new Uint8Array(route.length + encoded.length);
    bytes.set(route);
    bytes.set(encoded, route.length);
    reader.bytes = bytes;
    reader.routeStart = 0;
    reader.routeEnd = route.length;
    reader.propertiesStart = route.length;
    reader.propertiesEnd = bytes.length;
  }
}

function withCount(headers: FieldTable, count: FieldValue): FieldTable {
  const others = lookUp(headers, HEADER) === undefined ? headers : headers.filter(([key]) => key !== HEADER);
  return [[HEADER, count], ...others];
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
