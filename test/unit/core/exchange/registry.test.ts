import { expect, it } from 'vitest';
import { table } from '../../../../protocol/amqp/field-table.js';
import { EXCHANGE_TYPES, exchangeType } from '../../../../src/core/exchange/registry.js';
import { anyPlace } from '../../../support/exchange-place.js';

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
    'x-delayed-message',
    'x-recent-history',
    'x-message-deduplication',
  ]);
  for (const type of EXCHANGE_TYPES) expect(exchangeType(type.name)).toBe(type);
  expect(exchangeType('foo')).toBeUndefined();
  expect(exchangeType('Direct')).toBeUndefined();
});

it('makes each exchange a router of its own', () => {
  for (const type of EXCHANGE_TYPES) {
    const args = table({ 'x-delayed-type': 'direct' });
    expect(type.createRouter(args, anyPlace())).not.toBe(type.createRouter(args, anyPlace()));
  }
});
