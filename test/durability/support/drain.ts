/** Reads one queue from end to end and compares it with the model, message by message. */
import type { Client, ClientChannel, Message } from './client.js';
import type { Copy, StoredQueue } from './messages.js';
import { Failure, type World } from './world.js';

const TIMEOUT_MS = 60_000;

export interface DrainOptions {
  readonly keepsAll: boolean;
  /** Acks everything instead of requeueing it. */
  readonly empty: boolean;
}

export interface Drained {
  readonly found: ReadonlySet<Copy>;
  readonly probes: ReadonlySet<string>;
}

export async function drain(world: World, client: Client, queue: StoredQueue, options: DrainOptions): Promise<Drained> {
  const channel = await client.openChannel();
  const reader = new Reader(queue, options.keepsAll);
  const { messageCount } = await channel.call(
    { name: 'queue.declare', queue: queue.name, passive: true },
    'queue.declare-ok',
  );
  await reader.read(channel, messageCount);
  world.totals.checked += reader.found.size;
  world.totals.resurrected += [...reader.found].filter(({ settlement }) => settlement === 'sent').length;
  checkMissing(queue, reader.found, options.keepsAll);
  for (const tag of reader.probeTags) channel.send({ name: 'basic.ack', deliveryTag: tag });
  if (options.empty) channel.send({ name: 'basic.ack', deliveryTag: 0, multiple: true });
  else channel.send({ name: 'basic.nack', deliveryTag: 0, multiple: true, requeue: true });
  await channel.call({ name: 'access.request' }, 'access.request-ok');
  await channel.call({ name: 'channel.close' }, 'channel.close-ok');
  agree(world, queue, reader, options.empty);
  return reader;
}

class Reader implements Drained {
  readonly found = new Set<Copy>();
  readonly probes = new Set<string>();
  readonly probeTags: number[] = [];
  readonly #queue: StoredQueue;
  readonly #keepsAll: boolean;
  readonly #lastNumbers = new Map<string, Copy>();
  #lastRanked: Copy | undefined;
  #unranked: Copy | undefined;
  #count = 0;

  constructor(queue: StoredQueue, keepsAll: boolean) {
    this.#queue = queue;
    this.#keepsAll = keepsAll;
  }

  async read(channel: ClientChannel, expected: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const late = () => reject(new Failure(`${this.#queue.name} says ${expected} messages and gave ${this.#count}`));
      const timer = setTimeout(late, TIMEOUT_MS);
      const done = (settle: () => void) => {
        clearTimeout(timer);
        settle();
      };
      channel.onDelivery = (message) => {
        try {
          this.#take(message);
          if (this.#count === expected) done(resolve);
        } catch (error) {
          done(() => reject(error));
        }
      };
      const consume = { name: 'basic.consume', queue: this.#queue.name, consumerTag: 'check' } as const;
      channel.request(consume, 'basic.consume-ok').then(() => expected === 0 && done(resolve), reject);
    });
    await channel.call({ name: 'basic.cancel', consumerTag: 'check' }, 'basic.cancel-ok');
    if (this.#count !== expected) throw new Failure(`${this.#queue.name} gave ${this.#count} of ${expected} messages`);
  }

  #take(message: Message): void {
    this.#count++;
    const id = String(message.properties.messageId);
    if (id.startsWith('probe/')) {
      if (this.probes.has(id)) throw new Failure(`${id} came twice to ${this.#queue.name}`);
      this.probes.add(id);
      this.probeTags.push(message.deliveryTag);
      return;
    }
    const copy = this.#queue.copies.get(id);
    if (copy === undefined) throw new Failure(`${this.#queue.name} holds ${id}, which was settled or never there`);
    if (this.found.has(copy)) throw new Failure(`there twice: ${copy.describe()}`);
    this.found.add(copy);
    const wrong = copy.message.difference(message);
    if (wrong !== undefined) throw new Failure(`${wrong}: ${copy.describe()}`);
    if (copy.isForbidden(this.#keepsAll)) throw new Failure(`came back: ${copy.describe()}`);
    this.#checkFlag(copy, message.redelivered);
    this.#checkOrder(copy);
  }

  #checkFlag(copy: Copy, redelivered: boolean): void {
    if (copy.redelivery === 'never' && redelivered) throw new Failure(`redelivered, yet new: ${copy.describe()}`);
    if (copy.redelivery === 'always' && !redelivered) throw new Failure(`not redelivered: ${copy.describe()}`);
  }

  #checkOrder(copy: Copy): void {
    const { publisher, number } = copy.message;
    const last = this.#lastNumbers.get(publisher);
    if (last !== undefined && last.message.number > number) {
      throw new Failure(`out of order: ${copy.describe()} after ${last.describe()}`);
    }
    this.#lastNumbers.set(publisher, copy);
    if (copy.rank === -1) this.#unranked = copy;
    else if (this.#unranked !== undefined) {
      throw new Failure(`older, yet behind: ${copy.describe()} after ${this.#unranked.describe()}`);
    } else {
      const previous = this.#lastRanked;
      if (previous !== undefined && previous.rank > copy.rank) {
        throw new Failure(`changed places: ${copy.describe()} after ${previous.describe()}`);
      }
      this.#lastRanked = copy;
    }
  }
}

function checkMissing(queue: StoredQueue, found: ReadonlySet<Copy>, keepsAll: boolean): void {
  const lost = [...queue.copies.values()].filter((copy) => copy.isOwed(keepsAll) && !found.has(copy));
  if (lost.length === 0) return;
  const list = lost.slice(0, 10).map((copy) => `\n  ${copy.describe()}`);
  throw new Failure(`${lost.length} confirmed messages lost from ${queue.name}:${list.join('')}`);
}

/** What was seen is true: it was read from disk, and what was not there cannot come back. */
function agree(world: World, queue: StoredQueue, { found }: Reader, empty: boolean): void {
  let rank = 0;
  queue.copies.clear();
  for (const copy of found) {
    queue.copies.set(copy.message.id, copy);
    copy.stored = true;
    copy.certain = true;
    copy.settlement = empty ? 'sent' : 'none';
    copy.redelivery = copy.redelivery === 'always' ? 'always' : 'maybe';
    copy.rank = rank++;
    world.processed.push(() => {
      copy.redelivery = 'always';
      if (empty) copy.settlement = 'gone';
    });
  }
  if (empty) world.totals.acked += found.size;
}
