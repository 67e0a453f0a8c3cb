/**
 * Where several say something about a queue: an operator policy over a policy, both over the queue's own arguments
 * (SEMANTICS 3.2). The rules are in the rows of `arguments.ts`.
 */
import { type FieldTable, type FieldValue, lookUp } from '../field-value.js';
import type { JsonObject, JsonValue } from '../json-value.js';
import { QUEUE_ARGUMENTS } from './arguments.js';
import type { PolicyRule, PolicyValue } from './policy-rules.js';
import type { QueueTypeName } from './queue-type.js';

interface Row {
  readonly argument: string;
  /** Its name in policies. */
  readonly key: string;
  readonly knownTo: readonly QueueTypeName[];
  readonly rule: PolicyRule;
}

/** The arguments that policies may set. */
export const POLICY_ROWS: readonly Row[] = QUEUE_ARGUMENTS.flatMap(({ key, knownTo, policy }) =>
  policy === undefined ? [] : [{ argument: key, key: key.slice('x-'.length), knownTo, rule: policy }],
);

/** What of the policies counts for a queue with these arguments, in the form of arguments. */
export function policyArguments(definition: JsonObject, args: FieldTable, queueType: QueueTypeName): FieldTable {
  const counting: (readonly [string, FieldValue])[] = [];
  for (const { argument, key, knownTo, rule } of POLICY_ROWS) {
    const value = policyValue(definition[key]);
    if (value === undefined || !knownTo.includes(queueType)) continue;
    const own = argumentValue(lookUp(args, argument));
    counting.push([argument, fieldValue(own === undefined ? value : rule.overArgument(value, own, queueType))]);
  }
  return counting;
}

/** The policy with what an operator policy changes in it. */
export function withOperatorPolicy(policy: JsonObject, operator: JsonObject): JsonObject {
  const merged: Record<string, JsonValue> = { ...policy, ...operator };
  for (const { key, rule } of POLICY_ROWS) {
    const [above, below] = [policyValue(operator[key]), policyValue(policy[key])];
    if (above === undefined || below === undefined || rule.overPolicy === undefined) continue;
    merged[key] = rule.overPolicy(above, below);
  }
  return merged;
}

function policyValue(value: JsonValue | undefined): PolicyValue | undefined {
  return typeof value === 'number' || typeof value === 'string' ? value : undefined;
}

function argumentValue(value: FieldValue | undefined): PolicyValue | undefined {
  if (value === undefined || !('value' in value)) return undefined;
  if (typeof value.value === 'bigint') return Number(value.value);
  return typeof value.value === 'number' || typeof value.value === 'string' ? value.value : undefined;
}

function fieldValue(value: PolicyValue): FieldValue {
  if (typeof value === 'string') return { type: 'S', value };
  return Number.isInteger(value) ? { type: 'l', value: BigInt(value) } : { type: 'd', value };
}
