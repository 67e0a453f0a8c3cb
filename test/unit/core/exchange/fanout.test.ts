import { describe, expect, it } from 'vitest';
import { FANOUT } from '../../../../src/core/exchange/fanout.js';
import { bindingOf, routed, routerWith } from './routing.js';

describe('the fanout exchange', () => {
  it('ignores keys and reports in the order of binding', () => {
    const bindings = [bindingOf('b'), bindingOf('a'), bindingOf('')];
    expect(routed(routerWith(FANOUT, bindings), 'anything')).toEqual(bindings);
  });

  it('removes by identity', () => {
    const [first, second] = [bindingOf(''), bindingOf('')];
    const router = routerWith(FANOUT, [first, second]);
    router.remove(first);
    expect(routed(router, '')[0]).toBe(second);
    router.remove(second);
    router.remove(second);
    expect(routed(router, '')).toEqual([]);
  });
});
