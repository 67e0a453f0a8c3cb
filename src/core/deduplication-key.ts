/** What tells a message from its duplicates: the value of one of its headers. */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { type FieldTable, type FieldValue, lookUp } from './field-value.js';

/** The header that is looked at, and the argument that names another one, as LavinMQ has it. */
const HEADER = 'x-deduplication-header';
/** Longer ones are remembered by their hash, so that memory is bounded by their number. */
const LONGEST_KEY = 64;

/** Name of the header that a queue or an exchange with these arguments looks at. */
export function deduplicationHeader(args: FieldTable): string {
  const name = lookUp(args, HEADER);
  return name?.type === 'S' && typeof name.value === 'string' ? name.value : HEADER;
}

/** Equal for equal values; undefined without a value that could be compared. */
export function deduplicationKey(headers: FieldTable, header: string): string | undefined {
  const value = lookUp(headers, header);
  const key = value === undefined ? undefined : keyOf(value);
  return key === undefined || key.length <= LONGEST_KEY ? key : createHash('sha256').update(key).digest('base64');
}

/** By value, whatever the width of an integer; text is not a number, and 1 is not 1.0. */
function keyOf(value: FieldValue): string | undefined {
  switch (value.type) {
    case 'S':
    case 'x':
      return textKey(value.value);
    case 'f':
    case 'd':
      return `f${value.value}`;
    case 't':
      return `t${value.value}`;
    case 'V':
      return 'V';
    case 'D':
    case 'A':
    case 'F':
      return undefined;
    default:
      return `i${value.value}`;
  }
}

function textKey(value: string | Uint8Array): string {
  if (typeof value === 'string') return `s${value}`;
  return isUtf8(value) ? `s${Buffer.from(value).toString()}` : `x${Buffer.from(value).toString('base64')}`;
}
