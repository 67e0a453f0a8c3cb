/** What random programs declare: queues of every kind, exchanges, and arguments that are right, wrong or odd. */
import type { FieldTable, FieldValue } from '../../protocol/amqp/field-table.js';
import type { Random } from '../support/random.js';
import type { Sendable } from '../support/wire-frames.js';
import { SHORT_TTL_MS } from './steps.js';

export const QUEUES = ['~q0', '~q1', '~q2', '~q3'] as const;
export const EXCHANGES = ['~e0', '~e1', '~e2'] as const;
export const KEYS = ['k', 'a.b', 'a.b.c', '', 'a.', '~q0', '~q1'] as const;
export const BINDING_KEYS = [...KEYS, 'a.*', '#', '*.b.#', '*', 'a.#.c', '#.b.*'] as const;
const LONG_TTL_MS = 60_000;

export const text = (value: string): FieldValue => ({ type: 'S', value });
export const int = (value: number): FieldValue => ({ type: 'I', value });
export const long = (value: number): FieldValue => ({ type: 'l', value: BigInt(value) });
export const bool = (value: boolean): FieldValue => ({ type: 't', value });

/** What one program is about. */
export interface Theme {
  readonly shortTtl: boolean;
  readonly quorum: boolean;
  readonly deadLetters: boolean;
}

export function queueDeclaration(random: Random, queue: string, theme: Theme): Sendable {
  const isQuorum = theme.quorum && random.chance(0.6);
  const table: [string, FieldValue][] = isQuorum ? quorumArguments(random) : classicArguments(random);
  if (random.chance(0.65)) table.push(...commonArguments(random, theme));
  const isServerNamed = random.chance(0.02);
  // Together with a name to choose some of these end the connection with 541 there.
  if (!isServerNamed && random.chance(0.03)) table.push(random.pick(BAD_ARGUMENTS));
  const isOdd = random.chance(0.05);
  return {
    name: 'queue.declare',
    queue: isServerNamed ? '' : queue,
    durable: isQuorum ? !isOdd : random.chance(0.5),
    exclusive: isQuorum ? isOdd && random.chance(0.3) : random.chance(0.08),
    autoDelete: isQuorum ? isOdd && random.chance(0.3) : random.chance(0.08),
    arguments: table,
  };
}

function quorumArguments(random: Random): [string, FieldValue][] {
  const table: [string, FieldValue][] = [['x-queue-type', text('quorum')]];
  // Without one, 3.x puts what comes back behind the others, and 4.x has one of 20.
  table.push(['x-delivery-limit', int(random.pick([0, 1, 2, 20, 20, 20]))]);
  return table;
}

function classicArguments(random: Random): [string, FieldValue][] {
  const table: [string, FieldValue][] = [];
  if (random.chance(0.15)) table.push(['x-max-priority', int(random.pick([1, 3, 5, 10]))]);
  if (random.chance(0.05)) table.push(['x-queue-type', text('classic')]);
  if (random.chance(0.05)) table.push(['x-queue-mode', text('lazy')]);
  return table;
}

function commonArguments(random: Random, { shortTtl, deadLetters }: Theme): [string, FieldValue][] {
  const table: [string, FieldValue][] = [];
  if (deadLetters && random.chance(0.8)) table.push(['x-dead-letter-exchange', text(deadLetterExchange(random))]);
  if (table.length > 0 && random.chance(0.7)) {
    const key = random.chance(0.7) ? random.pick(QUEUES.slice(0, 2)) : random.pick(KEYS);
    table.push(['x-dead-letter-routing-key', text(key)]);
  }
  if (random.chance(0.3)) table.push(['x-max-length', int(random.below(4))]);
  if (random.chance(0.05)) table.push(['x-max-length-bytes', int(random.pick([0, 5, 12]))]);
  if (random.chance(0.25)) table.push(['x-overflow', text(random.pick(OVERFLOWS))]);
  if (shortTtl && random.chance(0.4)) table.push(['x-message-ttl', int(random.pick([0, SHORT_TTL_MS, SHORT_TTL_MS]))]);
  else if (random.chance(0.1)) table.push(['x-message-ttl', int(LONG_TTL_MS)]);
  if (random.chance(0.12)) table.push(['x-single-active-consumer', bool(true)]);
  if (random.chance(0.05)) table.push(['x-expires', int(LONG_TTL_MS)]);
  return table;
}

const OVERFLOWS = ['drop-head', 'reject-publish', 'reject-publish', 'reject-publish-dlx'] as const;

function deadLetterExchange(random: Random): string {
  return random.chance(0.6) ? '' : random.pick([...EXCHANGES, ...EXCHANGES, '~nowhere']);
}

const BAD_ARGUMENTS: readonly [string, FieldValue][] = [
  ['x-message-ttl', text('a')],
  ['x-message-ttl', int(-1)],
  ['x-message-ttl', long(315_360_000_001)],
  ['x-expires', int(0)],
  ['x-max-length', int(-1)],
  ['x-max-length', text('5')],
  ['x-max-length-bytes', bool(true)],
  ['x-overflow', text('drop')],
  ['x-overflow', int(1)],
  ['x-dead-letter-exchange', int(1)],
  ['x-dead-letter-routing-key', text('k')],
  ['x-max-priority', int(-3)],
  ['x-max-priority', int(300)],
  ['x-max-priority', int(0)],
  ['x-single-active-consumer', text('true')],
  ['x-queue-type', text('foo')],
  ['x-queue-type', int(1)],
  ['x-queue-mode', text('zz')],
  ['x-queue-version', int(9)],
  ['x-max-age', text('1h')],
  ['x-delivery-limit', int(1)],
  ['x-quorum-initial-group-size', int(0)],
  ['x-unknown', text('anything')],
  ['x-max-in-memory-length', int(1)],
];

export function exchangeDeclaration(random: Random, exchange: string): Sendable {
  const table: [string, FieldValue][] = [];
  if (random.chance(0.25)) table.push(['alternate-exchange', random.chance(0.05) ? int(1) : text(alternate(random))]);
  return {
    name: 'exchange.declare',
    exchange,
    type: random.chance(0.01) ? 'no-such-type' : random.pick(['direct', 'fanout', 'topic', 'headers']),
    durable: random.chance(0.5),
    autoDelete: random.chance(0.08),
    internal: random.chance(0.05),
    arguments: table,
  };
}

function alternate(random: Random): string {
  return random.pick([...EXCHANGES, ...EXCHANGES, 'amq.fanout', '~nowhere']);
}

export function bindingArguments(random: Random): FieldTable {
  if (random.chance(0.6)) return [];
  const table: [string, FieldValue][] = [];
  if (random.chance(0.7)) table.push(['x-match', random.chance(0.05) ? int(3) : text(random.pick(MATCHES))]);
  if (random.chance(0.7)) table.push(['h', random.pick(HEADER_VALUES)]);
  if (random.chance(0.4)) table.push(['i', random.pick(HEADER_VALUES)]);
  if (random.chance(0.2)) table.push(['x-h', random.pick(HEADER_VALUES)]);
  return table;
}

const MATCHES = ['all', 'any', 'any', 'all-with-x', 'any-with-x', 'foo'] as const;

export const HEADER_VALUES: readonly FieldValue[] = [
  text('1'),
  int(1),
  long(1),
  int(2),
  bool(true),
  { type: 'V' },
  { type: 'A', value: [int(1)] },
  { type: 'F', value: [['h', int(1)]] },
];
