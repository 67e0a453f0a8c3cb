import { describe, expect, it } from 'vitest';
import { HEADERS } from '../../../../src/core/exchange/headers.js';
import type { FieldTable, FieldValue } from '../../../../src/core/field-value.js';
import { BrokerError } from '../../../../src/errors.js';
import { anyPlace } from '../../../support/exchange-place.js';
import { bindingOf, bindingTo, routed, routerWith } from './routing.js';

const text = (value: string): FieldValue => ({ type: 'S', value });
const int = (value: number): FieldValue => ({ type: 'I', value });
const NOTHING: FieldValue = { type: 'V' };

function table(values: Record<string, FieldValue>): FieldTable {
  return Object.entries(values);
}

function validate(args: FieldTable): void {
  HEADERS.validateBinding?.('', args, bindingTo('q').destination);
}

function matches(args: FieldTable, headers: FieldTable): boolean {
  return routed(routerWith(HEADERS, [bindingOf('ignored', args)]), 'key', headers).length === 1;
}

describe('x-match', () => {
  const mode = (name: string, more: Record<string, FieldValue> = {}) => table({ 'x-match': text(name), ...more });
  const pair = { a: int(1), b: int(2) };

  it.each([
    ['all is the default', table(pair), table(pair), true],
    ['all needs each', mode('all', pair), table({ a: int(1) }), false],
    ['all needs each to be equal', mode('all', pair), table({ a: int(1), b: int(3) }), false],
    ['all takes more headers than asked for', mode('all', pair), table({ ...pair, c: int(3) }), true],
    ['any needs one', mode('any', pair), table({ b: int(2) }), true],
    ['any needs one that is equal', mode('any', pair), table({ a: int(2), b: int(1) }), false],
    ['no arguments match everything', [], [], true],
    ['all of nothing matches everything', mode('all'), table(pair), true],
    ['any of nothing matches nothing', mode('any'), table(pair), false],
    ['all-with-x of nothing matches everything', mode('all-with-x'), [], true],
    ['any-with-x of nothing matches nothing', mode('any-with-x'), table(pair), false],
    ['all ignores x- arguments', mode('all', { 'x-a': int(1) }), [], true],
    ['any ignores x- arguments', mode('any', { 'x-a': int(1) }), table({ 'x-a': int(1) }), false],
    ['all-with-x needs x- arguments', mode('all-with-x', { 'x-a': int(1) }), [], false],
    ['any-with-x takes x- arguments', mode('any-with-x', { 'x-a': int(1) }), table({ 'x-a': int(1) }), true],
    ['all-with-x leaves itself out', mode('all-with-x', pair), table({ ...pair, 'x-match': int(3) }), true],
  ])('%s', (_name, args, headers, expected) => {
    expect(matches(args, headers)).toBe(expected);
  });
});

describe('the value of a header', () => {
  const bytes = (value: string): FieldValue => ({ type: 'x', value: Buffer.from(value) });

  it.each<[string, FieldValue, FieldValue | undefined, boolean]>([
    ['integers of any width', int(1), { type: 'l', value: 1n }, true],
    ['string and bytes', text('é'), bytes('é'), true],
    ['string and integer', text('1'), int(1), false],
    ['integer and float', int(1), { type: 'd', value: 1 }, false],
    ['float and double', { type: 'f', value: 1.5 }, { type: 'd', value: 1.5 }, true],
    ['boolean and string', { type: 't', value: true }, text('true'), false],
    ['timestamps', { type: 'T', value: 5n }, { type: 'T', value: 5n }, false],
    ['integer and timestamp header', int(5), { type: 'T', value: 5n }, false],
    ['timestamp argument and integer', { type: 'T', value: 5n }, int(5), true],
    ['void and a value', NOTHING, int(3), true],
    ['void and a timestamp', NOTHING, { type: 'T', value: 5n }, true],
    ['void and void', NOTHING, NOTHING, true],
    ['void and no such header', NOTHING, undefined, false],
    ['a value and void', int(3), NOTHING, false],
    ['arrays', { type: 'A', value: [int(1), text('a')] }, { type: 'A', value: [int(1), text('a')] }, true],
    ['tables', { type: 'F', value: table({ a: int(1) }) }, { type: 'F', value: table({ a: int(2) }) }, false],
  ])('%s', (_name, wanted, header, expected) => {
    const headers = table(header === undefined ? {} : { h: header });
    expect(matches(table({ h: wanted }), headers)).toBe(expected);
    expect(matches(table({ 'x-match': text('any'), h: wanted }), headers)).toBe(expected);
  });

  it('is that of the first header of its name', () => {
    const twice: FieldTable = [
      ['h', int(1)],
      ['h', int(2)],
    ];
    expect(matches(table({ h: int(1) }), twice)).toBe(true);
    expect(matches(table({ h: int(2) }), twice)).toBe(false);
  });
});

describe('the headers exchange', () => {
  it('reports in the order of binding and removes by identity', () => {
    const args = table({ a: int(1) });
    const [first, second, third] = [bindingOf('1', args), bindingOf('2'), bindingOf('3', args)];
    const router = routerWith(HEADERS, [first, second, third]);
    expect(routed(router, '', args)).toEqual([first, second, third]);
    router.remove(first);
    router.remove(first);
    expect(routed(router, '', args)).toEqual([second, third]);
    expect(routed(router, '')).toEqual([second]);
  });

  it('is not routed by key', () => {
    expect(HEADERS.createRouter([], anyPlace()).routesByKey).toBe(false);
  });

  it.each(['all', 'any', 'all-with-x', 'any-with-x'])('accepts x-match %s', (mode) => {
    expect(() => validate(table({ 'x-match': text(mode) }))).not.toThrow();
  });

  it('accepts a binding without x-match', () => {
    expect(() => validate(table({ a: int(1) }))).not.toThrow();
  });

  const modes = 'expected all, any, all-with-x, or any-with-x';
  it.each<[FieldValue, string]>([
    [text('foo'), `Invalid x-match field value <<"foo">>; ${modes}`],
    [text(''), `Invalid x-match field value <<>>; ${modes}`],
    [text('é"q'), `Invalid x-match field value <<"é\\"q">>; ${modes}`],
    [text('日本'), `Invalid x-match field value <<230,151,165,230,156,172>>; ${modes}`],
    [int(3), 'Invalid x-match field type signedint (value 3); expected longstr'],
    [{ type: 't', value: true }, 'Invalid x-match field type bool (value true); expected longstr'],
    [{ type: 'x', value: Buffer.from('all') }, 'Invalid x-match field type binary (value <<"all">>); expected longstr'],
    [NOTHING, 'Invalid x-match field type void (value undefined); expected longstr'],
    [{ type: 'A', value: [int(1)] }, 'Invalid x-match field type array (value [{signedint,1}]); expected longstr'],
  ])('refuses x-match %o', (value, message) => {
    const refused = new BrokerError('precondition-failed', message);
    expect(() => validate(table({ 'x-match': value }))).toThrow(refused);
  });
});
