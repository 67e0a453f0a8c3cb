import { describe, expect, it } from 'vitest';
import type { Exchange } from '../../../../src/core/exchange/exchange.js';
import { type CachedRoute, RouteCache } from '../../../../src/session/shared/route-cache.js';

function routeOf(key: string, epoch = 1): CachedRoute {
  return {
    key: Buffer.from(key),
    epoch,
    exchange: {} as Exchange,
    routingKey: key,
    targets: [],
  };
}

/** The key as it arrives: somewhere in a chunk. */
function find(cache: RouteCache, key: string, epoch = 1): CachedRoute | undefined {
  const chunk = Buffer.from(`before${key}after`);
  return cache.find(chunk, 6, 6 + Buffer.byteLength(key), epoch);
}

describe('the route cache', () => {
  it('finds a route by the same bytes, wherever they lie', () => {
    const cache = new RouteCache();
    expect(find(cache, 'a')).toBeUndefined();
    const [a, b] = [routeOf('a'), routeOf('b')];
    cache.add(a);
    cache.add(b);
    expect([find(cache, 'a'), find(cache, 'b'), find(cache, 'a')]).toEqual([a, b, a]);
    expect(find(cache, 'a')).toBe(a);
    expect([find(cache, 'c'), find(cache, ''), find(cache, 'aa')]).toEqual([undefined, undefined, undefined]);
  });

  it('tells keys apart that differ in any one byte', () => {
    const cache = new RouteCache();
    const key = Buffer.from('an exchange and its routing key');
    cache.add(routeOf(key.toString()));
    for (let at = 0; at < key.length; at++) {
      const other = Buffer.from(key);
      other[at] = (other[at] as number) ^ 1;
      expect(find(cache, other.toString())).toBeUndefined();
    }
    expect(find(cache, key.toString())).toBeDefined();
  });

  it('forgets everything when the epoch moves on', () => {
    const cache = new RouteCache();
    cache.add(routeOf('a', 1));
    cache.add(routeOf('b', 1));
    expect([find(cache, 'a', 2), find(cache, 'b', 2)]).toEqual([undefined, undefined]);
    const again = routeOf('a', 2);
    cache.add(again);
    expect(find(cache, 'a', 2)).toBe(again);
    expect(find(cache, 'b', 2)).toBeUndefined();
  });

  it('holds ten thousand keys, and never gives one for another', () => {
    const cache = new RouteCache();
    const keys = Array.from({ length: 10_000 }, (_, index) => `key.${index}`);
    // Twice, as a publisher does that goes through its keys: what was driven out comes back.
    for (const key of [...keys, ...keys]) {
      if (find(cache, key) === undefined) cache.add(routeOf(key));
    }
    const found = keys.map((key) => find(cache, key)?.routingKey);
    expect(found.every((routingKey, index) => routingKey === undefined || routingKey === keys[index])).toBe(true);
    expect(found.filter((routingKey) => routingKey !== undefined).length).toBeGreaterThan(9800);
  });

  it('does not grow with the changes of the topology', () => {
    const one = new RouteCache();
    for (let epoch = 1; epoch <= 10_000; epoch++) one.add(routeOf('a', epoch));
    expect(one.slotCount).toBe(64);
    const changing = new RouteCache();
    for (let epoch = 1; epoch <= 10_000; epoch++) {
      for (const key of ['a', 'b', `of epoch ${epoch}`]) changing.add(routeOf(key, epoch));
    }
    expect(changing.slotCount).toBe(64);
    expect(find(changing, 'a', 10_000)).toBeDefined();
  });

  it('grows with the keys that are used at once, up to a bound', () => {
    const cache = new RouteCache();
    for (let index = 0; index < 1000; index++) cache.add(routeOf(`key.${index}`));
    expect(cache.slotCount).toBeGreaterThanOrEqual(1000);
    for (let index = 0; index < 200_000; index++) cache.add(routeOf(`key.${index}`));
    expect(cache.slotCount).toBe(16_384);
  });

  it('goes on working when there are more keys than it has room for', () => {
    const cache = new RouteCache();
    for (let index = 0; index < 100_000; index++) cache.add(routeOf(`key.${index}`));
    expect(find(cache, 'key.99999')?.routingKey).toBe('key.99999');
    expect(find(cache, 'key.100000')).toBeUndefined();
  });
});
