/**
 * The check after a restart: definitions, then every queue drained and compared, then transactions and bindings. What
 * was in doubt is decided by what is seen; afterwards the model and the broker agree to the last message.
 */
import { table } from '../../../protocol/amqp/field-table.js';
import { ChannelClosed, Client, type ClientChannel } from './client.js';
import { TRANSIENT_EXCHANGES, TRANSIENT_QUEUES, unbind } from './definitions.js';
import { drain } from './drain.js';
import type { Fence } from './fence.js';
import type { Copy } from './messages.js';
import type { KnownQueue } from './topology.js';
import { drop } from './transactions.js';
import { Failure, type World } from './world.js';

export interface VerifyOptions {
  /** Nothing was killed: transient messages and entities are still there. */
  readonly keepsAll: boolean;
  /** Which queues are emptied instead of requeued. */
  readonly empties: (queue: string) => boolean;
  /** Undefined: what the check itself does is not waited for. */
  readonly fence: Fence | undefined;
}

export async function verify(world: World, port: number, options: VerifyOptions): Promise<void> {
  const client = await Client.connect(port);
  const inDoubt = publishesInDoubt(world);
  forgetConnections(world);
  await checkDefinitions(world, client, options.keepsAll);
  const probes = await publishProbes(world, await client.confirmChannel());
  const found = new Set<Copy>();
  for (const queue of world.topology.queues.values()) {
    if (queue.state !== 'present') continue;
    const result = await drain(world, client, queue.stored, {
      keepsAll: options.keepsAll,
      empty: options.empties(queue.name),
    });
    for (const copy of result.found) found.add(copy);
    checkProbes(world, queue, probes, result.probes);
  }
  checkTransactions(world, found);
  for (const copies of inDoubt) checkPublish(copies, found);
  await decideBindings(world, client);
  if (options.fence !== undefined) {
    await options.fence.open(client);
    await options.fence.settle();
  }
  await client.close();
}

/** What connections held is back in its queue; what was not committed never was. */
function forgetConnections(world: World): void {
  world.pending = [];
  for (const record of world.transactions) {
    if (record.state === 'open') drop(world, record);
  }
  world.underWay.clear();
  for (const { stored } of world.topology.queues.values()) {
    stored.readers = 0;
    stored.purging = false;
    for (const copy of stored.copies.values()) {
      copy.unacked = false;
      copy.requeued = false;
    }
  }
}

async function checkDefinitions(world: World, client: Client, keepsAll: boolean): Promise<void> {
  const { topology } = world;
  for (const queue of topology.queues.values()) {
    const args = table(queue.args);
    const same = { name: 'queue.declare', queue: queue.name, durable: true, arguments: args } as const;
    const exists = await isThere(client, { ...same, passive: true }, same);
    if (isWrong(queue.state, exists)) throw new Failure(wrong('queue', queue, exists));
    if (exists) queue.state = 'present';
    else topology.queueGone(queue);
  }
  for (const exchange of topology.exchanges.values()) {
    const { name, type } = exchange;
    const same = { name: 'exchange.declare', exchange: name, type, durable: true } as const;
    const exists = await isThere(client, { ...same, passive: true }, same);
    if (isWrong(exchange.state, exists)) throw new Failure(wrong('exchange', exchange, exists));
    if (exists) exchange.state = 'present';
    else topology.exchangeGone(exchange);
  }
  if (keepsAll) return;
  for (const queue of TRANSIENT_QUEUES) {
    if (await isThere(client, { name: 'queue.declare', queue, passive: true })) {
      throw new Failure(`the transient queue ${queue} is there after a restart`);
    }
  }
  for (const exchange of TRANSIENT_EXCHANGES) {
    if (await isThere(client, { name: 'exchange.declare', exchange, passive: true })) {
      throw new Failure(`the transient exchange ${exchange} is there after a restart`);
    }
  }
}

function isWrong(state: string, exists: boolean): boolean {
  return (state === 'present' && !exists) || (state === 'absent' && exists);
}

function wrong(kind: string, entity: { readonly name: string; readonly state: string }, exists: boolean): string {
  return `the ${kind} ${entity.name} is ${exists ? '' : 'not '}there; its state was '${entity.state}'`;
}

type Declaration = Parameters<ClientChannel['request']>[0];

/** Asks with `passive`, and then declares it as it was, which is refused when it is another one. */
async function isThere(client: Client, passive: Declaration, same?: Declaration): Promise<boolean> {
  const channel = await client.openChannel();
  try {
    await channel.request(passive, 'declare-ok');
  } catch (error) {
    if (error instanceof ChannelClosed && error.replyCode === 404) return false;
    throw error;
  }
  if (same !== undefined) await channel.request(same, 'declare-ok');
  await channel.call({ name: 'channel.close' }, 'channel.close-ok');
  return true;
}

interface Probe {
  readonly id: string;
  readonly reached: ReadonlyMap<KnownQueue, boolean>;
}

/** A transient message through every exchange and key: where it turns up, there is a binding. */
async function publishProbes(world: World, channel: ClientChannel): Promise<Probe[]> {
  const probes = world.topology.targets().map((target) => {
    const id = `probe/${target.exchange}/${target.routingKey}`;
    return { target, id, reached: world.topology.route(target) };
  });
  if (probes.length === 0) return [];
  for (const { target, id } of probes) {
    channel.publish({ ...target, body: Buffer.from(id), properties: { deliveryMode: 1, messageId: id } });
  }
  await channel.confirmed();
  return probes;
}

function checkProbes(world: World, queue: KnownQueue, probes: readonly Probe[], seen: ReadonlySet<string>): void {
  for (const { id, reached } of probes) {
    const expected = reached.get(queue);
    const came = seen.has(id);
    if (came === (expected === true) || (came && expected === false)) continue;
    const bindings = world.topology.bindings.filter(({ state }) => state !== 'absent');
    throw new Failure(
      `${id} ${came ? 'came' : 'did not come'} to ${queue.name}; bindings: ${JSON.stringify(bindings)}`,
    );
  }
}

/** The copies, in more than one queue, of each persistent publish that was never confirmed. */
function publishesInDoubt(world: World): Copy[][] {
  const inTransaction = new Set([...world.transactions].flatMap(({ published }) => published));
  const messages = [...world.underWay].filter((message) => message.persistent && !inTransaction.has(message));
  const isSure = (copy: Copy) => copy.certain && copy.settlement === 'none';
  return messages.map(({ copies }) => copies.filter(isSure)).filter(({ length }) => length > 1);
}

/** One publish is one operation of the core, and so in one transaction of the store: to all its queues or to none. */
function checkPublish(copies: readonly Copy[], found: ReadonlySet<Copy>): void {
  const there = copies.filter((copy) => found.has(copy));
  if (there.length === 0 || there.length === copies.length) return;
  const list = copies.map((copy) => `\n  ${found.has(copy)} ${copy.describe()}`).join('');
  throw new Failure(`half a publish:${list}`);
}

/** All or nothing: a commit in doubt has published everything and settled everything, or neither. */
function checkTransactions(world: World, found: ReadonlySet<Copy>): void {
  for (const record of world.transactions) {
    if (record.state !== 'in-doubt') continue;
    world.totals.transactionsInDoubt++;
    const published = record.published.flatMap(({ copies }) => copies);
    const there = published.filter((copy) => found.has(copy));
    const left = record.acked.filter((copy) => found.has(copy));
    const sources = record.acked.filter(({ message, stored }) => message.persistent && (message.confirmed || stored));
    const isDone = there.length === published.length && left.length === 0;
    const isUndone = there.length === 0 && sources.every((copy) => found.has(copy));
    if (isDone || isUndone) continue;
    const moved = `${there.length} of ${published.length} published, ${left.length} of ${record.acked.length} unsettled`;
    const list = (copies: readonly Copy[]) =>
      copies.map((copy) => `\n  ${found.has(copy)} ${copy.describe()}`).join('');
    throw new Failure(`half a transaction: ${moved}${list(published)}\n acked:${list(record.acked)}`);
  }
  world.transactions.clear();
}

/** A binding in doubt is taken away: unbinding what is not bound is no error. */
async function decideBindings(world: World, client: Client): Promise<void> {
  const { topology } = world;
  const channel = await client.openChannel();
  for (const binding of topology.bindings) {
    if (binding.state !== 'coming' && binding.state !== 'going') continue;
    const target = (binding.toExchange ? topology.exchanges : topology.queues).get(binding.destination);
    if (target?.state === 'present' && topology.exchanges.get(binding.source)?.state === 'present') {
      await unbind(channel, binding);
    }
    binding.state = 'absent';
  }
}
