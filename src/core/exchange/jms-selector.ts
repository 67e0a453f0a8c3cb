/**
 * Selectors of JMS: an SQL condition on the headers of a message, which the client has compiled to an Erlang term. Its
 * logic has three values, and a header that is missing makes a comparison unknown. Values of different types are
 * ordered as in Erlang: numbers, booleans, lists, strings.
 */
import { assertNever } from '../../errors.js';
import { type FieldTable, type FieldValue, lookUp } from '../field-value.js';
import { parseTerm, type Term } from './erlang-term.js';
import { compileLike, type LikePattern } from './like-pattern.js';

/** True when the headers satisfy the condition; false when they do not or when it is unknown. */
export type Selector = (headers: FieldTable) => boolean;

/** Undefined: unknown. */
type Value = boolean | number | bigint | string | readonly Value[] | undefined;
type Expression = (headers: FieldTable) => Value;
type Operator = (a: Value, b: Value) => Value;

/** RabbitMQ's limit. */
const LONGEST_PATTERN_BYTES = 1024;

const UNARY: Readonly<Record<string, (value: Value) => Value>> = {
  not: negated,
  is_null: (value) => value === undefined,
  not_null: (value) => value !== undefined,
  '-': (value) => (isNumber(value) ? -value : undefined),
  '+': (value) => (isNumber(value) ? value : undefined),
};

const BINARY: Readonly<Record<string, Operator>> = {
  and: (a, b) => (a === false || b === false ? false : a === true && b === true ? true : undefined),
  or: (a, b) => (a === true || b === true ? true : a === false && b === false ? false : undefined),
  '=': known((a, b) => compare(a, b) === 0),
  '<>': known((a, b) => compare(a, b) !== 0),
  '<': known((a, b) => compare(a, b) < 0),
  '>': known((a, b) => compare(a, b) > 0),
  '<=': known((a, b) => compare(a, b) <= 0),
  '>=': known((a, b) => compare(a, b) >= 0),
  in: isIn,
  not_in: (a, b) => negated(isIn(a, b)),
  '+': arithmetic((a, b) => a + b),
  '-': arithmetic((a, b) => a - b),
  '*': arithmetic((a, b) => a * b),
  '/': arithmetic((a, b) => a / b),
};

const ATOMS: ReadonlySet<string> = new Set([
  ...Object.keys(UNARY),
  ...Object.keys(BINARY),
  ...['ident', 'like', 'not_like', 'between', 'not_between', 'range', 'true', 'false', 'no_escape'],
]);

/** Throws SyntaxError with RabbitMQ's text. */
export function compileSelector(text: string): Selector {
  const condition = compile(termOf(text));
  return (headers) => condition(headers) === true;
}

function termOf(text: string): Term {
  try {
    return parseTerm(text, ATOMS);
  } catch (error) {
    throw error instanceof SyntaxError ? new SyntaxError(`invalid JMS selector: ${error.message}`) : error;
  }
}

/** What has no meaning is unknown, as it is in RabbitMQ. */
function compile(term: Term): Expression {
  switch (term.kind) {
    case 'tuple':
      return compileTuple(term.elements);
    case 'list': {
      const elements = term.elements.map(compile);
      return (headers) => elements.map((element) => element(headers));
    }
    case 'number':
      return constant(term.value);
    case 'binary':
      return constant(term.text);
    case 'atom':
      return constant(term.name === 'true' || (term.name === 'false' ? false : undefined));
    case 'string':
      return constant(undefined);
    default:
      return assertNever(term);
  }
}

function compileTuple([tag, ...operands]: readonly Term[]): Expression {
  const name = tag?.kind === 'atom' ? tag.name : '';
  const [first, second, third] = operands;
  if (first === undefined) return constant(undefined);
  if (second === undefined) return compileUnary(name, first);
  if (second.kind === 'tuple' && isAtom(second.elements[0], 'range')) {
    return compileTuple([...(tag === undefined ? [] : [tag]), first, ...second.elements.slice(1)]);
  }
  if (third === undefined) return compileBinary(name, first, second);
  if (name === 'like') return like(compile(first), likePattern(second, third));
  if (name === 'not_like') return combine(negated, like(compile(first), likePattern(second, third)));
  const isBetween = between(compile(first), compile(second), compile(third));
  if (name === 'between') return isBetween;
  return name === 'not_between' ? combine(negated, isBetween) : constant(undefined);
}

function compileUnary(name: string, operand: Term): Expression {
  if (name === 'ident') return operand.kind === 'binary' ? header(operand.text) : constant(undefined);
  const operator = Object.hasOwn(UNARY, name) ? UNARY[name] : undefined;
  return operator === undefined ? constant(undefined) : combine(operator, compile(operand));
}

function compileBinary(name: string, left: Term, right: Term): Expression {
  const operator = Object.hasOwn(BINARY, name) ? BINARY[name] : undefined;
  if (operator === undefined) return constant(undefined);
  const [a, b] = [compile(left), compile(right)];
  return (headers) => operator(a(headers), b(headers));
}

function likePattern(pattern: Term, escapeCharacter: Term): LikePattern {
  if (pattern.kind !== 'binary') throw invalidPattern('not_a_binary_pattern');
  if (Buffer.byteLength(pattern.text) > LONGEST_PATTERN_BYTES) throw invalidPattern('pattern_too_long');
  if (isAtom(escapeCharacter, 'no_escape')) return compileLike(pattern.text, undefined);
  if (escapeCharacter.kind !== 'binary' || Array.from(escapeCharacter.text).length !== 1) {
    throw invalidPattern('invalid_escape');
  }
  return compileLike(pattern.text, escapeCharacter.text);
}

function invalidPattern(reason: string): SyntaxError {
  return new SyntaxError(`invalid JMS selector pattern: {invalid_like_pattern,${reason}}`);
}

function isAtom(term: Term | undefined, name: string): boolean {
  return term?.kind === 'atom' && term.name === name;
}

// --- expressions

function constant(value: Value): Expression {
  return () => value;
}

function header(name: string): Expression {
  return (headers) => headerValue(lookUp(headers, name));
}

function combine(operator: (value: Value) => Value, operand: Expression): Expression {
  return (headers) => operator(operand(headers));
}

function like(operand: Expression, pattern: LikePattern): Expression {
  return (headers) => {
    const value = operand(headers);
    return typeof value === 'string' ? pattern(value) : undefined;
  };
}

function between(operand: Expression, from: Expression, to: Expression): Expression {
  return (headers) => {
    const [value, low, high] = [operand(headers), from(headers), to(headers)];
    if (value === undefined || low === undefined || high === undefined) return undefined;
    return compare(low, value) <= 0 && compare(value, high) <= 0;
  };
}

// --- values

function headerValue(value: FieldValue | undefined): Value {
  if (value === undefined) return undefined;
  switch (value.type) {
    case 'V':
    case 'A':
    case 'F':
      return undefined;
    case 'S':
    case 'x':
      return typeof value.value === 'string' ? value.value : Buffer.from(value.value).toString();
    case 'D':
      return value.value / 10 ** value.scale;
    default:
      return value.value;
  }
}

function isNumber(value: Value): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

function negated(value: Value): Value {
  return typeof value === 'boolean' ? !value : undefined;
}

/** Unknown as soon as one operand is. */
function known(operator: (a: Exclude<Value, undefined>, b: Exclude<Value, undefined>) => boolean): Operator {
  return (a, b) => (a === undefined || b === undefined ? undefined : operator(a, b));
}

/** Integers that a double does not hold are rounded, as in a division. */
function arithmetic(operator: (a: number, b: number) => number): Operator {
  return (a, b) => (isNumber(a) && isNumber(b) ? operator(Number(a), Number(b)) : undefined);
}

function isIn(value: Value, list: Value): Value {
  if (value === undefined || !Array.isArray(list)) return undefined;
  return list.some((element) => compare(value, element) === 0);
}

/** Less than, equal to or greater than 0; NaN is neither. */
function compare(a: Value, b: Value): number {
  const [rankOfA, rankOfB] = [rank(a), rank(b)];
  if (rankOfA !== rankOfB) return rankOfA - rankOfB;
  if (a === undefined || b === undefined || typeof a === 'object' || typeof b === 'object') return Number.NaN;
  // Equality would tell a number from a bigint of the same value.
  return a < b ? -1 : a > b ? 1 : a <= b ? 0 : Number.NaN;
}

function rank(value: Value): number {
  if (isNumber(value)) return 0;
  if (typeof value === 'boolean') return 1;
  return typeof value === 'string' ? 3 : 2;
}
