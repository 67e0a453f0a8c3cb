/**
 * A disk that is really full: a small tmpfs. Publishers are blocked, what is not stored is not confirmed, consumers go
 * on, publishing resumes once there is space, and a kill while the disk is full loses nothing that was confirmed.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StoreChild } from './child.js';
import { Client, type ClientChannel, type Message } from './support/client.js';

const DISK_MEGABYTES = 48;
const BODY_BYTES = 8192;
const WINDOW = 100;
const QUEUE = 'full';
const TIMEOUT_MS = 60_000;
const INSIST_MS = 250;
const MEGABYTE = 2 ** 20;

export type Outcome = { readonly skipped: string } | { readonly report: readonly string[] };

export async function fullDisk(): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'jackalope-full-'));
  const problem = mount(folder);
  if (problem !== undefined) {
    rmdirSync(folder);
    return { skipped: `a small file system is needed, and mounting one failed: ${problem}` };
  }
  try {
    return { report: [await belowTheLimit(join(folder, 'limit'), folder), await untilFull(join(folder, 'full'))] };
  } finally {
    execFileSync('umount', ['--lazy', folder]);
    rmdirSync(folder);
  }
}

function mount(folder: string): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'not root on Linux';
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MEGABYTES}m`, 'tmpfs', folder], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Something else fills the disk up to the limit and goes away again. */
async function belowTheLimit(dataDirectory: string, disk: string): Promise<string> {
  const options = { diskFreeLimitBytes: 16 * MEGABYTE, logLevel: 'info' };
  const broker = await StoreChild.start({ dataDirectory, options });
  try {
    const publisher = await Publisher.open(broker.port);
    publisher.publish(20);
    await until(() => publisher.confirmed === 20, 'the first confirms');
    const filler = join(disk, 'filler');
    writeFileSync(filler, Buffer.alloc((DISK_MEGABYTES - 16) * MEGABYTE - 4 * MEGABYTE));
    await until(() => {
      if (publisher.blockedBy === undefined && publisher.outstanding === 0) publisher.publish(1);
      return publisher.blockedBy !== undefined;
    }, 'connection.blocked');
    expectReason(publisher);
    const drainer = await Drainer.open(broker.port);
    await until(() => drainer.received.size >= 20, 'deliveries while publishers are blocked');
    rmSync(filler);
    await until(() => publisher.blockedBy === undefined, 'connection.unblocked');
    publisher.publish(20);
    await until(() => publisher.outstanding === 0, 'confirms after connection.unblocked');
    drainer.client.destroy();
    publisher.client.destroy();
    await broker.stop();
    return `below the limit: blocked '${publisher.lastReason}', consumers went on, unblocked when space was there`;
  } catch (error) {
    const failure = withLog(error, broker, dataDirectory);
    await broker.kill();
    throw failure;
  }
}

async function untilFull(dataDirectory: string): Promise<string> {
  const options = { diskFreeLimitBytes: 0, logLevel: 'info' };
  let broker = await StoreChild.start({ dataDirectory, options });
  try {
    const publisher = await Publisher.open(broker.port);
    await publisher.fill();
    const firstFill = publisher.confirmed;
    const drainer = await Drainer.open(broker.port);
    await until(() => drainer.received.size >= firstFill, 'all confirmed messages while the disk is full');
    await until(() => publisher.blockedBy === undefined, 'connection.unblocked after the queue was drained');
    await until(() => publisher.outstanding === 0, 'the confirms that were missing');
    await drainer.settled();
    drainer.client.destroy();
    const acked = new Set(drainer.received);
    await publisher.fill();
    const { confirmed } = publisher;
    await broker.kill();
    broker = await StoreChild.start({ dataDirectory, options });
    const found = await readAll(broker.port);
    check(found, confirmed, publisher.published, acked);
    await broker.kill();
    return `until full: ${firstFill} messages confirmed, ${drainer.received.size} drained from the full disk, ${confirmed} confirmed in all, ${found.length} there after kill -9`;
  } catch (error) {
    const failure = withLog(error, broker, dataDirectory);
    await broker.kill();
    throw failure;
  }
}

/** Confirms come in order, so `confirmed` says which. */
function check(found: readonly number[], confirmed: number, published: number, acked: ReadonlySet<number>): void {
  found.forEach((number, index) => {
    if (index > 0 && number <= (found[index - 1] as number)) throw new Error(`${number} after ${found[index - 1]}`);
    if (acked.has(number)) throw new Error(`message ${number} came back, hundreds of commits after its ack`);
    if (number > published) throw new Error(`message ${number} was never published`);
  });
  const there = new Set(found);
  for (let number = 1; number <= confirmed; number++) {
    if (!acked.has(number) && !there.has(number)) throw new Error(`the confirmed message ${number} is lost`);
  }
}

function expectReason(publisher: Publisher): void {
  if (publisher.lastReason === 'low on disk') return;
  throw new Error(`blocked because of '${publisher.lastReason}', not 'low on disk'`);
}

function bodyOf(number: number): Buffer {
  const body = Buffer.alloc(BODY_BYTES, number % 251);
  body.writeUInt32BE(number, 0);
  return body;
}

function numberOf({ body }: Message): number {
  const number = body.readUInt32BE(0);
  if (!body.equals(bodyOf(number))) throw new Error(`the body of message ${number} is damaged`);
  return number;
}

class Publisher {
  confirmed = 0;
  blockedBy: string | undefined;
  lastReason = '';
  readonly client: Client;
  readonly #channel: ClientChannel;
  #filling = false;

  static async open(port: number): Promise<Publisher> {
    const client = await Client.connect(port);
    const channel = await client.confirmChannel();
    await channel.call({ name: 'queue.declare', queue: QUEUE, durable: true }, 'queue.declare-ok');
    return new Publisher(client, channel);
  }

  private constructor(client: Client, channel: ClientChannel) {
    this.client = client;
    this.#channel = channel;
    client.onBlocked = (reason) => {
      this.blockedBy = reason;
      this.lastReason = reason ?? this.lastReason;
    };
    channel.onConfirm = (tag, multiple, positive) => {
      if (!positive) throw new Error(`nack for ${tag}`);
      if (!multiple && tag !== this.confirmed + 1) throw new Error(`confirm ${tag} after ${this.confirmed}`);
      this.confirmed = tag;
      if (this.#filling && this.blockedBy === undefined) this.publish(WINDOW - this.outstanding);
    };
  }

  get published(): number {
    return this.#channel.published;
  }

  get outstanding(): number {
    return this.published - this.confirmed;
  }

  publish(count: number): void {
    for (let left = count; left > 0; left--) {
      const properties = { deliveryMode: 2 };
      this.#channel.publish({ routingKey: QUEUE, body: bodyOf(this.published + 1), properties });
    }
  }

  /** Publishes until the broker blocks the connection, with confirms missing. */
  async fill(): Promise<void> {
    this.#filling = true;
    this.publish(WINDOW - this.outstanding);
    let asked = Date.now();
    await until(() => {
      // Only who publishes is told: with the window used up it has to be one more.
      if (this.blockedBy === undefined && Date.now() > asked + INSIST_MS) {
        asked = Date.now();
        this.publish(1);
      }
      return this.blockedBy !== undefined;
    }, 'connection.blocked on a full disk');
    this.#filling = false;
    expectReason(this);
    if (this.outstanding === 0) throw new Error('everything was confirmed, yet the disk is full');
  }
}

class Drainer {
  readonly received = new Set<number>();
  readonly client: Client;
  readonly #channel: ClientChannel;

  static async open(port: number): Promise<Drainer> {
    const client = await Client.connect(port);
    const drainer = new Drainer(client, await client.openChannel());
    await drainer.#channel.call({ name: 'basic.qos', prefetchCount: WINDOW }, 'basic.qos-ok');
    await drainer.#channel.call({ name: 'basic.consume', queue: QUEUE, consumerTag: 'drain' }, 'basic.consume-ok');
    return drainer;
  }

  private constructor(client: Client, channel: ClientChannel) {
    this.client = client;
    this.#channel = channel;
    channel.onDelivery = (message) => {
      const number = numberOf(message);
      if (this.received.has(number)) throw new Error(`message ${number} was delivered twice`);
      this.received.add(number);
      channel.send({ name: 'basic.ack', deliveryTag: message.deliveryTag });
    };
  }

  /** No delivery is left, and the broker has seen all acks. */
  async settled(): Promise<void> {
    await this.#channel.call({ name: 'basic.cancel', consumerTag: 'drain' }, 'basic.cancel-ok');
    await this.#channel.call({ name: 'access.request' }, 'access.request-ok');
  }
}

/** The numbers in the queue, in its order. */
async function readAll(port: number): Promise<number[]> {
  const client = await Client.connect(port);
  const channel = await client.openChannel();
  const declared = await channel.call({ name: 'queue.declare', queue: QUEUE, passive: true }, 'queue.declare-ok');
  const found: number[] = [];
  channel.onDelivery = (message) => found.push(numberOf(message));
  await channel.call({ name: 'basic.consume', queue: QUEUE }, 'basic.consume-ok');
  await until(() => found.length >= declared.messageCount, `${declared.messageCount} messages after the restart`);
  client.destroy();
  return found;
}

async function until(holds: () => boolean, wanted: string): Promise<void> {
  const deadline = Date.now() + TIMEOUT_MS;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`${wanted} did not come within ${TIMEOUT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function withLog(error: unknown, broker: StoreChild, directory: string): Error {
  const { bavail, bsize } = statfsSync(directory);
  const sizes = readdirSync(directory).map((name) => `${name} ${statSync(join(directory, name)).size}`);
  const log = broker.lines.filter(({ msg }) => !msg.startsWith('stderr')).slice(-15);
  const disk = `${bavail * bsize} bytes free beside ${sizes.join(', ')}`;
  const lines = log.map((line) => JSON.stringify(line));
  return new Error([error instanceof Error ? error.message : error, disk, ...lines].join('\n'), { cause: error });
}

/** For `npm run test:full-disk`. */
export async function main(): Promise<number> {
  try {
    const outcome = await fullDisk();
    if ('skipped' in outcome) console.log(`skipped: ${outcome.skipped}`);
    else for (const line of outcome.report) console.log(line);
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  }
}
