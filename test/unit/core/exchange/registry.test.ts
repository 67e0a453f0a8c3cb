import { expect, it } from 'vitest';
import { EXCHANGE_TYPES, exchangeType } from '../../../../src/core/exchange/registry.js';
import { EMPTY_TABLE } from '../../../../src/core/field-value.js';

it('knows the exchange types by name', () => {
  expect(EXCHANGE_TYPES.map(({ name }) => name)).toEqual([
    'direct',
    'fanout',
    'topic',
    'headers',
    'x-consistent-hash',
    'x-random',
    'x-local-random',
    'x-modulus-hash',
    'x-jms-topic',
  ]);
  for (const type of EXCHANGE_TYPES) expect(exchangeType(type.name)).toBe(type);
  expect(exchangeType('foo')).toBeUndefined();
  expect(exchangeType('Direct')).toBeUndefined();
});

it('makes each exchange a router of its own', () => {
  for (const type of EXCHANGE_TYPES) {
    expect(type.createRouter(EMPTY_TABLE, Math.random)).not.toBe(type.createRouter(EMPTY_TABLE, Math.random));
  }
});
