/**
 * Values of JSON documents: policies, parameters and definitions are made of them. `printJson` is how error texts show
 * one, in the form of Erlang terms, which scripts look for.
 */
import { printTerm } from './field-type-words.js';

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: JsonValue;
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function sameJson(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && JSON.stringify(sorted(a)) === JSON.stringify(sorted(b)));
}

/** `<<"text">>`, `[1,2]`, `#{<<"key">> => true}`; what is missing is `undefined`. */
export function printJson(value: JsonValue | undefined): string {
  switch (typeof value) {
    case 'string':
      return printTerm({ type: 'S', value });
    case 'number':
      return Number.isInteger(value) ? String(value) : printTerm({ type: 'd', value });
    case 'object':
      if (value === null) return 'null';
      if (isJsonObject(value)) return `#{${entriesOf(value).map(printMapping).join(',')}}`;
      return `[${value.map(printJson).join(',')}]`;
    default:
      return String(value);
  }
}

/** A list of pairs, in the order of their keys: `[{<<"key">>,10}]`. */
export function printPairs(pairs: readonly (readonly [string, JsonValue])[]): string {
  return `[${pairs.map(([key, value]) => `{${printJson(key)},${printJson(value)}}`).join(',')}]`;
}

/** In the order of their keys, as Erlang has the entries of a small map. */
export function entriesOf(object: JsonObject): readonly (readonly [string, JsonValue])[] {
  return Object.entries(object).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function printMapping([key, value]: readonly [string, JsonValue]): string {
  return `${printJson(key)} => ${printJson(value)}`;
}

function sorted(value: JsonValue): unknown {
  if (isJsonObject(value)) return entriesOf(value).map(([key, entry]) => [key, sorted(entry)]);
  return Array.isArray(value) ? { list: value.map(sorted) } : value;
}
