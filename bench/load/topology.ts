/**
 * The exchange, queues and bindings of a run, and who gets what: which routing keys a producer uses, and which of its
 * messages each queue is due. Declares them before the run and deletes them after it.
 */
import { table } from '../../protocol/amqp/field-table.js';
import { type BenchOptions, demand } from '../options.js';
import type { AmqpConnection } from './amqp-connection.js';
import type { SequencePart } from './message-checks.js';

const MOST_QUEUES = 100_000;

export interface QueuePlan {
  readonly name: string;
  readonly bindingKeys: readonly string[];
  /** By producer; undefined where nothing of it comes here. */
  readonly parts: readonly (SequencePart | undefined)[];
}

export interface Topology {
  readonly queues: readonly QueuePlan[];
  /** By producer, each by turns. */
  readonly routingKeys: readonly (readonly string[])[];
}

type TopologyOptions = Pick<
  BenchOptions,
  | 'producers'
  | 'queue'
  | 'queues'
  | 'queuePattern'
  | 'queuePatternFrom'
  | 'queuePatternTo'
  | 'exchange'
  | 'exchangeType'
  | 'routingKey'
  | 'routingKeys'
  | 'bindings'
  | 'bindingKey'
>;

/** Throws OptionError. */
export function planTopology(options: TopologyOptions): Topology {
  const names = queueNames(options);
  const { exchange, exchangeType, producers, routingKey, routingKeys, bindings, bindingKey } = options;
  demand(names.length > 0 && names.length <= MOST_QUEUES, `give 1 to ${MOST_QUEUES} queues`);
  const byQueue =
    exchange === '' || (exchangeType === 'direct' && routingKey === undefined && bindingKey === undefined);
  if (exchange === '') {
    demand(bindings === 1 && bindingKey === undefined, 'bindings need an --exchange');
    demand(
      routingKey === undefined,
      'the default exchange routes by queue name: give --queue instead of --routing-key',
    );
  }
  if (byQueue) {
    demand(routingKeys === 1 && bindings === 1, 'several --routing-keys or --bindings need --routing-key');
    return eachToItsQueue(names, producers, exchange === '');
  }
  demand(
    exchangeType !== 'direct' || bindingKey !== undefined || bindings === routingKeys,
    'a direct exchange needs as many --bindings as --routing-keys, or messages are lost',
  );
  demand(
    exchangeType !== 'topic' || routingKeys >= bindings,
    'a topic exchange needs at least as many --routing-keys as --bindings',
  );
  const keys = routingKeysOf(options);
  const bindingKeys = bindingKey === undefined ? bindingKeysOf(options) : numbered(bindingKey, bindings);
  const parts = Array.from({ length: producers }, () => ({ first: 0, stride: 1 }));
  return {
    queues: names.map((name) => ({ name, bindingKeys, parts })),
    routingKeys: Array.from({ length: producers }, () => keys),
  };
}

/** Rejects with a BrokerFailure, also for queues that hold messages which the run would take for its own. */
export async function declareTopology(
  connection: AmqpConnection,
  channel: number,
  topology: Topology,
  options: BenchOptions,
): Promise<void> {
  const durable = isDurable(options);
  const { exchange, exchangeType, autoDelete, producers } = options;
  if (ownsExchange(options)) {
    const kind = { exchange, type: exchangeType, durable, autoDelete: false, internal: false } as const;
    const declare = { name: 'exchange.declare', ...kind, passive: false, noWait: false, arguments: [] } as const;
    await connection.request(channel, declare, 'exchange.declare-ok');
  }
  const queueArguments = table(options.queueArguments);
  for (const { name: queue, bindingKeys } of topology.queues) {
    const kind = { queue, durable, exclusive: false, autoDelete, arguments: queueArguments } as const;
    const declare = { name: 'queue.declare', ...kind, passive: false, noWait: false } as const;
    const { messageCount } = await connection.request(channel, declare, 'queue.declare-ok');
    if (messageCount > 0 && options.purge) {
      await connection.request(channel, { name: 'queue.purge', queue, noWait: false }, 'queue.purge-ok');
    } else if (messageCount > 0 && producers > 0) {
      throw new Error(`queue '${queue}' holds ${messageCount} messages: --purge empties it`);
    }
    if (exchange !== '') await bindQueue(connection, channel, queue, exchange, bindingKeys);
  }
}

export async function deleteTopology(
  connection: AmqpConnection,
  channel: number,
  topology: Topology,
  options: BenchOptions,
): Promise<void> {
  for (const { name: queue } of topology.queues) {
    const remove = { name: 'queue.delete', queue, ifUnused: false, ifEmpty: false, noWait: false } as const;
    await connection.request(channel, remove, 'queue.delete-ok');
  }
  if (!ownsExchange(options)) return;
  const remove = { name: 'exchange.delete', exchange: options.exchange, ifUnused: false, noWait: false } as const;
  await connection.request(channel, remove, 'exchange.delete-ok');
}

export function isPersistent({ persistent, flags }: Pick<BenchOptions, 'persistent' | 'flags'>): boolean {
  return persistent || flags.includes('persistent');
}

function isDurable(options: BenchOptions): boolean {
  return options.durable || isPersistent(options);
}

function ownsExchange({ exchange }: Pick<BenchOptions, 'exchange'>): boolean {
  return exchange !== '' && !exchange.startsWith('amq.');
}

async function bindQueue(
  connection: AmqpConnection,
  channel: number,
  queue: string,
  exchange: string,
  keys: readonly string[],
): Promise<void> {
  const requests = keys.map((routingKey) => {
    const bind = { name: 'queue.bind', queue, exchange, routingKey, noWait: false, arguments: [] } as const;
    return connection.request(channel, bind, 'queue.bind-ok');
  });
  await Promise.all(requests);
}

function queueNames({ queue, queues, queuePattern, queuePatternFrom, queuePatternTo }: TopologyOptions): string[] {
  if (queuePattern !== undefined) {
    demand(queues === 1, '--queues and --queue-pattern exclude each other');
    demand(queuePatternTo >= queuePatternFrom, '--queue-pattern-to is below --queue-pattern-from');
    demand(queuePatternTo - queuePatternFrom < MOST_QUEUES, `give at most ${MOST_QUEUES} queues`);
    const numbers = Array.from({ length: queuePatternTo - queuePatternFrom + 1 }, (_, i) => queuePatternFrom + i);
    return numbers.map((number) => queuePattern.replace(/%d?/, String(number)));
  }
  demand(queues <= MOST_QUEUES, `give at most ${MOST_QUEUES} queues`);
  return queues === 1 ? [queue] : Array.from({ length: queues }, (_, index) => `${queue}-${index + 1}`);
}

/** Producers and queues go round: a producer has one queue, or several by turns when there are more of them. */
function eachToItsQueue(names: readonly string[], producers: number, isDefaultExchange: boolean): Topology {
  const routingKeys = Array.from({ length: producers }, (_, producer) => {
    const own = names.filter((_name, index) => index % producers === producer);
    return own.length > 0 ? own : [names[producer % names.length] ?? ''];
  });
  const queues = names.map((name) => {
    const parts = routingKeys.map((keys) => {
      const first = keys.indexOf(name);
      return first === -1 ? undefined : { first, stride: keys.length };
    });
    return { name, bindingKeys: isDefaultExchange ? [] : [name], parts };
  });
  return { queues, routingKeys };
}

function routingKeysOf({ routingKey = 'perf-test', routingKeys, bindings, exchangeType }: TopologyOptions): string[] {
  const keys = numbered(routingKey, routingKeys);
  if (exchangeType !== 'topic' || bindings === 1) return keys;
  const groups = numbered(routingKey, bindings);
  return keys.map((key, index) => `${groups[index % bindings]}.${key.slice(routingKey.length) || '0'}`);
}

/** Every routing key matches one of them: of a topic exchange by its first words. */
function bindingKeysOf({ routingKey = 'perf-test', routingKeys, bindings, exchangeType }: TopologyOptions): string[] {
  if (exchangeType !== 'topic') return numbered(routingKey, bindings);
  if (bindings > 1) return numbered(routingKey, bindings).map((group) => `${group}.*`);
  return [routingKeys === 1 ? routingKey : '#'];
}

/** KEY, or with several of them KEY and a number of the same length for all. */
function numbered(key: string, count: number): string[] {
  if (count === 1) return [key];
  const digits = String(count - 1).length;
  return Array.from({ length: count }, (_, index) => key + String(index).padStart(digits, '0'));
}
