/**
 * The exchange types there are.
 */
import { DIRECT } from './direct.js';
import type { ExchangeType } from './exchange-type.js';
import { FANOUT } from './fanout.js';
import { HEADERS } from './headers.js';
import { TOPIC } from './topic.js';

export const EXCHANGE_TYPES: readonly ExchangeType[] = [DIRECT, FANOUT, TOPIC, HEADERS];

export function exchangeType(name: string): ExchangeType | undefined {
  return EXCHANGE_TYPES.find((type) => type.name === name);
}
