/**
 * Arguments of basic.consume.
 */
import { fieldTypeWord } from '../../core/field-type-words.js';
import { type FieldTable, lookUp } from '../../core/field-value.js';
import { BrokerError } from '../../errors.js';

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
