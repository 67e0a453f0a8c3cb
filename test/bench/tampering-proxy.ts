/**
 * Stands between a client and a broker and passes everything on, save what a test wants: deliveries that are changed,
 * dropped or doubled, and silence from some moment on.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { MethodId } from '../../protocol/amqp/methods.gen.js';

/** Method, header and body frame of the nth delivery, from 1; answers what goes to the client. */
export type Tamper = (delivery: readonly Buffer[], number: number) => readonly Buffer[];

const OVERHEAD_BYTES = 8;

export class TamperingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #tamper: Tamper;
  #deliveries = 0;
  #silent = false;

  private constructor(brokerUrl: string, tamper: Tamper) {
    this.#tamper = tamper;
    const { hostname, port } = new URL(brokerUrl);
    this.#server = createServer((client) => this.#join(client, connect(Number(port), hostname)));
  }

  static async to(brokerUrl: string, tamper: Tamper = (delivery) => delivery): Promise<TamperingProxy> {
    const proxy = new TamperingProxy(brokerUrl, tamper);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `amqp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Nothing reaches the client any more. */
  silence(): void {
    this.#silent = true;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket, broker: Socket): void {
    for (const socket of [client, broker]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => socket.destroy());
    }
    client.on('close', () => broker.destroy());
    broker.on('close', () => client.destroy());
    client.on('data', (bytes) => broker.write(bytes));
    let rest: Buffer = Buffer.alloc(0);
    let delivery: Buffer[] = [];
    broker.on('data', (bytes) => {
      const [frames, left] = splitFrames(Buffer.concat([rest, bytes]));
      rest = left;
      for (const frame of frames) {
        if (delivery.length > 0 || isDelivery(frame)) delivery.push(frame);
        else this.#send(client, [frame]);
        if (delivery.length < 3) continue;
        this.#send(client, this.#tamper(delivery, ++this.#deliveries));
        delivery = [];
      }
    });
  }

  #send(client: Socket, frames: readonly Buffer[]): void {
    if (!this.#silent) for (const frame of frames) client.write(frame);
  }
}

function isDelivery(frame: Buffer): boolean {
  return frame.readUInt8(0) === 1 && frame.readUInt32BE(7) === MethodId.BasicDeliver;
}

/** Whole frames, and the beginning of the next. */
function splitFrames(bytes: Buffer): [Buffer[], Buffer] {
  const frames: Buffer[] = [];
  let at = 0;
  while (bytes.length - at >= OVERHEAD_BYTES) {
    const next = at + OVERHEAD_BYTES + bytes.readUInt32BE(at + 3);
    if (next > bytes.length) break;
    frames.push(Buffer.from(bytes.subarray(at, next)));
    at = next;
  }
  return [frames, bytes.subarray(at)];
}
