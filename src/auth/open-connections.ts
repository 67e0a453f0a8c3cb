/**
 * Who is connected to which virtual host now: what limits count, and what goes when a virtual host or a user does.
 */

import { type EventKey, Events, text } from '../core/events.js';

/** A client's connection, whatever it speaks. Exclusive queues belong to it. */
export interface ClientConnection {
  /** `client:port -> broker:port` */
  readonly connectionName?: string;
  readonly channelCount: number;
  /** Tells the client why and ends. */
  close(reason: string): void;
}

interface Entry {
  readonly user: string;
  readonly virtualHost: string;
}

export class OpenConnections {
  readonly #events: Events;
  readonly #entries = new Map<ClientConnection, Entry>();
  readonly #byUser = new Map<string, Set<ClientConnection>>();
  readonly #byVirtualHost = new Map<string, Set<ClientConnection>>();

  constructor(events = new Events()) {
    this.#events = events;
  }

  add(connection: ClientConnection, user: string, virtualHost: string): void {
    this.#entries.set(connection, { user, virtualHost });
    addTo(this.#byUser, user, connection);
    addTo(this.#byVirtualHost, virtualHost, connection);
    this.#emit('connection.created', connection, { user, virtualHost });
  }

  /** One that was never added, or has gone before, is no error. */
  remove(connection: ClientConnection): void {
    const entry = this.#entries.get(connection);
    if (entry === undefined) return;
    this.#entries.delete(connection);
    removeFrom(this.#byUser, entry.user, connection);
    removeFrom(this.#byVirtualHost, entry.virtualHost, connection);
    this.#emit('connection.closed', connection, entry);
  }

  #emit(key: EventKey, { connectionName = '' }: ClientConnection, { user, virtualHost }: Entry): void {
    this.#events.by(user, () =>
      this.#events.emit(key, () => [
        ['name', text(connectionName)],
        ['user', text(user)],
        ['vhost', text(virtualHost)],
        ['type', text('network')],
      ]),
    );
  }

  countOf(user: string): number {
    return this.#byUser.get(user)?.size ?? 0;
  }

  countIn(virtualHost: string): number {
    return this.#byVirtualHost.get(virtualHost)?.size ?? 0;
  }

  channelsOf(user: string): number {
    let count = 0;
    for (const { channelCount } of this.#byUser.get(user) ?? []) count += channelCount;
    return count;
  }

  closeOf(user: string, reason: string): void {
    for (const connection of [...(this.#byUser.get(user) ?? [])]) connection.close(reason);
  }

  closeIn(virtualHost: string, reason: string): void {
    for (const connection of [...(this.#byVirtualHost.get(virtualHost) ?? [])]) connection.close(reason);
  }
}

function addTo(index: Map<string, Set<ClientConnection>>, key: string, connection: ClientConnection): void {
  const connections = index.get(key);
  if (connections === undefined) index.set(key, new Set([connection]));
  else connections.add(connection);
}

function removeFrom(index: Map<string, Set<ClientConnection>>, key: string, connection: ClientConnection): void {
  const connections = index.get(key);
  connections?.delete(connection);
  if (connections?.size === 0) index.delete(key);
}
