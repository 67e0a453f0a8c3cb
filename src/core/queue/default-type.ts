/**
 * The type of queues that are declared without one: what the virtual host says, where such a queue can be of that type,
 * else classic. It becomes an argument of the queue, as in RabbitMQ; for classic the argument is only shown.
 */
import { BrokerError } from '../../errors.js';
import { type FieldTable, type FieldValue, lookUp } from '../field-value.js';
import type { Queue, QueueOptions } from './queue.js';
import { QUEUE_TYPES } from './registry.js';

const KEY = 'x-queue-type';
const MODULE_NAME = /^rabbit_(\w+)_queue$/;
const UNSET = ['', 'undefined'];

/**
 * Undefined where none is chosen. RabbitMQ's modules are names of types too. Throws BrokerError('precondition-failed')
 * for a name without a type.
 */
export function defaultTypeFrom(name: string | null | undefined): string | undefined {
  if (name === undefined || name === null || UNSET.includes(name)) return undefined;
  const [, short = name] = MODULE_NAME.exec(name) ?? [];
  if (!QUEUE_TYPES.some((type) => type.name === short)) {
    throw new BrokerError('precondition-failed', `${name} is not a valid queue type`);
  }
  return short;
}

/** The options of a declaration with the type filled in. */
export function withDefaultType(options: QueueOptions, defaultType: string | undefined): QueueOptions {
  if (defaultType === undefined || defaultType === 'classic') return options;
  if (lookUp(options.arguments, KEY) !== undefined) return options;
  const type = QUEUE_TYPES.find(({ name }) => name === defaultType);
  const keepable = options.durable && !options.autoDelete && options.owner === undefined;
  if (type === undefined || (type.alwaysKept && !keepable)) return options;
  return { ...options, arguments: [...options.arguments, typeArgument(type.name)] };
}

/** The arguments as they are listed: always with a type. */
export function listedArguments({ type, options }: Queue): FieldTable {
  const { arguments: args } = options;
  return lookUp(args, KEY) === undefined ? [...args, typeArgument(type)] : args;
}

function typeArgument(value: string): readonly [string, FieldValue] {
  return [KEY, { type: 'S', value }];
}
