/**
 * One entry of a definitions file, and the ways to read its fields. Whatever is wrong with it is said with its place in
 * the file, so that it can be found among thousands.
 */

import type { FieldTable } from '../core/field-value.js';
import { argumentsFromJson } from '../core/json-arguments.js';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json-value.js';
import { BrokerError } from '../errors.js';

export type Section =
  | 'users'
  | 'vhosts'
  | 'permissions'
  | 'topic_permissions'
  | 'parameters'
  | 'global_parameters'
  | 'policies'
  | 'queues'
  | 'exchanges'
  | 'bindings';

/** AMQP 0-9-1 4.2.5.3: a short string. */
const LONGEST_NAME_BYTES = 255;

export class Entry {
  /** `queues[3] 'jobs' in vhost '/'` */
  readonly label: string;
  readonly fields: JsonObject;

  constructor(section: Section, index: number, fields: JsonObject) {
    const { name, user, source, destination, vhost } = fields;
    const subject =
      typeof name === 'string'
        ? ` '${name}'`
        : typeof user === 'string'
          ? ` of user '${user}'`
          : bindingOf(source, destination);
    this.label = `${section}[${index}]${subject}${typeof vhost === 'string' ? ` in vhost '${vhost}'` : ''}`;
    this.fields = fields;
  }

  text(key: string, fallback?: string): string {
    const value = this.fields[key] ?? fallback;
    if (typeof value === 'string') return value;
    throw this.refusal(value === undefined ? `"${key}" is missing` : `"${key}" must be a string`);
  }

  /** For what a frame must have room for. */
  shortText(key: string, fallback?: string): string {
    const text = this.text(key, fallback);
    if (Buffer.byteLength(text) <= LONGEST_NAME_BYTES) return text;
    throw this.refusal(`"${key}" is longer than ${LONGEST_NAME_BYTES} bytes`);
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.fields[key] ?? fallback;
    if (typeof value === 'boolean') return value;
    throw this.refusal(`"${key}" must be true or false`);
  }

  /** An empty list stands for an object without members in files of old. */
  object(key: string): JsonObject {
    const value = this.fields[key] ?? {};
    if (isJsonObject(value)) return value;
    if (Array.isArray(value) && value.length === 0) return {};
    throw this.refusal(`"${key}" must be an object`);
  }

  arguments(): FieldTable {
    return this.check(() => argumentsFromJson(this.object('arguments')));
  }

  /** Names in a list, or in one text between commas. */
  names(value: JsonValue, key: string): readonly string[] {
    const list = typeof value === 'string' ? value.split(',').filter((name) => name !== '') : value;
    if (!Array.isArray(list)) throw this.refusal(`"${key}" must be a list`);
    return list.map((name) => {
      if (typeof name !== 'string') throw this.refusal(`"${key}" must be a list of strings`);
      return name.trim();
    });
  }

  /** Says of an error where it is. */
  check<Result>(action: () => Result): Result {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof BrokerError) && !(error instanceof SyntaxError)) throw error;
      if (error.message.startsWith(this.label)) throw error;
      throw this.refusal(error.message);
    }
  }

  refusal(text: string): BrokerError {
    return new BrokerError('precondition-failed', `${this.label}: ${text}`);
  }
}

/** Throws BrokerError('precondition-failed') for what is no JSON object. */
export function documentOf(definitions: string | JsonObject): JsonObject {
  let document: unknown = definitions;
  if (typeof definitions === 'string') {
    try {
      // A byte order mark is none of JSON's characters.
      document = JSON.parse(definitions.replace(/^\uFEFF/, ''));
    } catch (error) {
      throw new BrokerError('precondition-failed', `definitions are not JSON: ${reasonOf(error)}`);
    }
  }
  // It comes from JSON.parse, or from a caller who says that it is JSON.
  const json = document as JsonValue;
  if (isJsonObject(json)) return json;
  throw new BrokerError('precondition-failed', 'definitions must be a JSON object');
}

export function entriesIn(document: JsonObject, section: Section): readonly Entry[] {
  const list = document[section] ?? [];
  if (!Array.isArray(list)) throw new BrokerError('precondition-failed', `${section} must be a list`);
  return list.map((fields: JsonValue, index) => {
    if (isJsonObject(fields)) return new Entry(section, index, fields);
    throw new BrokerError('precondition-failed', `${section}[${index}] must be an object`);
  });
}

function bindingOf(source: JsonValue | undefined, destination: JsonValue | undefined): string {
  return typeof source === 'string' && typeof destination === 'string' ? ` '${source}' to '${destination}'` : '';
}

/** Without what the parser quotes: the file holds hashes of passwords. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return /at position \d+( \(line \d+ column \d+\))?/.exec(text)?.[0] ?? 'it ends too early or holds something else';
}
