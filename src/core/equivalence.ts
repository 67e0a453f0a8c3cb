/**
 * Declaring what exists already: allowed when the declaration is equivalent (SEMANTICS 2.2 and 2.6).
 */
import { BrokerError } from '../errors.js';
import { assertEquivalentArgument } from './arguments-equivalence.js';
import type { Exchange, ExchangeOptions } from './exchange/exchange.js';
import { lookUp } from './field-value.js';
import { describeExchange, describeQueue } from './names.js';
import { assertEquivalentArguments } from './queue/arguments.js';
import type { Queue, QueueOptions, QueueOwner } from './queue/queue.js';

/** Throws BrokerError('precondition-failed'). Of the arguments only the alternate exchange is compared. */
export function assertEquivalentExchange(
  exchange: Exchange,
  type: string,
  options: ExchangeOptions,
  virtualHost: string,
): void {
  const resource = describeExchange(exchange.name, virtualHost);
  const current = exchange.options;
  assertSame('type', exchange.type.name, type, resource);
  assertSame('durable', current.durable, options.durable, resource);
  assertSame('auto_delete', current.autoDelete, options.autoDelete, resource);
  assertSame('internal', current.internal, options.internal, resource);
  const key = 'alternate-exchange';
  assertEquivalentArgument(key, lookUp(current.arguments, key), lookUp(options.arguments, key), resource);
}

/** Throws BrokerError('resource-locked') for a foreign exclusive queue, else 'precondition-failed'. */
export function assertEquivalentQueue(
  queue: Queue,
  options: QueueOptions,
  requester: QueueOwner,
  virtualHost: string,
): void {
  const current = queue.options;
  // The owner alone may declare it again, and only as exclusive.
  const foreign = current.owner !== undefined && current.owner !== requester;
  if (foreign || (current.owner === undefined) !== (options.owner === undefined)) {
    throw lockedQueue(queue.name, virtualHost);
  }
  const resource = describeQueue(queue.name, virtualHost);
  assertSame('durable', current.durable, options.durable, resource);
  assertSame('auto_delete', current.autoDelete, options.autoDelete, resource);
  assertEquivalentArguments(current.arguments, options.arguments, resource);
}

export function lockedQueue(name: string, virtualHost: string): BrokerError {
  return new BrokerError(
    'resource-locked',
    `cannot obtain exclusive access to locked ${describeQueue(name, virtualHost)}. It could be originally declared ` +
      'on another connection or the exclusive property value does not match that of the original declaration.',
  );
}

function assertSame(key: string, current: string | boolean, received: string | boolean, resource: string): void {
  if (current === received) return;
  throw new BrokerError(
    'precondition-failed',
    `inequivalent arg '${key}' for ${resource}: received '${received}' but current is '${current}'`,
  );
}
