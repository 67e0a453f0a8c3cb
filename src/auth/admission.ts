/**
 * Who may come in: whether a user who has logged in may use a virtual host, and open one more channel there.
 */
import { isReached } from '../core/limits.js';
import type { VirtualHost } from '../core/virtual-host.js';
import { BrokerError } from '../errors.js';
import type { ClientConnection, OpenConnections } from './open-connections.js';
import type { User, UserStore } from './user-store.js';
import { VirtualHostAccess } from './virtual-host-access.js';

export class Admission {
  readonly #findVirtualHost: (name: string) => VirtualHost | undefined;
  readonly #users: UserStore;
  readonly #connections: OpenConnections;

  constructor(
    findVirtualHost: (name: string) => VirtualHost | undefined,
    users: UserStore,
    connections: OpenConnections,
  ) {
    this.#findVirtualHost = findVirtualHost;
    this.#users = users;
    this.#connections = connections;
  }

  /** The connection counts from now on. Throws BrokerError('not-allowed'). */
  admit(virtualHost: string, user: User, connection: ClientConnection): VirtualHostAccess {
    const host = this.#findVirtualHost(virtualHost);
    if (host === undefined) throw new BrokerError('not-allowed', `vhost ${virtualHost} not found`);
    const refused = `access to vhost '${virtualHost}' refused for user '${user.name}'`;
    const { maxConnections } = host.parameters.limits;
    if (isReached(maxConnections, this.#connections.countIn(virtualHost))) {
      throw new BrokerError('not-allowed', `${refused}: connection limit (${maxConnections}) is reached`);
    }
    this.#assertRoomFor(user.name);
    if (this.#users.permissions(user.name, virtualHost) === undefined) throw new BrokerError('not-allowed', refused);
    this.#connections.add(connection, user.name, virtualHost);
    return new VirtualHostAccess(user, host, this.#users, connection, this.#connections);
  }

  #assertRoomFor(user: string): void {
    const limit = this.#users.find(user)?.limits.maxConnections;
    if (!isReached(limit, this.#connections.countOf(user))) return;
    const reached = `user connection limit (${limit}) is reached`;
    throw new BrokerError('not-allowed', `connection refused for user '${user}': ${reached}`);
  }
}
