import { describe, expect, it } from 'vitest';
import { DIRECT } from '../../../../src/core/exchange/direct.js';
import { bindingOf, routed, routerWith } from './routing.js';

describe('the direct exchange', () => {
  it('routes by equality of the key', () => {
    const [a, b] = [bindingOf('a'), bindingOf('b')];
    const router = routerWith(DIRECT, [a, b]);
    expect(routed(router, 'a')).toEqual([a]);
    expect(routed(router, 'A')).toEqual([]);
    expect(routed(router, 'a ')).toEqual([]);
    expect(routed(router, '')).toEqual([]);
  });

  it('has an empty key like any other', () => {
    const empty = bindingOf('');
    expect(routed(routerWith(DIRECT, [empty]), '')).toEqual([empty]);
  });

  it('takes no key for a pattern or a property of objects', () => {
    const router = routerWith(DIRECT, [bindingOf('#'), bindingOf('*')]);
    expect(routed(router, 'a')).toEqual([]);
    expect(routed(router, '__proto__')).toEqual([]);
  });

  it('reports every binding of a key in the order of binding', () => {
    const bindings = Array.from({ length: 100 }, () => bindingOf('k'));
    const router = routerWith(DIRECT, bindings);
    expect(routed(router, 'k').every((found, index) => found === bindings[index])).toBe(true);
    expect(routed(router, 'k')).toHaveLength(100);
  });

  it('removes one binding by identity', () => {
    const [first, second] = [bindingOf('k'), bindingOf('k')];
    const router = routerWith(DIRECT, [first, second]);
    router.remove(first);
    expect(routed(router, 'k')[0]).toBe(second);
    expect(routed(router, 'k')).toHaveLength(1);
    router.remove(bindingOf('k'));
    router.remove(bindingOf('other'));
    expect(routed(router, 'k')).toHaveLength(1);
    router.remove(second);
    expect(routed(router, 'k')).toEqual([]);
  });
});
