import { describe, expect, it } from 'vitest';
import { MODULUS_HASH } from '../../../../src/core/exchange/modulus-hash.js';
import { bindingTo, routed, routedMessage, routerWith } from './routing.js';

const keys = Array.from({ length: 2000 }, (_, i) => `key ${i}`);

describe('the modulus hash exchange', () => {
  it('has one binding for a key, and about as many keys for each', () => {
    const bindings = ['a', 'b', 'c', 'd'].map((name) => bindingTo(name, 'ignored'));
    const router = routerWith(MODULUS_HASH, bindings);
    const found = keys.map((key) => routed(router, key));
    expect(found.every((chosen) => chosen.length === 1)).toBe(true);
    for (const binding of bindings) {
      expect(Math.abs(found.filter(([chosen]) => chosen === binding).length - 500)).toBeLessThan(75);
    }
    expect(keys.map((key) => routed(router, key))).toEqual(found);
  });

  it('depends on the names of the destinations, not on the order of the bindings', () => {
    const bindings = ['c', 'a', 'b'].map((name) => bindingTo(name));
    const [one, other] = [routerWith(MODULUS_HASH, bindings), routerWith(MODULUS_HASH, bindings.toReversed())];
    for (const key of keys) expect(routed(other, key)).toEqual(routed(one, key));
  });

  it('hashes all keys of a message together', () => {
    const router = routerWith(MODULUS_HASH, [bindingTo('a'), bindingTo('b')]);
    const found = keys.map((key) => routedMessage(router, 'same', { furtherKeys: [key] }));
    expect(new Set(found.map((chosen) => chosen.length))).toEqual(new Set([1]));
    expect(new Set(found.flat()).size).toBe(2);
    expect(MODULUS_HASH.routesEachKey).toBe(false);
  });

  it('chooses from the bindings that are left', () => {
    const [first, second] = [bindingTo('a'), bindingTo('b')];
    const router = routerWith(MODULUS_HASH, [first, second]);
    expect(new Set(keys.flatMap((key) => routed(router, key)))).toEqual(new Set([first, second]));
    router.remove(first);
    expect(new Set(keys.flatMap((key) => routed(router, key)))).toEqual(new Set([second]));
    router.remove(second);
    expect(routed(router, 'key')).toEqual([]);
  });

  it('may be cached by key', () => {
    expect(routerWith(MODULUS_HASH, []).routesByKey).toBe(true);
  });
});
