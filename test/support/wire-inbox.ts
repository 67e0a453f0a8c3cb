/**
 * What a peer sent, in order and channel by channel: frames put together to methods with their content, kept until
 * somebody takes them, and waited for. `WireClient` reads from it; nothing is sent here.
 */
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { FrameType } from '../../protocol/amqp/constants.gen.js';
import type { Method } from '../../protocol/amqp/methods.gen.js';
import type { MessageProperties } from '../../protocol/amqp/properties.js';
import { type ContentHeader, type Frame, FrameCutter, readContentHeader, readMethod } from './wire-frames.js';

export interface Content {
  readonly properties: MessageProperties;
  readonly propertyBytes: Buffer;
  readonly body: Buffer;
  readonly bodyFrameSizes: readonly number[];
}

export type Item = Method & Partial<Content>;

interface Assembly {
  readonly method: Method;
  header?: ContentHeader;
  readonly chunks: Buffer[];
}

interface Waiter {
  readonly resolve: () => void;
  readonly timer: NodeJS.Timeout;
}

export const TIMEOUT_MS = 5_000;
const LOG_LENGTH = 60;

export class WireInbox {
  readonly protocolHeaders: Buffer[] = [];
  heartbeats = 0;
  /** The peer answered connection.close. */
  closeAnswered = false;
  /** The peer ended the connection. */
  ended = false;

  private readonly channels = new Map<number, Item[]>();
  private readonly assemblies = new Map<number, Assembly>();
  private readonly log: string[] = [];
  private readonly waiters = new Set<Waiter>();
  private failure: Error | undefined;

  constructor(socket: Socket) {
    const cutter = new FrameCutter(
      (incoming) => this.accept(incoming),
      (bytes) => this.protocolHeaders.push(bytes),
    );
    socket.on('data', (chunk) => {
      try {
        cutter.push(chunk);
      } catch (error) {
        this.failure = error as Error;
      }
      this.wake();
    });
    socket.on('error', (error) => this.log.push(`socket error: ${error.message}`));
    socket.on('close', () => {
      this.ended = true;
      this.log.push('socket closed');
      this.wake();
    });
  }

  /** Nothing is there that was not taken. */
  get isEmpty(): boolean {
    return this.protocolHeaders.length === 0 && [...this.channels.values()].every((items) => items.length === 0);
  }

  /** What came on the channel and was not taken, to be taken from the front. */
  on(channel: number): Item[] {
    let items = this.channels.get(channel);
    if (items === undefined) {
      items = [];
      this.channels.set(channel, items);
    }
    return items;
  }

  /** Forgets what the predicate holds for. */
  discard(channel: number, predicate: (item: Item) => boolean): void {
    this.channels.set(
      channel,
      this.on(channel).filter((item) => !predicate(item)),
    );
  }

  async until(holds: () => boolean, wanted: string, timeoutMs = TIMEOUT_MS): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!holds()) {
      if (this.failure !== undefined) throw this.failure;
      if (this.ended) throw this.unexpected(`the connection ended before ${wanted}`);
      const left = deadline - Date.now();
      if (left <= 0) throw this.unexpected(`no ${wanted} within ${timeoutMs} ms`);
      await this.somethingNew(left);
    }
  }

  /** An error that tells the story so far. */
  unexpected(message: string): Error {
    const log = this.log.slice(-LOG_LENGTH).join('\n  ');
    return new Error(`${message}\nreceived so far, by channel number:\n  ${log || '(nothing)'}`);
  }

  private accept(incoming: Frame): void {
    const { type, channel, payload } = incoming;
    if (type === FrameType.heartbeat) this.heartbeats += 1;
    else if (type === FrameType.method) this.acceptMethod(channel, readMethod(payload));
    else this.acceptContent(incoming);
  }

  private acceptMethod(channel: number, method: Method): void {
    if (carriesContent(method)) this.assemblies.set(channel, { method, chunks: [] });
    else this.keep(channel, method);
  }

  private acceptContent({ type, channel, payload }: Frame): void {
    const assembly = this.assemblies.get(channel);
    if (assembly === undefined) throw new Error(`a content frame of type ${type} on channel ${channel}, out of order`);
    if (type === FrameType.header) assembly.header = readContentHeader(payload);
    else assembly.chunks.push(payload);
    const { header, chunks, method } = assembly;
    if (header === undefined) throw new Error(`a body on channel ${channel} without its header`);
    const bodyFrameSizes = chunks.map((chunk) => chunk.length);
    if (bodyFrameSizes.reduce((total, size) => total + size, 0) < header.bodySize) return;
    this.assemblies.delete(channel);
    const { properties, propertyBytes } = header;
    this.keep(channel, { ...method, properties, propertyBytes, body: Buffer.concat(chunks), bodyFrameSizes });
  }

  private keep(channel: number, item: Item): void {
    if (item.name === 'connection.close-ok') this.closeAnswered = true;
    this.on(channel).push(item);
    this.log.push(`${channel}: ${describeItem(item)}`);
  }

  private somethingNew(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const waiter: Waiter = { resolve, timer: setTimeout(() => this.release(waiter), timeoutMs) };
      this.waiters.add(waiter);
    });
  }

  private release(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    this.waiters.delete(waiter);
    waiter.resolve();
  }

  private wake(): void {
    for (const waiter of [...this.waiters]) this.release(waiter);
  }
}

function carriesContent(method: Method): boolean {
  return method.name === 'basic.deliver' || method.name === 'basic.return' || method.name === 'basic.get-ok';
}

export function describeItem(item: Item): string {
  const { name, propertyBytes, bodyFrameSizes, ...rest } = item;
  if (name === 'connection.start') return name;
  return `${name} ${show(rest)}`;
}

export function show(value: unknown): string {
  if (value instanceof RegExp) return String(value);
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'bigint') return `${inner}n`;
    if (inner instanceof RegExp) return String(inner);
    if (isSerializedBuffer(inner)) return Buffer.from(inner.data).toString('latin1').slice(0, 60);
    return inner;
  });
}

function isSerializedBuffer(value: unknown): value is { data: number[] } {
  return typeof value === 'object' && value !== null && (value as { type?: unknown }).type === 'Buffer';
}
