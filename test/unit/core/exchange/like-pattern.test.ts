import { expect, it } from 'vitest';
import { compileLike } from '../../../../src/core/exchange/like-pattern.js';

it.each([
  ['', '', true],
  ['', 'a', false],
  ['a', '', false],
  ['abc', 'abc', true],
  ['abc', 'ab', false],
  ['abc', 'abcd', false],
  ['a_c', 'abc', true],
  ['a_c', 'ac', false],
  ['_', '日', true],
  ['_', '𝄞', true],
  ['__', '𝄞', false],
  ['_', '\n', true],
  ['%', '', true],
  ['%%', 'anything', true],
  ['a%', 'a', true],
  ['a%', 'a\nb', true],
  ['a%', 'ba', false],
  ['%a', 'ba', true],
  ['%a', 'ab', false],
  ['a%c', 'abbc', true],
  ['a%c', 'abcb', false],
  ['%ab%', 'aab', true],
  ['a%b%c', 'abxbc', true],
  ['%a_b', 'aaab', true],
  ['%aab', 'aaaab', true],
  ['a.c', 'abc', false],
  ['.*', 'abc', false],
  ['a[b]c\\', 'a[b]c\\', true],
])('the pattern %j and %j: %s', (pattern, text, matches) => {
  expect(compileLike(pattern, undefined)(text)).toBe(matches);
});

it.each([
  ['b!_', 'b_', true],
  ['b!_', 'bx', false],
  ['100!%', '100%', true],
  ['100!%', '1000', false],
  ['a!!', 'a!', true],
  ['a!b', 'ab', true],
  ['a!', 'a!', true],
])('the pattern %j with the escape character ! and %j: %s', (pattern, text, matches) => {
  expect(compileLike(pattern, '!')(text)).toBe(matches);
});

it('gives up on what would take long', () => {
  const matches = compileLike(`%${'a'.repeat(500)}b`, undefined);
  expect(matches(`${'a'.repeat(520)}b`)).toBe(true);
  expect(matches(`${'a'.repeat(100_000)}b`)).toBe(false);
});
