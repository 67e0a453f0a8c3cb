/**
 * The connections of one protocol: takes transports from the listener, and closes what is left when the broker stops.
 */
import type { Clock } from '../../clock.js';
import type { Transport, TransportHandler } from '../../net/transport.js';

/** How long a stopping broker waits for its clients to go. */
const CLOSE_PATIENCE_MS = 1000;

export interface ProtocolConnection extends TransportHandler {
  /** Tells the client why, as far as the protocol has a way to. */
  close(reason: string): void;
}

/** Makes the connection for a transport; `onGone` is to be called once when it is over. */
export type ConnectionFactory = (transport: Transport, onGone: () => void) => ProtocolConnection;

export class Connections {
  readonly #clock: Clock;
  readonly #create: ConnectionFactory;
  readonly #connections = new Set<ProtocolConnection>();
  #onEmpty: (() => void) | undefined;

  constructor(clock: Clock, create: ConnectionFactory) {
    this.#clock = clock;
    this.#create = create;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** A new connection; what it returns handles the transport's events. */
  accept(transport: Transport): TransportHandler {
    const connection = this.#create(transport, () => {
      this.#connections.delete(connection);
      if (this.#connections.size === 0) this.#onEmpty?.();
    });
    this.#connections.add(connection);
    return connection;
  }

  /** Tells every client that the broker goes, and resolves when they are gone or have had their time. */
  close(reason: string): Promise<void> {
    for (const connection of [...this.#connections]) connection.close(reason);
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.after(CLOSE_PATIENCE_MS, resolve);
      this.#onEmpty = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
