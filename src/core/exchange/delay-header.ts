/** The x-delay header: how long a message is to be held back, and the sign that it was. */
import { isInteger } from '../field-type-words.js';
import { type FieldTable, type FieldValue, lookUp } from '../field-value.js';

const HEADER = 'x-delay';
/** RabbitMQ's longest timer: 49.7 days. */
const LONGEST_DELAY_MS = 2 ** 32 - 1;

/** Milliseconds, 0 for a message that is to be routed at once: without the header, and with one that is no delay. */
export function delayOf(headers: FieldTable): number {
  const value = lookUp(headers, HEADER);
  const delayMs = value === undefined ? 0 : integerOf(value);
  return delayMs > 0 && delayMs <= LONGEST_DELAY_MS ? delayMs : 0;
}

/** With the delay negated: nothing delays the message again, and whoever gets it sees how long it was held back. */
export function withDelayOver(headers: FieldTable): FieldTable {
  const delayMs = delayOf(headers);
  const over = { type: 'l', value: BigInt(-delayMs) } as const;
  const at = headers.findIndex(([key]) => key === HEADER);
  return headers.map((entry, index) => (index === at ? [HEADER, over] : entry));
}

/** Integers, text that holds one, and what a fraction has before its point; 0 for anything else. */
function integerOf(value: FieldValue): number {
  if (isInteger(value)) return Number(value.value);
  if (value.type === 'f' || value.type === 'd') return Math.trunc(value.value);
  if (value.type !== 'S' && value.type !== 'x') return 0;
  const text = typeof value.value === 'string' ? value.value : Buffer.from(value.value).toString();
  return /^[+-]?[0-9]+$/.test(text) ? Number(text) : 0;
}
