import { describe, expect, it } from 'vitest';
import { Authenticator, isLoopback } from '../../../src/auth/authenticator.js';
import { UserStore } from '../../../src/auth/user-store.js';
import { MemoryDefinitionStore } from '../../../src/store/memory-store.js';

const LOCAL = '127.0.0.1';
const REMOTE = '192.0.2.7';

function authenticator(loopbackUsers: readonly string[] = []): Authenticator {
  const users = new UserStore(new MemoryDefinitionStore());
  users.add('guest', 'guest', []);
  users.add('mary', 'sécret', ['administrator']);
  return new Authenticator(users, loopbackUsers, { name: 'guest', password: Buffer.from('guest') });
}

const response = (text: string) => Buffer.from(text);

describe('PLAIN', () => {
  it('is a name and a password behind zero bytes', () => {
    const result = authenticator().plain(response('\0mary\0sécret'), LOCAL);
    expect(result).toMatchObject({ outcome: 'accepted', user: { name: 'mary', tags: ['administrator'] } });
  });

  it.each([
    ['another password', '\0mary\0secret'],
    ['no password', '\0mary\0'],
    ['another user', '\0joe\0guest'],
    ['no user', '\0\0guest'],
    ['a password with more behind it', '\0guest\0guest\0'],
  ])('with %s is refused', (_, text) => {
    expect(authenticator().plain(response(text), LOCAL).outcome).toBe('refused');
  });

  it.each([
    ['nothing', ''],
    ['one zero byte', '\0'],
    ['no password field', '\0guest'],
    ['an authorisation identity', 'root\0guest\0guest'],
  ])('with %s is malformed', (_, text) => {
    expect(authenticator().plain(response(text), LOCAL).outcome).toBe('malformed');
  });

  it('with a name that is no UTF-8 is malformed', () => {
    expect(authenticator().plain(Buffer.of(0, 0xff, 0xfe, 0, 1), LOCAL).outcome).toBe('malformed');
  });
});

describe('ANONYMOUS', () => {
  it('is the user it was set up with, under the same rules', () => {
    expect(authenticator().anonymous(REMOTE)).toMatchObject({ outcome: 'accepted', user: { name: 'guest' } });
    expect(authenticator(['guest']).anonymous(REMOTE)).toEqual({
      outcome: 'refused',
      userName: 'guest',
      fromAfar: true,
    });
    expect(authenticator(['guest']).anonymous(LOCAL).outcome).toBe('accepted');
  });
});

describe('the loopback rule', () => {
  it('holds for the users it names', () => {
    const rule = authenticator(['guest']);
    expect(rule.plain(response('\0guest\0guest'), REMOTE)).toEqual({
      outcome: 'refused',
      userName: 'guest',
      fromAfar: true,
    });
    expect(rule.plain(response('\0guest\0guest'), LOCAL).outcome).toBe('accepted');
    expect(rule.plain(response('\0mary\0sécret'), REMOTE).outcome).toBe('accepted');
  });

  it.each(['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1'])('takes %s for this machine', (address) => {
    expect(isLoopback(address)).toBe(true);
  });

  it.each(['10.0.0.1', '128.0.0.1', '::2', '::ffff:10.0.0.1', 'fe80::1', '', '1127.0.0.1', '1.127.0.0'])(
    'does not take %j for it',
    (address) => {
      expect(isLoopback(address)).toBe(false);
    },
  );
});
