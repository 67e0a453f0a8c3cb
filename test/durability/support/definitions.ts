/**
 * Clients that declare, bind, unbind, purge and delete, and the entities of the crash test: a fixed part, on which the
 * traffic runs, and names of which one definer alone decides whether they are there.
 */
import { table } from '../../../protocol/amqp/field-table.js';
import { Client, type ClientChannel } from './client.js';
import { FENCE_QUEUE } from './fence.js';
import type { Copy, Target } from './messages.js';
import type { KnownBinding, KnownExchange, KnownQueue, Topology } from './topology.js';
import { TX_EXCHANGE, TX_SOURCE, TX_TARGETS } from './transactions.js';
import type { World } from './world.js';

/** Queues that consumers may read. */
export const READ_QUEUES = ['work-0', 'work-1', 'work-2', 'work-3'] as const;
const UNREAD_QUEUES = ['kept-0', 'kept-1'] as const;
const PURGED_QUEUE = 'purged';
const FANOUT = 'fan';
const DIRECT = 'direct-keys';
export const DEFINERS = ['a', 'b'] as const;

/** What must not outlive the broker or the connection. */
export const TRANSIENT_QUEUES = DEFINERS.flatMap((name) => [`${name}-transient`, `${name}-exclusive`]);
export const TRANSIENT_EXCHANGES = DEFINERS.map((name) => `${name}-transient`);

export function publishTargets(): Target[] {
  const queues = [...READ_QUEUES, ...UNREAD_QUEUES, PURGED_QUEUE, TX_SOURCE, TX_SOURCE];
  const churned = DEFINERS.flatMap((name) => [`${name}-queue-0`, `${name}-queue-1`]);
  const keys = ['k0', 'k1', 'k2', 'k3'].map((routingKey) => ({ exchange: DIRECT, routingKey }));
  const exchanges = DEFINERS.flatMap((name) => [`${name}-exchange-0`, `${name}-exchange-1`]);
  return [
    ...[...queues, ...churned].map((routingKey) => ({ exchange: '', routingKey })),
    ...keys,
    ...[0, 1, 2].map(() => ({ exchange: FANOUT, routingKey: 'any' })),
    ...exchanges.map((routingKey) => ({ exchange: DIRECT, routingKey })),
  ];
}

/** Declares the fixed part, and knows the rest as absent. */
export async function declareFixed(topology: Topology, channel: ClientChannel): Promise<void> {
  for (const name of [...READ_QUEUES, ...UNREAD_QUEUES, PURGED_QUEUE, TX_SOURCE, ...TX_TARGETS, FENCE_QUEUE]) {
    await declareQueue(channel, topology.addQueue(name));
  }
  await declareExchange(channel, topology.addExchange(FANOUT, 'fanout'));
  await declareExchange(channel, topology.addExchange(DIRECT, 'direct'));
  await declareExchange(channel, topology.addExchange(TX_EXCHANGE, 'fanout'));
  for (const queue of [READ_QUEUES[0], UNREAD_QUEUES[0], UNREAD_QUEUES[1]]) {
    await bind(channel, topology.addBinding(FANOUT, queue, ''));
  }
  for (const queue of TX_TARGETS) await bind(channel, topology.addBinding(TX_EXCHANGE, queue, ''));
  for (const [index, queue] of [...READ_QUEUES.slice(1), UNREAD_QUEUES[0]].entries()) {
    await bind(channel, topology.addBinding(DIRECT, queue, `k${index}`));
  }
  for (const name of DEFINERS) addChanging(topology, name);
}

function addChanging(topology: Topology, name: string): void {
  topology.addQueue(`${name}-queue-0`);
  topology.addQueue(`${name}-queue-1`, { 'x-message-ttl': 86_400_000 });
  topology.addQueue(`${name}-queue-2`, { 'x-note': 'kept as it is' });
  topology.addExchange(`${name}-exchange-0`, 'direct');
  topology.addExchange(`${name}-exchange-1`, 'topic');
  for (const queue of [0, 1, 2]) {
    topology.addBinding(FANOUT, `${name}-queue-${queue}`, 'any');
    topology.addBinding(DIRECT, `${name}-queue-${queue}`, `k${queue}`);
    for (const exchange of [0, 1]) {
      topology.addBinding(`${name}-exchange-${exchange}`, `${name}-queue-${queue}`, `${name}-exchange-${exchange}`);
    }
  }
  for (const exchange of [0, 1]) {
    const destination = `${name}-exchange-${exchange}`;
    topology.addBinding(DIRECT, destination, destination, true);
  }
}

/** Changes what belongs to `name` until the round ends. */
export async function define(world: World, port: number, name: string): Promise<void> {
  const client = await Client.connect(port);
  world.clients.push(client);
  const channel = await client.openChannel();
  await declareTransient(channel, name);
  const { topology, random } = world;
  const isMine = (entity: { readonly name: string }) => entity.name.startsWith(`${name}-`);
  const queues = [...topology.queues.values()].filter(isMine);
  const exchanges = [...topology.exchanges.values()].filter(isMine);
  const bindings = topology.bindings.filter(({ destination }) => destination.startsWith(`${name}-`));
  while (!world.stopping) {
    const choice = random.fraction();
    if (choice < 0.3) await changeQueue(world, channel, random.pick(queues));
    else if (choice < 0.45) await changeExchange(world, channel, random.pick(exchanges));
    else await changeBinding(world, channel, random.pick(bindings));
    world.totals.definitions++;
  }
}

/** Purges a queue again and again. */
export async function purge(world: World, port: number): Promise<void> {
  const client = await Client.connect(port);
  world.clients.push(client);
  const channel = await client.openChannel();
  const pending = world.watch(channel);
  const { stored } = world.topology.queue(PURGED_QUEUE);
  while (!world.stopping) {
    const before = world.totals.confirms;
    const purged: Copy[] = [];
    for (const copy of stored.copies.values()) {
      if (copy.settlement !== 'none') continue;
      if (copy.message.confirmed && copy.certain) {
        copy.settlement = 'sent';
        purged.push(copy);
      } else copy.certain = false;
    }
    stored.purging = true;
    await channel.call({ name: 'queue.purge', queue: PURGED_QUEUE }, 'queue.purge-ok');
    stored.purging = false;
    pending.effects.push(() => {
      for (const copy of purged) copy.settlement = 'gone';
    });
    const pause = 200 + world.random.below(400);
    while (!world.stopping && world.totals.confirms < before + pause) {
      await channel.call({ name: 'access.request' }, 'access.request-ok');
    }
  }
}

async function changeQueue(world: World, channel: ClientChannel, queue: KnownQueue): Promise<void> {
  if (queue.state === 'absent') {
    queue.state = 'coming';
    world.topologyChanges();
    return declareQueue(channel, queue);
  }
  if (world.random.chance(0.5)) return;
  queue.state = 'going';
  world.topologyChanges();
  await channel.call({ name: 'queue.delete', queue: queue.name }, 'queue.delete-ok');
  world.topology.queueGone(queue);
  world.topologyChanges();
}

async function changeExchange(world: World, channel: ClientChannel, exchange: KnownExchange): Promise<void> {
  if (exchange.state === 'absent') {
    exchange.state = 'coming';
    world.topologyChanges();
    return declareExchange(channel, exchange);
  }
  if (world.random.chance(0.5)) return;
  exchange.state = 'going';
  world.topologyChanges();
  await channel.call({ name: 'exchange.delete', exchange: exchange.name }, 'exchange.delete-ok');
  world.topology.exchangeGone(exchange);
  world.topologyChanges();
}

async function changeBinding(world: World, channel: ClientChannel, binding: KnownBinding): Promise<void> {
  const { topology } = world;
  const target = (binding.toExchange ? topology.exchanges : topology.queues).get(binding.destination);
  if (target?.state !== 'present' || topology.exchanges.get(binding.source)?.state !== 'present') return;
  const isBound = binding.state === 'present';
  binding.state = isBound ? 'going' : 'coming';
  world.topologyChanges();
  if (!isBound) return bind(channel, binding);
  await unbind(channel, binding);
  world.topologyChanges();
}

export async function declareQueue(channel: ClientChannel, queue: KnownQueue): Promise<void> {
  const args = table(queue.args);
  await channel.call({ name: 'queue.declare', queue: queue.name, durable: true, arguments: args }, 'queue.declare-ok');
  queue.state = 'present';
}

export async function declareExchange(channel: ClientChannel, exchange: KnownExchange): Promise<void> {
  const { name, type } = exchange;
  await channel.call({ name: 'exchange.declare', exchange: name, type, durable: true }, 'exchange.declare-ok');
  exchange.state = 'present';
}

export async function bind(channel: ClientChannel, binding: KnownBinding): Promise<void> {
  const { source, destination, key: routingKey } = binding;
  if (binding.toExchange) {
    await channel.call({ name: 'exchange.bind', destination, source, routingKey }, 'exchange.bind-ok');
  } else {
    await channel.call({ name: 'queue.bind', queue: destination, exchange: source, routingKey }, 'queue.bind-ok');
  }
  binding.state = 'present';
}

export async function unbind(channel: ClientChannel, binding: KnownBinding): Promise<void> {
  const { source, destination, key: routingKey } = binding;
  if (binding.toExchange) {
    await channel.call({ name: 'exchange.unbind', destination, source, routingKey }, 'exchange.unbind-ok');
  } else {
    await channel.call({ name: 'queue.unbind', queue: destination, exchange: source, routingKey }, 'queue.unbind-ok');
  }
  binding.state = 'absent';
}

async function declareTransient(channel: ClientChannel, name: string): Promise<void> {
  const queues = [
    { queue: `${name}-transient`, exclusive: false },
    { queue: `${name}-exclusive`, exclusive: true },
  ];
  const exchange = `${name}-transient`;
  await channel.call({ name: 'exchange.declare', exchange, type: 'fanout' }, 'exchange.declare-ok');
  for (const { queue, exclusive } of queues) {
    // Durable and exclusive: gone with its connection all the same.
    await channel.call({ name: 'queue.declare', queue, exclusive, durable: exclusive }, 'queue.declare-ok');
    await channel.call({ name: 'queue.bind', queue, exchange }, 'queue.bind-ok');
    channel.publish({ exchange, body: Buffer.from('lost'), properties: { deliveryMode: 2, messageId: 'transient/1' } });
  }
}
