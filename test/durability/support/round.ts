/** One round of the crash test: traffic until enough was confirmed, then the kill, at a moment that hurts. */
import { setTimeout as pause } from 'node:timers/promises';
import type { StoreChild } from '../child.js';
import { DEFINERS, define, publishTargets, purge, READ_QUEUES } from './definitions.js';
import { Fence } from './fence.js';
import { Consumer, Publisher } from './traffic.js';
import { transact } from './transactions.js';
import type { Totals, World } from './world.js';

const WINDOWS = [1, 10, 30, 100];
/** What a round needs besides the confirms. */
const DEFINITIONS = 12;
const TRANSACTIONS = 6;
const ROUND_TIMEOUT_MS = 120_000;
const KILL_DELAY_MS = 40;

export interface RoundOptions {
  readonly confirms: number;
  /** Instead of a kill, for a broker that keeps nothing: all connections are closed. */
  readonly sparing: boolean;
}

export async function runRound(world: World, child: StoreChild, options: RoundOptions): Promise<void> {
  const { random, totals } = world;
  world.stopping = false;
  world.clients = [];
  const isEnough = enough(totals, options.confirms);
  const publishers = WINDOWS.map((window, index) => {
    return new Publisher(world, { name: `r${world.round}p${index}`, window, targets: publishTargets() });
  });
  const actors = startActors(world, child.port, publishers);
  await until(world, isEnough);
  if (world.failure === undefined) {
    if (options.sparing) await part(world);
    else await killAtRandom(world, child, random.chance(0.6) ? 'in a confirm' : 'at any time');
    totals.outstandingAtKill += publishers.reduce((sum, { outstanding }) => sum + outstanding, 0);
  }
  world.stopping = true;
  if (world.failure !== undefined) for (const client of world.clients) client.destroy();
  await Promise.all(actors);
  await Promise.all(world.clients.map(({ closed }) => closed));
  if (world.failure !== undefined) throw world.failure;
}

function startActors(world: World, port: number, publishers: readonly Publisher[]): Promise<void>[] {
  const { random } = world;
  const actors = publishers.map((publisher) => world.run(() => publisher.start(port)));
  for (const queue of READ_QUEUES) {
    if (random.chance(0.3)) continue;
    const consumer = new Consumer(world, queue, random.below(600));
    actors.push(world.run(() => consumer.start(port)));
  }
  const fence = new Fence(world, `r${world.round}fence`);
  actors.push(world.run(() => fence.run(port)));
  actors.push(world.run(() => purge(world, port)));
  actors.push(world.run(() => transact(world, port, `r${world.round}tx`)));
  for (const name of DEFINERS) actors.push(world.run(() => define(world, port, name)));
  return actors;
}

function enough(totals: Totals, confirms: number): () => boolean {
  const { confirms: confirmed, definitions, transactions } = totals;
  return () => {
    if (totals.confirms < confirmed + confirms) return false;
    return totals.definitions >= definitions + DEFINITIONS && totals.transactions >= transactions + TRANSACTIONS;
  };
}

async function until(world: World, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + ROUND_TIMEOUT_MS;
  while (!holds() && world.failure === undefined) {
    if (Date.now() > deadline) world.fail(new Error(`not enough done after ${ROUND_TIMEOUT_MS} ms`));
    await pause(2);
  }
}

async function killAtRandom(world: World, child: StoreChild, moment: 'in a confirm' | 'at any time'): Promise<void> {
  const kill = () => {
    if (world.stopping) return;
    child.signal('SIGKILL');
    world.stopping = true;
    world.totals.kills++;
  };
  if (moment === 'in a confirm') {
    // The sharpest moment: a confirm is out, and its batch is what the disk must hold.
    let left = world.random.below(60);
    world.onConfirm = () => {
      if (left-- <= 0) kill();
    };
    await Promise.race([child.exited, pause(KILL_DELAY_MS * 10, undefined, { ref: false })]);
    world.onConfirm = () => {};
  } else await pause(world.random.below(KILL_DELAY_MS));
  kill();
  await child.exited;
}

async function part(world: World): Promise<void> {
  world.stopping = true;
  await Promise.all(world.clients.map((client) => world.run(() => client.close())));
}
