/**
 * The `expiration` property: a decimal string of milliseconds, read as RabbitMQ reads it (SEMANTICS 2.8).
 */
import { BrokerError } from '../../errors.js';

/** Ten years. */
const LONGEST_MS = 315_360_000_000;

/** Milliseconds. Throws BrokerError('precondition-failed') with RabbitMQ's words for what is wrong. */
export function parseExpiration(text: string): number {
  const [, digits, rest] = /^([+-]?[0-9]+)?(.*)$/s.exec(text) ?? [];
  if (digits === undefined) throw refusal(text, 'no_integer');
  if (rest !== undefined && rest !== '') throw refusal(text, `{leftover_string,"${rest}"}`);
  const value = BigInt(digits.startsWith('+') ? digits.slice(1) : digits);
  if (value < 0n) throw refusal(text, `{value_negative,${value}}`);
  if (value > BigInt(LONGEST_MS)) throw refusal(text, `{value_too_large,${value}}`);
  return Number(value);
}

function refusal(text: string, reason: string): BrokerError {
  return new BrokerError('precondition-failed', `invalid expiration '${text}': ${reason}`);
}
