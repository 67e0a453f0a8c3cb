/**
 * A run: neighbouring records of one log that lie in one value. In memory it is what its header on disk says: which of
 * its positions are still alive, and which shared bodies they name.
 */
import type { StoredRun } from '../../core/ports/message-store.js';
import {
  BODY_USE_BYTES,
  bodyUseLayout,
  RANGE_BYTES,
  RUN_HEADER_BYTES,
  rangeLayout,
  runHeaderLayout,
} from './layouts.js';

/** Called for the body of each record that a settlement reached. */
type BodyVisitor = (bodyId: number) => void;

export class Run implements StoredRun {
  readonly logId: number;
  readonly firstPosition: number;
  lastPosition: number;
  /** Records in the value, alive or not. */
  count: number;
  live: number;
  /** Of the value. */
  sizeBytes: number;
  checksum = 0;
  earliestExpiry = 0;
  firstEnqueuedAt = 0;
  /** First and last of each interval of live positions, ascending, none adjacent. */
  ranges: number[];
  /** Position and body id of each record with a shared body, ascending by position. */
  bodyUses: number[];
  sharedBodyCount: number;
  /** The value while it may not be read from disk yet. */
  value: Uint8Array | undefined;
  /** The open batch has to write the header. */
  dirty = false;

  constructor(logId: number, firstPosition: number) {
    this.logId = logId;
    this.firstPosition = firstPosition;
    this.lastPosition = firstPosition - 1;
    this.count = 0;
    this.live = 0;
    this.sizeBytes = 0;
    this.ranges = [];
    this.bodyUses = [];
    this.sharedBodyCount = 0;
  }

  /** Counts a record behind all others. */
  add(position: number, length: number, bodyId: number): void {
    const { ranges } = this;
    const end = ranges.length - 1;
    if (end > 0 && ranges[end] === position - 1) ranges[end] = position;
    else ranges.push(position, position);
    if (bodyId !== 0) {
      this.bodyUses.push(position, bodyId);
      this.sharedBodyCount++;
    }
    this.lastPosition = position;
    this.count++;
    this.live++;
    this.sizeBytes += length;
  }

  isLive(position: number): boolean {
    const at = this.#rangeEndingAtOrAfter(position);
    return at < this.ranges.length && (this.ranges[at] as number) <= position;
  }

  /** Takes first..last out of the live positions. */
  settle(first: number, last: number, onBody: BodyVisitor): void {
    const { ranges } = this;
    const from = this.#rangeEndingAtOrAfter(first);
    let to = from;
    const kept: number[] = [];
    while (to < ranges.length && (ranges[to] as number) <= last) {
      const start = ranges[to] as number;
      const end = ranges[to + 1] as number;
      const cutFirst = Math.max(start, first);
      const cutLast = Math.min(end, last);
      this.live -= cutLast - cutFirst + 1;
      if (this.sharedBodyCount > 0) this.#releaseBodies(cutFirst, cutLast, onBody);
      if (start < cutFirst) kept.push(start, cutFirst - 1);
      if (cutLast < end) kept.push(cutLast + 1, end);
      to += 2;
    }
    // The common cases replace one interval by one, at the same place.
    if (to - from === 2 && kept.length === 2) {
      ranges[from] = kept[0] as number;
      ranges[from + 1] = kept[1] as number;
    } else if (to > from) ranges.splice(from, to - from, ...kept);
  }

  /** The header as it goes to disk. */
  header(): Buffer {
    const { ranges, bodyUses } = this;
    const bytes = Buffer.allocUnsafe(
      RUN_HEADER_BYTES + (ranges.length / 2) * RANGE_BYTES + (bodyUses.length / 2) * BODY_USE_BYTES,
    );
    bytes.writeUInt32LE(this.lastPosition - this.firstPosition, HEADER_AT.lastDelta);
    bytes.writeUInt32LE(this.count, HEADER_AT.count);
    bytes.writeUInt32LE(this.sizeBytes, HEADER_AT.sizeBytes);
    bytes.writeUInt32LE(bodyUses.length / 2, HEADER_AT.bodyCount);
    bytes.writeUInt32LE(ranges.length / 2, HEADER_AT.rangeCount);
    bytes.writeUInt32LE(this.checksum, HEADER_AT.checksum);
    bytes.writeDoubleLE(this.earliestExpiry, HEADER_AT.earliestExpiry);
    bytes.writeDoubleLE(this.firstEnqueuedAt, HEADER_AT.firstEnqueuedAt);
    let at = RUN_HEADER_BYTES;
    for (const position of ranges) at = bytes.writeUInt32LE(position - this.firstPosition, at);
    for (let i = 0; i < bodyUses.length; i += 2) {
      at = bytes.writeUInt32LE((bodyUses[i] as number) - this.firstPosition, at);
      at = bytes.writeUInt32LE(bodyUses[i + 1] as number, at);
    }
    return bytes;
  }

  /** Throws RangeError when the header is cut short or does not add up. */
  static fromHeader(logId: number, firstPosition: number, bytes: Buffer): Run {
    const header = runHeaderLayout.decode(bytes);
    const run = new Run(logId, firstPosition);
    run.lastPosition = firstPosition + header.lastDelta;
    run.count = header.count;
    run.sizeBytes = header.sizeBytes;
    run.checksum = header.checksum;
    run.earliestExpiry = header.earliestExpiry;
    run.firstEnqueuedAt = header.firstEnqueuedAt;
    let at = RUN_HEADER_BYTES;
    const expected = at + header.rangeCount * RANGE_BYTES + header.bodyCount * BODY_USE_BYTES;
    if (expected !== bytes.length) throw new RangeError(`run header has ${bytes.length} bytes instead of ${expected}`);
    for (let i = 0; i < header.rangeCount; i++, at += RANGE_BYTES) {
      const { firstDelta, lastDelta } = rangeLayout.decode(bytes, at);
      run.ranges.push(firstPosition + firstDelta, firstPosition + lastDelta);
      run.live += lastDelta - firstDelta + 1;
    }
    for (let i = 0; i < header.bodyCount; i++, at += BODY_USE_BYTES) {
      const { positionDelta, bodyId } = bodyUseLayout.decode(bytes, at);
      run.bodyUses.push(firstPosition + positionDelta, bodyId);
      if (run.isLive(firstPosition + positionDelta)) run.sharedBodyCount++;
    }
    if (run.live > run.count || run.live === 0) {
      throw new RangeError(`run header says ${run.live} of ${run.count} records are alive`);
    }
    return run;
  }

  #releaseBodies(first: number, last: number, onBody: BodyVisitor): void {
    const { bodyUses } = this;
    for (let i = 0; i < bodyUses.length; i += 2) {
      const position = bodyUses[i] as number;
      if (position < first || position > last) continue;
      this.sharedBodyCount--;
      onBody(bodyUses[i + 1] as number);
    }
  }

  /** Index of the first interval that ends at `position` or later. */
  #rangeEndingAtOrAfter(position: number): number {
    const { ranges } = this;
    let low = 0;
    let high = ranges.length / 2;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ranges[middle * 2 + 1] as number) < position) low = middle + 1;
      else high = middle;
    }
    return low * 2;
  }
}

function offsetOf(property: Parameters<typeof runHeaderLayout.offsetOf>[0]): number {
  const offset = runHeaderLayout.offsetOf(property);
  if (offset === undefined) throw new Error(`run header has no '${property}'`);
  return offset;
}

const HEADER_AT = {
  lastDelta: offsetOf('lastDelta'),
  count: offsetOf('count'),
  sizeBytes: offsetOf('sizeBytes'),
  bodyCount: offsetOf('bodyCount'),
  rangeCount: offsetOf('rangeCount'),
  checksum: offsetOf('checksum'),
  earliestExpiry: offsetOf('earliestExpiry'),
  firstEnqueuedAt: offsetOf('firstEnqueuedAt'),
};
