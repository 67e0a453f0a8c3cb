/**
 * A packed, append-only run of message records of one log. Records never change once appended; what changes about a
 * message (settled, redelivered) lives beside them. A segment is hot while its records are in memory; a cold one knows
 * only where they begin and end, how many are live, and where they are to be had.
 */
import type { StoredRun } from '../ports/message-store.js';
import type { ScratchPage } from '../ports/scratch-store.js';
import { copyBytes } from './copy-bytes.js';
import type { RecordReader, RecordSource } from './record.js';
import {
  ENQUEUED_AT_AT,
  EXPIRY_BYTES,
  EXTENSION_LENGTH_BYTES,
  FLAGS_AT,
  LENGTH_AT,
  POSITION_DELTA_AT,
  PRIORITY_AT,
  PROPERTIES_LENGTH_AT,
  RECORD_HEADER_BYTES,
  RecordFlag,
  ROUTE_LENGTH_AT,
  SHARED_BODY_BYTES,
} from './record-layout.js';

const FIRST_OFFSETS = 8;
// Of the same class as what the pool gives, so that hot code sees one.
const NO_BYTES = Buffer.allocUnsafeSlow(0);
const NO_VIEW = new DataView(new ArrayBuffer(0));
const NO_OFFSETS = new Uint32Array(0);
/** A record says in 32 bits how far it is from the first position of its segment. */
const MOST_POSITIONS = 2 ** 32;

/** Bytes that `source` takes as a record. */
export function recordLength(source: RecordSource): number {
  const body = source.sharedBodyId === 0 ? source.bodyEnd - source.bodyStart : SHARED_BODY_BYTES;
  const expiry = source.expiresAt === 0 ? 0 : EXPIRY_BYTES;
  const extension = source.hiddenKeys.length === 0 ? 0 : EXTENSION_LENGTH_BYTES + source.hiddenKeys.length;
  const route = source.routeEnd - source.routeStart;
  return RECORD_HEADER_BYTES + expiry + extension + route + (source.propertiesEnd - source.propertiesStart) + body;
}

export class Segment {
  bytes: Uint8Array;
  #view: DataView;
  /** Byte offset of each record, in order. */
  #offsets = NO_OFFSETS;
  firstPosition = 0;
  /** Position of the last record; firstPosition - 1 when there is none. */
  lastPosition = -1;
  /** Records in memory: none of a cold segment; of one that came from the store, those that it still had. */
  count = 0;
  /** Records not yet settled. */
  live = 0;
  /** Bytes used; of a cold segment, those that it needs at most. */
  written = 0;
  /** Of the records ever appended, as `sharedBodyCount`. */
  persistentCount = 0;
  sharedBodyCount = 0;
  /** The message store has every live record of it. */
  inStore = false;
  /** Where its bytes have been written; kept when it is hot again, because they do not change. */
  page: ScratchPage | undefined;
  /** Its bytes are on their way to a page. */
  writing = false;
  /** What its page is being read into ahead of time. */
  reading: Uint8Array | undefined;
  /** The store was told that it will be read. */
  prefetched = false;
  /** Its log needs it no more. */
  retired = false;

  constructor(bytes: Uint8Array, firstPosition: number) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offsets = new Uint32Array(FIRST_OFFSETS);
    this.reset(firstPosition);
  }

  /** A cold one, of records that a store kept. */
  static ofStored(run: StoredRun): Segment {
    const segment = new Segment(NO_BYTES, run.firstPosition);
    segment.#view = NO_VIEW;
    segment.#offsets = NO_OFFSETS;
    segment.inStore = true;
    segment.#addRun(run);
    return segment;
  }

  get hot(): boolean {
    return this.bytes !== NO_BYTES;
  }

  get room(): number {
    return this.bytes.length - this.written;
  }

  /** Empties the segment so that its memory serves positions from `firstPosition` on. */
  reset(firstPosition: number): void {
    this.firstPosition = firstPosition;
    this.lastPosition = firstPosition - 1;
    this.count = 0;
    this.live = 0;
    this.written = 0;
    this.persistentCount = 0;
    this.sharedBodyCount = 0;
  }

  /** The caller has made sure that `length` (of `recordLength`) fits. */
  append(position: number, source: RecordSource, length: number, enqueuedAt: number): void {
    const at = this.written;
    const view = this.#view;
    const routeLength = source.routeEnd - source.routeStart;
    const shared = source.sharedBodyId !== 0;
    const expires = source.expiresAt !== 0;
    const extended = source.hiddenKeys.length > 0;
    view.setUint32(at + LENGTH_AT, length, true);
    view.setUint32(at + POSITION_DELTA_AT, position - this.firstPosition, true);
    view.setUint8(
      at + FLAGS_AT,
      (source.persistent ? RecordFlag.Persistent : 0) |
        (expires ? RecordFlag.Expires : 0) |
        (shared ? RecordFlag.SharedBody : 0) |
        (extended ? RecordFlag.Extension : 0) |
        (source.deadLettered ? RecordFlag.DeadLettered : 0) |
        (source.hasDeliveryCount ? RecordFlag.DeliveryCount : 0),
    );
    view.setUint8(at + PRIORITY_AT, source.priority);
    view.setUint16(at + ROUTE_LENGTH_AT, routeLength, true);
    view.setUint32(at + PROPERTIES_LENGTH_AT, source.propertiesEnd - source.propertiesStart, true);
    view.setFloat64(at + ENQUEUED_AT_AT, enqueuedAt, true);
    let to = at + RECORD_HEADER_BYTES;
    if (expires) {
      view.setFloat64(to, source.expiresAt, true);
      to += EXPIRY_BYTES;
    }
    if (shared) {
      view.setUint32(to, source.sharedBodyId, true);
      view.setUint32(to + 4, source.bodyEnd - source.bodyStart, true);
      to += SHARED_BODY_BYTES;
      this.sharedBodyCount++;
    }
    if (extended) {
      view.setUint32(to, source.hiddenKeys.length, true);
      to = copyBytes(this.bytes, to + EXTENSION_LENGTH_BYTES, source.hiddenKeys, 0, source.hiddenKeys.length);
    }
    to = copyBytes(this.bytes, to, source.route, source.routeStart, source.routeEnd);
    to = copyBytes(this.bytes, to, source.properties, source.propertiesStart, source.propertiesEnd);
    if (!shared) to = copyBytes(this.bytes, to, source.body, source.bodyStart, source.bodyEnd);
    if (source.persistent) this.persistentCount++;
    this.#noteOffset(at);
    this.written = to;
    this.lastPosition = position;
    this.live++;
  }

  /** Takes the next stored run into a cold segment, so that many small ones make one; false when it is full. */
  join(run: StoredRun, mostBytes: number): boolean {
    const tooLarge = this.written + run.sizeBytes > mostBytes;
    if (tooLarge || run.lastPosition - this.firstPosition >= MOST_POSITIONS) return false;
    this.#addRun(run);
    return true;
  }

  /** Gives the memory back; the records must be in the store or on a page. */
  cool(): Uint8Array {
    const { bytes } = this;
    this.bytes = NO_BYTES;
    this.#view = NO_VIEW;
    this.#offsets = NO_OFFSETS;
    this.count = 0;
    this.prefetched = false;
    return bytes;
  }

  /** Makes a cold segment hot if `bytes` starts with what was written to its page; otherwise returns false. */
  adopt(bytes: Uint8Array): boolean {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offsets = new Uint32Array(Math.max(this.live, FIRST_OFFSETS));
    for (let at = 0; at < this.written; ) {
      const length = view.getUint32(at + LENGTH_AT, true);
      if (length < RECORD_HEADER_BYTES || at + length > this.written) {
        this.cool();
        return false;
      }
      this.#noteOffset(at);
      at += length;
    }
    this.bytes = bytes;
    this.#view = view;
    return true;
  }

  /** Makes a cold segment hot and empty, for `takeBack`. */
  refill(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offsets = new Uint32Array(Math.max(this.live, FIRST_OFFSETS));
    this.written = 0;
  }

  /** Puts a record back that was part of the segment before. */
  takeBack(position: number, record: Uint8Array, start: number, end: number): void {
    if (end - start > this.room) throw new Error('stored records are larger than the store said');
    const at = this.written;
    this.written = copyBytes(this.bytes, at, record, start, end);
    this.#view.setUint32(at + POSITION_DELTA_AT, position - this.firstPosition, true);
    this.#noteOffset(at);
  }

  /** Moves `reader` to the record that starts at byte `at` and returns the offset of the one behind it. */
  readAt(at: number, reader: RecordReader): number {
    const view = this.#view;
    const end = at + view.getUint32(at + LENGTH_AT, true);
    const flags = view.getUint8(at + FLAGS_AT);
    reader.position = this.firstPosition + view.getUint32(at + POSITION_DELTA_AT, true);
    reader.flags = flags;
    reader.priority = view.getUint8(at + PRIORITY_AT);
    reader.enqueuedAt = view.getFloat64(at + ENQUEUED_AT_AT, true);
    reader.bytes = this.bytes;
    reader.start = at;
    reader.end = end;
    let from = at + RECORD_HEADER_BYTES;
    if ((flags & RecordFlag.Expires) !== 0) {
      reader.expiresAt = view.getFloat64(from, true);
      from += EXPIRY_BYTES;
    } else reader.expiresAt = 0;
    if ((flags & RecordFlag.SharedBody) !== 0) {
      reader.sharedBodyId = view.getUint32(from, true);
      reader.bodyStart = 0;
      reader.bodyEnd = view.getUint32(from + 4, true);
      from += SHARED_BODY_BYTES;
    } else reader.sharedBodyId = 0;
    reader.extensionStart = from;
    reader.extensionEnd = from;
    if ((flags & RecordFlag.Extension) !== 0) {
      reader.extensionStart = from + EXTENSION_LENGTH_BYTES;
      from = reader.extensionStart + view.getUint32(from, true);
      reader.extensionEnd = from;
    }
    reader.routeStart = from;
    from += view.getUint16(at + ROUTE_LENGTH_AT, true);
    reader.routeEnd = from;
    reader.propertiesStart = from;
    from += view.getUint32(at + PROPERTIES_LENGTH_AT, true);
    reader.propertiesEnd = from;
    if (reader.sharedBodyId === 0) {
      reader.body = this.bytes;
      reader.bodyStart = from;
      reader.bodyEnd = end;
    }
    return end;
  }

  /** Byte offset of the record number `index`. */
  offsetOf(index: number): number {
    return this.#offsets[index] as number;
  }

  /** Number of the first record at `position` or behind it; `count` when there is none. */
  indexOf(position: number): number {
    const guess = position - this.firstPosition;
    // Without holes the number of a record is its distance from the first.
    if (this.lastPosition - this.firstPosition === this.count - 1) return Math.min(Math.max(guess, 0), this.count);
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const delta = this.#view.getUint32((this.#offsets[middle] as number) + POSITION_DELTA_AT, true);
      if (delta < guess) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #addRun({ lastPosition, live, sizeBytes, sharedBodyCount }: StoredRun): void {
    this.lastPosition = lastPosition;
    this.live += live;
    this.written += sizeBytes;
    this.persistentCount += live;
    this.sharedBodyCount += sharedBodyCount;
  }

  #noteOffset(at: number): void {
    if (this.count === this.#offsets.length) {
      const larger = new Uint32Array(this.count * 2);
      larger.set(this.#offsets);
      this.#offsets = larger;
    }
    this.#offsets[this.count++] = at;
  }
}
