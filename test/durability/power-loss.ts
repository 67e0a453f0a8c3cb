/**
 * What a broker confirmed survives a power cut. Two proofs: in a trace of its system calls no confirm is written to a
 * socket before the commit that covers it is on disk; and from every state that a disk may be left in at that moment
 * (`support/power-cut.ts`) a broker starts with all that was confirmed, and nothing damaged.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Random } from '../support/random.js';
import { StoreChild } from './child.js';
import { Client } from './support/client.js';
import { copyDirectory } from './support/data-directory.js';
import { checkNumbered, checkUndamaged, type Known, NumberedTraffic } from './support/numbered.js';
import { addGarbage, cutShort, freeze, losePower, thaw } from './support/power-cut.js';
import { canTrace, confirmOrder, type OrderReport, type PowerCut, powerCutAt, tracer } from './support/trace.js';
import { Failure } from './support/world.js';

const DATA_FILE = 'data.mdb';
const REFUSAL = /data directory/;

export { canTrace };

export interface OrderOptions {
  readonly connections: number;
  readonly messages: number;
  readonly sabotage?: string | undefined;
}

/** Publishers that each wait for their confirm, under strace. */
export async function traceConfirms({ connections, messages, sabotage }: OrderOptions): Promise<OrderReport> {
  const folder = mkdtempSync(join(tmpdir(), 'jackalope-trace-'));
  const trace = join(folder, 'trace');
  const dataDirectory = join(folder, 'data');
  const broker = await StoreChild.start({ dataDirectory, sabotage, wrapper: tracer(trace) });
  try {
    await Promise.all(Array.from({ length: connections }, () => publishOneByOne(broker.port, messages)));
    process.kill(broker.brokerPid, 'SIGTERM');
    await broker.exited;
    return confirmOrder(trace, join(dataDirectory, DATA_FILE));
  } finally {
    await broker.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function publishOneByOne(port: number, messages: number): Promise<void> {
  const client = await Client.connect(port);
  const channel = await client.confirmChannel();
  await channel.call({ name: 'queue.declare', queue: 'traced', durable: true }, 'queue.declare-ok');
  for (let count = 0; count < messages; count++) {
    channel.publish({ routingKey: 'traced', body: Buffer.from(`message ${count}`), properties: { deliveryMode: 2 } });
    await channel.confirmed();
  }
  await client.close();
}

export interface CutOptions {
  readonly seed: number;
  readonly cuts: number;
  /** States of the disk tried for each cut. */
  readonly variants: number;
  readonly sabotage?: string | undefined;
  readonly log?: (line: string) => void;
  /** False: what failed is not kept. */
  readonly keep?: boolean;
}

interface Cut {
  readonly directory: string;
  readonly older: string;
  readonly known: Known;
  /** None without strace. */
  readonly moments: readonly PowerCut[];
}

export interface CutReport {
  states: number;
  lostSectors: number;
  /** Files cut short that were refused. */
  refused: number;
  confirmed: number;
}

/** Without strace the frozen file itself is the only state that is tried for a cut. */
export async function powerCuts(options: CutOptions): Promise<CutReport> {
  const folder = mkdtempSync(join(tmpdir(), 'jackalope-power-'));
  const random = new Random(options.seed);
  const report = { states: 0, lostSectors: 0, refused: 0, confirmed: 0 };
  let isGood = false;
  try {
    for (const cut of await cutPower(folder, random, options)) await tryStates(folder, cut, random, options, report);
    isGood = true;
  } finally {
    if (isGood || options.keep === false) rmSync(folder, { recursive: true, force: true });
  }
  return report;
}

/** Every state of the disk that is tried for one cut. */
async function tryStates(
  folder: string,
  { directory, older, known, moments }: Cut,
  random: Random,
  { variants, log }: CutOptions,
  report: CutReport,
): Promise<void> {
  const state = join(folder, 'state');
  copyDirectory(directory, state);
  await opensWhole(state, known);
  for (const cut of moments) {
    for (let variant = 0; variant < variants; variant++) {
      const lost = losePower(state, { frozen: directory, older, dataFileName: DATA_FILE, cut }, random);
      const then = { ...known, confirmed: cut.confirmed ?? known.confirmed };
      log?.(`${directory}: ${JSON.stringify(then)}, ${lost} sectors of ${cut.unsafe.length} writes lost`);
      await opensWhole(state, then);
      report.lostSectors += lost;
      report.states++;
    }
  }
  addGarbage(state, directory, DATA_FILE, random);
  await opensWhole(state, known);
  cutShort(state, directory, DATA_FILE, 0.3 + 0.65 * random.fraction());
  if (!(await opensOrRefuses(state))) report.refused++;
  report.states += 3;
  report.confirmed = known.confirmed;
}

/** Freezes a busy broker again and again, and notes what its clients knew each time. */
async function cutPower(folder: string, random: Random, { cuts, sabotage }: CutOptions): Promise<Cut[]> {
  const data = join(folder, 'data');
  const trace = join(folder, 'trace');
  const wrapper = canTrace() ? tracer(trace) : [];
  const broker = await StoreChild.start({ dataDirectory: data, sabotage, wrapper });
  const taken: Cut[] = [];
  const traffic = new NumberedTraffic(random, 30);
  try {
    await traffic.start(broker.port);
    await traffic.confirms(50);
    let older = join(folder, 'older');
    await freeze(broker.brokerPid);
    copyDirectory(data, older);
    thaw(broker.brokerPid);
    for (let cut = 0; cut < cuts; cut++) {
      await traffic.confirms(20 + random.below(200));
      await pause(random.below(12));
      await freeze(broker.brokerPid);
      const { known } = traffic;
      const directory = join(folder, `cut-${cut}`);
      copyDirectory(data, directory);
      const momentAt = (rewound: boolean) => powerCutAt(trace, join(data, DATA_FILE), rewound);
      const moments = wrapper.length === 0 ? [] : [momentAt(true), momentAt(false)];
      thaw(broker.brokerPid);
      taken.push({ directory, older, known, moments: moments.filter(({ unsafe }) => unsafe.length > 0) });
      older = directory;
    }
    return taken;
  } finally {
    traffic.stop();
    process.kill(broker.brokerPid, 'SIGKILL');
    await broker.exited;
  }
}

async function opensWhole(dataDirectory: string, known: Known): Promise<void> {
  const broker = await StoreChild.start({ dataDirectory });
  try {
    await checkNumbered(broker.port, known);
    if (broker.errors.length > 0) throw new Failure(`it logged ${JSON.stringify(broker.errors[0])}`);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error} (${dataDirectory})`, { cause: error });
  } finally {
    await broker.kill();
  }
}

/** With pages missing: false when it refuses the directory and says so. It must not crash, hang or serve damage. */
async function opensOrRefuses(dataDirectory: string): Promise<boolean> {
  const broker = new StoreChild({ dataDirectory });
  try {
    await broker.ready;
  } catch (error) {
    const code = await broker.exited;
    const message = error instanceof Error ? error.message : String(error);
    if (Number(code) > 0 && REFUSAL.test(message)) return false;
    throw new Failure(`a file cut short made it end with ${code}: ${message} (${dataDirectory})`);
  }
  try {
    await checkUndamaged(broker.port);
    return true;
  } catch (error) {
    // A queue that was declared in a page that is missing.
    if (error instanceof Error && error.message.includes('NOT_FOUND')) return true;
    throw error;
  } finally {
    await broker.kill();
  }
}

/** For `npm run test:power-loss`. */
export async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      cuts: { type: 'string', default: '30' },
      variants: { type: 'string', default: '6' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
      break: { type: 'string' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const seed = Number(values.seed);
  console.log(`seed ${seed} (repeat with --seed ${seed})`);
  if (canTrace()) {
    const { confirms, commits, early } = await traceConfirms({ connections: 6, messages: 100, sabotage: values.break });
    console.log(
      `trace: ${confirms} confirms after ${commits} commits, ${early.length} before their commit was on disk`,
    );
    for (const line of early.slice(0, 10)) console.log(line);
    if (early.length > 0) return 1;
  } else console.log('strace is not here: no trace of confirms, and cuts lose no unsynced write (apt install strace)');
  const log = values.verbose ? (line: string) => console.log(line) : () => {};
  const cuts = { seed, cuts: Number(values.cuts), variants: Number(values.variants), sabotage: values.break, log };
  const report = await powerCuts(cuts);
  console.log(
    `power cuts: ${report.states} states of the disk opened, ${report.lostSectors} unsynced sectors lost, ` +
      `${report.refused} files cut short refused; ${report.confirmed} messages confirmed, none lost`,
  );
  return 0;
}
