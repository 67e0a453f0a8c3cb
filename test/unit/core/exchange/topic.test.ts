import { describe, expect, it } from 'vitest';
import { TOPIC } from '../../../../src/core/exchange/topic.js';
import { bindingOf, routed, routerWith } from './routing.js';

describe('the topic exchange', () => {
  it.each([
    ['#', '', true],
    ['*', '', false],
    ['', '', true],
    ['', 'a', false],
    ['a.*', 'a.', true],
    ['a.*', 'a', false],
    ['a.*', 'a.b.c', false],
    ['a.#', 'a', true],
    ['#.a', 'a', true],
    ['a.#.b', 'a.b', true],
    ['a.#.b', 'a.x.y.b', true],
    ['a.#.b', 'a', false],
    ['*.#', 'a', true],
    ['*.#', '', false],
    ['a.*.b', 'a..b', true],
    ['#.#.*', 'a', true],
    ['#.#.*', '', false],
    ['a*', 'ab', false],
    ['a*', 'a*', true],
    ['#a', 'ba', false],
    ['.', '.', true],
    ['*.*', '.', true],
    ['*', '.', false],
    ['a', 'a.', false],
    ['a', '*', false],
    ['a.b', 'a.#', false],
    ['*', '#', true],
    ['A', 'a', false],
  ])('pattern "%s" and key "%s": %s', (pattern, key, matches) => {
    const binding = bindingOf(pattern);
    expect(routed(routerWith(TOPIC, [binding]), key)).toEqual(matches ? [binding] : []);
  });

  it('reports each of several bindings that match, and those with one pattern in their order', () => {
    const patterns = ['a.b', '*.b', 'a.*', '#', 'a.#', '#.b', 'x', 'a.b'];
    const bindings = patterns.map((pattern) => bindingOf(pattern));
    const found = routed(routerWith(TOPIC, bindings), 'a.b');
    expect(new Set(found)).toEqual(new Set(bindings.filter(({ routingKey }) => routingKey !== 'x')));
    expect(found).toHaveLength(7);
    expect(found.filter(({ routingKey }) => routingKey === 'a.b')).toEqual([bindings[0], bindings[7]]);
  });

  it('reports a binding once, in however many ways its pattern fits', () => {
    const bindings = ['#.#', '#.a.#', '#.*.#'].map((pattern) => bindingOf(pattern));
    expect(routed(routerWith(TOPIC, bindings), 'a.a.a')).toHaveLength(3);
  });

  it('is not slowed down by many wildcards in a pattern and a long key', () => {
    const router = routerWith(TOPIC, [bindingOf(`${'#.'.repeat(60)}b`), bindingOf(`${'#.*.'.repeat(30)}b`)]);
    expect(routed(router, `${'a.'.repeat(120)}c`)).toEqual([]);
    expect(routed(router, `${'a.'.repeat(120)}b`)).toHaveLength(2);
  });

  it('forgets what was removed', () => {
    const [first, second, other] = [bindingOf('a.#'), bindingOf('a.#'), bindingOf('a.*')];
    const router = routerWith(TOPIC, [first, second, other]);
    router.remove(first);
    expect(routed(router, 'a.b').every((binding) => binding !== first)).toBe(true);
    expect(routed(router, 'a.b')).toHaveLength(2);
    router.remove(second);
    router.remove(bindingOf('a.*.c'));
    expect(routed(router, 'a.b')).toEqual([other]);
  });
});
