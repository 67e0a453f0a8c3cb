/**
 * What policies may say about a queue argument: which values, whether operator policies may, and what counts where two
 * of operator policy, policy and argument say something. A row of the table in `arguments.ts` has one of these if its
 * argument can be set by policy, under the same name without `x-`.
 */
import type { JsonValue } from '../json-value.js';
import type { QueueTypeName } from './queue-type.js';

/** What a valid policy has under a queue's key. */
export type PolicyValue = number | string;

/** `above` is the operator policy's value over the policy's, or the policy's over the argument's. */
export type Merge = (above: PolicyValue, below: PolicyValue) => PolicyValue;
type MergeByType = (above: PolicyValue, below: PolicyValue, queueType: QueueTypeName) => PolicyValue;

export interface PolicyRule {
  /** Ends the text of a refusal: `10 is not a valid …`. */
  readonly noun: string;
  readonly accepts: (value: JsonValue) => boolean;
  /** Undefined: operator policies may not have it. */
  readonly overPolicy: Merge | undefined;
  readonly overArgument: MergeByType;
  /** A policy that has it may cover a queue whose type does not know it; it then means nothing there. */
  readonly coversOtherTypes: boolean;
}

export const above: Merge = (value) => value;
export const below: Merge = (_, value) => value;
export const least: Merge = (one, other) => pick(Math.min, one, other);
export const greatest: Merge = (one, other) => pick(Math.max, one, other);
/** Negative is no limit, which gives way to any limit. */
export const leastLimit: Merge = (one, other) => (Number(one) < 0 || Number(other) < 0 ? greatest : least)(one, other);
/** Streams take the policy's. */
export const leastUnlessStream: MergeByType = (one, other, queueType) =>
  (queueType === 'stream' ? above : least)(one, other);
/** Quorum queues take the policy's. */
export const belowUnlessQuorum: MergeByType = (one, other, queueType) =>
  (queueType === 'quorum' ? above : below)(one, other);

type Variation = Partial<Pick<PolicyRule, 'overPolicy' | 'overArgument' | 'coversOtherTypes'>>;

/** A whole number, of which the least counts everywhere. */
export function limitRule(noun: string, from: number, variation: Variation = {}): PolicyRule {
  return rule(noun, wholeNumber(from), { overPolicy: least, overArgument: least, ...variation });
}

export function numberRule(noun: string, from: number, to: number, variation: Variation = {}): PolicyRule {
  return rule(noun, wholeNumber(from, to), variation);
}

export function textRule(noun: string, variation: Variation = {}): PolicyRule {
  return rule(noun, (value) => typeof value === 'string', variation);
}

export function patternRule(noun: string, pattern: RegExp, variation: Variation = {}): PolicyRule {
  return rule(noun, (value) => typeof value === 'string' && pattern.test(value), variation);
}

export function choiceRule(noun: string, choices: readonly PolicyValue[], variation: Variation = {}): PolicyRule {
  return rule(noun, (value) => choices.some((choice) => choice === value), variation);
}

function rule(noun: string, accepts: PolicyRule['accepts'], variation: Variation): PolicyRule {
  return { noun, accepts, overPolicy: undefined, overArgument: below, coversOtherTypes: false, ...variation };
}

function wholeNumber(from: number, to = Number.POSITIVE_INFINITY): PolicyRule['accepts'] {
  return (value) => typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to;
}

/** Text, which arguments that take anything may hold, gives way. */
function pick(choose: (a: number, b: number) => number, one: PolicyValue, other: PolicyValue): PolicyValue {
  return typeof one === 'number' && typeof other === 'number' ? choose(one, other) : one;
}
