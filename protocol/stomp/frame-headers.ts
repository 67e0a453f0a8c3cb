/**
 * What a frame's header lines say: names that mean something get their number, repeated ones go, escapes are decoded.
 */
import type { StompFrame } from './frame.js';
import { unescapeTo } from './header-escaping.js';
import { bytesEqual, findHeader } from './names.js';

const SPACE = 0x20;

/**
 * `frame` has the lines as they came, which begin at `headStart` of `head`. `escapedBytes`: the size of the head when
 * there are escapes in it, else 0. Throws StompSyntaxError.
 */
export function nameHeaders(
  frame: StompFrame,
  head: Uint8Array,
  headStart: number,
  escapedBytes: number,
  trimsValues: boolean,
): void {
  const count = frame.headerCount;
  frame.head = head;
  frame.headStart = headStart;
  // Writes over the entries it has read: what is kept is never more than what was read.
  frame.clear();
  if (escapedBytes > 0) {
    unescapeHeaders(frame, count, new Uint8Array(escapedBytes), trimsValues);
    return;
  }
  for (let index = 0; index < count; index++) {
    const nameStart = frame.nameStart(index) - headStart;
    const nameEnd = frame.nameEnd(index) - headStart;
    const valueEnd = frame.valueEnd(index) - headStart;
    const valueStart = trimsValues ? trimmedStart(frame, index) : frame.valueStart(index);
    keepHeader(frame, head, headStart, nameStart, nameEnd, valueStart - headStart, valueEnd);
  }
}

/** The decoded bytes go to `target`, one behind the other. */
function unescapeHeaders(frame: StompFrame, count: number, target: Uint8Array, trimsValues: boolean): void {
  const { head } = frame;
  let at = 0;
  for (let index = 0; index < count; index++) {
    const valueFrom = trimsValues ? trimmedStart(frame, index) : frame.valueStart(index);
    const valueTo = frame.valueEnd(index);
    const valueAt = unescapeTo(target, at, head, frame.nameStart(index), frame.nameEnd(index));
    const end = unescapeTo(target, valueAt, head, valueFrom, valueTo);
    keepHeader(frame, target, 0, at, valueAt, valueAt, end);
    at = end;
  }
  frame.head = target;
  frame.headStart = 0;
}

function trimmedStart(frame: StompFrame, index: number): number {
  const end = frame.valueEnd(index);
  let start = frame.valueStart(index);
  while (start < end && frame.head[start] === SPACE) start++;
  return start;
}

/** Offsets count from `base`. Of a repeated header the first one stays. */
function keepHeader(
  frame: StompFrame,
  bytes: Uint8Array,
  base: number,
  nameStart: number,
  nameEnd: number,
  valueStart: number,
  valueEnd: number,
): void {
  const id = findHeader(bytes, base + nameStart, base + nameEnd);
  if (id !== -1 ? frame.has(id) : isRepeated(frame, bytes, base, nameStart, nameEnd)) return;
  frame.add(nameStart, nameEnd, valueStart, valueEnd);
  if (id !== -1) frame.nameLast(id);
}

function isRepeated(frame: StompFrame, bytes: Uint8Array, base: number, nameStart: number, nameEnd: number): boolean {
  const length = nameEnd - nameStart;
  for (let index = 0; index < frame.headerCount; index++) {
    const other = frame.nameStart(index) - frame.headStart;
    if (frame.nameEnd(index) - frame.headStart - other !== length) continue;
    if (bytesEqual(bytes, base + other, bytes, base + nameStart, length)) return true;
  }
  return false;
}
