import { randomBytes, timingSafeEqual } from 'node:crypto';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { FULL_PERMISSIONS } from '../../../src/auth/permissions.js';
import { UserStore } from '../../../src/auth/user-store.js';
import type { Definition } from '../../../src/core/ports/definition-store.js';
import { RecordingDefinitions } from '../../support/core-environment.js';

vi.mock(import('node:crypto'), async (importOriginal) => {
  const real = await importOriginal();
  return {
    ...real,
    randomBytes: vi.fn(real.randomBytes) as unknown as typeof real.randomBytes,
    timingSafeEqual: vi.fn(real.timingSafeEqual),
  };
});

const compare = vi.mocked(timingSafeEqual);
const salt = vi.mocked(randomBytes as (size: number) => Buffer);

let definitions: RecordingDefinitions;
let users: UserStore;

beforeEach(() => {
  compare.mockClear();
  definitions = new RecordingDefinitions();
  users = new UserStore(definitions);
  users.add('mary', 'sécret', ['administrator']);
});

const verify = (name: string, password: string) => users.verify(name, Buffer.from(password));

/** What a login with this password is compared with. */
function storedHash(name: string, password: string): Buffer {
  verify(name, password);
  return compare.mock.lastCall?.[0] as Buffer;
}

describe('a password', () => {
  it('lets its user in', () => {
    expect(verify('mary', 'sécret')).toMatchObject({ name: 'mary', tags: ['administrator'] });
  });

  it.each(['secret', 'sécre', 'sécret ', 'SÉCRET', 'sécret\0', '\0'])('%j lets nobody in', (password) => {
    expect(verify('mary', password)).toBeUndefined();
  });

  it('may be any bytes', () => {
    expect(users.verify('mary', Buffer.from('sécret', 'latin1'))).toBeUndefined();
    expect(users.verify('mary', Buffer.alloc(100_000, 0xff))).toBeUndefined();
  });

  it('lets nobody in who is not known', () => {
    expect(verify('joe', 'sécret')).toBeUndefined();
    expect(verify('', 'sécret')).toBeUndefined();
    expect(verify('Mary', 'sécret')).toBeUndefined();
  });

  it('that is empty lets nobody in, even if it was set', () => {
    users.add('empty', '', []);
    for (const name of ['mary', 'empty', 'joe']) expect(verify(name, '')).toBeUndefined();
    expect(verify('empty', 'x')).toBeUndefined();
  });

  it('is compared as a whole, whatever its length', () => {
    const attempts = ['s', 'sécret', 'x'.repeat(1000)];
    for (const password of attempts) verify('mary', password);
    expect(compare).toHaveBeenCalledTimes(attempts.length);
    for (const [stored, given] of compare.mock.calls) expect(given.byteLength).toBe(stored.byteLength);
  });
});

describe('a password hash', () => {
  it('has the form that RabbitMQ has', () => {
    // The example of RabbitMQ's guide to passwords.
    salt.mockReturnValueOnce(Buffer.from('908dc60a', 'hex'));
    users.add('joe', 'test12', []);
    expect(storedHash('joe', 'test12').toString('base64')).toBe('kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR');
  });

  it('differs between users of the same password', () => {
    const count = 20;
    for (let i = 0; i < count; i++) users.add(`user-${i}`, 'same', []);
    const hashes = Array.from({ length: count }, (_, i) => storedHash(`user-${i}`, 'same').toString('hex'));
    expect(new Set(hashes).size).toBe(count);
  });
});

describe('a hash that comes from elsewhere', () => {
  const put = (passwordHash: string | undefined, hashing: 'sha256' | 'sha512' | 'md5' = 'sha256'): void =>
    users.put({
      name: 'joe',
      tags: [],
      passwordHash: passwordHash === undefined ? undefined : Buffer.from(passwordHash, 'base64'),
      hashing,
      limits: {},
    });

  it.each([
    ['sha256', 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR'],
    // Salt 908dc60a, then the digest of salt and password, made with coreutils.
    ['sha512', 'kI3GChuNuIYf8lRbCCxZjgjKwsY19ns6+uFO0zcXRBGA/XGJPYD8OWMy7EB8TaOmAzjP2azv84GbINYwX2cDWb4DHnc='],
    ['md5', 'kI3GChNpte2FApYFXScl+0dIluk='],
  ] as const)('of %s lets its password in', (hashing, hash) => {
    put(hash, hashing);
    expect(verify('joe', 'test12')?.name).toBe('joe');
    expect(verify('joe', 'test13')).toBeUndefined();
  });

  it.each([
    ['shorter than salt', 'AAA='],
    ['of another length', 'kI3GCqW5JLMJa4iX1lo7'],
    ['not there', undefined],
  ])('lets nobody in when it is %s', (_, hash) => {
    put(hash);
    expect(verify('joe', 'test12')).toBeUndefined();
  });
});

describe('a user', () => {
  it('is found by name', () => {
    expect(users.find('mary')).toMatchObject({ name: 'mary', tags: ['administrator'] });
    expect(users.find('joe')).toBeUndefined();
  });

  it('that is added again has a new password, new tags and no permissions', () => {
    users.setPermissions('mary', '/', FULL_PERMISSIONS);
    users.add('mary', 'other', ['impersonator']);
    expect(verify('mary', 'sécret')).toBeUndefined();
    expect(verify('mary', 'other')?.tags).toEqual(['impersonator']);
    expect(users.permissions('mary', '/')).toBeUndefined();
  });

  it('has no permissions until they are set', () => {
    expect(users.permissions('mary', '/')).toBeUndefined();
    expect(users.permissions('joe', '/')).toBeUndefined();
  });

  it('has those that were set last, in each virtual host', () => {
    users.setPermissions('mary', '/', FULL_PERMISSIONS);
    users.setPermissions('mary', '/', { configure: '', write: '^q$', read: '' });
    users.setPermissions('mary', 'other', FULL_PERMISSIONS);
    expect(users.permissions('mary', '/')?.allows('write', 'q')).toBe(true);
    expect(users.permissions('mary', '/')?.allows('read', 'q')).toBe(false);
    expect(users.permissions('mary', 'other')?.allows('read', 'q')).toBe(true);
    users.clearPermissions('mary', '/');
    expect(users.permissions('mary', '/')).toBeUndefined();
    expect(users.permissions('mary', 'other')).toBeDefined();
  });

  it('keeps its permissions when new ones are refused', () => {
    users.setPermissions('mary', '/', FULL_PERMISSIONS);
    expect(() => users.setPermissions('mary', '/', { configure: '', write: '(', read: '' })).toThrow(SyntaxError);
    expect(users.permissions('mary', '/')?.allows('configure', 'q')).toBe(true);
  });

  it('must be there to be given permissions, not to lose them', () => {
    expect(() => users.setPermissions('joe', '/', FULL_PERMISSIONS)).toThrow("no user 'joe'");
    expect(() => users.clearPermissions('joe', '/')).not.toThrow();
  });
});

describe('what is kept of users', () => {
  const kept = (): Definition[] => [...definitions.load()];
  const restarted = (): UserStore => {
    const store = new UserStore(definitions);
    store.restore(kept());
    return store;
  };

  it('is their tags and a hash, never the password', () => {
    expect(kept()).toEqual([
      { kind: 'user', name: 'mary', tags: ['administrator'], passwordHash: storedHash('mary', 'x') },
    ]);
    expect(JSON.stringify(kept())).not.toContain('sécret');
  });

  it('is what they may do', () => {
    users.setPermissions('mary', '/', { configure: 'a', write: 'b', read: 'c' });
    users.setPermissions('mary', '/', { configure: '', write: 'b', read: 'c' });
    users.setPermissions('mary', 'other', FULL_PERMISSIONS);
    expect(kept().slice(1)).toEqual([
      { kind: 'permission', user: 'mary', virtualHost: '/', configure: '', write: 'b', read: 'c' },
      { kind: 'permission', user: 'mary', virtualHost: 'other', configure: '.*', write: '.*', read: '.*' },
    ]);
    users.clearPermissions('mary', '/');
    users.clearPermissions('mary', 'missing');
    expect(definitions.names).toEqual(['user:mary', 'permission:mary@other']);
  });

  it('is nothing of permissions that were refused', () => {
    expect(() => users.setPermissions('mary', '/', { configure: '(', write: '', read: '' })).toThrow(SyntaxError);
    expect(() => users.setPermissions('joe', '/', FULL_PERMISSIONS)).toThrow();
    expect(definitions.names).toEqual(['user:mary']);
  });

  it('goes with them', () => {
    users.setPermissions('mary', '/', FULL_PERMISSIONS);
    users.setPermissions('mary', 'other', FULL_PERMISSIONS);
    users.add('joe', 'x', []);
    const before = users.epoch;
    users.remove('mary');
    users.remove('mary');
    expect(definitions.names).toEqual(['user:joe']);
    expect([users.find('mary'), users.permissions('mary', '/'), users.size]).toEqual([undefined, undefined, 1]);
    expect(users.epoch).toBeGreaterThan(before);
  });

  it('is replaced when one is added again, without the permissions', () => {
    users.setPermissions('mary', '/', FULL_PERMISSIONS);
    users.add('mary', 'other', []);
    expect(kept()).toEqual([{ kind: 'user', name: 'mary', tags: [], passwordHash: storedHash('mary', 'x') }]);
  });

  it('comes back after a restart, in whatever order it was kept', () => {
    users.setPermissions('mary', '/', { configure: '', write: '^q', read: '' });
    const store = new UserStore(definitions);
    store.restore([...kept().reverse(), { kind: 'virtual-host', name: '/' }]);
    expect(store.verify('mary', Buffer.from('sécret'))).toMatchObject({ name: 'mary', tags: ['administrator'] });
    expect(store.verify('mary', Buffer.from('secret'))).toBeUndefined();
    expect(store.permissions('mary', '/')?.allows('write', 'q')).toBe(true);
    expect([store.permissions('mary', 'other'), store.size]).toEqual([undefined, 1]);
    expect(definitions.names).toHaveLength(2);
  });

  it('is their limits and the way their password is hashed', () => {
    users.put({ name: 'joe', tags: [], passwordHash: undefined, hashing: 'md5', limits: {} });
    users.setLimits('joe', { maxConnections: 2 });
    expect(restarted().find('joe')).toMatchObject({ hashing: 'md5', limits: { maxConnections: 2 } });
    users.setLimits('joe', {});
    expect(restarted().find('joe')?.limits).toEqual({});
    expect(() => users.setLimits('nobody', {})).toThrow("no user 'nobody'");
  });

  it('is what they may do with topics, which goes with the user and with the virtual host', () => {
    const topic = { kind: 'topic-permission', user: 'mary', exchange: 'x', write: 'w', read: 'r' } as const;
    users.setTopicPermissions({ ...topic, virtualHost: '/' });
    users.setTopicPermissions({ ...topic, virtualHost: 'other' });
    expect(restarted().allTopicPermissions).toHaveLength(2);
    users.setPermissions('mary', 'other', FULL_PERMISSIONS);
    users.clearVirtualHost('other');
    expect(definitions.names).toEqual(['user:mary', 'topic-permission:mary@/']);
    users.remove('mary');
    expect(definitions.names).toEqual([]);
  });

  it('stays theirs when a user is changed, permissions included', () => {
    users.setPermissions('mary', '/', FULL_PERMISSIONS);
    users.put({ name: 'mary', tags: ['x'], passwordHash: undefined, hashing: 'sha256', limits: {} });
    expect(users.permissions('mary', '/')).toBeDefined();
    expect(restarted().permissions('mary', '/')).toBeDefined();
  });

  it('may be a user whom no password lets in', () => {
    definitions.put({ kind: 'user', name: 'nobody', tags: [], passwordHash: undefined });
    const store = restarted();
    expect([store.find('nobody')?.name, store.verify('nobody', Buffer.from('x'))]).toEqual(['nobody', undefined]);
  });
});

describe('the epoch', () => {
  it.each<[string, () => void]>([
    ['a user is added', () => users.add('joe', 'x', [])],
    ['permissions are set', () => users.setPermissions('mary', '/', FULL_PERMISSIONS)],
    ['permissions are cleared', () => users.clearPermissions('mary', '/')],
  ])('moves on when %s', (_, change) => {
    const before = users.epoch;
    change();
    expect(users.epoch).toBeGreaterThan(before);
  });

  it('stays when users are only looked at', () => {
    const before = users.epoch;
    verify('mary', 'sécret');
    users.find('mary');
    users.permissions('mary', '/');
    expect(users.epoch).toBe(before);
  });
});
