/**
 * A publisher and a drainer for millions of messages: frames encoded once, with the sequence number patched in, and a
 * parser that looks only at what it counts. Each runs in a process of its own, so that it delays nobody's clock.
 */
import { Buffer } from 'node:buffer';
import { connect, type Socket } from 'node:net';
import { FrameType } from '../../../protocol/amqp/constants.gen.js';
import { table } from '../../../protocol/amqp/field-table.js';
import { MethodId } from '../../../protocol/amqp/methods.gen.js';
import { bodyFrame, headerFrame, methodFrame, PROTOCOL_HEADER } from '../../support/wire-frames.js';

const BATCH_BYTES = 128 * 1024;
const BUFFERS = 4;
/** A body begins with its number: two 32-bit halves. */
const NUMBER_BYTES = 8;
const FRAME_OVERHEAD = 8;
const ACK_EVERY = 1000;
const PREFETCH = 10_000;

export interface LoadOptions {
  readonly port: number;
  readonly queue: string;
  readonly messages: number;
  readonly sizeBytes: number;
  readonly persistent: boolean;
  /** Unconfirmed messages at most. */
  readonly window: number;
}

type OnFrame = (type: number, bytes: Buffer, start: number, end: number) => void;

/** One socket with channel 1 open; hands over frames as they lie in the received bytes. */
class RawConnection {
  readonly socket: Socket;
  onFrame: OnFrame = () => {};
  #rest: Buffer = Buffer.alloc(0);
  #end: (error: Error) => void = () => {};
  readonly ended: Promise<never>;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.ended = new Promise((_resolve, reject) => {
      this.#end = reject;
    });
    this.ended.catch(() => {});
    this.socket.on('error', (error) => this.#end(error));
    this.socket.on('close', () => this.#end(new Error('the broker ended the connection')));
    this.socket.on('data', (chunk) => this.#push(chunk));
  }

  /** Sends what a client says first, with `more` behind it, and resolves once the last answer is there. */
  async open(lastAnswer: number, ...more: readonly Buffer[]): Promise<void> {
    const opening = Buffer.concat([
      PROTOCOL_HEADER,
      methodFrame(0, {
        name: 'connection.start-ok',
        clientProperties: table({}),
        mechanism: 'PLAIN',
        response: Buffer.from('\0guest\0guest'),
        locale: 'en_US',
      }),
      methodFrame(0, { name: 'connection.tune-ok', channelMax: 2047, frameMax: 131_072, heartbeat: 0 }),
      methodFrame(0, { name: 'connection.open', virtualHost: '/' }),
      methodFrame(1, { name: 'channel.open' }),
      ...more,
    ]);
    const answered = new Promise<void>((resolve, reject) => {
      this.onFrame = (type, bytes, start) => {
        if (type !== FrameType.method) return;
        const method = bytes.readUInt32BE(start);
        if (method === lastAnswer) resolve();
        if (method === MethodId.ChannelClose) reject(new Error(bytes.toString('latin1', start)));
      };
    });
    this.socket.write(opening);
    await Promise.race([answered, this.ended]);
  }

  #push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (at + FRAME_OVERHEAD <= bytes.length) {
      const end = at + 7 + bytes.readUInt32BE(at + 3);
      if (end >= bytes.length) break;
      this.onFrame(bytes[at] as number, bytes, at + 7, end);
      at = end + 1;
    }
    this.#rest = bytes.subarray(at);
  }
}

/** Resolves when every message is confirmed. */
export async function publishAll(options: LoadOptions): Promise<void> {
  const connection = new RawConnection(options.port);
  const declare = methodFrame(1, { name: 'queue.declare', queue: options.queue, durable: true });
  await connection.open(MethodId.ConfirmSelectOk, declare, methodFrame(1, { name: 'confirm.select' }));
  await Promise.race([new Blast(connection, options).done, connection.ended]);
  connection.socket.destroy();
}

class Blast {
  readonly done: Promise<void>;
  readonly #connection: RawConnection;
  readonly #options: LoadOptions;
  readonly #messageBytes: number;
  readonly #numberAt: number;
  readonly #perBatch: number;
  /** Buffers that no socket reads. */
  readonly #free: Buffer[] = [];
  #sent = 0;
  #confirmed = 0;
  #resolve: () => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(connection: RawConnection, options: LoadOptions) {
    this.#connection = connection;
    this.#options = options;
    const { queue, sizeBytes, persistent } = options;
    const head = Buffer.concat([
      methodFrame(1, { name: 'basic.publish', routingKey: queue }),
      headerFrame(1, { bodySize: sizeBytes, properties: { deliveryMode: persistent ? 2 : 1 } }),
    ]);
    const message = Buffer.concat([head, bodyFrame(1, Buffer.alloc(sizeBytes, 0x61))]);
    this.#messageBytes = message.length;
    this.#numberAt = head.length + 7;
    this.#perBatch = Math.max(1, Math.floor(BATCH_BYTES / message.length));
    for (let index = 0; index < BUFFERS; index++)
      this.#free.push(Buffer.alloc(this.#perBatch * message.length, message));
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    connection.onFrame = (type, bytes, start) => this.#onFrame(type, bytes, start);
    this.#fill();
  }

  #onFrame(type: number, bytes: Buffer, start: number): void {
    if (type !== FrameType.method) return;
    const method = bytes.readUInt32BE(start);
    if (method === MethodId.BasicAck) this.#confirm(bytes.readUInt32BE(start + 8), bytes[start + 12] === 1);
    else if (method === MethodId.BasicNack) this.#reject(new Error('a publish was refused'));
    else if (method === MethodId.ChannelClose) this.#reject(new Error(bytes.toString('latin1', start)));
  }

  /** Tags stay below 2^32. Single acks may skip; only their number counts. */
  #confirm(tag: number, multiple: boolean): void {
    this.#confirmed = multiple ? Math.max(this.#confirmed, tag) : this.#confirmed + 1;
    if (this.#confirmed >= this.#options.messages) this.#resolve();
    else this.#fill();
  }

  #fill(): void {
    const { messages, window } = this.#options;
    while (this.#sent < messages && this.#free.length > 0) {
      const room = Math.min(messages - this.#sent, this.#confirmed + window - this.#sent);
      const count = Math.min(this.#perBatch, room);
      if (count < this.#perBatch && count < messages - this.#sent) return;
      this.#write(this.#free.pop() as Buffer, count);
    }
  }

  #write(buffer: Buffer, count: number): void {
    for (let index = 0; index < count; index++) {
      const number = this.#sent++;
      const at = index * this.#messageBytes + this.#numberAt;
      buffer.writeUInt32BE(Math.floor(number / 2 ** 32), at);
      buffer.writeUInt32BE(number >>> 0, at + 4);
    }
    this.#connection.socket.write(buffer.subarray(0, count * this.#messageBytes), () => {
      this.#free.push(buffer);
      this.#fill();
    });
  }
}

/** Resolves when every message has come, in order, and is acked; rejects at the first that is missing. */
export async function drainAll({ port, queue, messages, sizeBytes }: LoadOptions): Promise<void> {
  if (sizeBytes < NUMBER_BYTES) throw new Error(`a message needs ${NUMBER_BYTES} bytes`);
  const connection = new RawConnection(port);
  await connection.open(MethodId.BasicQosOk, methodFrame(1, { name: 'basic.qos', prefetchCount: PREFETCH }));
  let expected = 0;
  let tag = 0;
  const all = new Promise<void>((resolve, reject) => {
    connection.onFrame = (type, bytes, start, end) => {
      if (type === FrameType.method && bytes.readUInt32BE(start) === MethodId.BasicDeliver) {
        tag = bytes.readUInt32BE(start + 5 + (bytes[start + 4] as number) + 4);
        return;
      }
      if (type !== FrameType.body) return;
      const number = bytes.readUInt32BE(start) * 2 ** 32 + bytes.readUInt32BE(start + 4);
      if (number !== expected) return reject(new Error(`message ${number} came where ${expected} was due`));
      if (end - start !== sizeBytes) return reject(new Error(`message ${number} has ${end - start} bytes`));
      expected++;
      if (expected % ACK_EVERY !== 0 && expected !== messages) return;
      connection.socket.write(methodFrame(1, { name: 'basic.ack', deliveryTag: tag, multiple: true }));
      if (expected === messages) resolve();
    };
  });
  connection.socket.write(methodFrame(1, { name: 'basic.consume', queue }));
  await Promise.race([all, connection.ended]);
  const gone = new Promise<void>((resolve) => {
    connection.onFrame = (_type, bytes, start) => {
      if (bytes.readUInt32BE(start) === MethodId.QueueDeleteOk) resolve();
    };
  });
  connection.socket.write(methodFrame(1, { name: 'queue.delete', queue }));
  await Promise.race([gone, connection.ended]);
  connection.socket.destroy();
}
