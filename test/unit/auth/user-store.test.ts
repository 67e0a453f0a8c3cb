import { randomBytes, timingSafeEqual } from 'node:crypto';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { FULL_PERMISSIONS } from '../../../src/auth/permissions.js';
import { UserStore } from '../../../src/auth/user-store.js';

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

let users: UserStore;

beforeEach(() => {
  compare.mockClear();
  users = new UserStore();
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
