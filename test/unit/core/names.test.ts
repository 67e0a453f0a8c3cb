import { expect, it } from 'vitest';
import {
  describeExchange,
  describeQueue,
  generatedName,
  isReserved,
  stripLineBreaks,
} from '../../../src/core/names.js';

it('generates names of the form that clients recognise, and no two alike', () => {
  const names = Array.from({ length: 1000 }, () => generatedName('amq.gen-'));
  for (const name of names) expect(name).toMatch(/^amq\.gen-[A-Za-z0-9_-]{22}$/);
  expect(new Set(names).size).toBe(names.length);
  expect(generatedName('amq.ctag-')).toMatch(/^amq\.ctag-[A-Za-z0-9_-]{22}$/);
});

it('drops line breaks and nothing else', () => {
  expect(stripLineBreaks('a\r\nb\n\rc\td ')).toBe('abc\td ');
  expect(stripLineBreaks('\n')).toBe('');
});

it('reserves what begins with amq.', () => {
  expect(isReserved('amq.foo')).toBe(true);
  expect(isReserved('amq.')).toBe(true);
  expect(isReserved('amq')).toBe(false);
  expect(isReserved('AMQ.foo')).toBe(false);
  expect(isReserved('my.amq.foo')).toBe(false);
  expect(isReserved('')).toBe(false);
});

it('describes resources as error texts do', () => {
  expect(describeQueue("it's", '/')).toBe("queue 'it's' in vhost '/'");
  expect(describeExchange('x', 'v')).toBe("exchange 'x' in vhost 'v'");
});
