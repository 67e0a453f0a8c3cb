/**
 * A STOMP client of few words for tests: it sends frames as they are given, and hands out what comes back one by one.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { StompFrameParser } from '../../protocol/stomp/frame-parser.js';
import { type PlainFrame, plain, stompFrame } from './stomp-frames.js';

const PATIENCE_MS = 5000;
const LIMITS = { headers: 1000, headBytes: 1 << 24, frameBytes: 1 << 26 };

export type Headers = Readonly<Record<string, string>>;

/** A frame of the server, its headers by name (the first of a repeated one). */
export interface ServerFrame {
  readonly command: string;
  readonly headers: Headers;
  /** Names in the order in which they came. */
  readonly names: readonly string[];
  /** A character a byte. */
  readonly body: string;
}

export interface LoginOptions {
  readonly version?: string;
  readonly headers?: Headers;
}

interface Waiter {
  readonly resolve: (frame: ServerFrame) => void;
  readonly reject: (error: Error) => void;
}

export class StompClient {
  /** Everything that came, byte for byte. */
  readonly received: Buffer[] = [];
  readonly #socket: Socket;
  readonly #frames: ServerFrame[] = [];
  readonly #waiters: Waiter[] = [];
  readonly #parser: ServerFrameReader;
  #ended = false;
  readonly #closed: Promise<void>;

  /** A TCP connection on which nothing has been said. */
  static async open(url: string): Promise<StompClient> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname.replace(/^\[|\]$/g, ''));
    await once(socket, 'connect');
    return new StompClient(socket);
  }

  /** Logged in, with the credentials of the URL. */
  static async connect(url: string, options: LoginOptions = {}): Promise<StompClient> {
    const client = await StompClient.open(url);
    const answer = await client.logIn(url, options);
    if (answer.command !== 'CONNECTED') throw new Error(`no login: ${JSON.stringify(answer)}`);
    return client;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#parser = new ServerFrameReader((frame) => this.#arrived(frame));
    socket.on('data', (bytes) => {
      this.received.push(bytes);
      this.#parser.push(bytes);
    });
    socket.on('error', () => {});
    this.#closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#ended = true;
        for (const { reject } of this.#waiters.splice(0)) reject(new Error('the connection was closed'));
        resolve();
      });
    });
  }

  get isClosed(): boolean {
    return this.#ended;
  }

  /** Frames that came and were not asked for. */
  get pending(): number {
    return this.#frames.length;
  }

  logIn(url: string, { version = '1.2', headers = {} }: LoginOptions = {}): Promise<ServerFrame> {
    const { username, password } = new URL(url);
    const login = { login: decodeURIComponent(username), passcode: decodeURIComponent(password) };
    this.send('CONNECT', { 'accept-version': version, host: '/', ...login, ...headers });
    return this.next();
  }

  /** Names and values are escaped, the body is sent as it is. */
  send(command: string, headers: Headers = {}, body = ''): void {
    this.sendBytes(clientFrame(command, headers, body));
  }

  sendBytes(bytes: Uint8Array | string): void {
    this.#socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** The next frame that has not been handed out. */
  next(timeoutMs = PATIENCE_MS): Promise<ServerFrame> {
    const frame = this.#frames.shift();
    if (frame !== undefined) return Promise.resolve(frame);
    if (this.#ended) return Promise.reject(new Error('the connection was closed'));
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve: (arrived) => done(() => resolve(arrived)),
        reject: (e) => done(() => reject(e)),
      };
      const timer = setTimeout(() => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(new Error('no frame came in time'));
      }, timeoutMs);
      const done = (action: () => void): void => {
        clearTimeout(timer);
        action();
      };
      this.#waiters.push(waiter);
    });
  }

  /** The next frame, which must be of this kind. */
  async expect(command: string): Promise<ServerFrame> {
    const frame = await this.next();
    if (frame.command !== command) throw new Error(`expected ${command}, got ${JSON.stringify(frame)}`);
    return frame;
  }

  /** Everything up to the answer to a command that changes nothing: what was sent before has been handled. */
  async settle(): Promise<readonly ServerFrame[]> {
    const id = `settle-${Math.random()}`;
    this.send('BEGIN', { transaction: id, receipt: id });
    const before: ServerFrame[] = [];
    for (let frame = await this.next(); frame.headers['receipt-id'] !== id; frame = await this.next())
      before.push(frame);
    this.send('ABORT', { transaction: id });
    return before;
  }

  /** Sends a command with a receipt and waits for it. */
  async request(command: string, headers: Headers, body = ''): Promise<void> {
    const receipt = `r-${Math.random()}`;
    this.send(command, { ...headers, receipt }, body);
    const frame = await this.expect('RECEIPT');
    if (frame.headers['receipt-id'] !== receipt) throw new Error(`another receipt: ${JSON.stringify(frame)}`);
  }

  /** Resolves when the server has closed the connection; rejects when it does not. */
  closed(timeoutMs = PATIENCE_MS): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the connection was not closed')), timeoutMs);
      void this.#closed.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Sends FIN and goes on reading. */
  end(): void {
    this.#socket.end();
  }

  async destroy(): Promise<void> {
    this.#socket.destroy();
    await this.#closed;
  }

  #arrived(frame: ServerFrame): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#frames.push(frame);
    else waiter.resolve(frame);
  }
}

/** Names and values are escaped, the body is as it is. */
export function clientFrame(command: string, headers: Headers = {}, body = ''): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => [escaped(name), escaped(value)] as const);
  return stompFrame(command, lines, body);
}

/** Frames as a client reads them: every one with a body says how long it is. */
export class ServerFrameReader {
  readonly #onFrame: (frame: ServerFrame) => void;
  #buffer = Buffer.alloc(0);

  constructor(onFrame: (frame: ServerFrame) => void) {
    this.#onFrame = onFrame;
  }

  push(bytes: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    for (let size = this.#take(); size > 0; size = this.#take()) this.#buffer = this.#buffer.subarray(size);
  }

  /** Bytes taken; 0 when the frame is not complete. */
  #take(): number {
    let start = 0;
    while (start < this.#buffer.length && (this.#buffer[start] === 0x0a || this.#buffer[start] === 0)) start++;
    const headEnd = this.#buffer.indexOf('\n\n', start);
    if (headEnd === -1) return start;
    const head = this.#buffer.subarray(start, headEnd + 2);
    const [, announced] = /\ncontent-length:(\d+)\n/.exec(head.toString('latin1')) ?? [];
    const end = announced === undefined ? this.#buffer.indexOf(0, headEnd) : headEnd + 2 + Number(announced);
    if (end === -1 || end >= this.#buffer.length) return start;
    if (this.#buffer[end] !== 0) throw new Error('no NUL behind a frame');
    const { command, headers } = headOf(head);
    const body = this.#buffer.toString('latin1', headEnd + 2, end);
    const byName: Record<string, string> = {};
    for (const [name, value] of headers) byName[name] ??= value;
    this.#onFrame({ command, headers: byName, names: headers.map(([name]) => name), body });
    return end + 1;
  }
}

function headOf(head: Buffer): PlainFrame {
  let shown: PlainFrame | undefined;
  const parser = new StompFrameParser(
    {
      onFrame: (frame) => {
        shown = plain(frame);
      },
    },
    LIMITS,
  );
  parser.push(head, 0, head.length);
  parser.push(Buffer.of(0), 0, 1);
  if (shown === undefined) throw new Error(`no frame: ${head.toString('latin1')}`);
  return shown;
}

function escaped(text: string): string {
  return Buffer.from(text)
    .toString('latin1')
    .replaceAll('\\', '\\\\')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll(':', '\\c');
}
