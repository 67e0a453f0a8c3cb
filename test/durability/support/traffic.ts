/** Publishers with confirms and consumers that settle in every way, for one round of the crash test. */
import { Client, type ClientChannel, type Message } from './client.js';
import { type Copy, Sent, type Target } from './messages.js';
import { Failure, type Pending, type World } from './world.js';

const PREFETCH = 80;
const LARGE_LIMIT = 300_000;

export interface PublisherSettings {
  readonly name: string;
  readonly window: number;
  readonly targets: readonly Target[];
}

/** Keeps `window` publishes unconfirmed until the round ends. */
export class Publisher {
  readonly #world: World;
  readonly #settings: PublisherSettings;
  readonly #outstanding = new Map<number, Sent>();
  #firstTag = 1;
  #numbers = 0;
  #channel: ClientChannel | undefined;

  constructor(world: World, settings: PublisherSettings) {
    this.#world = world;
    this.#settings = settings;
  }

  get outstanding(): number {
    return this.#outstanding.size;
  }

  async start(port: number): Promise<void> {
    const client = await Client.connect(port);
    this.#world.clients.push(client);
    const channel = await client.confirmChannel();
    this.#channel = channel;
    channel.onConfirm = (tag, multiple, positive) => {
      this.#world.guard(() => this.#confirm(tag, multiple, positive));
    };
    this.#fill(channel);
  }

  #fill(channel: ClientChannel): void {
    const { random } = this.#world;
    while (!this.#world.stopping && this.#outstanding.size < this.#settings.window) {
      const target = random.pick(this.#settings.targets);
      const persistent = random.chance(0.88);
      const message = new Sent(this.#settings.name, ++this.#numbers, target, this.#size(), persistent);
      publishKnown(this.#world, channel, message);
      this.#outstanding.set(channel.published, message);
    }
  }

  #confirm(tag: number, multiple: boolean, positive: boolean): void {
    if (!positive) throw new Failure(`${this.#settings.name} got a nack for ${tag}`);
    const first = multiple ? this.#firstTag : tag;
    let known = 0;
    for (let each = first; each <= tag; each++) {
      const message = this.#outstanding.get(each);
      if (message === undefined) continue;
      known++;
      this.#outstanding.delete(each);
      this.#world.confirmed(message);
    }
    if (known === 0) throw new Failure(`${this.#settings.name} got a confirm for ${tag}, which was not open`);
    while (this.#firstTag <= tag && !this.#outstanding.has(this.#firstTag)) this.#firstTag++;
    if (this.#channel !== undefined) this.#fill(this.#channel);
  }

  #size(): number {
    const { random } = this.#world;
    const kind = random.fraction();
    if (kind < 0.05) return 0;
    if (kind < 0.65) return random.below(200);
    if (kind < 0.87) return random.below(4500);
    if (kind < 0.992) return 4000 + random.below(20_000);
    return random.below(LARGE_LIMIT);
  }
}

/** Publishes and notes where it must and may go. */
export function publishKnown(world: World, channel: ClientChannel, message: Sent): void {
  world.sending(message);
  const { exchange, routingKey, body, persistent, id } = message;
  channel.publish({ exchange, routingKey, body, properties: { deliveryMode: persistent ? 2 : 1, messageId: id } });
}

/** Consumes one queue alone: acks singly, in multiples, requeues, holds back. */
export class Consumer {
  readonly #world: World;
  readonly #queue: string;
  readonly #held: { readonly copy: Copy; readonly tag: number }[] = [];
  readonly #lastNumbers = new Map<string, number>();
  #acksLeft: number;

  constructor(world: World, queue: string, acks: number) {
    this.#world = world;
    this.#queue = queue;
    this.#acksLeft = acks;
  }

  async start(port: number): Promise<void> {
    const client = await Client.connect(port);
    this.#world.clients.push(client);
    const channel = await client.openChannel();
    const pending = this.#world.watch(channel);
    channel.onDelivery = (message) => this.#world.guard(() => this.#deliver(channel, pending, message));
    await channel.call({ name: 'basic.qos', prefetchCount: PREFETCH }, 'basic.qos-ok');
    this.#world.topology.queue(this.#queue).stored.startReading();
    await channel.call({ name: 'basic.consume', queue: this.#queue }, 'basic.consume-ok');
  }

  #deliver(channel: ClientChannel, pending: Pending, message: Message): void {
    const copy = this.#world.delivered(this.#queue, message);
    pending.effects.push(() => {
      copy.redelivery = 'always';
    });
    const { publisher, number } = copy.message;
    const last = this.#lastNumbers.get(publisher) ?? 0;
    if (!message.redelivered && number < last) throw new Failure(`delivered after ${last}: ${copy.describe()}`);
    if (!message.redelivered) this.#lastNumbers.set(publisher, number);
    this.#held.push({ copy, tag: message.deliveryTag });
    if (!this.#world.stopping && this.#acksLeft > 0) this.#settleSome(channel, pending);
  }

  #settleSome(channel: ClientChannel, pending: Pending): void {
    const { random } = this.#world;
    const choice = random.fraction();
    if (this.#held.length >= PREFETCH - 1) this.#ack(channel, pending, this.#held.length >> 1, true);
    else if (choice < 0.45) this.#ack(channel, pending, 0, false);
    else if (choice < 0.55) this.#ack(channel, pending, random.below(this.#held.length), true);
    else if (choice < 0.65) this.#ack(channel, pending, random.below(this.#held.length), false);
    else if (choice < 0.72) this.#requeue(channel, random.below(this.#held.length), random.chance(0.5));
  }

  #ack(channel: ClientChannel, pending: Pending, index: number, multiple: boolean): void {
    const entry = this.#held[index];
    if (entry === undefined) return;
    const settled = multiple ? this.#held.splice(0, index + 1) : this.#held.splice(index, 1);
    channel.send({ name: 'basic.ack', deliveryTag: entry.tag, multiple });
    this.#acksLeft -= settled.length;
    this.#world.totals.acked += settled.length;
    for (const { copy } of settled) settle(copy, pending);
  }

  #requeue(channel: ClientChannel, index: number, asReject: boolean): void {
    const [entry] = this.#held.splice(index, 1);
    if (entry === undefined) return;
    entry.copy.unacked = false;
    entry.copy.requeued = true;
    const deliveryTag = entry.tag;
    if (asReject) channel.send({ name: 'basic.reject', deliveryTag, requeue: true });
    else channel.send({ name: 'basic.nack', deliveryTag, requeue: true });
  }
}

/** An ack was sent for it. */
export function settle(copy: Copy, pending: Pending): void {
  copy.unacked = false;
  copy.settlement = 'sent';
  pending.effects.push(() => {
    copy.settlement = 'gone';
  });
}
