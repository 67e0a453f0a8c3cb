/**
 * The exchange types there are.
 */
import { CONSISTENT_HASH } from './consistent-hash.js';
import { delayedMessage } from './delayed-message.js';
import { DIRECT } from './direct.js';
import type { ExchangeType } from './exchange-type.js';
import { FANOUT } from './fanout.js';
import { HEADERS } from './headers.js';
import { JMS_TOPIC } from './jms-topic.js';
import { LOCAL_RANDOM } from './local-random.js';
import { MESSAGE_DEDUPLICATION } from './message-deduplication.js';
import { MODULUS_HASH } from './modulus-hash.js';
import { RANDOM } from './random.js';
import { RECENT_HISTORY } from './recent-history.js';
import { TOPIC } from './topic.js';

export const EXCHANGE_TYPES: readonly ExchangeType[] = [
  DIRECT,
  FANOUT,
  TOPIC,
  HEADERS,
  CONSISTENT_HASH,
  RANDOM,
  LOCAL_RANDOM,
  MODULUS_HASH,
  JMS_TOPIC,
  delayedMessage(exchangeType),
  RECENT_HISTORY,
  MESSAGE_DEDUPLICATION,
];

export function exchangeType(name: string): ExchangeType | undefined {
  return EXCHANGE_TYPES.find((type) => type.name === name);
}
