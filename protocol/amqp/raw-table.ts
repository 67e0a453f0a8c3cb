/**
 * Looks into an encoded table without decoding it and without allocation. What `validateHeaders` accepts, `readTable`
 * decodes, and the reverse. Ranges include the table's u32 length.
 */
import { MalformedError } from '../errors.js';
import { MAX_DEPTH } from './field-table.js';

/** Throws a MalformedError unless the range is exactly one table, nested tables and arrays included. */
export function validateHeaders(bytes: Uint8Array, start: number, end: number): void {
  if (checkContainer(bytes, start, end, true, 0) !== end) throw new MalformedError('data after the table');
}

/** Whether the table has the key (as its UTF-8 bytes) on its first level. */
export function hasHeader(bytes: Uint8Array, start: number, end: number, key: Uint8Array): boolean {
  let at = start + 4;
  while (at < end) {
    if (isKeyAt(bytes, at, end, key)) return true;
    at = entryEnd(bytes, at, end);
  }
  return false;
}

export function isKeyAt(bytes: Uint8Array, at: number, end: number, key: Uint8Array): boolean {
  const length = key.length;
  if (bytes[at] !== length || length >= end - at) return false;
  for (let index = 0; index < length; index++) {
    if (bytes[at + 1 + index] !== key[index]) return false;
  }
  return true;
}

/** Where the entry (key and value) at an offset ends. Tables and arrays within it are stepped over unseen. */
export function entryEnd(bytes: Uint8Array, at: number, end: number): number {
  const valueAt = advance(at + 1, byteAt(bytes, at, end), end);
  const code = byteAt(bytes, valueAt, end);
  const size = fixedSize(code);
  return size >= 0 ? advance(valueAt + 1, size, end) : lengthPrefixedEnd(bytes, valueAt + 1, end);
}

function checkContainer(bytes: Uint8Array, at: number, end: number, keyed: boolean, depth: number): number {
  if (depth > MAX_DEPTH) throw new MalformedError('field table nested too deep');
  const containerEnd = lengthPrefixedEnd(bytes, at, end);
  let next = at + 4;
  while (next < containerEnd) {
    if (keyed) next = advance(next + 1, byteAt(bytes, next, containerEnd), containerEnd);
    next = checkValue(bytes, next, containerEnd, depth);
  }
  return containerEnd;
}

function checkValue(bytes: Uint8Array, at: number, end: number, depth: number): number {
  const code = byteAt(bytes, at, end);
  if (code === 0x46) return checkContainer(bytes, at + 1, end, true, depth + 1);
  if (code === 0x41) return checkContainer(bytes, at + 1, end, false, depth + 1);
  const size = fixedSize(code);
  return size >= 0 ? advance(at + 1, size, end) : lengthPrefixedEnd(bytes, at + 1, end);
}

/** Bytes of a value after its type letter, -1 for those that begin with a u32 length. */
function fixedSize(code: number): number {
  switch (code) {
    case 0x56: // V
      return 0;
    case 0x74: // t
    case 0x62: // b
    case 0x42: // B
      return 1;
    case 0x73: // s
    case 0x75: // u
      return 2;
    case 0x49: // I
    case 0x69: // i
    case 0x66: // f
      return 4;
    case 0x44: // D
      return 5;
    case 0x6c: // l
    case 0x4c: // L
    case 0x54: // T
    case 0x64: // d
      return 8;
    case 0x53: // S
    case 0x78: // x
    case 0x41: // A
    case 0x46: // F
      return -1;
    default:
      throw new MalformedError(`unknown field type 0x${code.toString(16).padStart(2, '0')}`);
  }
}

function lengthPrefixedEnd(bytes: Uint8Array, at: number, end: number): number {
  const contentAt = advance(at, 4, end);
  const length = ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  return advance(contentAt, length, end);
}

function byteAt(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) throw new MalformedError('unexpected end of data');
  return bytes[at]!;
}

function advance(at: number, n: number, end: number): number {
  if (n > end - at) throw new MalformedError('unexpected end of data');
  return at + n;
}
