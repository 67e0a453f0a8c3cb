/**
 * A backlog far larger than the memory budget, published and then drained, while another connection does round trips:
 * anonymous memory must stay within the budget + 100 MB, nothing may be lost or change places, and the other connection
 * must not notice.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { constants, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { StoreChild } from './child.js';
import { Client } from './support/client.js';
import { drainAll, type LoadOptions, publishAll } from './support/load.js';

const SAMPLE_MS = 100;
const ROUND_TRIP_MS = 5;
const WARM_UP_TRIPS = 400;
const ALLOWANCE_BYTES = 100e6;
const P99_LIMIT_MS = 50;
const MEGABYTE = 1e6;

interface Settings {
  readonly messages: number;
  readonly sizes: readonly number[];
  readonly persistent: boolean;
  readonly memoryLimitBytes: number;
  readonly window: number;
}

/** Seen from outside while one phase ran. */
interface Phase {
  readonly name: string;
  readonly seconds: number;
  readonly anonymousBytes: number;
  readonly residentBytes: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly trips: number;
  /** How late our own timer was: the machine's share in the latency. */
  readonly ownLateMs: number;
}

export async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      messages: { type: 'string', default: '10000000' },
      sizes: { type: 'string', default: '16,1024' },
      transient: { type: 'boolean', default: false },
      'memory-limit': { type: 'string', default: '256' },
      window: { type: 'string', default: '20000' },
      /** For the processes that this program starts. */
      load: { type: 'string' },
    },
  });
  if (values.load !== undefined) return runLoad(JSON.parse(values.load));
  const settings: Settings = {
    messages: Number(values.messages),
    sizes: values.sizes.split(',').map(Number),
    persistent: !values.transient,
    memoryLimitBytes: Number(values['memory-limit']) * MEGABYTE,
    window: Number(values.window),
  };
  let isGood = true;
  for (const size of settings.sizes) isGood = (await backlog(settings, size)) && isGood;
  return isGood ? 0 : 1;
}

async function runLoad({ role, ...options }: LoadOptions & { readonly role: string }): Promise<number> {
  await (role === 'publish' ? publishAll(options) : drainAll(options));
  return 0;
}

async function backlog(settings: Settings, sizeBytes: number): Promise<boolean> {
  const { messages, persistent, memoryLimitBytes, window } = settings;
  const folder = mkdtempSync(join(tmpdir(), 'jackalope-backlog-'));
  const kind = persistent ? 'persistent' : 'transient';
  console.log(`${messages} ${kind} messages of ${sizeBytes} B, memory limit ${memoryLimitBytes / MEGABYTE} MB`);
  const dataDirectory = join(folder, 'data');
  const options = { memoryLimit: `${memoryLimitBytes / MEGABYTE}MB`, logLevel: 'info' };
  const broker = await StoreChild.start({ dataDirectory, options });
  try {
    const trips = await RoundTrips.start(broker.port);
    const load = { port: broker.port, queue: 'backlog', messages, sizeBytes, persistent, window };
    let isGood = true;
    for (const role of ['publish', 'drain']) {
      const phase = await watch(broker, trips, role, () => inOwnProcess({ role, ...load }));
      const stored = role === 'publish' ? `, ${Math.round(bytesOf(dataDirectory) / MEGABYTE)} MB of files` : '';
      isGood = report(phase, settings, sizeBytes, stored) && isGood;
    }
    trips.stop();
    for (const line of broker.lines.filter(({ level }) => level !== 'info')) console.log(JSON.stringify(line));
    await broker.stop();
    return isGood;
  } catch (error) {
    console.log(`FAILED: ${error instanceof Error ? error.message : error}`);
    for (const line of broker.lines.slice(-10)) console.log(JSON.stringify(line));
    await broker.kill();
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The program itself once more, with one role. */
async function inOwnProcess(load: LoadOptions & { readonly role: string }): Promise<void> {
  const [, script = ''] = process.argv;
  const args = [script, 'backlog', '--load', JSON.stringify(load)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'pipe'] });
  // The load must not keep the processor from the one who measures.
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${load.role} failed: ${/Error: .*/.exec(complaint)?.[0] ?? complaint}`);
}

async function watch(broker: StoreChild, trips: RoundTrips, name: string, run: () => Promise<void>): Promise<Phase> {
  let anonymousBytes = 0;
  let residentBytes = 0;
  const sampler = setInterval(() => {
    const memory = memoryOf(broker.brokerPid);
    anonymousBytes = Math.max(anonymousBytes, memory.anonymous);
    residentBytes = Math.max(residentBytes, memory.resident);
  }, SAMPLE_MS);
  trips.reset();
  const began = performance.now();
  try {
    await run();
  } finally {
    clearInterval(sampler);
  }
  const seconds = (performance.now() - began) / 1000;
  return { name, seconds, anonymousBytes, residentBytes, ...trips.summary() };
}

function report(phase: Phase, settings: Settings, sizeBytes: number, stored: string): boolean {
  const { name, seconds, anonymousBytes, residentBytes, p99Ms, maxMs, trips, ownLateMs } = phase;
  const rate = settings.messages / seconds;
  const megabytes = (bytes: number) => `${Math.round(bytes / MEGABYTE)} MB`;
  const latency = `other connection p99 ${p99Ms.toFixed(1)} ms, max ${maxMs.toFixed(1)} ms of ${trips} (own timer late p99 ${ownLateMs.toFixed(1)} ms)`;
  const volume = `${Math.round(rate / 1000)}k msg/s, ${megabytes(rate * sizeBytes)}/s`;
  console.log(
    `${name}: ${seconds.toFixed(1)} s, ${volume}, RssAnon ${megabytes(anonymousBytes)}, RSS ${megabytes(residentBytes)}${stored}, ${latency}`,
  );
  const faults = [
    ...(anonymousBytes > settings.memoryLimitBytes + ALLOWANCE_BYTES ? ['too much anonymous memory'] : []),
    ...(p99Ms > P99_LIMIT_MS ? [`p99 above ${P99_LIMIT_MS} ms`] : []),
  ];
  for (const fault of faults) console.log(`FAILED: ${fault}`);
  return faults.length === 0;
}

/** Publishes to a queue of its own 200 times a second, whether or not the last one has come back. */
class RoundTrips {
  readonly #client: Client;
  readonly #timer: NodeJS.Timeout;
  readonly #sentAt = new Map<number, number>();
  #durations: number[] = [];
  #lateness: number[] = [];
  #lastTick = performance.now();
  #next = 0;

  static async start(port: number): Promise<RoundTrips> {
    const client = await Client.connect(port);
    const channel = await client.openChannel();
    const { queue } = await channel.call({ name: 'queue.declare', exclusive: true }, 'queue.declare-ok');
    const trips: RoundTrips = new RoundTrips(client, () => {
      channel.publish({ routingKey: queue, body: Buffer.from(String(trips.begin())) });
    });
    channel.onDelivery = ({ body }) => trips.end(Number(body.toString()));
    await channel.call({ name: 'basic.consume', queue, noAck: true }, 'basic.consume-ok');
    while (trips.#durations.length < WARM_UP_TRIPS) await new Promise((resolve) => setTimeout(resolve, ROUND_TRIP_MS));
    return trips;
  }

  private constructor(client: Client, send: () => void) {
    this.#client = client;
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#lateness.push(Math.max(0, now - this.#lastTick - ROUND_TRIP_MS));
      this.#lastTick = now;
      send();
    }, ROUND_TRIP_MS);
  }

  begin(): number {
    this.#sentAt.set(++this.#next, performance.now());
    return this.#next;
  }

  end(number: number): void {
    const sentAt = this.#sentAt.get(number);
    if (sentAt === undefined) return;
    this.#sentAt.delete(number);
    this.#durations.push(performance.now() - sentAt);
  }

  reset(): void {
    this.#durations = [];
    this.#lateness = [];
  }

  /** One that has not come back yet counts with what it has waited. */
  summary(): Pick<Phase, 'p99Ms' | 'maxMs' | 'trips' | 'ownLateMs'> {
    const now = performance.now();
    const waiting = [...this.#sentAt.values()].map((sentAt) => now - sentAt);
    const all = [...this.#durations, ...waiting];
    return { p99Ms: share(all, 0.99), maxMs: share(all, 1), trips: all.length, ownLateMs: share(this.#lateness, 0.99) };
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#client.destroy();
  }
}

function share(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

function memoryOf(pid: number): { anonymous: number; resident: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1024;
  return { anonymous: bytes('RssAnon'), resident: bytes('VmRSS') };
}

function bytesOf(folder: string): number {
  if (!existsSync(folder)) return 0;
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}
