/**
 * One broker in one run of a program: connections and channels as steps need them, and what came of each step. Another
 * channel of each connection looks at the queues. Errors close channels and connections; the next step opens them again.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { WireClient } from '../support/wire-client.js';
import type { Sendable } from '../support/wire-frames.js';
import type { Item } from '../support/wire-inbox.js';
import { ChannelState } from './channel-state.js';
import { CHANNELS, type ChannelName, type ConnectionName, named, type Step } from './steps.js';
import { type Line, lineOf, Names, ordered } from './transcript.js';

const OBSERVER = 9;
const EXPIRES_MS = 300;
const SURELY_EXPIRED_MS = 900;

export class Side {
  readonly #url: string;
  readonly #prefix: string;
  readonly #names: Names;
  readonly #connections = new Map<ConnectionName, WireClient>();
  readonly #channels = new Map<ChannelName, ChannelState>();
  readonly #observers = new Set<ConnectionName>();
  /** Queues that were declared, and who may look at them. */
  readonly #watched = new Map<string, ConnectionName>();
  readonly #absent = new Set<string>();
  readonly #declared = new Set<string>();
  #lines: Line[] = [];
  #step = 0;

  constructor(url: string, prefix: string) {
    this.#url = url;
    this.#prefix = prefix;
    this.#names = new Names(prefix);
  }

  /** Resolves when the broker answered; what it does afterwards, `observe` sees. */
  async perform(step: Step): Promise<void> {
    this.#step += 1;
    this.#lines = [];
    for (const queue of this.#absent) this.#watched.delete(queue);
    this.#absent.clear();
    switch (step.kind) {
      case 'call':
        return this.#call(step.on, named(step.method, this.#prefix));
      case 'publish':
        return this.#publish(step);
      case 'settle':
        return this.#settle(step);
      case 'close':
        return this.#close(step.on);
      case 'disconnect':
        return this.#disconnect(step.connection);
      case 'expire':
        return this.#expire(step);
    }
  }

  /** Everything that came of the step so far, and the queues as they are now. */
  async observe(): Promise<string[]> {
    const queues: Line[] = [];
    for (const [queue, connection] of this.#watched) {
      const text = await this.#queueState(queue, connection);
      queues.push({ stream: 'queue', text: this.#names.normalised(`${queue} ${text}`) });
    }
    this.#collect();
    return ordered([...this.#lines, ...queues]);
  }

  /** The messages in all queues, which are empty afterwards. */
  async drain(): Promise<string[]> {
    const lines: string[] = [];
    for (const [queue, connection] of this.#watched) {
      const label = this.#names.normalised(queue);
      for (;;) {
        const { client } = await this.#observer(connection);
        const reply = await this.#answer(client, connection, { name: 'basic.get', queue, noAck: true });
        lines.push(`${label}: ${this.#names.normalised(lineOf('', reply).text)}`);
        if (reply.name !== 'basic.get-ok') break;
      }
    }
    return lines;
  }

  /** Leaves nothing behind on the broker. */
  async end(): Promise<void> {
    for (const connection of [...this.#connections.keys()]) await this.#disconnect(connection);
    const client = await WireClient.connect(this.#url);
    await client.openChannel();
    for (const name of this.#declared) {
      await client.rpc(1, { name: 'queue.delete', queue: name }, 'queue.delete-ok');
      await client.rpc(1, { name: 'exchange.delete', exchange: name }, 'exchange.delete-ok');
    }
    await client.close();
  }

  async #call(on: ChannelName, method: Sendable): Promise<void> {
    const [client, channel] = await this.#channel(on);
    if (method.name === 'basic.consume' || method.name === 'basic.get') channel.noAck = method.noAck ?? false;
    if (method.name === 'basic.recover' || method.name === 'basic.recover-async') {
      if (!channel.isOfOneConsumer()) return;
      channel.recover();
    }
    if (method.name === 'queue.declare' && method.passive !== true) this.#noteDeclared(method.queue);
    if (method.name === 'exchange.declare' && method.passive !== true) this.#noteDeclared(method.exchange);
    client.send(channel.number, method);
    // Nothing else may be sent while a commit goes on.
    if (method.name === 'tx.commit') return this.#until(on, client, 'tx.commit-ok');
    if (method.name === 'channel.close') throw new Error('closing a channel is a step of its own');
    await this.#fence(on, client);
    const declared = this.#lines.some(({ text }) => text.startsWith('queue.declare-ok'));
    if (method.name !== 'queue.declare' || method.passive === true || !declared) return;
    if (method.queue !== '') this.#watch(method.queue ?? '', on);
  }

  async #publish({ on, message, copies }: Step & { kind: 'publish' }): Promise<void> {
    const [client, channel] = await this.#channel(on);
    for (let copy = 0; copy < copies; copy++) {
      const body = `${message.body ?? ''}${copy === 0 ? '' : copy}`;
      client.publish(channel.number, { ...named(message, this.#prefix), body });
      channel.published();
    }
    await this.#fence(on, client);
  }

  async #settle({ on, by, which, multiple, requeue }: Step & { kind: 'settle' }): Promise<void> {
    const existing = this.#channels.get(on);
    const isMultiple = multiple && by !== 'reject' && existing?.isOfOneConsumer() === true;
    const deliveryTag = existing?.settle(which, isMultiple);
    if (existing === undefined || deliveryTag === undefined) return;
    await this.#call(on, settlement(by, deliveryTag, isMultiple, requeue));
  }

  async #close(on: ChannelName): Promise<void> {
    if (!this.#channels.has(on)) return;
    const [client, channel] = await this.#channel(on);
    client.send(channel.number, { name: 'channel.close', replyCode: 200 });
    await this.#until(on, client, 'channel.close-ok');
    this.#channels.delete(on);
  }

  async #disconnect(connection: ConnectionName): Promise<void> {
    const client = this.#connections.get(connection);
    if (client === undefined) return;
    this.#collect();
    this.#forget(connection);
    await client.close();
  }

  async #expire({ on, consumed, deadLetter }: Step & { kind: 'expire' }): Promise<void> {
    const queue = `${this.#prefix}expiring`;
    const expires = { type: 'I', value: EXPIRES_MS } as const;
    const exchange = { type: 'S', value: named(deadLetter, this.#prefix) } as const;
    const methods: Sendable[] = [
      {
        name: 'queue.declare',
        queue,
        arguments: [
          ['x-expires', expires],
          ['x-dead-letter-exchange', exchange],
        ],
      },
      ...(consumed ? [{ name: 'basic.consume', queue, noAck: true, consumerTag: 'expiring' } as const] : []),
    ];
    for (const method of methods) await this.#callUnwatched(on, method);
    const [client, channel] = await this.#channel(on);
    client.publish(channel.number, { routingKey: queue, body: 'expiring' });
    channel.published();
    await pause(SURELY_EXPIRED_MS);
    await this.#callUnwatched(on, { name: 'queue.declare', queue, passive: true });
    await this.#callUnwatched(on, { name: 'queue.delete', queue });
  }

  async #callUnwatched(on: ChannelName, method: Sendable): Promise<void> {
    await this.#call(on, method);
    if (method.name === 'queue.declare') this.#watched.delete(method.queue ?? '');
  }

  #noteDeclared(name = ''): void {
    if (name.startsWith(this.#prefix)) this.#declared.add(name);
  }

  #watch(queue: string, on: ChannelName): void {
    const connection = connectionOf(on);
    // Who declared an exclusive queue may look at it; any connection may look at another one.
    if (!this.#watched.has(queue)) this.#watched.set(queue, connection);
    this.#absent.delete(queue);
  }

  async #queueState(queue: string, connection: ConnectionName): Promise<string> {
    const { client } = await this.#observer(connection);
    const reply = await this.#answer(client, connection, { name: 'queue.declare', queue, passive: true });
    if (reply.name === 'queue.declare-ok') return `ready=${reply.messageCount} consumers=${reply.consumerCount}`;
    this.#absent.add(queue);
    return reply.name === 'channel.close' ? String(reply.replyCode) : reply.name;
  }

  /** One method on the channel that looks. */
  async #answer(client: WireClient, connection: ConnectionName, method: Sendable): Promise<Item> {
    client.send(OBSERVER, method);
    const reply = await client.nextOrClose(OBSERVER);
    if (reply.name === 'channel.close') client.send(OBSERVER, { name: 'channel.close-ok' });
    if (reply.name === 'channel.close') this.#observers.delete(connection);
    if (reply.name === 'connection.close') throw new Error(`the observer was refused: ${reply.replyText}`);
    return reply;
  }

  async #observer(connection: ConnectionName): Promise<{ client: WireClient }> {
    const client = await this.#connection(connection);
    if (!this.#observers.has(connection)) await client.openChannel(OBSERVER);
    this.#observers.add(connection);
    return { client };
  }

  async #connection(name: ConnectionName): Promise<WireClient> {
    const known = this.#connections.get(name);
    if (known !== undefined) return known;
    const client = await WireClient.connect(this.#url);
    this.#connections.set(name, client);
    return client;
  }

  async #channel(on: ChannelName): Promise<[WireClient, ChannelState]> {
    const client = await this.#connection(connectionOf(on));
    const known = this.#channels.get(on);
    if (known !== undefined) return [client, known];
    const channel = new ChannelState(Number(on[1]));
    await client.openChannel(channel.number);
    this.#channels.set(on, channel);
    return [client, channel];
  }

  /** What the channel sent because of the step is there when this returns, or the channel is closed. */
  #fence(on: ChannelName, client: WireClient): Promise<void> {
    // Has no effect and is always answered.
    client.send(Number(on[1]), { name: 'access.request' });
    return this.#until(on, client, 'access.request-ok');
  }

  async #until(on: ChannelName, client: WireClient, last: Item['name']): Promise<void> {
    for (;;) {
      const item = await client.nextOrClose(Number(on[1])).catch((error: unknown) => this.#lost(on, client, error));
      if (item === undefined || item.name === 'access.request-ok') return;
      this.#accept(on, client, item);
      if (item.name === last || item.name === 'channel.close' || item.name === 'connection.close') return;
    }
  }

  /** The broker may end a connection without a word. */
  #lost(on: ChannelName, client: WireClient, error: unknown): undefined {
    if (!client.hasEnded) throw error;
    this.#lines.push({ stream: on, text: 'the connection ended' });
    this.#forget(connectionOf(on));
  }

  #collect(): void {
    for (const [on] of [...this.#channels]) {
      const client = this.#connections.get(connectionOf(on));
      if (client === undefined) continue;
      for (const item of client.takeAll(Number(on[1]))) this.#accept(on, client, item);
      for (const item of client.takeAll(0)) this.#accept(on, client, item);
    }
  }

  #accept(on: ChannelName, client: WireClient, item: Item): void {
    const confirms = this.#channels.get(on)?.received(item, this.#step) ?? [];
    if (item.name === 'basic.ack' || item.name === 'basic.nack') {
      for (const text of confirms) this.#lines.push({ stream: `${on} confirm ${text}`, text });
    } else {
      const { stream, text } = lineOf(on, item);
      this.#lines.push({ stream: this.#names.normalised(stream), text: this.#names.normalised(text) });
    }
    if (item.name === 'queue.declare-ok' && item.queue.startsWith('amq.gen-')) this.#watch(item.queue, on);
    if (item.name === 'channel.close') {
      client.send(Number(on[1]), { name: 'channel.close-ok' });
      this.#channels.delete(on);
    }
    if (item.name === 'connection.close') {
      client.send(0, { name: 'connection.close-ok' });
      this.#forget(connectionOf(on));
    }
  }

  #forget(connection: ConnectionName): void {
    this.#connections.delete(connection);
    this.#observers.delete(connection);
    for (const on of CHANNELS) if (connectionOf(on) === connection) this.#channels.delete(on);
  }
}

function settlement(by: 'ack' | 'nack' | 'reject', deliveryTag: number, multiple: boolean, requeue: boolean): Sendable {
  switch (by) {
    case 'ack':
      return { name: 'basic.ack', deliveryTag, multiple };
    case 'nack':
      return { name: 'basic.nack', deliveryTag, multiple, requeue };
    case 'reject':
      return { name: 'basic.reject', deliveryTag, requeue };
  }
}

function connectionOf(on: ChannelName): ConnectionName {
  return on === 'b1' ? 'b' : 'a';
}
