/**
 * A client that moves messages by transactions: it gets from one queue, publishes to two others and acks, all in one
 * tx.commit. The queues it publishes to have no consumer, so that what a commit did stays to be seen.
 */
import { Client, type ClientChannel } from './client.js';
import { type Copy, Sent } from './messages.js';
import { publishKnown } from './traffic.js';
import type { TxRecord, World } from './world.js';

export const TX_SOURCE = 'tx-source';
export const TX_TARGETS = ['tx-left', 'tx-right'] as const;
/** A fanout to both targets: bodies that two queues share. */
export const TX_EXCHANGE = 'tx-both';

interface Held {
  readonly copy: Copy;
  readonly tag: number;
}

export async function transact(world: World, port: number, publisher: string): Promise<void> {
  const client = await Client.connect(port);
  world.clients.push(client);
  const channel = await client.openChannel();
  await channel.call({ name: 'tx.select' }, 'tx.select-ok');
  world.topology.queue(TX_SOURCE).stored.startReading();
  const mover = new Mover(world, channel, publisher);
  while (!world.stopping) await mover.move();
}

class Mover {
  readonly #world: World;
  readonly #channel: ClientChannel;
  readonly #publisher: string;
  #held: Held[] = [];
  #numbers = 0;

  constructor(world: World, channel: ClientChannel, publisher: string) {
    this.#world = world;
    this.#channel = channel;
    this.#publisher = publisher;
  }

  async move(): Promise<void> {
    const { random } = this.#world;
    await this.#get(1 + random.below(3));
    const record: TxRecord = { published: [], acked: [], state: 'open' };
    this.#world.transactions.add(record);
    for (let count = 1 + random.below(3); count > 0; count--) record.published.push(this.#publish());
    for (const { copy, tag } of this.#held) {
      this.#channel.send({ name: 'basic.ack', deliveryTag: tag });
      record.acked.push(copy);
    }
    if (random.chance(0.1)) await this.#rollBack(record);
    else await this.#commit(record);
  }

  async #get(count: number): Promise<void> {
    for (let left = count - this.#held.length; left > 0; left--) {
      const message = await this.#channel.get(TX_SOURCE);
      if (message === undefined) return;
      const copy = this.#world.delivered(TX_SOURCE, message);
      this.#world.processed.push(() => {
        copy.redelivery = 'always';
      });
      this.#held.push({ copy, tag: message.deliveryTag });
    }
  }

  #publish(): Sent {
    const { random } = this.#world;
    const direct = { exchange: '', routingKey: random.pick(TX_TARGETS) };
    const target = random.chance(0.5) ? direct : { exchange: TX_EXCHANGE, routingKey: '' };
    const size = random.chance(0.2) ? 4000 + random.below(50_000) : random.below(300);
    const message = new Sent(this.#publisher, ++this.#numbers, target, size, true);
    publishKnown(this.#world, this.#channel, message);
    return message;
  }

  async #commit(record: TxRecord): Promise<void> {
    record.state = 'in-doubt';
    for (const copy of record.acked) copy.settlement = 'sent';
    await this.#channel.call({ name: 'tx.commit' }, 'tx.commit-ok');
    this.#world.totals.transactions++;
    this.#world.transactions.delete(record);
    for (const message of record.published) {
      message.confirmed = true;
      this.#world.underWay.delete(message);
    }
    for (const copy of record.acked) {
      copy.unacked = false;
      copy.settlement = 'gone';
    }
    this.#world.totals.acked += record.acked.length;
    this.#held = [];
  }

  async #rollBack(record: TxRecord): Promise<void> {
    await this.#channel.call({ name: 'tx.rollback' }, 'tx.rollback-ok');
    this.#world.transactions.delete(record);
    drop(this.#world, record);
  }
}

/** What was never asked to be committed must not be there. */
export function drop(world: World, record: TxRecord): void {
  for (const message of record.published) {
    world.underWay.delete(message);
    for (const copy of message.copies) copy.settlement = 'gone';
  }
}
