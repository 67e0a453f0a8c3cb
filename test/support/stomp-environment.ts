/** STOMP connections over memory, on the broker of `amqp-environment.ts`. */
import type { MessageStore } from '../../src/core/ports/message-store.js';
import type { PublishThrottle } from '../../src/session/shared/publish-throttle.js';
import { StompConnection } from '../../src/session/stomp/connection.js';
import type { StompEnvironment } from '../../src/session/stomp/environment.js';
import { GUEST, type MemoryBroker, memoryBroker } from './amqp-environment.js';
import { MemoryTransport } from './memory-transport.js';
import { clientFrame, type Headers, type ServerFrame, ServerFrameReader } from './stomp-client.js';

export const LOGIN_TIMEOUT_MS = 10_000;

export interface StompMemoryBroker extends MemoryBroker {
  readonly throttle: PublishThrottle;
  /** A connection on which nothing was said. */
  readonly open: () => StompPeer;
  readonly logIn: (headers?: Headers) => StompPeer;
}

export class StompPeer {
  readonly connection: StompConnection;
  readonly transport: MemoryTransport;
  readonly #broker: MemoryBroker;
  readonly #frames: ServerFrame[] = [];
  readonly #reader = new ServerFrameReader((frame) => this.#frames.push(frame));
  isGone = false;

  constructor(broker: MemoryBroker, environment: StompEnvironment) {
    this.#broker = broker;
    this.transport = new MemoryTransport(broker.clock);
    this.connection = new StompConnection(this.transport, environment, () => {
      this.isGone = true;
    });
    this.transport.attach(this.connection);
  }

  send(command: string, headers: Headers = {}, body = ''): void {
    this.sendBytes(clientFrame(command, headers, body));
  }

  sendBytes(bytes: Uint8Array | string): void {
    this.transport.send(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    this.#broker.clock.settle();
  }

  /** Frames since the last look. */
  received(): ServerFrame[] {
    this.#broker.clock.settle();
    this.#reader.push(this.transport.take());
    return this.#frames.splice(0);
  }

  /** The same, in short: `RECEIPT r`, `MESSAGE body`, `ERROR message`. */
  summary(): string[] {
    return this.received().map(({ command, headers, body }) => {
      if (command === 'RECEIPT') return `RECEIPT ${headers['receipt-id']}`;
      return command === 'MESSAGE' ? `MESSAGE ${body}` : `${command} ${headers['message'] ?? ''}`.trim();
    });
  }
}

export function stompBroker(store?: MessageStore): StompMemoryBroker {
  const broker = memoryBroker({}, store);
  const { clock, turn, log, authenticator, alarms, heartbeats, throttle, durability, openVirtualHost } = broker.amqp;
  const { consumerTimeouts } = broker.amqp;
  const environment: StompEnvironment = {
    ...{ clock, turn, log, authenticator, alarms, heartbeats, throttle, durability, openVirtualHost, consumerTimeouts },
    loginTimeoutMs: LOGIN_TIMEOUT_MS,
    defaults: { user: GUEST, password: GUEST, virtualHost: '/' },
    serverName: 'RabbitMQ/4.2.0',
  };
  const open = (): StompPeer => new StompPeer(broker, environment);
  const logIn = (headers: Headers = {}): StompPeer => {
    const peer = open();
    peer.send('CONNECT', { 'accept-version': '1.2', ...headers });
    const [answer] = peer.received();
    if (answer?.command !== 'CONNECTED') throw new Error(`no login: ${JSON.stringify(answer)}`);
    return peer;
  };
  return { ...broker, throttle, open, logIn };
}
