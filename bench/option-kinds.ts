/** The kinds of options there are: how each reads its value, and what it says when it cannot. */
import { parseTarget, type Target } from './load/handshake.js';

/** An option that does not exist, a value that it does not take, or options that do not go together. One line. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
}

export interface Option<Value> {
  /** Its names, as they are typed. */
  readonly flags: readonly string[];
  /** undefined: it takes no value. */
  readonly placeholder: string | undefined;
  readonly help: string;
  readonly fallback: Value;
  /** What a value looks like. */
  readonly expects: string;
  /** undefined: not a value. `earlier` is that of the same option given before. */
  parse(text: string, earlier: unknown): Value | undefined;
}

export type QueueArguments = Readonly<Record<string, string | number | boolean>>;
export type MessageFlag = 'persistent' | 'mandatory';
/** A broker's URL, taken apart. */
export type Uri = Target;

const LARGEST_COUNT = 1e12;
const LARGEST_BODY_BYTES = 128 * 1024 * 1024;
const MOST_SECONDS = 1e7;

export function refuse(text: string): never {
  throw new OptionError(text);
}

export function parsed<Value>(option: Option<Value>, label: string, value: string, earlier?: unknown): Value {
  const result = option.parse(value, earlier);
  // The text of a URL may hold a password.
  const shown = option.placeholder === 'URL' ? '' : ` '${value.replace(/\p{Cc}/gu, '?')}'`;
  return result ?? refuse(`${label}${shown} is not valid: give ${option.expects}`);
}

/** A whole number of things. */
export function count<Fallback extends number | undefined>(
  flags: readonly string[],
  fallback: Fallback,
  help: string,
  least = 0,
): Option<number | Fallback> {
  const parse = (value: string): number | undefined => {
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    return number >= least && number <= LARGEST_COUNT ? number : undefined;
  };
  return { flags, placeholder: 'N', help, fallback, expects: `a whole number from ${least}`, parse };
}

/** One of some words, or with a placeholder a decimal number from 0. */
export function one<Word extends string>(
  flags: readonly string[],
  words: readonly Word[],
  fallback: Word,
  help: string,
): Option<Word>;
export function one(flags: readonly string[], placeholder: string, fallback: number, help: string): Option<number>;
export function one(
  flags: readonly string[],
  values: string | readonly string[],
  fallback: string | number,
  help: string,
): Option<string | number> {
  if (typeof values === 'string') {
    return { flags, placeholder: values, help, fallback, expects: 'a number from 0', parse: decimal };
  }
  const parse = (value: string): string | undefined => (values.includes(value) ? value : undefined);
  return { flags, placeholder: 'WORD', help, fallback, expects: values.join(', '), parse };
}

/** undefined is for as long as it takes. */
export function seconds(flags: readonly string[], help: string): Option<number | undefined> {
  const parse = (value: string): number | undefined => {
    const number = decimal(value);
    return number !== undefined && number > 0 && number <= MOST_SECONDS ? number : undefined;
  };
  return { flags, placeholder: 'SECONDS', help, fallback: undefined, expects: 'seconds above 0', parse };
}

export function text<Fallback extends string | undefined>(
  flags: readonly string[],
  placeholder: string,
  fallback: Fallback,
  help: string,
): Option<string | Fallback> {
  const parse = (value: string): string | undefined => (Buffer.byteLength(value) <= 255 ? value : undefined);
  return { flags, placeholder, help, fallback, expects: 'at most 255 bytes', parse };
}

export function flag(flags: readonly string[], help: string): Option<boolean> {
  return { flags, placeholder: undefined, help, fallback: false, expects: 'nothing', parse: () => true };
}

export function uri(flags: readonly string[], fallback: string, help: string): Option<Uri> {
  const parse = (value: string): Uri | undefined => {
    try {
      return parseTarget(value);
    } catch {
      return undefined;
    }
  };
  const expects = 'amqp://user:password@host:port/vhost';
  return {
    flags,
    placeholder: 'URL',
    help: `${help} (default ${fallback})`,
    fallback: parseTarget(fallback),
    expects,
    parse,
  };
}

export function pid(flags: readonly string[], help: string): Option<number | undefined> {
  const parse = (value: string): number | undefined => (/^[1-9]\d{0,9}$/.test(value) ? Number(value) : undefined);
  return { flags, placeholder: 'PID', help, fallback: undefined, expects: 'the number of a process', parse };
}

export function sizes(flags: readonly string[], fallback: readonly number[], help: string): Option<readonly number[]> {
  const parse = (value: string): readonly number[] | undefined => {
    const all = value.split(',').map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : Number.NaN));
    return all.every((size) => size <= LARGEST_BODY_BYTES) ? all : undefined;
  };
  const expects = `bytes up to ${LARGEST_BODY_BYTES}, or several such as 16,1024`;
  return { flags, placeholder: 'BYTES,...', help, fallback, expects, parse };
}

export function pattern(flags: readonly string[], help: string): Option<string | undefined> {
  const parse = (value: string): string | undefined => (value.includes('%') ? value : undefined);
  return {
    flags,
    placeholder: 'PATTERN',
    help,
    fallback: undefined,
    expects: "a name with % for the queue's number",
    parse,
  };
}

export function messageFlags(flags: readonly string[], help: string): Option<readonly MessageFlag[]> {
  const parse = (value: string, earlier: unknown): readonly MessageFlag[] | undefined => {
    const known = value.split(',').filter((word) => word === 'persistent' || word === 'mandatory');
    if (known.length !== value.split(',').length) return undefined;
    return [...(Array.isArray(earlier) ? earlier : []), ...known];
  };
  return { flags, placeholder: 'FLAG', help, fallback: [], expects: 'persistent or mandatory', parse };
}

export function keyValues(flags: readonly string[], help: string): Option<QueueArguments> {
  const expects = 'KEY=VALUE,... or a JSON object of texts, numbers and booleans';
  return { flags, placeholder: 'KEY=VALUE,...', help, fallback: {}, expects, parse: parseKeyValues };
}

/** A default, as the help shows it; empty where its words say it or there is none. */
export function nameOf(value: unknown): string {
  if (Array.isArray(value)) return value.join(',');
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function parseKeyValues(value: string): QueueArguments | undefined {
  if (value.startsWith('{')) return parseJsonObject(value);
  const entries: [string, string | number | boolean][] = [];
  for (const part of value.split(',')) {
    const at = part.indexOf('=');
    if (at < 1) return undefined;
    entries.push([part.slice(0, at), scalar(part.slice(at + 1))]);
  }
  return Object.fromEntries(entries);
}

function parseJsonObject(json: string): QueueArguments | undefined {
  try {
    const content: unknown = JSON.parse(json);
    const values = Object.values(content ?? {});
    const plain = values.every((value) => ['string', 'number', 'boolean'].includes(typeof value));
    // An object (it began with a brace) of nothing else.
    return plain ? (content as QueueArguments) : undefined;
  } catch {
    return undefined;
  }
}

function scalar(value: string): string | number | boolean {
  if (value === 'true' || value === 'false') return value === 'true';
  return /^-?\d{1,15}$/.test(value) ? Number(value) : value;
}

function decimal(value: string): number | undefined {
  const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  return number <= LARGEST_COUNT ? number : undefined;
}
