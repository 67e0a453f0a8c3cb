import { describe, expect, it } from 'vitest';
import { JMS_TOPIC } from '../../../../src/core/exchange/jms-topic.js';
import type { FieldTable, FieldValue } from '../../../../src/core/field-value.js';
import { BrokerError } from '../../../../src/errors.js';
import { bindingOf, bindingTo, routed, routerWith } from './routing.js';

const text = (value: string): FieldValue => ({ type: 'S', value });
const selecting = (selector: string): FieldTable => [
  ['rjms_erlang_selector', text(selector)],
  ['rjms_version', text('3.2.0')],
];

const HEADERS: FieldTable = [
  ['type', text('car')],
  ['colour', text('blue')],
  ['quoted', text("'blue")],
  ['under', text('bl_ue')],
  ['weight', { type: 'I', value: 2501 }],
  ['WeIgHt', { type: 'b', value: 2 }],
  ['large', { type: 'l', value: 9007199254740993n }],
  ['small', { type: 'l', value: 5n }],
  ['ratio', { type: 'd', value: 0.03 }],
  ['no', { type: 't', value: false }],
  ['yes', { type: 't', value: true }],
  ['nothing', { type: 'V' }],
  ['list', { type: 'A', value: [] }],
  ['at', { type: 'T', value: 100n }],
  ['bytes', { type: 'x', value: Buffer.from('blue') }],
  ['decimal', { type: 'D', scale: 2, value: 150 }],
];

const id = (name: string) => `{'ident',<<"${name}">>}`;

function selects(selector: string, headers = HEADERS): boolean {
  return routed(routerWith(JMS_TOPIC, [bindingOf('k', selecting(selector))]), 'other', headers).length === 1;
}

describe('a comparison', () => {
  it.each([
    ["'='", id('type'), '<<"car">>', true],
    ["'='", id('type'), '<<"Car">>', false],
    ["'<>'", id('type'), '<<"bus">>', true],
    ["'='", id('bytes'), '<<"blue">>', true],
    ["'='", id('weight'), '2501', true],
    ["'='", id('weight'), '2501.0', true],
    ["'='", id('small'), '5', true],
    ["'='", id('small'), '5.0', true],
    ["'='", id('large'), '9007199254740993', true],
    ["'='", id('large'), '9007199254740992', false],
    ["'>'", id('large'), '9007199254740992', true],
    ["'='", id('WeIgHt'), '2', true],
    ["'='", id('ratio'), '3.0E-2', true],
    ["'='", id('decimal'), '1.5', true],
    ["'>'", id('at'), '99', true],
    ["'>'", id('weight'), '2500', true],
    ["'>'", id('weight'), '2501', false],
    ["'<'", id('weight'), '2502', true],
    ["'>='", id('weight'), '2501', true],
    ["'<='", id('weight'), '2500', false],
    ["'<'", '2500', id('weight'), true],
    ["'='", id('yes'), 'true', true],
    ["'='", id('type'), '2501', false],
    ["'<>'", id('type'), '2501', true],
    ["'>'", id('type'), '2501', true],
    ["'<'", id('yes'), id('type'), true],
    ["'='", id('missing'), id('missing'), false],
    ["'<>'", id('missing'), '1', false],
    ["'in'", id('colour'), '[<<"blue">>,<<"green">>]', true],
    ["'in'", id('colour'), '[<<"bleen">>,<<"grue">>]', false],
    ["'in'", id('colour'), '[]', false],
    ["'not_in'", id('colour'), '[<<"bleen">>]', true],
    ["'not_in'", id('colour'), '[<<"blue">>]', false],
    ["'not_in'", id('missing'), '[<<"blue">>]', false],
  ])('%s of %s and %s: %s', (operator, left, right, expected) => {
    expect(selects(`{${operator},${left},${right}}.`)).toBe(expected);
  });

  it.each([
    ["{'between',17,17,18}", true],
    ["{'between',17,17,17}", true],
    ["{'between',16,17,18}", false],
    [`{'between',${id('weight')},{'range',2500,2501}}`, true],
    [`{'between',${id('weight')},0,{'+',2500,1}}`, true],
    ["{'not_between',16,17,18}", true],
    ["{'not_between',17,17,18}", false],
    [`{'between',${id('missing')},17,18}`, false],
    [`{'not_between',${id('missing')},17,18}`, false],
  ])('%s: %s', (selector, expected) => {
    expect(selects(selector)).toBe(expected);
  });

  it.each([
    [`{'like',${id('colour')},<<"bl%">>,'no_escape'}`, true],
    [`{'like',${id('colour')},<<"l%">>,'no_escape'}`, false],
    [`{'like',${id('under')},<<"b_!_ue">>,<<"!">>}`, true],
    [`{'like',${id('quoted')},<<"'bl%">>,'no_escape'}`, true],
    [`{'not_like',${id('colour')},<<"l%">>,'no_escape'}`, true],
    [`{'not_like',${id('colour')},<<"bl%">>,'no_escape'}`, false],
    [`{'not_like',${id('missing')},<<"bl%">>,'no_escape'}`, false],
    [`{'like',${id('weight')},<<"%">>,'no_escape'}`, false],
  ])('%s: %s', (selector, expected) => {
    expect(selects(selector)).toBe(expected);
  });
});

describe('arithmetic', () => {
  it.each([
    ["{'=',{'+',12,4},16}", true],
    ["{'=',{'-',12,4},8}", true],
    ["{'=',{'*',3,0.5},1.5}", true],
    ["{'=',{'/',5,2},2.5}", true],
    [`{'=',{'-',${id('weight')}},-2501}`, true],
    [`{'=',{'+',${id('small')}},5}`, true],
    [`{'=',{'*',${id('small')},2},10}`, true],
    ["{'>',{'/',1,0},1000}", true],
    ["{'=',{'/',0,0},{'/',0,0}}", false],
    [`{'=',{'+',${id('type')},1},1}`, false],
    [`{'<>',{'-',${id('type')}},1}`, false],
    [`{'<>',{'+',${id('missing')},1},1}`, false],
  ])('%s: %s', (selector, expected) => {
    expect(selects(selector)).toBe(expected);
  });
});

describe('logic', () => {
  const terms: Record<string, string> = { T: 'true', F: 'false', U: id('missing') };
  const evaluated = (selector: string): string => {
    if (selects(selector)) return 'T';
    return selects(`{'not',${selector}}`) ? 'F' : 'U';
  };

  it.each(['TTT', 'TFF', 'TUU', 'FTF', 'FFF', 'FUF', 'UTU', 'UFF', 'UUU'])('of and: %s', ([a, b, result]) => {
    expect(evaluated(`{'and',${terms[a ?? '']},${terms[b ?? '']}}`)).toBe(result);
  });

  it.each(['TTT', 'TFT', 'TUT', 'FTT', 'FFF', 'FUU', 'UTT', 'UFU', 'UUU'])('of or: %s', ([a, b, result]) => {
    expect(evaluated(`{'or',${terms[a ?? '']},${terms[b ?? '']}}`)).toBe(result);
  });

  it.each([
    ['true', true],
    ['false', false],
    [id('yes'), true],
    [id('no'), false],
    [`{'not',${id('no')}}`, true],
    [id('weight'), false],
    [`{'not',${id('weight')}}`, false],
    [`{'is_null',${id('missing')}}`, true],
    [`{'is_null',${id('nothing')}}`, true],
    [`{'is_null',${id('no')}}`, false],
    [`{'not_null',${id('no')}}`, true],
    [`{'not_null',${id('missing')}}`, false],
    [`{'and',{'is_null',${id('missing')}},{'>',${id('weight')},{'-',12,4}}}`, true],
  ])('%s: %s', (selector, expected) => {
    expect(selects(selector)).toBe(expected);
  });

  it('without headers knows only what is null', () => {
    expect(selects(`{'is_null',${id('type')}}`, [])).toBe(true);
    expect(selects(`{'<>',${id('type')},<<"car">>}`, [])).toBe(false);
  });

  it.each(['{}', '[]', '[true]', '7', '"true"', '{true}', '{true,true}', '{1,2,3}', "{'in',1,1}", "{'ident',1}"])(
    'of what means nothing selects nothing: %s',
    (selector) => {
      expect(selects(selector)).toBe(false);
      expect(selects(`{'not',${selector}}`)).toBe(false);
    },
  );
});

describe('the JMS exchange', () => {
  it('routes along every binding that selects, whatever the key', () => {
    const [first, second, third] = [id('yes'), id('no'), 'true'].map((selector) =>
      bindingTo('q', '', selecting(selector)),
    );
    if (first === undefined || second === undefined || third === undefined) throw new Error('three bindings');
    const router = routerWith(JMS_TOPIC, [first, second, third]);
    expect(routed(router, 'any', HEADERS)).toEqual([first, third]);
    router.remove(first);
    expect(routed(router, 'any', HEADERS)).toEqual([third]);
    expect([router.routesByKey, JMS_TOPIC.routesEachKey]).toEqual([false, false]);
  });

  const pattern = 'invalid JMS selector pattern: {invalid_like_pattern,';
  it.each<[FieldTable, string]>([
    [[], 'invalid JMS selector: unexpected_end'],
    [[['rjms_erlang_selector', { type: 'I', value: 5 }]], 'invalid JMS selector: unexpected_end'],
    [selecting('{'), 'invalid JMS selector: unexpected_end'],
    [selecting('true. false.'), 'invalid JMS selector: trailing_characters'],
    [selecting("{'os','cmd'}."), 'invalid JMS selector: {disallowed_atom,"os"}'],
    [selecting("{'like',true,<<\"a\">>,'regex'}."), 'invalid JMS selector: {disallowed_atom,"regex"}'],
    [selecting('{\'like\',true,<<"a">>,<<"ab">>}.'), `${pattern}invalid_escape}`],
    [selecting('{\'like\',true,<<"a">>,<<>>}.'), `${pattern}invalid_escape}`],
    [selecting("{'not_like',true,5,'no_escape'}."), `${pattern}not_a_binary_pattern}`],
    [selecting(`{'not',{'like',true,<<"${'a'.repeat(1025)}">>,'no_escape'}}.`), `${pattern}pattern_too_long}`],
  ])('refuses a binding with %j', (args, message) => {
    const refused = new BrokerError('precondition-failed', message);
    expect(() => JMS_TOPIC.validateBinding?.('k', args, bindingTo('q').destination)).toThrow(refused);
  });

  it('accepts a binding with a selector', () => {
    const { destination } = bindingTo('q');
    expect(() => JMS_TOPIC.validateBinding?.('k', selecting(id('yes')), destination)).not.toThrow();
  });
});
