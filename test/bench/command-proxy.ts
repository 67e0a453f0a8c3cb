/**
 * Stands between a client and a broker and changes what the broker says, whatever command it is: so that tests can show
 * that the load generator notices. It can also pass bytes on in pieces cut anywhere.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { carriesContent, methodName } from '../../protocol/amqp/methods.gen.js';

const FRAME_OVERHEAD_BYTES = 8;
const METHOD_FRAME = 1;

/** A method frame with its content frames, if any. */
export interface Command {
  readonly name: string;
  /** Of all commands of that name that came through so far, the first is 1. */
  readonly number: number;
  readonly bytes: Buffer;
}

/** What goes to the client instead. */
export type Change = (command: Command) => readonly Buffer[];

export class CommandProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** `pieceBytes` answers how long the next piece is. */
  static async start(brokerPort: number, change: Change, pieceBytes?: () => number): Promise<CommandProxy> {
    const proxy = new CommandProxy(brokerPort, change, pieceBytes);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  private constructor(brokerPort: number, change: Change, pieceBytes: (() => number) | undefined) {
    const counts = new Map<string, number>();
    this.#server = createServer((client) => {
      const broker = connect({ host: '127.0.0.1', port: brokerPort });
      for (const socket of [client, broker]) {
        this.#sockets.add(socket);
        socket.setNoDelay(true).on('error', () => socket.destroy());
      }
      client.on('data', (bytes) => broker.write(bytes)).on('close', () => broker.destroy());
      const commands = new CommandSplitter((name, bytes) => {
        const number = (counts.get(name) ?? 0) + 1;
        counts.set(name, number);
        return change({ name, number, bytes });
      });
      let sending = Promise.resolve();
      broker.on('data', (bytes) => {
        const out = Buffer.concat(commands.push(bytes));
        sending = sending.then(() => send(client, out, pieceBytes));
      });
      broker.on('close', () => void sending.then(() => client.end()));
    });
  }

  get url(): string {
    // It listens on a port.
    const { port } = this.#server.address() as AddressInfo;
    return `amqp://guest:guest@127.0.0.1:${port}`;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

async function send(client: Socket, bytes: Buffer, pieceBytes: (() => number) | undefined): Promise<void> {
  if (pieceBytes === undefined) {
    client.write(bytes);
    return;
  }
  for (let at = 0; at < bytes.length; ) {
    const end = at + pieceBytes();
    client.write(bytes.subarray(at, end));
    at = end;
    await turn();
  }
}

/** Bytes of one direction of a connection into whole commands. Content frames are taken to follow their method. */
class CommandSplitter {
  readonly #onCommand: (name: string, bytes: Buffer) => readonly Buffer[];
  #rest = Buffer.alloc(0);

  constructor(onCommand: (name: string, bytes: Buffer) => readonly Buffer[]) {
    this.#onCommand = onCommand;
  }

  push(bytes: Buffer): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const out: Buffer[] = [];
    for (let end = this.#commandEnd(); end > 0; end = this.#commandEnd()) {
      const command = this.#rest.subarray(0, end);
      this.#rest = this.#rest.subarray(end);
      const isMethod = command[0] === METHOD_FRAME;
      out.push(...this.#onCommand((isMethod && methodName(command.readUInt32BE(7))) || 'heartbeat', command));
    }
    return out;
  }

  /** 0: not all there yet. */
  #commandEnd(): number {
    const method = this.#frameEnd(0);
    if (method === 0 || this.#rest[0] !== METHOD_FRAME || !carriesContent(this.#rest.readUInt32BE(7))) return method;
    const header = this.#frameEnd(method);
    if (header === 0) return 0;
    const bodyBytes = this.#rest.readUInt32BE(method + 15);
    let end = header;
    for (let received = 0; received < bodyBytes; ) {
      const next = this.#frameEnd(end);
      if (next === 0) return 0;
      received += next - end - FRAME_OVERHEAD_BYTES;
      end = next;
    }
    return end;
  }

  #frameEnd(at: number): number {
    if (this.#rest.length < at + FRAME_OVERHEAD_BYTES) return 0;
    const end = at + FRAME_OVERHEAD_BYTES + this.#rest.readUInt32BE(at + 3);
    return end <= this.#rest.length ? end : 0;
  }
}
