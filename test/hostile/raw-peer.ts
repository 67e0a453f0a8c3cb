/**
 * A peer that behaves as badly as a test wants: it sends any bytes, reads or does not, and ends in every way a socket
 * can. It counts the methods that come and keeps nothing of them, so that thousands of peers cost little.
 */
import { connect, type Socket } from 'node:net';
import { FrameType } from '../../protocol/amqp/constants.gen.js';
import { table } from '../../protocol/amqp/field-table.js';
import { MethodId } from '../../protocol/amqp/methods.gen.js';
import { FrameCutter, methodFrame, PROTOCOL_HEADER } from '../support/wire-frames.js';

const TIMEOUT_MS = 20_000;

export interface LoginOptions {
  readonly heartbeat?: number;
  readonly capabilities?: Readonly<Record<string, boolean>>;
}

export function startOk({ capabilities = {} }: LoginOptions = {}): Buffer {
  return methodFrame(0, {
    name: 'connection.start-ok',
    clientProperties: table({ product: 'hostile peer', capabilities }),
    mechanism: 'PLAIN',
    response: Buffer.from('\0guest\0guest'),
    locale: 'en_US',
  });
}

/** All that a client says until its connection is open, in one go. */
export function login(options: LoginOptions = {}): Buffer {
  const { heartbeat = 0 } = options;
  return Buffer.concat([
    PROTOCOL_HEADER,
    startOk(options),
    methodFrame(0, { name: 'connection.tune-ok', channelMax: 2047, frameMax: 131_072, heartbeat }),
    methodFrame(0, { name: 'connection.open', virtualHost: '/' }),
  ]);
}

export class RawPeer {
  receivedBytes = 0;
  isClosed = false;
  /** The broker ended its side. */
  hasEnded = false;
  readonly #socket: Socket;
  readonly #seen = new Map<number, number>();
  readonly #waiters = new Set<() => void>();

  /** A socket on which nothing was said yet. It stays open on its side when the broker ends the other. */
  static connect(port: number): Promise<RawPeer> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawPeer(socket)));
    });
  }

  /** An open connection with channel 1. */
  static async open(port: number, options: LoginOptions = {}): Promise<RawPeer> {
    const peer = await RawPeer.connect(port);
    await peer.ask(Buffer.concat([login(options), methodFrame(1, { name: 'channel.open' })]), MethodId.ChannelOpenOk);
    return peer;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    const cutter = new FrameCutter(
      ({ type, payload }) => {
        if (type === FrameType.method) this.#count(payload.readUInt32BE(0));
      },
      () => this.#count(0),
    );
    socket.on('data', (chunk) => {
      this.receivedBytes += chunk.length;
      cutter.push(chunk);
      this.#wake();
    });
    socket.on('drain', () => this.#wake());
    socket.on('end', () => {
      this.hasEnded = true;
      this.#wake();
    });
    socket.removeAllListeners('error');
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  /** Bytes that the broker has not taken from us. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** How often a method came. */
  seen(method: number): number {
    return this.#seen.get(method) ?? 0;
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Sends, and waits for so many more answers. */
  async ask(bytes: Uint8Array, answer: number, count = 1): Promise<void> {
    const wanted = this.seen(answer) + count;
    this.send(bytes);
    await this.until(() => this.seen(answer) >= wanted, `${count} answers ${answer}`);
  }

  stopReading(): void {
    this.#socket.pause();
  }

  readOn(): void {
    this.#socket.resume();
  }

  /** FIN: nothing more comes from us, but we still listen. */
  finish(): void {
    this.#socket.end();
  }

  /** RST. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** The broker closed its side of the socket, in whatever way. */
  async dropped(): Promise<void> {
    await this.until(() => this.hasEnded || this.isClosed, 'the end of the connection');
    this.destroy();
  }

  async until(holds: () => boolean, wanted: string): Promise<void> {
    const deadline = Date.now() + TIMEOUT_MS;
    while (!holds()) {
      if (this.isClosed || this.hasEnded) {
        this.destroy();
        throw new Error(`the connection ended before ${wanted}`);
      }
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`no ${wanted} within ${TIMEOUT_MS} ms`);
      await this.#somethingNew(left);
    }
  }

  #count(method: number): void {
    this.#seen.set(method, this.seen(method) + 1);
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }

  #somethingNew(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#waiters.add(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
