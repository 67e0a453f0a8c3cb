import { describe, expect, it } from 'vitest';
import { LOCAL_RANDOM } from '../../../../src/core/exchange/local-random.js';
import { RANDOM } from '../../../../src/core/exchange/random.js';
import { BrokerError } from '../../../../src/errors.js';
import { Random } from '../../../support/random.js';
import { bindingTo, routed, routedMessage, routerWith } from './routing.js';

function seeded(): () => number {
  const random = new Random(1);
  return () => random.fraction();
}

describe.each([RANDOM, LOCAL_RANDOM])('the exchange type $name', (type) => {
  it('chooses one binding a message, each as often as the others', () => {
    const bindings = ['a', 'b', 'c', 'd'].map((name) => bindingTo(name));
    const router = routerWith(type, bindings, undefined, seeded());
    const counts = new Map(bindings.map((binding) => [binding, 0]));
    for (let i = 0; i < 10_000; i++) {
      const [chosen, ...others] = routed(router, 'always the same');
      expect(others).toEqual([]);
      if (chosen !== undefined) counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
    }
    for (const count of counts.values()) expect(Math.abs(count - 2500)).toBeLessThan(150);
  });

  it('chooses from the bindings that are left', () => {
    const [first, second, third] = [bindingTo('a'), bindingTo('b'), bindingTo('c')];
    const router = routerWith(type, [first, second, third], undefined, seeded());
    const found = () => new Set(Array.from({ length: 100 }, () => routed(router, '')).flat());
    router.remove(first);
    router.remove(first);
    expect(found()).toEqual(new Set([second, third]));
    router.remove(third);
    expect(found()).toEqual(new Set([second]));
    router.remove(second);
    expect(found()).toEqual(new Set());
    router.add(first);
    router.add(first);
    expect(found()).toEqual(new Set([first]));
  });

  it('draws at both ends of what is random', () => {
    const [first, last] = [bindingTo('a'), bindingTo('b')];
    expect(
      routed(
        routerWith(type, [first, last], undefined, () => 0),
        '',
      ),
    ).toEqual([first]);
    expect(
      routed(
        routerWith(type, [first, last], undefined, () => 1 - 2 ** -53),
        '',
      ),
    ).toEqual([last]);
  });

  it('chooses once, however many keys a message has', () => {
    const router = routerWith(type, [bindingTo('a'), bindingTo('b')]);
    expect(type.routesEachKey).toBe(false);
    expect(routedMessage(router, 'x', { furtherKeys: ['y', 'z'] })).toHaveLength(1);
  });

  it('is not to be cached', () => {
    expect(routerWith(type, [bindingTo('a')]).routesByKey).toBe(false);
  });
});

describe('a binding of the random exchange', () => {
  it('gives a queue that is bound twice two chances', () => {
    const twice = [bindingTo('a', '1'), bindingTo('a', '2')];
    const router = routerWith(RANDOM, [...twice, bindingTo('b', '1')], undefined, seeded());
    const found = Array.from({ length: 3000 }, () => routed(router, '')).flat();
    expect(Math.abs(found.filter((binding) => twice.includes(binding)).length - 2000)).toBeLessThan(100);
  });
});

describe('a binding of the local random exchange', () => {
  const queue = (type: string) => ({ kind: 'queue', queue: { name: 'q', type } }) as never;

  it('is to a classic queue, without a key', () => {
    expect(() => LOCAL_RANDOM.validateBinding?.('', [], queue('classic'))).not.toThrow();
  });

  it.each([
    ['k', queue('classic'), "Non empty binding 'k' key not permitted"],
    ['k', queue('quorum'), "Non empty binding 'k' key not permitted"],
    ['', queue('quorum'), 'Queue type rabbit_quorum_queue not valid for this exchange type'],
    ['', queue('stream'), 'Queue type rabbit_stream_queue not valid for this exchange type'],
    ['', { kind: 'exchange', exchange: {} } as never, 'Destination not found'],
  ])('with the key %j to %o is refused', (key, destination, text) => {
    const refused = new BrokerError('precondition-failed', text);
    expect(() => LOCAL_RANDOM.validateBinding?.(key, [], destination)).toThrow(refused);
  });
});
