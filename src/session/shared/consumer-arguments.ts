/**
 * Arguments of basic.consume.
 */
import { fieldTypeWord } from '../../core/field-type-words.js';
import { type FieldTable, lookUp } from '../../core/field-value.js';
import type { Queue } from '../../core/queue/queue.js';
import { BrokerError } from '../../errors.js';

/** Arguments that only streams know; a classic queue refuses them, while it ignores what nobody knows. */
const STREAM_ARGUMENTS = ['x-stream-offset', 'x-stream-filter', 'x-stream-match-unfiltered'];

/** Throws BrokerError('precondition-failed') for an argument that the queue's type does not take. */
export function refuseForeignArguments(args: FieldTable, queue: Queue, virtualHostName: string): void {
  for (const [key] of args) {
    if (!STREAM_ARGUMENTS.includes(key)) continue;
    throw new BrokerError(
      'precondition-failed',
      `invalid arg '${key}' for queue '${queue.name}' in vhost '${virtualHostName}' of queue type rabbit_${queue.type}_queue`,
    );
  }
}

/** `x-priority`: any integer, 0 when absent. Throws BrokerError('precondition-failed') for another type. */
export function consumerPriority(args: FieldTable, queueName: string, virtualHostName: string): number {
  const value = lookUp(args, 'x-priority');
  if (value === undefined) return 0;
  switch (value.type) {
    case 'b':
    case 'B':
    case 's':
    case 'u':
    case 'I':
    case 'i':
    case 'l':
      return Number(value.value);
    default:
      throw new BrokerError(
        'precondition-failed',
        `invalid arg 'x-priority' for queue '${queueName}' in vhost '${virtualHostName}': ` +
          `"expected integer, got ${fieldTypeWord(value)}"`,
      );
  }
}
