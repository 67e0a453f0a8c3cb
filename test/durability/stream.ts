/**
 * A stream whose broker is killed again and again while it is published to, read and shortened by its retention. What was
 * confirmed is there, offsets have no gaps, and an offset that a consumer ever saw never names another message.
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

const QUEUE = 'stream';
const LIMITS = { 'x-max-length-bytes': 2_000_000, 'x-stream-max-segment-size-bytes': 500_000 };
const BODY_BYTES = 500;
const PREFETCH = 500;
/** Published and not confirmed. */
const OUTSTANDING = 400;
const DEADLINE_MS = 60_000;

export interface StreamOptions {
  readonly rounds: number;
  /** Confirms in one round at most. */
  readonly confirms: number;
  readonly seed: number;
  /** A mistake built into the broker; the test must find it. */
  readonly sabotage?: string | undefined;
}

export interface StreamTotals {
  kills: number;
  published: number;
  confirmed: number;
  /** Offset of the first message that was kept in the end. */
  firstOffset: number;
}

/** What clients were told, over all lives of the broker. */
class Witness {
  /** Number of the message that was seen at an offset. */
  readonly seen = new Map<number, number>();
  readonly confirmed = new Set<number>();
  /** Of the next message; its body begins with it. */
  number = 0;

  /** Returns the offset. */
  see({ properties, body }: Message): number {
    const header = properties.headers?.find(([key]) => key === 'x-stream-offset')?.[1];
    if (header?.type !== 'l') throw new Failure('a message without an offset');
    const offset = Number(header.value);
    const number = Number.parseInt(body.toString(), 10);
    const before = this.seen.get(offset) ?? number;
    if (before !== number) throw new Failure(`offset ${offset} was message ${before} and is message ${number}`);
    this.seen.set(offset, number);
    return offset;
  }
}

/** Rejects with what the broker broke. */
export async function stream({ rounds, confirms, seed, sabotage }: StreamOptions): Promise<StreamTotals> {
  const random = new Random(seed);
  const directory = mkdtempSync(join(tmpdir(), 'jackalope-stream-'));
  const witness = new Witness();
  const totals: StreamTotals = { kills: 0, published: 0, confirmed: 0, firstOffset: 0 };
  let child: StoreChild | undefined;
  try {
    for (let round = 0; round < rounds; round++) {
      child = await StoreChild.start({ dataDirectory: directory, sabotage });
      await trafficUntilKilled(child, witness, 1 + random.below(confirms));
      totals.kills++;
      child = await StoreChild.start({ dataDirectory: directory });
      totals.firstOffset = await compare(child, witness);
      await child.kill();
    }
  } catch (error) {
    throw new Error(`seed ${seed}, kill ${totals.kills}: ${error}`, { cause: error });
  } finally {
    await child?.kill();
    rmSync(directory, { recursive: true, force: true });
  }
  return { ...totals, published: witness.number, confirmed: witness.confirmed.size };
}

async function trafficUntilKilled(child: StoreChild, witness: Witness, confirms: number): Promise<void> {
  const client = await Client.connect(child.port);
  const publisher = await client.confirmChannel();
  const args = table({ 'x-queue-type': 'stream', ...LIMITS });
  await publisher.call({ name: 'queue.declare', queue: QUEUE, durable: true, arguments: args }, 'queue.declare-ok');
  const { failed } = await consume(await client.openChannel(), (message) => void witness.see(message));
  const end = witness.confirmed.size + confirms;
  const first = witness.number;
  let lastTag = 0;
  publisher.onConfirm = (tag, multiple) => {
    for (let each = multiple ? lastTag + 1 : tag; each <= tag; each++) witness.confirmed.add(first + each - 1);
    lastTag = tag;
    if (witness.confirmed.size >= end) void child.kill();
    else fill(publisher, witness, lastTag);
  };
  fill(publisher, witness, lastTag);
  await Promise.race([client.closed, failed]);
  client.destroy();
  await child.kill();
}

function fill(publisher: ClientChannel, witness: Witness, lastTag: number): void {
  while (publisher.published - lastTag < OUTSTANDING) {
    publisher.publish({ routingKey: QUEUE, body: Buffer.from(String(witness.number++).padEnd(BODY_BYTES)) });
  }
}

/** Reads all that is kept, and returns the offset of the first. */
async function compare(child: StoreChild, witness: Witness): Promise<number> {
  const client = await Client.connect(child.port);
  const channel = await client.openChannel();
  const declared = await channel.call({ name: 'queue.declare', queue: QUEUE, passive: true }, 'queue.declare-ok');
  const offsets: number[] = [];
  let complete = (): void => {};
  const all = new Promise<void>((resolve) => {
    complete = resolve;
  });
  if (declared.messageCount === 0) complete();
  const { failed } = await consume(channel, (message) => {
    offsets.push(witness.see(message));
    if (offsets.length === declared.messageCount) complete();
  });
  await Promise.race([all, failed, overdue()]);
  client.destroy();
  const [first = 0] = offsets;
  offsets.forEach((offset, index) => {
    if (offset !== first + index) throw new Failure(`offset ${offset} comes after ${offsets[index - 1]}`);
  });
  const numbers = offsets.map((offset) => witness.seen.get(offset) ?? -1);
  const kept = new Set(numbers);
  const [oldest = Number.POSITIVE_INFINITY] = numbers;
  const lost = [...witness.confirmed].filter((number) => number >= oldest && !kept.has(number));
  if (lost.length > 0 || (kept.size === 0 && witness.confirmed.size > 0)) {
    throw new Failure(`of the confirmed messages ${lost.length} are lost, the first of them ${lost[0]}`);
  }
  return first;
}

/** From the beginning. `failed` rejects when `see` throws. */
async function consume(
  channel: ClientChannel,
  see: (message: Message) => void,
): Promise<{ readonly failed: Promise<never> }> {
  const failed = new Promise<never>((_, reject) => {
    channel.onDelivery = (message) => {
      try {
        see(message);
      } catch (error) {
        reject(error);
      }
      channel.send({ name: 'basic.ack', deliveryTag: message.deliveryTag });
    };
  });
  failed.catch(() => {});
  await channel.call({ name: 'basic.qos', prefetchCount: PREFETCH }, 'basic.qos-ok');
  const args = table({ 'x-stream-offset': 'first' });
  await channel.call({ name: 'basic.consume', queue: QUEUE, arguments: args }, 'basic.consume-ok');
  return { failed };
}

function overdue(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Failure('not all messages came')), DEADLINE_MS).unref();
  });
}

/** For `node test/durability/run.mjs stream`. */
export async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      rounds: { type: 'string', default: '30' },
      confirms: { type: 'string', default: '20000' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
      break: { type: 'string' },
    },
  });
  const seed = Number(values.seed);
  console.log(`seed ${seed} (repeat with --seed ${seed})`);
  try {
    const counts = { rounds: Number(values.rounds), confirms: Number(values.confirms) };
    const { kills, published, confirmed, firstOffset } = await stream({ ...counts, seed, sabotage: values.break });
    console.log(`${kills} kills, ${confirmed} of ${published} messages confirmed: none lost, ${firstOffset} retired`);
    return 0;
  } catch (error) {
    console.error(error);
    return 1;
  }
}
