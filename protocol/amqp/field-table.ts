/**
 * Field tables and arrays with RabbitMQ's type letters, which differ from the specification's ('s' is an int16, 'x' a
 * byte array, 'L' is read as 'l'). Values keep their letter, so what was decoded encodes to the same bytes.
 * `core/field-value` has the same shapes; neither imports the other.
 */
import type { ByteReader } from '../byte-reader.js';
import { type ByteWriter, longstrSize, shortstrBound } from '../byte-writer.js';
import { MalformedError } from '../errors.js';

export type IntegerType = 'b' | 'B' | 's' | 'u' | 'I' | 'i';

export type FieldValue =
  | { readonly type: 't'; readonly value: boolean }
  | { readonly type: IntegerType; readonly value: number }
  | { readonly type: 'l' | 'T'; readonly value: bigint }
  | { readonly type: 'f' | 'd'; readonly value: number }
  | { readonly type: 'D'; readonly scale: number; readonly value: number }
  /** A string when the bytes are UTF-8, else the bytes themselves. */
  | { readonly type: 'S'; readonly value: string | Uint8Array }
  | { readonly type: 'x'; readonly value: Uint8Array }
  | { readonly type: 'A'; readonly value: readonly FieldValue[] }
  | { readonly type: 'F'; readonly value: FieldTable }
  | { readonly type: 'V' };

/** In wire order; keys may repeat, and look-ups use the first. */
export type FieldTable = readonly (readonly [key: string, value: FieldValue])[];

/** Tables and arrays may be nested this deep: the codec recurses, and a few bytes a level must not exhaust the stack. */
export const MAX_DEPTH = 128;

const NO_ENTRIES: FieldTable = Object.freeze([]);
const VOID: FieldValue = Object.freeze({ type: 'V' });

/** Reads the u32 length, then as many bytes of entries. */
export function readTable(reader: ByteReader, depth = 0): FieldTable {
  const end = containerEnd(reader, depth);
  return end === reader.offset ? NO_ENTRIES : readEntries(reader, end, depth);
}

/** Reads entries up to `end`, for a table that comes without its length (AMQPLAIN). */
export function readTableBody(reader: ByteReader, end: number): FieldTable {
  if (end < reader.offset || end > reader.end) throw new MalformedError('unexpected end of data');
  return readEntries(reader, end, 0);
}

export function readValue(reader: ByteReader, depth = 0): FieldValue {
  const code = reader.u8();
  switch (code) {
    case 0x74: // t
      return { type: 't', value: reader.u8() !== 0 };
    case 0x62: // b
      return { type: 'b', value: reader.i8() };
    case 0x42: // B
      return { type: 'B', value: reader.u8() };
    case 0x73: // s
      return { type: 's', value: reader.i16() };
    case 0x75: // u
      return { type: 'u', value: reader.u16() };
    case 0x49: // I
      return { type: 'I', value: reader.i32() };
    case 0x69: // i
      return { type: 'i', value: reader.u32() };
    case 0x6c: // l
    case 0x4c: // L
      return { type: 'l', value: reader.bigI64() };
    case 0x54: // T
      return { type: 'T', value: reader.bigU64() };
    case 0x66: // f
      return { type: 'f', value: reader.f32() };
    case 0x64: // d
      return { type: 'd', value: reader.f64() };
    case 0x44: // D
      return { type: 'D', scale: reader.u8(), value: reader.u32() };
    case 0x53: // S
      return { type: 'S', value: readText(reader) };
    case 0x78: // x
      return { type: 'x', value: new Uint8Array(reader.longstr()) };
    case 0x41: // A
      return { type: 'A', value: readItems(reader, depth + 1) };
    case 0x46: // F
      return { type: 'F', value: readTable(reader, depth + 1) };
    case 0x56: // V
      return VOID;
    default:
      throw new MalformedError(`unknown field type 0x${code.toString(16).padStart(2, '0')}`);
  }
}

function readEntries(reader: ByteReader, end: number, depth: number): FieldTable {
  const entries: [string, FieldValue][] = [];
  const outerEnd = reader.end;
  reader.end = end;
  while (reader.offset < end) {
    // RabbitMQ checks the UTF-8 of names in methods, but takes any key.
    const key = reader.lossyShortstr();
    entries.push([key, readValue(reader, depth)]);
  }
  reader.end = outerEnd;
  return entries;
}

function readItems(reader: ByteReader, depth: number): readonly FieldValue[] {
  const items: FieldValue[] = [];
  const end = containerEnd(reader, depth);
  const outerEnd = reader.end;
  reader.end = end;
  while (reader.offset < end) items.push(readValue(reader, depth));
  reader.end = outerEnd;
  return items;
}

function containerEnd(reader: ByteReader, depth: number): number {
  if (depth > MAX_DEPTH) throw new MalformedError('field table nested too deep');
  const length = reader.u32();
  if (length > reader.remaining()) throw new MalformedError('unexpected end of data');
  return reader.offset + length;
}

function readText(reader: ByteReader): string | Uint8Array {
  const length = reader.u32();
  const text = reader.text(length);
  if (text !== undefined) return text;
  const start = reader.offset;
  reader.skip(length);
  return new Uint8Array(reader.bytes.subarray(start, reader.offset));
}

export function writeTable(writer: ByteWriter, table: FieldTable): void {
  writer.ensure(tableBound(table));
  putTable(writer, table);
}

export function writeValue(writer: ByteWriter, value: FieldValue): void {
  writer.ensure(valueBound(value, 0));
  putValue(writer, value);
}

/** Room that `writeTable` may need, length included. Throws what `writeTable` would, so that it does not halfway. */
export function tableBound(table: FieldTable, depth = 0): number {
  checkDepth(depth);
  let bound = 4;
  for (const [key, value] of table) bound += shortstrBound(key) + valueBound(value, depth);
  return bound;
}

function valueBound(value: FieldValue, depth: number): number {
  switch (value.type) {
    case 'S':
    case 'x':
      return 1 + longstrSize(value.value);
    case 'A': {
      checkDepth(depth + 1);
      let bound = 5;
      for (const item of value.value) bound += valueBound(item, depth + 1);
      return bound;
    }
    case 'F':
      return 1 + tableBound(value.value, depth + 1);
    default:
      return 9;
  }
}

function checkDepth(depth: number): void {
  if (depth > MAX_DEPTH) throw new RangeError(`tables and arrays may be nested ${MAX_DEPTH} deep`);
}

function putTable(writer: ByteWriter, table: FieldTable): void {
  const start = writer.offset;
  writer.u32(0);
  for (const [key, value] of table) {
    writer.shortstr(key);
    putValue(writer, value);
  }
  writer.patchU32(start, writer.offset - start - 4);
}

function putArray(writer: ByteWriter, items: readonly FieldValue[]): void {
  const start = writer.offset;
  writer.u32(0);
  for (const item of items) putValue(writer, item);
  writer.patchU32(start, writer.offset - start - 4);
}

function putValue(writer: ByteWriter, value: FieldValue): void {
  writer.u8(value.type.charCodeAt(0));
  switch (value.type) {
    case 't':
      writer.u8(value.value ? 1 : 0);
      break;
    case 'b':
    case 'B':
      writer.u8(value.value);
      break;
    case 's':
    case 'u':
      writer.u16(value.value);
      break;
    case 'I':
    case 'i':
      writer.u32(value.value);
      break;
    case 'l':
      writer.bigI64(value.value);
      break;
    case 'T':
      writer.bigU64(value.value);
      break;
    case 'f':
      writer.f32(value.value);
      break;
    case 'd':
      writer.f64(value.value);
      break;
    case 'D':
      writer.u8(value.scale);
      writer.u32(value.value);
      break;
    case 'S':
    case 'x':
      writer.longstr(value.value);
      break;
    case 'A':
      putArray(writer, value.value);
      break;
    case 'F':
      putTable(writer, value.value);
      break;
    case 'V':
      break;
  }
}

/**
 * What `table` accepts. An object is taken for a FieldValue when `type` is a type letter and its keys are exactly those
 * of that type; a nested table that looks so by accident is written `{type: 'F', value: table({...})}`.
 */
export type PlainValue =
  | string
  | boolean
  | number
  | bigint
  | null
  | Uint8Array
  | FieldValue
  | readonly PlainValue[]
  | { readonly [key: string]: PlainValue };

/**
 * A table from plain values, in the order of the keys: string S, boolean t, integer I (l when it needs more than 32
 * bits), other number d, bigint l, null V, bytes x, array A, object F.
 */
export function table(values: { readonly [key: string]: PlainValue }): FieldTable {
  return Object.entries(values).map(([key, value]) => [key, fieldValue(value)] as const);
}

function fieldValue(plain: PlainValue): FieldValue {
  if (plain === null) return VOID;
  if (typeof plain === 'string') return { type: 'S', value: plain };
  if (typeof plain === 'boolean') return { type: 't', value: plain };
  if (typeof plain === 'bigint') return { type: 'l', value: plain };
  if (typeof plain === 'number') return numberValue(plain);
  if (plain instanceof Uint8Array) return { type: 'x', value: plain };
  if (Array.isArray(plain)) return { type: 'A', value: plain.map(fieldValue) };
  if (isFieldValue(plain)) return plain;
  return { type: 'F', value: table(plain as { readonly [key: string]: PlainValue }) };
}

function numberValue(value: number): FieldValue {
  if ((value | 0) === value) return { type: 'I', value };
  if (Number.isSafeInteger(value)) return { type: 'l', value: BigInt(value) };
  return { type: 'd', value };
}

function isFieldValue(plain: object): plain is FieldValue {
  const type: unknown = 'type' in plain ? plain.type : undefined;
  if (typeof type !== 'string' || type.length !== 1) return false;
  const keys = Object.keys(plain).sort().join();
  if (type === 'V') return keys === 'type';
  if (type === 'D') return keys === 'scale,type,value';
  return 'tbBsuIilTfdSxAF'.includes(type) && keys === 'type,value';
}
