import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../../../src/core/json-value.js';
import {
  checkedPolicy,
  coveredQueueTypes,
  coversExchanges,
  type GivenPolicy,
  type PolicyKind,
} from '../../../../src/core/policy/policy.js';
import { BrokerError } from '../../../../src/errors.js';

const TTL = { 'message-ttl': 1000 };

/** What is wrong with it, line by line. */
function refusals(given: Partial<GivenPolicy>, kind: PolicyKind = 'policy'): readonly string[] {
  try {
    checkedPolicy(kind, { name: 'p', pattern: '.*', definition: TTL, ...given });
    return [];
  } catch (error) {
    if (!(error instanceof BrokerError) || error.kind !== 'precondition-failed') throw error;
    const [head, empty, ...lines] = error.message.split('\n');
    expect([head, empty, lines.pop()]).toEqual(['Validation failed', '', '']);
    return lines;
  }
}

const refusal = (definition: JsonValue, kind?: PolicyKind): string | undefined => refusals({ definition }, kind)[0];

describe('a policy', () => {
  it('applies to all with priority 0 when nothing else is said', () => {
    expect(checkedPolicy('policy', { name: 'p', pattern: '^a', definition: TTL })).toEqual({
      name: 'p',
      pattern: '^a',
      definition: TTL,
      priority: 0,
      applyTo: 'all',
    });
  });

  it.each<[string, JsonValue, string]>([
    ['an unknown key', { bogus: 10 }, '[{<<"bogus">>,10}] are not recognised policy settings'],
    [
      'unknown keys',
      { z: [1, 'a'], bogus: { deep: true }, ...TTL },
      '[{<<"bogus">>,#{<<"deep">> => true}},{<<"z">>,[1,<<"a">>]}] are not recognised policy settings',
    ],
    ['no key', {}, 'no policy provided'],
    ['a list', [1], 'definition must be a dictionary: [1]'],
    ['a text', 'x', 'parse error while reading policy definition: <<"x">>. Validator: policy_validator.'],
    ['an argument that is none', { 'max-priority': 5 }, '[{<<"max-priority">>,5}] are not recognised policy settings'],
    ['message-ttl', { 'message-ttl': '5' }, '<<"5">> is not a valid message TTL'],
    ['message-ttl below 0', { 'message-ttl': -1 }, '-1 is not a valid message TTL'],
    ['message-ttl 1.5', { 'message-ttl': 1.5 }, '1.5 is not a valid message TTL'],
    ['expires', { expires: 0 }, '0 is not a valid queue expiry'],
    ['max-length', { 'max-length': -1 }, '-1 is not a valid maximum length'],
    ['max-length-bytes', { 'max-length-bytes': null }, 'null is not a valid maximum length in bytes'],
    ['max-in-memory-length', { 'max-in-memory-length': -5 }, '-5 is not a valid maximum memory in bytes'],
    ['overflow', { overflow: 'burst' }, '<<"burst">> is not a valid overflow value'],
    ['dead-letter-exchange', { 'dead-letter-exchange': 5 }, '5 is not a valid dead letter exchange name'],
    ['dead-letter-routing-key', { 'dead-letter-routing-key': [] }, '[] is not a valid dead letter routing key'],
    ['dead-letter-strategy', { 'dead-letter-strategy': 'x' }, '<<"x">> is not a valid dead letter strategy'],
    ['delivery-limit', { 'delivery-limit': 'x' }, '<<"x">> is not a valid delivery limit'],
    ['queue-mode', { 'queue-mode': 'eager' }, '<<"eager">> is not a valid queue-mode value'],
    ['queue-version', { 'queue-version': 3 }, '3 is not a valid queue-version value'],
    ['consumer-timeout', { 'consumer-timeout': -1 }, '-1 is not a valid consumer timeout'],
    ['queue-leader-locator', { 'queue-leader-locator': 'x' }, '<<"x">> is not a valid queue leader locator value'],
    ['max-age', { 'max-age': '5x' }, '<<"5x">> is not a valid max age'],
    ['segment size', { 'stream-max-segment-size-bytes': 3_000_000_001 }, '3000000001 is not a valid segment size'],
    ['filter size', { 'stream-filter-size-bytes': 15 }, '15 is not a valid filter size. Valid range is 16-255'],
    ['initial-cluster-size', { 'initial-cluster-size': -1 }, '-1 is not a valid cluster size'],
    ['alternate-exchange', { 'alternate-exchange': 1 }, '1 is not a valid alternate exchange name'],
    ['target-group-size', { 'target-group-size': 0 }, '0 is not a valid qq target count value'],
  ])('is refused with %s', (_, definition, text) => {
    expect(refusal(definition)).toBe(text);
  });

  it('takes every key it knows', () => {
    const definition = {
      expires: 1,
      'message-ttl': 0,
      'dead-letter-exchange': '',
      'dead-letter-routing-key': 'k',
      'dead-letter-strategy': 'at-least-once',
      'max-length': 0,
      'max-length-bytes': 1e12,
      'max-in-memory-length': 0,
      'max-in-memory-bytes': 0,
      overflow: 'reject-publish-dlx',
      'queue-mode': 'lazy',
      'queue-version': 2,
      'queue-master-locator': 'min-masters',
      'queue-leader-locator': 'balanced',
      'delivery-limit': -1,
      'consumer-timeout': 0,
      'delayed-retry-type': 'all',
      'delayed-retry-min': 1,
      'delayed-retry-max': 1,
      'max-age': '1Y',
      'stream-max-segment-size-bytes': 0,
      'stream-filter-size-bytes': 255,
      'initial-cluster-size': 1,
      'target-group-size': 3,
      'alternate-exchange': 'ae',
      'federation-upstream-set': 'all',
      'ha-mode': 'exactly',
      'ha-params': 2,
    };
    expect(refusals({ definition })).toEqual([]);
  });

  it('names everything that is wrong with it', () => {
    expect(refusals({ pattern: '(', definition: {}, priority: 'high', applyTo: 'queue' })).toEqual([
      'no policy provided',
      "apply-to 'queue' unrecognised; should be one of: 'queues', 'classic_queues',  'quorum_queues', 'streams', " +
        "'exchanges', or 'all'",
      expect.stringMatching(/^pattern should be regular expression but is invalid: ./),
      'priority should be a number, actually was <<"high">>',
    ]);
    expect(refusals({ priority: 1.5, pattern: 5 })).toEqual([
      'pattern should be a binary but was 5',
      'priority should be a number, actually was 1.5',
    ]);
    expect(refusals({ pattern: undefined })).toEqual(['pattern should be a binary but was undefined']);
    expect(refusals({ pattern: 'x'.repeat(1025) })).toEqual(['pattern must not exceed 1024 bytes']);
  });
});

describe('an operator policy', () => {
  it('sets bounds only', () => {
    const bounds = { expires: 1, 'message-ttl': 1, 'max-length': 1, 'max-length-bytes': 1, 'delivery-limit': 1 };
    const further = { overflow: 'drop-head', 'queue-version': 2, 'max-in-memory-length': 1, 'max-in-memory-bytes': 1 };
    expect(refusals({ definition: { ...bounds, ...further } }, 'operator-policy')).toEqual([]);
    for (const definition of [
      { 'dead-letter-exchange': 'x' },
      { 'queue-mode': 'lazy' },
      { 'alternate-exchange': '' },
    ]) {
      expect(refusal(definition, 'operator-policy')).toMatch(/ are not recognised policy settings$/);
    }
    expect(refusal('x', 'operator-policy')).toMatch(/Validator: operator_policy_validator\.$/);
  });
});

describe('what a policy covers', () => {
  const policy = (given: Partial<GivenPolicy>) =>
    checkedPolicy('policy', { name: 'p', pattern: '', definition: TTL, ...given });

  it('is what it says', () => {
    expect(coversExchanges(policy({}))).toBe(true);
    expect(coversExchanges(policy({ applyTo: 'exchanges' }))).toBe(true);
    expect(coversExchanges(policy({ applyTo: 'queues' }))).toBe(false);
    expect(coveredQueueTypes(policy({ applyTo: 'exchanges' }))).toEqual([]);
    expect(coveredQueueTypes(policy({ applyTo: 'quorum_queues' }))).toEqual(['quorum']);
    expect(coveredQueueTypes(policy({ applyTo: 'streams', definition: { 'max-age': '1D' } }))).toEqual(['stream']);
  });

  it('leaves out the types that do not know one of its keys', () => {
    const types = (definition: JsonValue) => coveredQueueTypes(policy({ definition }));
    expect(types(TTL)).toEqual(['classic', 'quorum']);
    expect(types({ ...TTL, 'delivery-limit': 5 })).toEqual(['quorum']);
    expect(types({ 'max-age': '1D' })).toEqual(['stream']);
    expect(types({ 'max-age': '1D', 'max-length': 5 })).toEqual([]);
    expect(types({ 'ha-mode': 'all' })).toEqual(['classic']);
  });

  it('goes beyond the types that know a key where RabbitMQ does not mind', () => {
    expect(coveredQueueTypes(policy({ definition: { ...TTL, 'queue-version': 2 } }))).toEqual(['classic', 'quorum']);
    expect(coveredQueueTypes(policy({ definition: { 'alternate-exchange': 'x' } }))).toHaveLength(3);
  });
});
