/**
 * The AMQP connections of a broker: takes transports from the listener, and closes what is left when it stops.
 */
import type { Transport, TransportHandler } from '../../net/transport.js';
import { AmqpConnection } from './connection.js';
import type { AmqpEnvironment } from './environment.js';

/** How long a stopping broker waits for its clients' close-ok. */
const CLOSE_PATIENCE_MS = 1000;

export class AmqpServer {
  readonly #environment: AmqpEnvironment;
  readonly #connections = new Set<AmqpConnection>();
  #onEmpty: (() => void) | undefined;

  constructor(environment: AmqpEnvironment) {
    this.#environment = environment;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** A new connection; what it returns handles the transport's events. */
  accept(transport: Transport): TransportHandler {
    const connection = new AmqpConnection(transport, this.#environment, (gone) => {
      this.#connections.delete(gone);
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
      const timer = this.#environment.clock.after(CLOSE_PATIENCE_MS, resolve);
      this.#onEmpty = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
