/**
 * Messages that move from one queue to another while the broker is killed: those that expire, are rejected, or come back
 * too often, on their way to where dead letters go, and those that an exchange held back. After the restart each of them
 * is in exactly one of the two places.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { table } from '../../protocol/amqp/field-table.js';
import { Random } from '../support/random.js';
import { StoreChild } from './child.js';
import { Client, type ClientChannel, type Message } from './support/client.js';
import { Failure } from './support/world.js';

const DEAD = 'dead';
/** Holds messages back that go to `dead`. */
const LATER = 'later';
const DEADLINE_MS = 120_000;
const POLL_MS = 5;
const PREFETCH = 500;

type Settings = Readonly<Record<string, string | number>>;

/** How messages get from the queue `source` to the queue `dead`. */
interface Way {
  readonly name: string;
  readonly source: Settings;
  /** Of their deaths. */
  readonly reason?: string;
  /** They come from an exchange instead. */
  readonly delayMs?: number;
  /** Makes them move on a client's side. */
  readonly act?: (channel: ClientChannel, message: Message) => void;
}

const TO_DEAD: Settings = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': DEAD };

const WAYS: readonly Way[] = [
  { name: 'expiry', source: { ...TO_DEAD, 'x-message-ttl': 2000 }, reason: 'expired' },
  { name: 'expiry by priority', source: { ...TO_DEAD, 'x-message-ttl': 2000, 'x-max-priority': 3 }, reason: 'expired' },
  {
    name: 'rejection',
    source: TO_DEAD,
    reason: 'rejected',
    act: (channel, { deliveryTag }) => channel.send({ name: 'basic.reject', deliveryTag, requeue: false }),
  },
  {
    name: 'delivery limit',
    source: { ...TO_DEAD, 'x-queue-type': 'quorum', 'x-delivery-limit': 2 },
    reason: 'delivery_limit',
    act: (channel, { deliveryTag }) => channel.send({ name: 'basic.nack', deliveryTag, requeue: true }),
  },
  { name: 'delay', source: {}, delayMs: 2000 },
];

export interface MovingOptions {
  readonly rounds: number;
  readonly messages: number;
  readonly seed: number;
  readonly log?: (line: string) => void;
}

export interface MovingTotals {
  kills: number;
  /** Moved before the kill, of all that there were. */
  moved: number;
  messages: number;
}

/** Rejects with what the broker broke. */
export async function moving({ rounds, messages, seed, log = () => {} }: MovingOptions): Promise<MovingTotals> {
  const random = new Random(seed);
  const totals: MovingTotals = { kills: 0, moved: 0, messages: 0 };
  for (let round = 0; round < rounds; round++) {
    for (const way of WAYS) {
      const directory = mkdtempSync(join(tmpdir(), 'jackalope-moving-'));
      const threshold = Math.floor(messages * 0.05) + random.below(Math.floor(messages * 0.8));
      const moved = await kill(directory, way, messages, threshold).catch((error: unknown) => {
        throw new Error(`${way.name}, seed ${seed}, round ${round}, data in ${directory}: ${error}`, { cause: error });
      });
      log(`${way.name}: killed when ${moved} of ${messages} had moved`);
      totals.kills++;
      totals.moved += moved;
      totals.messages += messages;
      rmSync(directory, { recursive: true, force: true });
    }
  }
  return totals;
}

async function kill(directory: string, way: Way, messages: number, threshold: number): Promise<number> {
  const before = await StoreChild.start({ dataDirectory: directory, options: { logLevel: 'info' } });
  let moved = 0;
  try {
    const client = await Client.connect(before.port);
    await fill(await client.confirmChannel(), way, messages);
    if (way.act !== undefined) await consume(await client.openChannel(), 'source', way.act);
    const channel = await client.openChannel();
    await until(async () => {
      moved = await readyCount(channel, DEAD);
      return moved >= threshold;
    });
  } finally {
    await before.kill();
  }
  const after = await StoreChild.start({ dataDirectory: directory, options: { logLevel: 'info' } });
  try {
    await compare(await Client.connect(after.port), way, messages);
    const [error] = after.errors;
    if (error !== undefined) throw new Failure(`the broker logged ${JSON.stringify(error)}`);
  } finally {
    await after.kill();
  }
  return moved;
}

async function fill(channel: ClientChannel, { source, delayMs }: Way, messages: number): Promise<void> {
  for (const [queue, settings] of [
    ['source', source],
    [DEAD, {}],
  ] as const) {
    await channel.call({ name: 'queue.declare', queue, durable: true, arguments: table(settings) }, 'queue.declare-ok');
  }
  if (delayMs !== undefined) await declareLater(channel);
  const headers = table(delayMs === undefined ? {} : { 'x-delay': delayMs });
  const to = delayMs === undefined ? { routingKey: 'source' } : { exchange: LATER };
  for (let number = 0; number < messages; number++) {
    const properties = { deliveryMode: 2, priority: number % 4, headers };
    channel.publish({ ...to, body: Buffer.from(String(number)), properties });
  }
  await channel.confirmed();
}

async function declareLater(channel: ClientChannel): Promise<void> {
  const args = table({ 'x-delayed-type': 'fanout' });
  const exchange = { exchange: LATER, type: 'x-delayed-message', durable: true, arguments: args };
  await channel.call({ name: 'exchange.declare', ...exchange }, 'exchange.declare-ok');
  await channel.call({ name: 'queue.bind', queue: DEAD, exchange: LATER }, 'queue.bind-ok');
}

async function consume(
  channel: ClientChannel,
  queue: string,
  act: (channel: ClientChannel, message: Message) => void,
): Promise<void> {
  channel.onDelivery = (message) => act(channel, message);
  await channel.call({ name: 'basic.qos', prefetchCount: PREFETCH }, 'basic.qos-ok');
  await channel.call({ name: 'basic.consume', queue }, 'basic.consume-ok');
}

/** Each number is in one of the queues, once; what died did so once. */
async function compare(client: Client, way: Way, messages: number): Promise<void> {
  const seen = new Uint8Array(messages);
  let count = 0;
  const take = (queue: string) => (channel: ClientChannel, message: Message) => {
    const number = Number(message.body.toString());
    if (seen[number] !== 0) throw new Failure(`message ${number} is there twice, now in ${queue}`);
    seen[number] = 1;
    count++;
    if (queue === DEAD && way.reason !== undefined) checkHistory(way, number, message);
    channel.send({ name: 'basic.ack', deliveryTag: message.deliveryTag });
  };
  for (const queue of [DEAD, 'source']) {
    let failure: unknown;
    const channel = await client.openChannel();
    await consume(channel, queue, (itself, message) => {
      try {
        take(queue)(itself, message);
      } catch (error) {
        failure ??= error;
      }
    });
    // What expires meanwhile comes to the first consumer.
    const other = await client.openChannel();
    await until(async () => failure !== undefined || (await readyCount(other, queue)) === 0);
    if (failure !== undefined) throw failure;
  }
  await until(async () => count === messages).catch(() => {
    throw new Failure(`${messages - count} of ${messages} messages are lost`);
  });
}

function checkHistory({ reason }: Way, number: number, { properties }: Message): void {
  const deaths = properties.headers?.find(([key]) => key === 'x-death')?.[1];
  const [entry, ...others] = deaths?.type === 'A' ? deaths.value : [];
  const fields = entry?.type === 'F' ? Object.fromEntries(entry.value) : {};
  const count = fields['count'];
  const found = fields['reason'];
  if (others.length > 0 || count?.type !== 'l' || count.value !== 1n || found?.type !== 'S' || found.value !== reason) {
    throw new Failure(`message ${number} has another history than one death for '${reason}'`);
  }
}

async function readyCount(channel: ClientChannel, queue: string): Promise<number> {
  const declared = await channel.call({ name: 'queue.declare', queue, passive: true }, 'queue.declare-ok');
  return declared.messageCount;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Failure('nothing moves any more');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** For `npm run test:crash -- moving`. */
export async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      rounds: { type: 'string', default: '5' },
      messages: { type: 'string', default: '200000' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    },
  });
  const seed = Number(values.seed);
  console.log(`seed ${seed} (repeat with --seed ${seed})`);
  try {
    const options = { rounds: Number(values.rounds), messages: Number(values.messages), seed };
    const { kills, moved, messages } = await moving({ ...options, log: (line) => console.log(line) });
    console.log(`${kills} kills, ${moved} of ${messages} messages had moved: none lost, none twice`);
    return 0;
  } catch (error) {
    console.error(error);
    return 1;
  }
}
