/**
 * The keys of policies: those of queue arguments, from their table, and the few that belong to no argument.
 */
import type { JsonValue } from '../json-value.js';
import { POLICY_ROWS } from '../queue/policy-merge.js';
import { limitRule, type PolicyRule, textRule } from '../queue/policy-rules.js';
import type { QueueTypeName } from '../queue/queue-type.js';

export interface PolicyKey {
  readonly key: string;
  /** Queues of other types are not covered by a policy that has the key. */
  readonly coveredTypes: readonly QueueTypeName[];
  readonly accepts: (value: JsonValue) => boolean;
  /** Ends the text of a refusal: `10 is not a valid …`. */
  readonly noun: string;
  readonly forOperators: boolean;
}

const EVERY_TYPE: readonly QueueTypeName[] = ['classic', 'quorum', 'stream'];

/** Mirroring of RabbitMQ 3, which programs still set up: taken and without effect. */
const MIRRORING = [
  'ha-mode',
  'ha-params',
  'ha-sync-mode',
  'ha-sync-batch-size',
  'ha-promote-on-shutdown',
  'ha-promote-on-failure',
];

export const ALTERNATE_EXCHANGE = 'alternate-exchange';

const KEYS: readonly PolicyKey[] = [
  ...POLICY_ROWS.map(({ key, knownTo, rule }) => policyKey(key, rule, rule.coversOtherTypes ? EVERY_TYPE : knownTo)),
  policyKey(ALTERNATE_EXCHANGE, textRule('alternate exchange name'), EVERY_TYPE),
  policyKey('target-group-size', limitRule('qq target count value', 1), ['quorum']),
  policyKey('consumer-disconnected-timeout', limitRule('consumer disconnected timeout', 0), EVERY_TYPE, false),
  policyKey('federation-upstream', textRule('federation upstream'), EVERY_TYPE),
  policyKey('federation-upstream-set', textRule('federation upstream set'), EVERY_TYPE),
  policyKey('federation-upstream-pattern', textRule('federation upstream pattern'), EVERY_TYPE),
  ...MIRRORING.map((key): PolicyKey => {
    return { key, coveredTypes: ['classic'], accepts: () => true, noun: key, forOperators: true };
  }),
];

const BY_NAME: ReadonlyMap<string, PolicyKey> = new Map(KEYS.map((row) => [row.key, row]));

export function findPolicyKey(key: string): PolicyKey | undefined {
  return BY_NAME.get(key);
}

function policyKey(
  key: string,
  { accepts, noun, overPolicy }: PolicyRule,
  coveredTypes: readonly QueueTypeName[],
  forOperators = overPolicy !== undefined,
): PolicyKey {
  return { key, coveredTypes, accepts, noun, forOperators };
}
