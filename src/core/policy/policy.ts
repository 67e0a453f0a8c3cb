/**
 * A policy, and whether it is one: RabbitMQ's checks with RabbitMQ's texts, all of them before anything changes.
 */
import { BrokerError } from '../../errors.js';
import { entriesOf, isJsonObject, type JsonObject, type JsonValue, printJson, printPairs } from '../json-value.js';
import { compilePattern } from '../pattern.js';
import type { QueueTypeName } from '../queue/queue-type.js';
import { findPolicyKey } from './policy-keys.js';

/** Operator policies set bounds to what policies may say. */
export type PolicyKind = 'policy' | 'operator-policy';

const QUEUE_TYPE_OF: Readonly<Record<'classic_queues' | 'quorum_queues' | 'streams', QueueTypeName>> = {
  classic_queues: 'classic',
  quorum_queues: 'quorum',
  streams: 'stream',
};

export const APPLY_TO = ['all', 'queues', 'exchanges', 'classic_queues', 'quorum_queues', 'streams'] as const;
export type ApplyTo = (typeof APPLY_TO)[number];

export interface Policy {
  readonly name: string;
  /** Regular expression, searched in the names of queues and exchanges. */
  readonly pattern: string;
  readonly definition: JsonObject;
  /** The highest of those that match counts. */
  readonly priority: number;
  readonly applyTo: ApplyTo;
}

/** A policy before it is checked. */
export interface GivenPolicy {
  readonly name: string;
  readonly pattern: JsonValue | undefined;
  readonly definition: JsonValue | undefined;
  /** 0 when it is left out. */
  readonly priority?: JsonValue | undefined;
  /** `all` when it is left out. */
  readonly applyTo?: JsonValue | undefined;
}

const LONGEST_PATTERN_BYTES = 1024;
const CHOICES = "'queues', 'classic_queues',  'quorum_queues', 'streams', 'exchanges', or 'all'";

/** Throws BrokerError('precondition-failed') that names everything that is wrong with it. */
export function checkedPolicy(kind: PolicyKind, given: GivenPolicy): Policy {
  const { name, pattern, definition, priority = 0, applyTo = 'all' } = given;
  const refusals = [
    definitionRefusal(kind, definition),
    applyToRefusal(applyTo),
    patternRefusal(pattern),
    isWholeNumber(priority) ? undefined : `priority should be a number, actually was ${printJson(priority)}`,
  ];
  const texts = refusals.filter((text) => text !== undefined);
  if (texts.length > 0) throw validationFailed(texts);
  // Checked above, where no type can show it.
  return { name, pattern, definition, priority, applyTo } as Policy;
}

const JSON_KEYS = ['pattern', 'definition', 'priority', 'apply-to'];

/** A policy as documents have it. Throws BrokerError('precondition-failed') where it is none at all. */
export function policyFromJson(name: string, value: JsonValue): GivenPolicy {
  if (!isJsonObject(value)) throw validationFailed([`${name} not a list ${printJson(value)}`]);
  const missing = ['pattern', 'definition'].filter((key) => value[key] === undefined);
  const unknown = entriesOf(value).filter(([key]) => !JSON_KEYS.includes(key));
  const refusals = missing.map((key) => `Key "${key}" not found in ${name}`);
  if (unknown.length > 0) refusals.unshift(`Unrecognised terms ${printPairs(unknown)} in ${name}`);
  if (refusals.length > 0) throw validationFailed(refusals);
  const { pattern, definition, priority, 'apply-to': applyTo } = value;
  return { name, pattern, definition: fromPairs(definition), priority, applyTo };
}

/** RabbitMQ 3 exports the definitions of operator policies as lists of pairs. */
function fromPairs(definition: JsonValue | undefined): JsonValue | undefined {
  if (!Array.isArray(definition)) return definition;
  const pairs: [string, JsonValue][] = [];
  for (const pair of definition) {
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string') return definition;
    pairs.push([pair[0], pair[1]]);
  }
  return Object.fromEntries(pairs);
}

export function policyToJson({ pattern, definition, priority, applyTo }: Policy): JsonObject {
  return { pattern, definition, priority, 'apply-to': applyTo };
}

export function validationFailed(texts: readonly string[]): BrokerError {
  return new BrokerError('precondition-failed', ['Validation failed', '', ...texts, ''].join('\n'));
}

export function coversExchanges({ applyTo }: Policy): boolean {
  return applyTo === 'all' || applyTo === 'exchanges';
}

/** The types of the queues it covers: one key that a type does not know is enough for it not to. */
export function coveredQueueTypes({ applyTo, definition }: Policy): readonly QueueTypeName[] {
  if (applyTo === 'exchanges') return [];
  const chosen: QueueTypeName[] =
    applyTo === 'all' || applyTo === 'queues' ? ['classic', 'quorum', 'stream'] : [QUEUE_TYPE_OF[applyTo]];
  const keys = Object.keys(definition).map(findPolicyKey);
  return chosen.filter((type) => keys.every((key) => key === undefined || key.coveredTypes.includes(type)));
}

function definitionRefusal(kind: PolicyKind, definition: JsonValue | undefined): string | undefined {
  if (Array.isArray(definition)) return `definition must be a dictionary: ${printJson(definition)}`;
  if (!isJsonObject(definition)) {
    const validator = kind === 'policy' ? 'policy_validator' : 'operator_policy_validator';
    return `parse error while reading policy definition: ${printJson(definition)}. Validator: ${validator}.`;
  }
  const entries = entriesOf(definition);
  if (entries.length === 0) return 'no policy provided';
  const unknown: (readonly [string, JsonValue])[] = [];
  for (const [key, value] of entries) {
    const row = findPolicyKey(key);
    if (row === undefined || (kind === 'operator-policy' && !row.forOperators)) unknown.push([key, value]);
    else if (!row.accepts(value)) return `${printJson(value)} is not a valid ${row.noun}`;
  }
  return unknown.length === 0 ? undefined : `${printPairs(unknown)} are not recognised policy settings`;
}

function applyToRefusal(applyTo: JsonValue): string | undefined {
  if (APPLY_TO.some((known) => known === applyTo)) return undefined;
  const shown = typeof applyTo === 'string' ? applyTo : printJson(applyTo);
  return `apply-to '${shown}' unrecognised; should be one of: ${CHOICES}`;
}

function patternRefusal(pattern: JsonValue | undefined): string | undefined {
  if (typeof pattern !== 'string') return `pattern should be a binary but was ${printJson(pattern)}`;
  if (Buffer.byteLength(pattern) > LONGEST_PATTERN_BYTES) {
    return `pattern must not exceed ${LONGEST_PATTERN_BYTES} bytes`;
  }
  try {
    compilePattern(pattern);
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `pattern should be regular expression but is invalid: ${reason}`;
  }
}

function isWholeNumber(value: JsonValue): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value);
}
