/**
 * Traffic whose remains are easy to judge: one publisher numbers its messages, a fanout puts each into two queues, and
 * of one of them a consumer acks in order. After any crash one queue must hold 1..n and the other s..n with the same n.
 */
import { Buffer } from 'node:buffer';
import { Random } from '../../support/random.js';
import { Client, type ClientChannel, type Message } from './client.js';
import { Failure } from './world.js';

const EXCHANGE = 'all';
const KEPT = 'kept';
const MOVING = 'moving';
const PATTERN = Buffer.from(new Random(7).bytes(1 << 16));
const HEADER_BYTES = 4;
const TIMEOUT_MS = 60_000;

/** What clients knew at one moment. */
export interface Known {
  readonly confirmed: number;
  readonly published: number;
  /** Acks sent for the first of them in the moving queue. */
  readonly acked: number;
}

export class NumberedTraffic {
  readonly #random: Random;
  readonly #window: number;
  readonly #clients: Client[] = [];
  #publisher: ClientChannel | undefined;
  #confirmed = 0;
  #acked = 0;
  #stopped = false;

  constructor(random: Random, window: number) {
    this.#random = random;
    this.#window = window;
  }

  get known(): Known {
    return { confirmed: this.#confirmed, published: this.#publisher?.published ?? 0, acked: this.#acked };
  }

  async start(port: number): Promise<void> {
    const publisher = await this.#connect(port, (client) => client.confirmChannel());
    await publisher.call(
      { name: 'exchange.declare', exchange: EXCHANGE, type: 'fanout', durable: true },
      'exchange.declare-ok',
    );
    for (const queue of [KEPT, MOVING]) {
      await publisher.call({ name: 'queue.declare', queue, durable: true }, 'queue.declare-ok');
      await publisher.call({ name: 'queue.bind', queue, exchange: EXCHANGE }, 'queue.bind-ok');
    }
    this.#publisher = publisher;
    publisher.onConfirm = (tag) => {
      this.#confirmed = Math.max(this.#confirmed, tag);
      this.#fill(publisher);
    };
    await this.#consume(port);
    this.#fill(publisher);
  }

  async confirms(count: number): Promise<void> {
    const wanted = this.#confirmed + count;
    const deadline = Date.now() + TIMEOUT_MS;
    while (this.#confirmed < wanted) {
      if (Date.now() > deadline) throw new Error(`no ${count} confirms within ${TIMEOUT_MS} ms`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const client of this.#clients) client.destroy();
  }

  async #connect(port: number, open: (client: Client) => Promise<ClientChannel>): Promise<ClientChannel> {
    const client = await Client.connect(port);
    this.#clients.push(client);
    return open(client);
  }

  async #consume(port: number): Promise<void> {
    const channel = await this.#connect(port, (client) => client.openChannel());
    channel.onDelivery = ({ deliveryTag }) => {
      if (this.#stopped) return;
      this.#acked++;
      channel.send({ name: 'basic.ack', deliveryTag });
    };
    await channel.call({ name: 'basic.qos', prefetchCount: 20 }, 'basic.qos-ok');
    await channel.call({ name: 'basic.consume', queue: MOVING }, 'basic.consume-ok');
  }

  #fill(channel: ClientChannel): void {
    while (!this.#stopped && channel.published - this.#confirmed < this.#window) {
      const size = this.#random.chance(0.2) ? 4000 + this.#random.below(20_000) : this.#random.below(500);
      const body = bodyOf(channel.published + 1, size);
      channel.publish({ exchange: EXCHANGE, body, properties: { deliveryMode: 2 } });
    }
  }
}

function bodyOf(number: number, size: number): Buffer {
  const body = Buffer.alloc(HEADER_BYTES + size);
  body.writeUInt32BE(number, 0);
  const start = (number * 31) % (PATTERN.length - size);
  PATTERN.copy(body, HEADER_BYTES, start, start + size);
  return body;
}

function numberOf({ body }: Message): number {
  const number = body.readUInt32BE(0);
  if (!body.equals(bodyOf(number, body.length - HEADER_BYTES))) throw new Failure(`message ${number} is damaged`);
  return number;
}

/** Reads both queues of a broker that came back, and throws what cannot be. */
export async function checkNumbered(port: number, known: Known): Promise<void> {
  const kept = await numbersIn(port, KEPT);
  const moving = await numbersIn(port, MOVING);
  const last = kept.length;
  for (const [index, number] of kept.entries()) {
    if (number !== index + 1) throw new Failure(`${number} in the place of ${index + 1} (${JSON.stringify(known)})`);
  }
  if (last < known.confirmed) throw new Failure(`${known.confirmed} were confirmed, ${last} are there`);
  if (last > known.published) throw new Failure(`${known.published} were published, ${last} are there`);
  const first = moving[0] ?? last + 1;
  if (first > known.acked + 1) throw new Failure(`${known.acked} were acked, the queue begins with ${first}`);
  const expected = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  if (moving.join() === expected.join()) return;
  throw new Failure(`one queue ends with ${last}, the other holds ${moving.length} from ${first} to ${moving.at(-1)}`);
}

/** For a state that nobody owes anything: what there is must be whole, and in order. */
export async function checkUndamaged(port: number): Promise<void> {
  for (const queue of [KEPT, MOVING]) {
    const numbers = await numbersIn(port, queue);
    const isSorted = numbers.every((number, index) => index === 0 || number > (numbers[index - 1] as number));
    if (!isSorted) throw new Failure(`${queue} is out of order`);
  }
}

async function numbersIn(port: number, queue: string): Promise<number[]> {
  const client = await Client.connect(port);
  const channel = await client.openChannel();
  const numbers: number[] = [];
  let failure: unknown;
  const passive = { name: 'queue.declare', queue, passive: true } as const;
  const { messageCount } = await channel.call(passive, 'queue.declare-ok');
  const all = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Failure(`${queue} gave ${numbers.length} of ${messageCount}`)),
      TIMEOUT_MS,
    );
    const check = () => {
      if (failure === undefined && numbers.length < messageCount) return;
      clearTimeout(timer);
      resolve();
    };
    channel.onDelivery = (message) => {
      try {
        numbers.push(numberOf(message));
      } catch (error) {
        failure = error;
      }
      check();
    };
    check();
  });
  await channel.call({ name: 'basic.consume', queue }, 'basic.consume-ok');
  await all;
  client.destroy();
  if (failure !== undefined) throw failure;
  return numbers;
}
