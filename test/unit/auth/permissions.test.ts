import { describe, expect, it } from 'vitest';
import { type Access, FULL_PERMISSIONS, Permissions } from '../../../src/auth/permissions.js';

const ACCESSES: readonly Access[] = ['configure', 'write', 'read'];
const NOTHING = { configure: '', write: '', read: '' };

/** Who may write to what matches. */
const writer = (write: string) => new Permissions({ ...NOTHING, write });

describe('a permission pattern', () => {
  it.each([
    ['^orders$', ['orders'], ['orders-2', 'my-orders', 'ORDERS', '']],
    ['orders', ['orders', 'my-orders-2'], ['order', 'Orders']],
    ['^orders|-log$', ['orders-2', 'error-log'], ['my-orders', 'log', 'error-log-2']],
    ['^(a|b)\\.', ['a.', 'b.x'], ['a', 'ab', 'c.x']],
    ['^amq\\.default$', ['amq.default'], ['amq-default', '']],
    ['^$', [''], ['q']],
    ['.*', ['', 'q', 'amq.default'], []],
    ['.+', ['q'], ['']],
    ['^q.$', ['qé', 'q€', 'q😀', 'q1'], ['q', 'q12']],
    ['a.b', ['a.b', 'a\nb'], ['ab']],
    ['^a\\-b$', ['a-b'], ['ab', 'a\\-b']],
    ['^[a\\-c]\\_\\#$', ['a_#', '-_#'], ['b_#', 'a#']],
    ['^a\\\\-b$', ['a\\-b'], ['a-b']],
    ['(?i)^orders$', ['orders', 'ORDERS'], ['order']],
  ])('%j matches as a regular expression', (pattern, matching, others) => {
    const permissions = writer(pattern);
    expect([...matching, ...others].filter((name) => permissions.allows('write', name))).toEqual(matching);
  });

  it('matches no name when it is empty', () => {
    expect(['', 'q', 'amq.default', '.*'].filter((name) => writer('').allows('write', name))).toEqual([]);
  });

  it.each(ACCESSES)('grants %s and nothing else', (access) => {
    const permissions = new Permissions({ ...NOTHING, [access]: '^q$' });
    expect(ACCESSES.filter((each) => permissions.allows(each, 'q'))).toEqual([access]);
  });

  it.each(['\\Aq', 'q\\z', 'a]', 'a(?i)b'])('is refused rather than misread: %j', (pattern) => {
    expect(() => writer(pattern)).toThrow(SyntaxError);
  });

  it.each(ACCESSES)('must be a regular expression, that of %s too', (access) => {
    expect(() => new Permissions({ ...FULL_PERMISSIONS, [access]: '(' })).toThrow(SyntaxError);
  });
});

describe('full permissions', () => {
  it('allow everything', () => {
    const permissions = new Permissions(FULL_PERMISSIONS);
    for (const access of ACCESSES) expect(permissions.allows(access, 'amq.default')).toBe(true);
  });
});

describe('an answer', () => {
  it('is the same when it is asked for again', () => {
    const permissions = writer('^q$');
    for (let i = 0; i < 3; i++) {
      expect(permissions.allows('write', 'q')).toBe(true);
      expect(permissions.allows('write', 'other')).toBe(false);
      expect(permissions.allows('read', 'q')).toBe(false);
    }
  });

  it('is right for more names than are remembered', () => {
    const permissions = writer('[02468]$');
    const names = Array.from({ length: 10_000 }, (_, index) => `q-${index}`);
    for (let round = 0; round < 2; round++) {
      const allowed = names.map((name) => permissions.allows('write', name));
      expect(allowed).toEqual(names.map((_, index) => index % 2 === 0));
    }
  });
});
