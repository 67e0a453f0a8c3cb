/**
 * Typed arguments as JSON values in which every type survives exactly: a table is a list of [key, value], a value is
 * [type letter, content]. What JSON has no form for is text: 64-bit integers, numbers that are not finite, and -0 in
 * decimal; bytes as {"base64": …}, which tells them from a string.
 */
import type { FieldTable, FieldValue, IntegerType } from '../../core/field-value.js';
import { assertNever } from '../../errors.js';

type Json = string | number | boolean | readonly Json[] | { readonly base64: string };

const INTEGER_TYPES: readonly string[] = ['b', 'B', 's', 'u', 'I', 'i'] satisfies readonly IntegerType[];

export function tableToJson(table: FieldTable): Json {
  return table.map(([key, value]) => [key, valueToJson(value)]);
}

/** Throws Error for what `tableToJson` does not make. */
export function tableFromJson(json: unknown): FieldTable {
  return listOf(json).map((entry) => {
    const [key, value] = listOf(entry);
    return [textOf(key), valueFromJson(value)];
  });
}

/** The same for tables that are the same arguments: the order of the keys does not matter. */
export function canonicalTable(table: FieldTable): FieldTable {
  return table
    .map(([key, value]) => [key, canonicalValue(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function canonicalValue(value: FieldValue): FieldValue {
  if (value.type === 'A') return { type: 'A', value: value.value.map(canonicalValue) };
  if (value.type === 'F') return { type: 'F', value: canonicalTable(value.value) };
  return value;
}

function valueToJson(field: FieldValue): Json {
  switch (field.type) {
    case 't':
      return ['t', field.value];
    case 'b':
    case 'B':
    case 's':
    case 'u':
    case 'I':
    case 'i':
    case 'f':
    case 'd':
      return [field.type, numberToJson(field.value)];
    case 'l':
    case 'T':
      return [field.type, String(field.value)];
    case 'D':
      return ['D', numberToJson(field.scale), numberToJson(field.value)];
    case 'S':
      return ['S', typeof field.value === 'string' ? field.value : bytesToJson(field.value)];
    case 'x':
      return ['x', bytesToJson(field.value)];
    case 'A':
      return ['A', field.value.map(valueToJson)];
    case 'F':
      return ['F', tableToJson(field.value)];
    case 'V':
      return ['V'];
    default:
      return assertNever(field);
  }
}

function valueFromJson(json: unknown): FieldValue {
  const [type, content, further] = listOf(json);
  switch (type) {
    case 't':
      if (typeof content !== 'boolean') throw notA('boolean', content);
      return { type, value: content };
    case 'f':
    case 'd':
      return { type, value: numberFromJson(content) };
    case 'l':
    case 'T':
      return { type, value: bigintFromJson(content) };
    case 'D':
      return { type, scale: numberFromJson(content), value: numberFromJson(further) };
    case 'S':
      return { type, value: typeof content === 'string' ? content : bytesFromJson(content) };
    case 'x':
      return { type, value: bytesFromJson(content) };
    case 'A':
      return { type, value: listOf(content).map(valueFromJson) };
    case 'F':
      return { type, value: tableFromJson(content) };
    case 'V':
      return { type };
    default:
      if (!isIntegerType(type)) throw new Error(`unknown field type ${JSON.stringify(type)}`);
      return { type, value: numberFromJson(content) };
  }
}

function isIntegerType(type: unknown): type is IntegerType {
  return typeof type === 'string' && INTEGER_TYPES.includes(type);
}

function numberToJson(value: number): Json {
  if (Object.is(value, -0)) return '-0';
  return Number.isFinite(value) ? value : String(value);
}

function numberFromJson(json: unknown): number {
  if (typeof json === 'number') return json;
  if (json === '-0' || json === 'NaN' || json === 'Infinity' || json === '-Infinity') return Number(json);
  throw notA('number', json);
}

function bigintFromJson(json: unknown): bigint {
  const text = textOf(json);
  if (!/^-?\d+$/.test(text)) throw notA('64-bit integer', json);
  return BigInt(text);
}

export function bytesToJson(bytes: Uint8Array): { readonly base64: string } {
  return { base64: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64') };
}

/** Throws Error for what `bytesToJson` does not make. */
export function bytesFromJson(json: unknown): Uint8Array {
  const { base64 } = recordOf(json);
  return Uint8Array.from(Buffer.from(textOf(base64), 'base64'));
}

export function textOf(json: unknown): string {
  if (typeof json !== 'string') throw notA('string', json);
  return json;
}

export function listOf(json: unknown): readonly unknown[] {
  if (!Array.isArray(json)) throw notA('list', json);
  return json;
}

export function recordOf(json: unknown): Readonly<Record<string, unknown>> {
  if (!isRecord(json)) throw notA('record', json);
  return json;
}

function isRecord(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

export function notA(expected: string, json: unknown): Error {
  return new Error(`expected a ${expected}, got ${JSON.stringify(json)}`);
}
