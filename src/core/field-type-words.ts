/**
 * Field values as error texts show them and as comparisons see them: RabbitMQ's word for each type, its way of
 * printing a value, and equality by value.
 */
import type { FieldTable, FieldValue, IntegerType } from './field-value.js';

const TYPE_WORDS: Readonly<Record<FieldValue['type'], string>> = {
  t: 'bool',
  b: 'byte',
  B: 'unsignedbyte',
  s: 'short',
  u: 'unsignedshort',
  I: 'signedint',
  i: 'unsignedint',
  l: 'long',
  T: 'timestamp',
  f: 'float',
  d: 'double',
  D: 'decimal',
  S: 'longstr',
  x: 'binary',
  A: 'array',
  F: 'table',
  V: 'void',
};

export type IntegerValue = Extract<FieldValue, { readonly type: IntegerType | 'l' }>;

export function fieldTypeWord(value: FieldValue): string {
  return TYPE_WORDS[value.type];
}

/** Any width, signed or not; a timestamp is none. */
export function isInteger(value: FieldValue): value is IntegerValue {
  switch (value.type) {
    case 'b':
    case 'B':
    case 's':
    case 'u':
    case 'I':
    case 'i':
    case 'l':
      return true;
    default:
      return false;
  }
}

/**
 * Equality by value: the width of an integer does not count, nor whether text is tagged as string or as bytes, and a
 * timestamp is the integer it holds. 1 is not 1.0, nor is it "1".
 */
export function sameValue(a: FieldValue, b: FieldValue): boolean {
  switch (a.type) {
    case 'V':
      return b.type === 'V';
    case 't':
      return b.type === 't' && a.value === b.value;
    case 'S':
    case 'x':
      return (b.type === 'S' || b.type === 'x') && sameBytes(a.value, b.value);
    case 'f':
    case 'd':
      return (b.type === 'f' || b.type === 'd') && a.value === b.value;
    case 'D':
      return b.type === 'D' && a.scale === b.scale && a.value === b.value;
    case 'A':
      return b.type === 'A' && sameArray(a.value, b.value);
    case 'F':
      return b.type === 'F' && sameTable(a.value, b.value);
    default:
      return (isInteger(b) || b.type === 'T') && sameInteger(a.value, b.value);
  }
}

/** A value by itself, as RabbitMQ prints it between quotes: strings bare, compound values as Erlang terms. */
export function printValue(value: FieldValue): string {
  if (value.type !== 'S' && value.type !== 'x') return printTerm(value);
  return typeof value.value === 'string' ? value.value : Buffer.from(value.value).toString();
}

/** A value as an Erlang term: `<<"foo">>`, `[{byte,1}]`. */
export function printTerm(value: FieldValue): string {
  switch (value.type) {
    case 'V':
      return 'undefined';
    case 'S':
    case 'x':
      return printBinary(value.value);
    case 'f':
    case 'd':
      return printFloat(value.value);
    case 'D':
      return `{${value.scale},${value.value}}`;
    case 'A':
      return `[${value.value.map((element) => `{${fieldTypeWord(element)},${printTerm(element)}}`).join(',')}]`;
    case 'F':
      return `[${value.value.map(printEntry).join(',')}]`;
    default:
      return String(value.value);
  }
}

function sameBytes(a: string | Uint8Array, b: string | Uint8Array): boolean {
  if (typeof a === 'string' && typeof b === 'string') return a === b;
  return Buffer.from(a).equals(Buffer.from(b));
}

function sameInteger(a: number | bigint, b: number | bigint): boolean {
  if (typeof a === typeof b) return a === b;
  // One of them is a number of at most 32 bits, so rounding the other cannot make them equal.
  return Number(a) === Number(b);
}

function sameArray(a: readonly FieldValue[], b: readonly FieldValue[]): boolean {
  return (
    a.length === b.length &&
    a.every((element, index) => {
      const other = b[index];
      return other !== undefined && sameValue(element, other);
    })
  );
}

/** In wire order, as RabbitMQ compares tables inside a value. */
function sameTable(a: FieldTable, b: FieldTable): boolean {
  return (
    a.length === b.length &&
    a.every(([key, value], index) => {
      const other = b[index];
      return other !== undefined && other[0] === key && sameValue(value, other[1]);
    })
  );
}

function printEntry([key, value]: FieldTable[number]): string {
  return `{${printBinary(key)},${fieldTypeWord(value)},${printTerm(value)}}`;
}

const ESCAPES: Readonly<Record<number, string>> = {
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  27: '\\e',
  34: '\\"',
  92: '\\\\',
};

/** Erlang shows bytes as text when each is printable in Latin-1, which many UTF-8 sequences are by chance. */
function printBinary(value: string | Uint8Array): string {
  const bytes = Buffer.from(value);
  if (bytes.length === 0) return '<<>>';
  if (!bytes.every(isPrintable)) return `<<${bytes.join(',')}>>`;
  let text = '';
  for (const character of bytes.toString()) text += ESCAPES[character.charCodeAt(0)] ?? character;
  return `<<"${text}">>`;
}

function isPrintable(byte: number): boolean {
  return (byte >= 32 && byte < 127) || byte >= 160 || ESCAPES[byte] !== undefined;
}

/** The shorter of decimal and exponent notation, always with a point; decimal on a tie and never from 2^53 on. */
function printFloat(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  const [mantissa = '', exponent = ''] = value.toExponential().split('e');
  const scientific = `${withPoint(mantissa)}e${exponent.replace('+', '')}`;
  const decimal = String(value);
  if (decimal.includes('e') || Math.abs(value) >= 2 ** 53) return scientific;
  const plain = withPoint(decimal);
  return plain.length <= scientific.length ? plain : scientific;
}

function withPoint(digits: string): string {
  return digits.includes('.') ? digits : `${digits}.0`;
}
