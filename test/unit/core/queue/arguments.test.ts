import { describe, expect, it } from 'vitest';
import type { FieldTable, FieldValue } from '../../../../src/core/field-value.js';
import {
  assertEquivalentArguments,
  QUEUE_ARGUMENTS,
  queueTypeOf,
  validateQueueArguments,
} from '../../../../src/core/queue/arguments.js';
import type { QueueTypeName } from '../../../../src/core/queue/queue-type.js';
import { BrokerError } from '../../../../src/errors.js';

const RESOURCE = "queue 'q' in vhost '/'";
const text = (value: string): FieldValue => ({ type: 'S', value });
const int = (value: number): FieldValue => ({ type: 'l', value: BigInt(value) });
const floating = (value: number): FieldValue => ({ type: 'd', value });
const bool = (value: boolean): FieldValue => ({ type: 't', value });
const table = (values: Record<string, FieldValue>): FieldTable => Object.entries(values);

/** The text of the refusal, or 'accepted'. */
function outcome(action: () => void): string {
  try {
    action();
    return 'accepted';
  } catch (error) {
    if (!(error instanceof BrokerError) || error.kind !== 'precondition-failed') throw error;
    return error.message;
  }
}

const validated = (type: QueueTypeName, args: FieldTable) =>
  outcome(() => validateQueueArguments(args, 'q', '/', type));

interface Expectation {
  readonly types: readonly QueueTypeName[];
  readonly accepted: readonly FieldValue[];
  /** Values with the detail of their refusal. */
  readonly refused: readonly (readonly [FieldValue, string])[];
  /** Arguments that this one needs beside it. */
  readonly beside?: Record<string, FieldValue>;
}

const NO_INTEGER: Expectation['refused'] = [
  [text('1'), '"expected integer, got longstr"'],
  [bool(true), '"expected integer, got bool"'],
  [floating(1), '"expected integer, got double"'],
  [{ type: 'T', value: 1n }, '"expected integer, got timestamp"'],
  [{ type: 'V' }, '"expected integer, got void"'],
  [int(-1), '{value_negative,-1}'],
];
const NO_STRING: Expectation['refused'] = [
  [{ type: 'I', value: 3 }, '{unacceptable_type,signedint}'],
  [{ type: 'x', value: Buffer.from('classic') }, '{unacceptable_type,binary}'],
  [{ type: 'V' }, '{unacceptable_type,void}'],
];
const WIDTHS: readonly FieldValue[] = [
  { type: 'b', value: 2 },
  { type: 'B', value: 2 },
  { type: 's', value: 2 },
  { type: 'u', value: 2 },
  { type: 'I', value: 2 },
  { type: 'i', value: 2 },
  { type: 'l', value: 2n },
];
const both: readonly QueueTypeName[] = ['classic', 'quorum'];
const all: readonly QueueTypeName[] = ['classic', 'quorum', 'stream'];

const fromZero = (types: readonly QueueTypeName[]): Expectation => ({
  types,
  accepted: [int(0), int(2 ** 40), ...WIDTHS],
  refused: NO_INTEGER,
});
const fromOne = (types: readonly QueueTypeName[]): Expectation => ({
  types,
  accepted: WIDTHS,
  refused: [...NO_INTEGER, [int(0), '{value_zero,0}']],
});

const ROWS: Record<string, Expectation> = {
  'x-expires': {
    types: both,
    accepted: [int(1), int(315_360_000_000), ...WIDTHS],
    refused: [...NO_INTEGER, [int(0), '{value_zero,0}'], [int(315_360_000_001), '{value_too_large,315360000001}']],
  },
  'x-message-ttl': {
    types: both,
    accepted: [int(0), int(315_360_000_000), ...WIDTHS],
    refused: [...NO_INTEGER, [int(315_360_000_001), '{value_too_large,315360000001}']],
  },
  'x-dead-letter-exchange': { types: both, accepted: [text(''), text('x')], refused: [] },
  'x-dead-letter-routing-key': {
    types: both,
    beside: { 'x-dead-letter-exchange': text('') },
    accepted: [text(''), text('k')],
    refused: NO_STRING,
  },
  'x-dead-letter-strategy': {
    types: ['quorum'],
    accepted: [text('at-most-once'), text('at-least-once')],
    refused: [...NO_STRING, [text('foo'), 'invalid_dlx_strategy']],
  },
  'x-max-length': fromZero(both),
  'x-max-length-bytes': fromZero(all),
  'x-max-in-memory-length': fromZero(['quorum']),
  'x-max-in-memory-bytes': fromZero(['quorum']),
  'x-max-priority': {
    types: ['classic'],
    accepted: [int(0), int(255)],
    refused: [...NO_INTEGER, [int(256), '{max_value_exceeded,256}']],
  },
  'x-overflow': {
    types: both,
    accepted: [text('drop-head'), text('reject-publish'), text('reject-publish-dlx')],
    refused: [...NO_STRING, [text('foo'), 'invalid_overflow']],
  },
  'x-queue-mode': {
    types: ['classic'],
    accepted: [text('default'), text('lazy')],
    refused: [...NO_STRING, [text('zz'), `"unsupported queue mode 'zz'"`], [text(''), `"unsupported queue mode ''"`]],
  },
  'x-queue-version': {
    types: ['classic'],
    accepted: [int(1), ...WIDTHS],
    refused: [...NO_INTEGER, [int(0), `"unsupported queue version '0'"`], [int(9), `"unsupported queue version '9'"`]],
  },
  'x-single-active-consumer': {
    types: both,
    accepted: [bool(true), bool(false)],
    refused: [
      [text('true'), '{unacceptable_type,longstr}'],
      [{ type: 'b', value: 1 }, '{unacceptable_type,byte}'],
    ],
  },
  'x-queue-type': {
    types: all,
    accepted: [text('classic')],
    refused: [
      ...NO_STRING,
      [text('foo'), `"unsupported queue type 'foo'"`],
      [text('Classic'), `"unsupported queue type 'Classic'"`],
    ],
  },
  'x-queue-master-locator': { types: ['classic'], accepted: [text('min-masters'), text('any')], refused: NO_STRING },
  'x-queue-leader-locator': {
    types: all,
    accepted: [text('client-local'), text('balanced'), text('random'), text('least-leaders')],
    refused: [...NO_STRING, [text('foo'), 'invalid_queue_locator_arg']],
  },
  'x-delivery-limit': { types: ['quorum'], accepted: [int(-1), int(20), text('a')], refused: [] },
  'x-quorum-initial-group-size': fromOne(['quorum']),
  'x-consumer-timeout': fromZero(both),
  'x-delayed-retry-type': { types: ['quorum'], accepted: [text('a')], refused: NO_STRING },
  'x-delayed-retry-min': fromZero(['quorum']),
  'x-delayed-retry-max': fromZero(['quorum']),
  'x-max-age': {
    types: ['stream'],
    accepted: ['1Y', '2M', '3D', '10h', '01m', '100s'].map(text),
    refused: [
      ...NO_STRING,
      ...['0h', '1', 'h', '', '1H', '1d', '-1h', '1.5h', '1 h', '1h '].map(
        (age) => [text(age), 'invalid_max_age'] as const,
      ),
    ],
  },
  'x-stream-max-segment-size-bytes': {
    types: ['stream'],
    accepted: [int(0), int(3_000_000_000)],
    refused: NO_INTEGER,
  },
  'x-stream-filter-size-bytes': { types: ['stream'], accepted: [int(16), int(255)], refused: NO_INTEGER },
  'x-initial-cluster-size': fromOne(['stream']),
};

it('expects something of every argument', () => {
  expect(Object.keys(ROWS)).toEqual(QUEUE_ARGUMENTS.map(({ key }) => key));
});

describe.each(Object.entries(ROWS))('%s', (key, { types, accepted, refused, beside }) => {
  const withValue = (value: FieldValue) => table({ ...beside, [key]: value });

  it('takes its valid values', () => {
    for (const type of types) {
      for (const value of accepted) expect(validated(type, withValue(value))).toBe('accepted');
    }
  });

  it('refuses the others', () => {
    for (const type of types) {
      for (const [value, detail] of refused) {
        expect(validated(type, withValue(value))).toBe(`invalid arg '${key}' for ${RESOURCE}: ${detail}`);
      }
    }
  });

  it('is refused whatever its value by the types that do not know it', () => {
    for (const type of all.filter((type) => !types.includes(type))) {
      for (const value of [...accepted, ...refused.map(([value]) => value)]) {
        expect(validated(type, table({ [key]: value }))).toBe(
          `invalid arg '${key}' for ${RESOURCE} of queue type rabbit_${type}_queue`,
        );
      }
    }
  });
});

describe('validation', () => {
  it('has texts of their own for a few', () => {
    expect(validated('classic', table({ 'x-dead-letter-exchange': { type: 'I', value: 3 } }))).toBe(
      `invalid type 'signedint' for arg 'x-dead-letter-exchange' in ${RESOURCE}`,
    );
    expect(validated('stream', table({ 'x-stream-max-segment-size-bytes': int(3_000_000_001) }))).toBe(
      'Exceeded max value for x-stream-max-segment-size-bytes',
    );
    for (const size of [0, 15, 256]) {
      expect(validated('stream', table({ 'x-stream-filter-size-bytes': int(size) }))).toBe(
        'Invalid value for x-stream-filter-size-bytes',
      );
    }
  });

  it('wants a dead-letter exchange with a dead-letter routing key', () => {
    expect(validated('classic', table({ 'x-dead-letter-routing-key': text('k') }))).toBe(
      `invalid arg 'x-dead-letter-routing-key' for ${RESOURCE}: routing_key_but_no_dlx_defined`,
    );
  });

  it('accepts what no type knows', () => {
    for (const type of all) expect(validated(type, table({ 'x-foo': int(-1), foo: { type: 'V' } }))).toBe('accepted');
  });

  it('reports invalid values in its own order, before unknown keys in the order given', () => {
    const args = { 'x-max-age': text('1h'), 'x-delivery-limit': int(3), 'x-overflow': text('?'), 'x-expires': int(0) };
    const { 'x-expires': _, ...withoutExpires } = args;
    const { 'x-overflow': __, ...unknown } = withoutExpires;
    expect(validated('classic', table(args))).toContain('x-expires');
    expect(validated('classic', table(withoutExpires))).toContain('x-overflow');
    expect(validated('classic', table(unknown))).toContain('x-max-age');
  });

  it('names the queue and its virtual host', () => {
    const text = outcome(() => validateQueueArguments(table({ 'x-expires': int(0) }), 'orders', 'dev', 'classic'));
    expect(text).toBe("invalid arg 'x-expires' for queue 'orders' in vhost 'dev': {value_zero,0}");
  });
});

describe('the queue type', () => {
  it('is classic unless asked for', () => {
    expect(queueTypeOf([], 'q', '/')).toBe('classic');
    expect(queueTypeOf(table({ 'x-queue-type': text('classic') }), 'q', '/')).toBe('classic');
  });

  it.each<[FieldValue, string]>([
    [text(''), `"unsupported queue type ''"`],
    [{ type: 'b', value: 3 }, '{unacceptable_type,byte}'],
  ])('is not %o', (value, detail) => {
    expect(outcome(() => queueTypeOf(table({ 'x-queue-type': value }), 'q', '/'))).toBe(
      `invalid arg 'x-queue-type' for ${RESOURCE}: ${detail}`,
    );
  });
});

describe('equivalence', () => {
  const compared = (stored: FieldTable, received: FieldTable) =>
    outcome(() => assertEquivalentArguments(stored, received, RESOURCE));

  it.each(all)('covers every argument that a %s queue knows, and no other', (type) => {
    const own = { 'x-queue-type': text(type) };
    for (const { key, knownTo } of QUEUE_ARGUMENTS) {
      if (key === 'x-queue-type') continue;
      const expected = knownTo.includes(type)
        ? `inequivalent arg '${key}' for ${RESOURCE}: received '2' but current is '1'`
        : 'accepted';
      expect(compared(table({ ...own, [key]: int(1) }), table({ ...own, [key]: int(2) }))).toBe(expected);
    }
  });

  it('ignores what no type knows', () => {
    expect(compared(table({ 'x-foo': int(1) }), [])).toBe('accepted');
  });

  it('ignores integer widths and the order', () => {
    const stored: FieldTable = table({ 'x-message-ttl': { type: 'I', value: 1000 }, 'x-max-length': int(5) });
    expect(compared(stored, table({ 'x-max-length': int(5), 'x-message-ttl': int(1000) }))).toBe('accepted');
  });

  it('reports the first difference in its own order', () => {
    expect(compared(table({ 'x-max-length': int(1), 'x-expires': int(60_000) }), [])).toBe(
      `inequivalent arg 'x-expires' for ${RESOURCE}: received none but current is the value '60000' of type 'long'`,
    );
  });

  it('takes a missing type for classic', () => {
    const classic = table({ 'x-queue-type': text('classic') });
    const quorum = table({ 'x-queue-type': text('quorum') });
    expect(compared([], classic)).toBe('accepted');
    expect(compared(classic, [])).toBe('accepted');
    for (const stored of [[], classic]) {
      expect(compared(stored, quorum)).toBe(
        `inequivalent arg 'x-queue-type' for ${RESOURCE}: received 'quorum' but current is 'classic'`,
      );
    }
    expect(compared(quorum, [])).toBe(
      `inequivalent arg 'x-queue-type' for ${RESOURCE}: received 'classic' but current is 'quorum'`,
    );
  });
});
