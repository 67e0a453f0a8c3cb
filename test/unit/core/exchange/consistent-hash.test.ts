import { describe, expect, it } from 'vitest';
import { type Binding, destinationName } from '../../../../src/core/binding.js';
import { CONSISTENT_HASH } from '../../../../src/core/exchange/consistent-hash.js';
import type { FieldTable, FieldValue } from '../../../../src/core/field-value.js';
import { BrokerError } from '../../../../src/errors.js';
import { bindingTo, type MessageFields, routed, routedMessage, routerWith } from './routing.js';

const text = (value: string): FieldValue => ({ type: 'S', value });
const byHeader: FieldTable = [['hash-header', text('h')]];
const byProperty = (name: string): FieldTable => [['hash-property', text(name)]];
const keys = Array.from({ length: 1000 }, (_, i) => `key ${i}`);

/** Bindings for as many queues as there are weights. */
function weighing(...weights: readonly number[]): Binding[] {
  return weights.map((weight, i) => bindingTo(`queue ${i}`, String(weight)));
}

/** The queue that each message goes to. */
function queuesOf(bindings: readonly Binding[], routingKeys = keys): string[] {
  const router = routerWith(CONSISTENT_HASH, bindings);
  const chosen = routingKeys.map((key) => routed(router, key));
  expect(chosen.every((found) => found.length === 1)).toBe(true);
  return chosen.flat().map(({ destination }) => destinationName(destination));
}

/** True when the field alone decides: many values of it reach more than one queue, one value of it always the same. */
function decides(args: FieldTable, fieldsOf: (value: string) => MessageFields): boolean {
  const router = routerWith(CONSISTENT_HASH, weighing(1, 1, 1), args);
  const varied = keys.flatMap((value) => routedMessage(router, 'same', fieldsOf(value)));
  const constant = keys.flatMap((key) => routedMessage(router, key, fieldsOf('same')));
  return new Set(varied).size === 3 && new Set(constant).size === 1;
}

describe('the share of a queue', () => {
  it.each([[[1, 1]], [[1, 2, 3, 4]], [[1, 1, 1, 1, 1, 1, 1, 1, 1, 1]], [[10, 20, 70]]])(
    'is by its weight: %j',
    (weights) => {
      const messages = 100_000;
      const routingKeys = Array.from({ length: messages }, (_, i) => `order ${i}`);
      const queues = queuesOf(weighing(...weights), routingKeys);
      const total = weights.reduce((sum, weight) => sum + weight);
      for (const [i, weight] of weights.entries()) {
        const share = queues.filter((queue) => queue === `queue ${i}`).length;
        expect(Math.abs(share / ((messages * weight) / total) - 1)).toBeLessThan(0.03);
      }
    },
  );

  it('is that of its largest weight when it is bound several times, in any order', () => {
    const several = [...weighing(1, 1), bindingTo('queue 0', '9'), bindingTo('queue 0', '3')];
    expect(queuesOf(several)).toEqual(queuesOf(weighing(9, 1)));
    expect(queuesOf(several.toReversed())).toEqual(queuesOf(weighing(9, 1)));
  });

  it('lasts while one of its bindings does', () => {
    const [first, other, second] = [bindingTo('a', '1'), bindingTo('b', '1'), bindingTo('a', '2')];
    const router = routerWith(CONSISTENT_HASH, [first, other, second]);
    router.remove(second);
    expect(new Set(keys.flatMap((key) => routed(router, key)))).toEqual(new Set([first, other]));
    router.remove(first);
    expect(new Set(keys.flatMap((key) => routed(router, key)))).toEqual(new Set([other]));
    router.remove(other);
    expect(routed(router, 'key')).toEqual([]);
  });
});

describe('the queue of a message', () => {
  it('is the same whatever the order of the bindings, as after a restart', () => {
    const bindings = weighing(1, 2, 3, 4, 5);
    expect(queuesOf(bindings.toReversed())).toEqual(queuesOf(bindings));
  });

  it('changes for few messages when a queue comes or goes', () => {
    const before = queuesOf(weighing(1, 1, 1, 1));
    const after = queuesOf(weighing(1, 1, 1, 1, 1));
    const moved = before.filter((queue, i) => queue !== after[i]);
    expect(moved.length).toBeGreaterThan(150);
    expect(moved.length).toBeLessThan(250);
    for (const [i, queue] of after.entries()) if (queue !== before[i]) expect(queue).toBe('queue 4');
  });

  it('is chosen once, by the first of several keys', () => {
    const router = routerWith(CONSISTENT_HASH, weighing(1, 1, 1));
    expect(CONSISTENT_HASH.routesEachKey).toBe(false);
    for (const key of keys) {
      expect(routedMessage(router, 'first', { furtherKeys: [key] })).toEqual(routed(router, 'first'));
    }
  });
});

describe('what is hashed', () => {
  it('is the routing key, so that a session may keep the route', () => {
    expect(routerWith(CONSISTENT_HASH, []).routesByKey).toBe(true);
    expect(decides(byHeader, () => ({}))).toBe(false);
  });

  it('is a header', () => {
    expect(routerWith(CONSISTENT_HASH, [], byHeader).routesByKey).toBe(false);
    expect(decides(byHeader, (value) => ({ headers: [['h', text(value)]] }))).toBe(true);
    expect(decides(byHeader, (value) => ({ headers: [['other', text(value)]] }))).toBe(false);
  });

  it.each(['correlation_id', 'message_id', 'timestamp'])('is the property %s', (name) => {
    expect(routerWith(CONSISTENT_HASH, [], byProperty(name)).routesByKey).toBe(false);
    expect(decides(byProperty(name), (value) => ({ properties: { [name]: value } }))).toBe(true);
  });

  it.each([byHeader, byProperty('message_id')])('may be missing: %j', (...args) => {
    const router = routerWith(CONSISTENT_HASH, weighing(1, 1, 1), args);
    expect(new Set(keys.flatMap((key) => routed(router, key))).size).toBe(1);
  });

  it.each<[string, FieldValue, FieldValue, boolean]>([
    ['integers of any width', { type: 'I', value: 7 }, { type: 'l', value: 7n }, true],
    ['an array and its first element', { type: 'A', value: [text('a'), text('b')] }, text('a'), true],
    ['an empty array and no header', { type: 'A', value: [] }, { type: 'A', value: [] }, true],
    ['different numbers', { type: 'I', value: 7 }, { type: 'I', value: 8 }, false],
    ['different booleans', { type: 't', value: true }, { type: 't', value: false }, false],
  ])('compares headers by value: %s', (_name, one, other, same) => {
    const router = routerWith(CONSISTENT_HASH, weighing(...Array(100).fill(1)), byHeader);
    const [first, second] = [one, other].map((value) => routed(router, '', [['h', value]]));
    expect(first).toHaveLength(1);
    if (same) expect(second).toEqual(first);
    else expect(second).not.toEqual(first);
  });
});

describe('a declaration', () => {
  it.each([[[]], [byHeader], [byProperty('correlation_id')], [byProperty('message_id')], [byProperty('timestamp')]])(
    'with %j is accepted',
    (args) => {
      expect(() => CONSISTENT_HASH.validateDeclaration?.(args)).not.toThrow();
    },
  );

  it.each([
    [byProperty('app_id'), 'Unsupported property: app_id'],
    [[...byProperty('message_id'), ...byHeader], 'hash-header and hash-property are mutually exclusive'],
    [[...byProperty('app_id'), ...byHeader], 'hash-header and hash-property are mutually exclusive'],
    [[['hash-header', { type: 'I', value: 1 }] as const], "invalid type 'signedint' for arg 'hash-header'"],
    [[['hash-property', { type: 'V' }] as const], "invalid type 'void' for arg 'hash-property'"],
  ] as [FieldTable, string][])('with %j is refused', (args, message) => {
    const refused = new BrokerError('precondition-failed', message);
    expect(() => CONSISTENT_HASH.validateDeclaration?.(args)).toThrow(refused);
  });
});

describe('a weight', () => {
  const { destination } = bindingTo('q');

  it.each(['1', '007', '+5', '10000'])('%s is accepted', (key) => {
    expect(() => CONSISTENT_HASH.validateBinding?.(key, [], destination)).not.toThrow();
  });

  it.each([
    ['0', 'The binding key must be greater than 0'],
    ['-3', 'The binding key must be greater than 0'],
    ['10001', 'The binding key must not exceed 10000'],
    ['9'.repeat(200), 'The binding key must not exceed 10000'],
    ['', 'The binding key must be an integer: <<>>'],
    ['abc', 'The binding key must be an integer: <<"abc">>'],
    ['1.5', 'The binding key must be an integer: <<"1.5">>'],
    [' 1', 'The binding key must be an integer: <<" 1">>'],
  ])('%j is refused', (key, message) => {
    const refused = new BrokerError('precondition-failed', message);
    expect(() => CONSISTENT_HASH.validateBinding?.(key, [], destination)).toThrow(refused);
  });
});
