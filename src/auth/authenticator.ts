/**
 * Who is it? Checks a SASL response against the users. What a mechanism's bytes mean is known here and nowhere else;
 * AMQPLAIN's field table is decoded by the session, which has the codec.
 */
import { Events, text } from '../core/events.js';
import type { User, UserStore } from './user-store.js';

/** `malformed` is no login attempt at all, so it is answered differently from `refused`. */
export type LoginResult =
  | { readonly outcome: 'accepted'; readonly user: User }
  /** `fromAfar`: the password was right, but the user may connect from this machine only. */
  | { readonly outcome: 'refused'; readonly userName: string; readonly fromAfar: boolean }
  | { readonly outcome: 'malformed'; readonly reason: string };

export interface Credentials {
  readonly name: string;
  readonly password: Uint8Array;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

export class Authenticator {
  readonly #users: UserStore;
  readonly #loopbackUsers: ReadonlySet<string>;
  readonly #anonymous: Credentials;
  readonly #events: Events;

  /** `loopbackUsers` may only connect from this machine; `anonymous` is who ANONYMOUS logs in as. */
  constructor(users: UserStore, loopbackUsers: readonly string[], anonymous: Credentials, events = new Events()) {
    this.#users = users;
    this.#loopbackUsers = new Set(loopbackUsers);
    this.#anonymous = anonymous;
    this.#events = events;
  }

  /** RFC 4616 without an authorisation identity: NUL name NUL password. */
  plain(response: Uint8Array, peerAddress: string): LoginResult {
    const separator = response.indexOf(0, 1);
    if (response[0] !== 0 || separator === -1) return { outcome: 'malformed', reason: 'PLAIN response malformed' };
    let name: string;
    try {
      name = UTF8.decode(response.subarray(1, separator));
    } catch {
      return { outcome: 'malformed', reason: 'PLAIN user name is not UTF-8' };
    }
    return this.login({ name, password: response.subarray(separator + 1) }, peerAddress);
  }

  anonymous(peerAddress: string): LoginResult {
    return this.login(this.#anonymous, peerAddress);
  }

  login({ name, password }: Credentials, peerAddress: string): LoginResult {
    const user = this.#users.verify(name, password);
    const accepted = user !== undefined && (!this.#loopbackUsers.has(name) || isLoopback(peerAddress));
    this.#events.emit(accepted ? 'user.authentication.success' : 'user.authentication.failure', () => [
      ['name', text(name)],
      ['peer_host', text(peerAddress)],
      ['connection_type', text('network')],
    ]);
    return accepted
      ? { outcome: 'accepted', user }
      : { outcome: 'refused', userName: name, fromAfar: user !== undefined };
  }
}

export function isLoopback(address: string): boolean {
  const plain = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
  return plain === '::1' || plain.startsWith('127.');
}
