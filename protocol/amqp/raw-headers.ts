/**
 * Single headers of encoded basic properties, read and added without decoding the others. The properties are valid.
 */
import { Buffer } from 'node:buffer';
import { PropertyFlag } from './constants.gen.js';
import { entryEnd, hasHeader, isKeyAt } from './raw-table.js';

const MORE_FLAGS = 0x0001;
const LONGSTR = 0x53;
const LONG = 0x6c;
const TWO_TO_32 = 0x1_0000_0000;

/** The value of a header that is a string (`S`), one character a byte; undefined when there is no such. */
export function textHeader(bytes: Uint8Array, start: number, end: number, key: Uint8Array): string | undefined {
  if (((bytes[start] as number) & (PropertyFlag.headers >>> 8)) === 0) return undefined;
  const table = headersPlace(bytes, start);
  const tableEnd = table + 4 + u32(bytes, table);
  if (tableEnd > end) return undefined;
  for (let at = table + 4; at < tableEnd; at = entryEnd(bytes, at, tableEnd)) {
    if (!isKeyAt(bytes, at, tableEnd, key)) continue;
    const valueAt = at + 1 + key.length;
    if (bytes[valueAt] !== LONGSTR) return undefined;
    const textAt = valueAt + 5;
    return textOf(bytes, textAt, textAt + u32(bytes, valueAt + 1));
  }
  return undefined;
}

/** Where in the target a copy ends, and where the number in it begins. */
export interface CopyPlaces {
  end: number;
  numberAt: number;
}

/** Copies properties with a header of type `l` in front of the others and instead of those of its name. */
export function copyWithLong(
  bytes: Uint8Array,
  start: number,
  end: number,
  key: Uint8Array,
  value: number,
  target: Uint8Array,
  at: number,
  places: CopyPlaces,
): void {
  const place = headersPlace(bytes, start);
  const hadHeaders = ((bytes[start] as number) & (PropertyFlag.headers >>> 8)) !== 0;
  let to = copy(target, at, bytes, start, place);
  target[at] = (target[at] as number) | (PropertyFlag.headers >>> 8);
  const lengthAt = to;
  to += 4;
  target[to++] = key.length;
  to = copy(target, to, key, 0, key.length);
  target[to++] = LONG;
  places.numberAt = to;
  writeU32(target, to, Math.floor(value / TWO_TO_32));
  writeU32(target, to + 4, value >>> 0);
  to += 8;
  let rest = place;
  if (hadHeaders) {
    rest = place + 4 + u32(bytes, place);
    to = copyOthers(target, to, bytes, place, rest, key);
  }
  writeU32(target, lengthAt, to - lengthAt - 4);
  places.end = copy(target, to, bytes, rest, end);
}

function copyOthers(
  target: Uint8Array,
  at: number,
  bytes: Uint8Array,
  tableStart: number,
  tableEnd: number,
  key: Uint8Array,
): number {
  if (!hasHeader(bytes, tableStart, tableEnd, key)) return copy(target, at, bytes, tableStart + 4, tableEnd);
  let to = at;
  let next: number;
  for (let from = tableStart + 4; from < tableEnd; from = next) {
    next = entryEnd(bytes, from, tableEnd);
    if (!isKeyAt(bytes, from, tableEnd, key)) to = copy(target, to, bytes, from, next);
  }
  return to;
}

/** Where the table of headers is, or would be: behind content type and content encoding. */
function headersPlace(bytes: Uint8Array, start: number): number {
  const flags = ((bytes[start] as number) << 8) | (bytes[start + 1] as number);
  let at = start + 2;
  for (let word = flags; (word & MORE_FLAGS) !== 0; at += 2) word = bytes[at + 1] as number;
  if ((flags & PropertyFlag.contentType) !== 0) at += 1 + (bytes[at] as number);
  if ((flags & PropertyFlag.contentEncoding) !== 0) at += 1 + (bytes[at] as number);
  return at;
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}

/** Ranges here are mostly shorter than what a call of `set` costs. */
function copy(target: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length > 32) target.set(bytes.subarray(start, end), at);
  else for (let index = 0; index < length; index++) target[at + index] = bytes[start + index] as number;
  return at + length;
}

function u32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
