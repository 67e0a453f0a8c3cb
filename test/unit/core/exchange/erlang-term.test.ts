import { describe, expect, it } from 'vitest';
import { parseTerm, type Term } from '../../../../src/core/exchange/erlang-term.js';

const ATOMS = new Set(['ident', 'a', '<=', 'in@1_X']);
const parse = (text: string): Term => parseTerm(text, ATOMS);
const atom = (name: string): Term => ({ kind: 'atom', name });
const number = (value: number | bigint): Term => ({ kind: 'number', value });
const binary = (text: string): Term => ({ kind: 'binary', text });
const tuple = (...elements: Term[]): Term => ({ kind: 'tuple', elements });
const list = (...elements: Term[]): Term => ({ kind: 'list', elements });

describe('a term', () => {
  it.each<[string, Term]>([
    ['a', atom('a')],
    ["'<='", atom('<=')],
    ["'\\a'", atom('a')],
    ['in@1_X', atom('in@1_X')],
    ['7', number(7)],
    ['-7', number(-7)],
    ['+ 7', number(7)],
    ['007', number(7)],
    ['1.5', number(1.5)],
    ['1.0E10', number(1e10)],
    ['1.0e-2', number(0.01)],
    ['9007199254740991', number(9007199254740991)],
    ['9007199254740993', number(9007199254740993n)],
    ['-9223372036854775808', number(-9223372036854775808n)],
    ['<<>>', binary('')],
    ['<<"">>', binary('')],
    ['<< "a b" >>', binary('a b')],
    ['<<"q\\" b\\\\ n\\n t\\t r\\r x\\x é">>', binary('q" b\\ n\n t\t r\r xx é')],
    ['"text"', { kind: 'string', text: 'text' }],
    ['{}', tuple()],
    ['[]', list()],
    ['{a}', tuple(atom('a'))],
    ['{\'ident\',<<"name">>}', tuple(atom('ident'), binary('name'))],
    [' { a , [ 1 , {2} ] }\t\n\r', tuple(atom('a'), list(number(1), tuple(number(2))))],
  ])('is read: %s', (text, expected) => {
    expect(parse(text)).toEqual(expected);
    expect(parse(`${text}.`)).toEqual(expected);
    expect(parse(`${text} . `)).toEqual(expected);
  });

  it('that is too long an integer is taken for a float', () => {
    expect(parse('9'.repeat(400))).toEqual(number(Number.POSITIVE_INFINITY));
    expect(parse(`1${'0'.repeat(30)}`)).toEqual(number(1e30));
  });

  it.each([
    ['', 'unexpected_end'],
    ['   ', 'unexpected_end'],
    ['.', 'unexpected_character'],
    ['Variable', 'unexpected_character'],
    ['é', 'unexpected_character'],
    ['-a', 'unexpected_character'],
    ['--1', 'unexpected_character'],
    ['foo', '{disallowed_atom,"foo"}'],
    ["'foo'", '{disallowed_atom,"foo"}'],
    ["'toString'", '{disallowed_atom,"toString"}'],
    ["'a", 'unterminated_quoted_atom'],
    ["'a\\", 'unterminated_quoted_atom'],
    ['{', 'unexpected_end'],
    ['{a', 'expected_comma_or_closing_brace'],
    ['{a]', 'expected_comma_or_closing_brace'],
    ['[a', 'expected_comma_or_closing_bracket'],
    ['[a}', 'expected_comma_or_closing_bracket'],
    ['{a,', 'unexpected_end'],
    ['<<"a"', 'expected_closing_binary'],
    ['<<"a', 'unterminated_string'],
    ['<<"a\\', 'unterminated_string'],
    ['<<1>>', 'invalid_binary'],
    ['"a', 'unterminated_string'],
    ['a b', 'trailing_characters'],
    ['a..', 'trailing_characters'],
    ['a.5', 'trailing_characters'],
    ['1.0e', 'invalid_term'],
    ['1.0e999', 'invalid_term'],
  ])('is refused: %s', (text, reason) => {
    expect(() => parse(text)).toThrow(new SyntaxError(reason));
  });

  it('nests 16 deep', () => {
    const nested = (depth: number, open: string, close: string) => open.repeat(depth) + close.repeat(depth);
    for (const [open, close] of [
      ['[', ']'],
      ['{', '}'],
    ] as const) {
      expect(() => parse(nested(17, open, close))).not.toThrow();
      expect(() => parse(nested(18, open, close))).toThrow(new SyntaxError('max_depth_exceeded'));
      expect(() => parse(open.repeat(100_000))).toThrow(new SyntaxError('max_depth_exceeded'));
    }
  });
});
