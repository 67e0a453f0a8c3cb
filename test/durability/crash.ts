/**
 * What a broker confirmed survives kill -9. Rounds of traffic of every kind against a broker in a process of its own,
 * each ended by SIGKILL with confirms outstanding, then a restart and a comparison with what clients were told, down to
 * the last message. One data directory lives through many rounds, so that damage would add up.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Random } from '../support/random.js';
import { type ChildSettings, StoreChild } from './child.js';
import { Client } from './support/client.js';
import { copyDirectory, dataFileBytes } from './support/data-directory.js';
import { declareFixed } from './support/definitions.js';
import { Fence } from './support/fence.js';
import { liveBytes } from './support/messages.js';
import { runRound } from './support/round.js';
import { verify } from './support/verify.js';
import { emptyTotals, Failure, type Totals, World } from './support/world.js';

/** A directory is given up for a fresh one after so many rounds. */
const ROUNDS_PER_DIRECTORY = 50;
const FILE_FACTOR = 3;
const FILE_CONSTANT = 8 * 1024 * 1024;

export interface CrashOptions {
  readonly rounds: number;
  readonly confirms: number;
  readonly seed: number;
  /** A mistake built into the broker; the test must find it. */
  readonly sabotage?: string | undefined;
  /** A broker without a store: connections end instead of the process. Tests the test. */
  readonly memory?: boolean;
  readonly log?: (line: string) => void;
  /** False: the data directory goes also when the broker failed. */
  readonly keep?: boolean;
}

/** Rejects with what the broker broke. */
export async function crash(options: CrashOptions): Promise<Totals> {
  const totals = emptyTotals();
  const folder = mkdtempSync(join(tmpdir(), 'jackalope-crash-'));
  const random = new Random(options.seed);
  let isGood = false;
  try {
    for (let done = 0; done < options.rounds; done += ROUNDS_PER_DIRECTORY) {
      const rounds = Math.min(ROUNDS_PER_DIRECTORY, options.rounds - done);
      const directory = join(folder, `data-${done}`);
      await new Life(new World(random, totals), directory, options).run(done, rounds);
      rmSync(directory, { recursive: true, force: true });
    }
    isGood = true;
  } finally {
    if (isGood || options.keep === false) rmSync(folder, { recursive: true, force: true });
  }
  return totals;
}

/** One data directory from its first start to its end. */
class Life {
  readonly #world: World;
  readonly #directory: string;
  readonly #options: CrashOptions;
  #child: StoreChild | undefined;

  constructor(world: World, directory: string, options: CrashOptions) {
    this.#world = world;
    this.#directory = directory;
    this.#options = options;
  }

  async run(firstRound: number, rounds: number): Promise<void> {
    try {
      let child = await this.#start();
      await this.#prepare(child);
      for (let round = firstRound; round < firstRound + rounds; round++) {
        this.#world.round = round;
        child = await this.#round(child);
      }
      await child.stop();
    } catch (error) {
      await this.#child?.kill();
      const where = `seed ${this.#options.seed}, round ${this.#world.round}, data directory ${this.#directory}`;
      const log = this.#child?.errors.map((line) => JSON.stringify(line)).join('\n');
      throw new Error(`${where} (before the restart: ${this.#before})\n${messageOf(error)}\n${log}`, { cause: error });
    }
  }

  get #before(): string {
    return `${this.#directory}.before`;
  }

  get #settings(): ChildSettings {
    const { memory = false, sabotage } = this.#options;
    return { dataDirectory: memory ? undefined : this.#directory, sabotage, options: { logLevel: 'info' } };
  }

  async #start(): Promise<StoreChild> {
    this.#child = new StoreChild(this.#settings);
    await this.#child.ready;
    return this.#child;
  }

  async #prepare(child: StoreChild): Promise<void> {
    const client = await Client.connect(child.port);
    await declareFixed(this.#world.topology, await client.openChannel());
    await client.close();
  }

  async #round(child: StoreChild): Promise<StoreChild> {
    const { memory = false, confirms } = this.#options;
    const { random, totals, topology } = this.#world;
    const before = performance.now();
    await runRound(this.#world, child, { confirms, sparing: memory });
    checkLog(child);
    const queues = [...topology.queues.values()].map(({ stored }) => stored);
    this.#world.peakBytes = Math.max(this.#world.peakBytes, liveBytes(queues));
    const next = memory ? child : await this.#restart();
    const emptiesAll = random.chance(0.08);
    await verify(this.#world, next.port, {
      keepsAll: memory,
      empties: (queue) => emptiesAll || queue === 'fence' || random.chance(0.12),
      fence: random.chance(0.7) ? new Fence(this.#world, `r${this.#world.round}check`) : undefined,
    });
    checkLog(next);
    if (!memory) this.#checkFile();
    totals.rounds++;
    const live = (liveBytes(queues) / 2 ** 20).toFixed(1);
    const ms = Math.round(performance.now() - before);
    this.#options.log?.(`round ${this.#world.round}: ${ms} ms, start ${Math.round(next.startMs)} ms, ${live} MiB live`);
    return next;
  }

  async #restart(): Promise<StoreChild> {
    const { random, totals } = this.#world;
    copyDirectory(this.#directory, this.#before);
    while (random.chance(0.15)) {
      // Killed again before it has come up.
      this.#child = new StoreChild(this.#settings);
      await Promise.race([this.#child.exited, pause(random.below(250))]);
      await this.#child.kill();
      checkLog(this.#child);
      totals.killsWhileStarting++;
    }
    const child = await this.#start();
    totals.restarts++;
    totals.restartMs += child.startMs;
    totals.maxRestartMs = Math.max(totals.maxRestartMs, child.startMs);
    return child;
  }

  #checkFile(): void {
    const size = dataFileBytes(this.#directory);
    const { peakBytes, totals } = this.#world;
    totals.peakBytes = Math.max(totals.peakBytes, peakBytes);
    totals.fileRatio = Math.max(totals.fileRatio, (size - FILE_CONSTANT) / peakBytes);
    if (size <= FILE_FACTOR * peakBytes + FILE_CONSTANT) return;
    throw new Failure(`the data file has ${size} bytes; the most that had to be kept was ${peakBytes}`);
  }
}

function checkLog(child: StoreChild): void {
  const [first] = child.errors;
  if (first !== undefined) throw new Failure(`the broker logged an error: ${JSON.stringify(first)}`);
}

function messageOf(error: unknown): string {
  return error instanceof Failure ? error.message : error instanceof Error ? String(error.stack) : String(error);
}

/** For `npm run test:crash`. */
export async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      rounds: { type: 'string', default: '200' },
      confirms: { type: 'string', default: '1000' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
      break: { type: 'string' },
      memory: { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
    },
  });
  const seed = Number(values.seed);
  console.log(`seed ${seed} (repeat with --seed ${seed})`);
  const began = performance.now();
  try {
    const totals = await crash({
      rounds: Number(values.rounds),
      confirms: Number(values.confirms),
      seed,
      sabotage: values.break,
      memory: values.memory,
      log: values.verbose ? (line) => console.log(line) : () => {},
    });
    console.log(summary(totals, performance.now() - began));
    return 0;
  } catch (error) {
    console.error(messageOf(error));
    return 1;
  }
}

function summary(totals: Totals, ms: number): string {
  const perRestart = Math.round(totals.restartMs / Math.max(1, totals.restarts));
  return [
    `${totals.rounds} rounds in ${Math.round(ms / 1000)} s, ${totals.kills} kills with ${totals.outstandingAtKill} confirms outstanding, ${totals.killsWhileStarting} more while starting`,
    `${totals.published} published, ${totals.confirms} confirmed, ${totals.delivered} delivered (${totals.redelivered} again), ${totals.acked} acked`,
    `${totals.checked} messages found and compared after restarts, ${totals.resurrected} of them acked too late to be on disk`,
    `${totals.transactions} transactions, ${totals.transactionsInDoubt} in doubt; ${totals.definitions} definitions changed`,
    `restart ${perRestart} ms, at most ${Math.round(totals.maxRestartMs)} ms; data file at most 8 MiB + ${Math.max(0, totals.fileRatio).toFixed(2)} x the largest live data (${(totals.peakBytes / 2 ** 20).toFixed(0)} MiB)`,
    'nothing lost, nothing twice, nothing out of order',
  ].join('\n');
}
