/**
 * TCP listeners: accepts connections up to a limit and hands each on as a transport. What the first bytes mean is the
 * session's business.
 *
 * Reads go into one buffer for all sockets where Node lets an accepted handle be adopted (`onread` exists only on the
 * constructor of net.Socket), which saves an allocation and a quarter of the cost per read; otherwise by 'data'
 * events, with the same result.
 */
import { createServer, type Server, Socket } from 'node:net';
import { type Turn, TurnPhase, type TurnTask } from '../core/turn.js';
import type { ChunkPool } from './chunk-pool.js';
import { descriptorLimit, descriptorOf } from './descriptor-limit.js';
import { SocketTransport } from './transport.js';

const READ_BUFFER_BYTES = 256 * 1024;
const BACKLOG = 4096;
/** Of a crowd at the door so many are let in before those inside have their turn again. */
const ADMITTED_A_TURN = 16;
/** Left by connections to the rest of the process. With none left, libuv closes what it accepts and tells nobody. */
const RESERVED_DESCRIPTORS = 8;

/** Gives a new connection to the protocol of its port. */
export type Accept = (transport: SocketTransport) => void;

interface Arrival {
  readonly socket: Socket;
  readonly accept: Accept;
}

export interface ListenerEvents {
  /** Over the limit, or out of file descriptors: the peer was turned away. */
  refused(reason: string): void;
}

/** What we use of Node's inside, checked before use. */
interface AdoptableSocket {
  _handle: { useUserBuffer?: unknown } | null;
  _server: unknown;
}

export class Listener implements TurnTask {
  deferred = false;
  readonly #chunks: ChunkPool;
  readonly #turn: Turn;
  readonly #maxConnections: number;
  readonly #events: ListenerEvents;
  readonly #servers: Server[] = [];
  /** Accepted, but nothing was read from them yet. */
  readonly #arrived: Arrival[] = [];
  readonly #sockets = new Set<Socket>();
  #onLastClosed: () => void = () => {};
  readonly #descriptorLimit = descriptorLimit();
  readonly #readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);

  /** `maxConnections` 0 is no limit. */
  constructor(chunks: ChunkPool, turn: Turn, maxConnections: number, events: ListenerEvents) {
    this.#chunks = chunks;
    this.#turn = turn;
    this.#maxConnections = maxConnections;
    this.#events = events;
  }

  get connectionCount(): number {
    return this.#sockets.size + this.#arrived.length;
  }

  /** Resolves to the port once it listens; rejects with Node's error when it cannot. */
  listen(host: string, port: number, accept: Accept): Promise<number> {
    const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.#arrive(socket, accept));
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, backlog: BACKLOG, ipv6Only: host.includes(':') && host !== '::' }, () => {
        server.off('error', reject);
        // An accept that fails (EMFILE) is reported and tried again; it never ends the server.
        server.on('error', (error) => this.#events.refused(error.message));
        this.#servers.push(server);
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  /** Stops accepting; connections go on. */
  stopAccepting(): void {
    for (const server of this.#servers.splice(0)) server.close();
    for (const { socket } of this.#arrived.splice(0)) socket.destroy();
  }

  /** Resolves when every socket is closed; listeners are, as soon as this is called. */
  close(): Promise<void> {
    this.stopAccepting();
    const closed = new Promise<void>((resolve) => {
      this.#onLastClosed = resolve;
    });
    if (this.#sockets.size === 0) this.#onLastClosed();
    for (const socket of this.#sockets) socket.destroy();
    return closed;
  }

  #arrive(accepted: Socket, accept: Accept): void {
    const refusal = this.#refusal(accepted);
    if (refusal !== undefined) {
      accepted.destroy();
      this.#events.refused(refusal);
      return;
    }
    this.#arrived.push({ socket: accepted, accept });
    this.#turn.defer(TurnPhase.Flush, this);
  }

  runInTurn(): void {
    for (const arrival of this.#arrived.splice(0, ADMITTED_A_TURN)) this.#admit(arrival);
    if (this.#arrived.length > 0) this.#turn.defer(TurnPhase.Flush, this);
  }

  #admit(arrival: Arrival): void {
    let transport: SocketTransport | undefined;
    const socket = this.#adopt(arrival.socket, (bytes, length) => transport?.received(bytes, length));
    this.#sockets.add(socket);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#onLastClosed();
    });
    transport = new SocketTransport(socket, this.#chunks, this.#turn);
    arrival.accept(transport);
    socket.resume();
  }

  /** Why there is no room for one more connection; undefined when there is. */
  #refusal(accepted: Socket): string | undefined {
    if (this.#maxConnections > 0 && this.connectionCount >= this.#maxConnections) {
      return `connection limit (${this.#maxConnections}) is reached`;
    }
    if (descriptorOf(accepted) >= this.#descriptorLimit - RESERVED_DESCRIPTORS) {
      return `out of file descriptors (limit ${this.#descriptorLimit})`;
    }
    return undefined;
  }

  /** A socket that reads into our buffer; the accepted one itself, with 'data' events, where that cannot be had. */
  #adopt(accepted: Socket, onBytes: (bytes: Uint8Array, length: number) => void): Socket {
    // Private fields of Node 20 to 26; the check below is what makes the cast safe.
    const inside = accepted as unknown as AdoptableSocket;
    const handle = inside._handle;
    if (typeof handle?.useUserBuffer !== 'function' || inside._server === undefined) {
      accepted.on('data', (bytes) => onBytes(bytes, bytes.length));
      return accepted;
    }
    inside._handle = null;
    const buffer = this.#readBuffer;
    const options = {
      handle,
      pauseOnCreate: true,
      readable: true,
      writable: true,
      onread: {
        buffer,
        callback: (length: number, bytes: Uint8Array): boolean => {
          onBytes(bytes, length);
          return true;
        },
      },
    };
    const socket = new Socket(options);
    // The server counts its connections by this field.
    (socket as unknown as AdoptableSocket)._server = inside._server;
    inside._server = null;
    return socket;
  }
}
