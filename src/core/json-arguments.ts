/**
 * Arguments of queues, exchanges and bindings as JSON documents have them. There every integer is a 64-bit one, every
 * text a string and every object a table; what JSON cannot tell apart comes back as that.
 */
import { BrokerError } from '../errors.js';
import type { FieldTable, FieldValue } from './field-value.js';
import { isJsonObject, type JsonObject, type JsonValue } from './json-value.js';

const SMALLEST_LONG = -(2n ** 63n);
const LARGEST_LONG = 2n ** 63n - 1n;

/** Throws BrokerError('precondition-failed') for null, of which RabbitMQ makes no argument either. */
export function argumentsFromJson(json: JsonObject): FieldTable {
  return Object.entries(json).map(([key, value]) => [key, valueFromJson(key, value)]);
}

export function argumentsToJson(table: FieldTable): JsonObject {
  return Object.fromEntries(table.map(([key, value]) => [key, valueToJson(value)]));
}

function valueFromJson(key: string, value: JsonValue): FieldValue {
  if (value === null) throw new BrokerError('precondition-failed', `argument '${key}' is null, which is not allowed`);
  switch (typeof value) {
    case 'boolean':
      return { type: 't', value };
    case 'string':
      return { type: 'S', value };
    case 'number':
      return numberFromJson(value);
    default:
      if (isJsonObject(value)) return { type: 'F', value: argumentsFromJson(value) };
      return { type: 'A', value: value.map((element) => valueFromJson(key, element)) };
  }
}

function numberFromJson(value: number): FieldValue {
  if (Number.isInteger(value)) {
    const long = BigInt(value);
    if (long >= SMALLEST_LONG && long <= LARGEST_LONG) return { type: 'l', value: long };
  }
  return { type: 'd', value };
}

function valueToJson(field: FieldValue): JsonValue {
  switch (field.type) {
    case 'V':
      return 'undefined';
    case 'A':
      return field.value.map(valueToJson);
    case 'F':
      return argumentsToJson(field.value);
    case 'S':
    case 'x':
      return typeof field.value === 'string' ? field.value : Buffer.from(field.value).toString();
    case 'D':
      return field.value / 10 ** field.scale;
    case 'l':
    case 'T':
      return Number(field.value);
    case 'f':
    case 'd':
      return Number.isFinite(field.value) ? field.value : String(field.value);
    default:
      return field.value;
  }
}
