import { describe, expect, it } from 'vitest';
import type { FieldTable, FieldValue } from '../../../../src/core/field-value.js';
import type { BindingDefinition, Definition } from '../../../../src/core/ports/definition-store.js';
import {
  decodeDefinition,
  definitionHeaderLayout,
  encodeDefinition,
  identityOf,
} from '../../../../src/store/lmdb/definition-records.js';
import { Random, seedOf } from '../../../support/random.js';

const EVERY_TYPE: FieldTable = [
  ['bool', { type: 't', value: true }],
  ['false', { type: 't', value: false }],
  ['i8', { type: 'b', value: -128 }],
  ['u8', { type: 'B', value: 255 }],
  ['i16', { type: 's', value: -32_768 }],
  ['u16', { type: 'u', value: 65_535 }],
  ['i32', { type: 'I', value: -2_147_483_648 }],
  ['u32', { type: 'i', value: 4_294_967_295 }],
  ['i64', { type: 'l', value: -9_223_372_036_854_775_808n }],
  ['max', { type: 'l', value: 9_223_372_036_854_775_807n }],
  ['time', { type: 'T', value: 18_446_744_073_709_551_615n }],
  ['float', { type: 'f', value: Math.fround(0.1) }],
  ['double', { type: 'd', value: Number.MIN_VALUE }],
  ['-0', { type: 'd', value: -0 }],
  ['nan', { type: 'd', value: Number.NaN }],
  ['inf', { type: 'f', value: Number.POSITIVE_INFINITY }],
  ['-inf', { type: 'd', value: Number.NEGATIVE_INFINITY }],
  ['decimal', { type: 'D', scale: 255, value: 4_294_967_295 }],
  ['text', { type: 'S', value: 'sécret \u0000 \u{1f430} "\\' }],
  ['not UTF-8', { type: 'S', value: Uint8Array.of(0xff, 0, 0x80) }],
  ['like bytes', { type: 'S', value: '{"base64":"AA=="}' }],
  ['no bytes', { type: 'x', value: new Uint8Array(0) }],
  ['bytes', { type: 'x', value: Uint8Array.from({ length: 256 }, (_, i) => i) }],
  ['list', { type: 'A', value: [{ type: 'V' }, { type: 'A', value: [] }, { type: 'l', value: 1n }] }],
  ['table', { type: 'F', value: [['__proto__', { type: 'F', value: [] }]] }],
  ['void', { type: 'V' }],
  ['', { type: 'S', value: '' }],
  ['twice', { type: 'B', value: 1 }],
  ['twice', { type: 'B', value: 2 }],
];

const exchange: Definition = {
  kind: 'exchange',
  virtualHost: '/',
  name: 'x',
  type: 'topic',
  autoDelete: true,
  internal: false,
  arguments: EVERY_TYPE,
};
const queue: Definition = {
  kind: 'queue',
  virtualHost: 'ünïcode',
  name: 'q',
  id: 4_294_967_295,
  logCount: 3,
  type: 'classic',
  autoDelete: false,
  arguments: [],
};
const binding: BindingDefinition = {
  kind: 'binding',
  virtualHost: '/',
  source: 'x',
  destinationKind: 'queue',
  destination: 'q',
  routingKey: 'a.#',
  arguments: EVERY_TYPE,
};
const user: Definition = {
  kind: 'user',
  name: 'mary',
  tags: ['administrator', ''],
  passwordHash: Uint8Array.of(0, 1, 254, 255),
};
const permission: Definition = {
  kind: 'permission',
  user: 'mary',
  virtualHost: '/',
  configure: '',
  write: '.*',
  read: '^a\\-"',
};
const policy: Definition = {
  kind: 'policy',
  virtualHost: '/',
  name: 'ttl',
  pattern: '^q\\.',
  definition: { 'message-ttl': 1000, 'dead-letter-exchange': 'dlx' },
  priority: -1,
  applyTo: 'classic_queues',
};

const DEFINITIONS: readonly Definition[] = [
  exchange,
  queue,
  binding,
  { kind: 'virtual-host', name: '' },
  user,
  { ...user, tags: [], passwordHash: undefined },
  { ...user, hashing: 'md5', limits: { maxConnections: 0, maxChannels: -1 } },
  { kind: 'virtual-host', name: 'v', metadata: { description: 'd', tags: ['t'], defaultQueueType: 'quorum' } },
  permission,
  { kind: 'topic-permission', user: 'mary', virtualHost: '/', exchange: 'x', write: '^a', read: '' },
  policy,
  { ...policy, kind: 'operator-policy' },
  { kind: 'parameter', virtualHost: '/', component: 'c', name: 'n', value: [null, { a: [1.5, true] }] },
  { kind: 'global-parameter', name: 'n', value: 'text' },
];

const decoded = (definition: Definition): Definition => decodeDefinition(encodeDefinition(definition));

/** A record of other JSON, or of another header. */
function record(json: unknown, header: Partial<{ version: number; kind: number }> = {}): Uint8Array {
  const bytes = Buffer.concat([Buffer.alloc(definitionHeaderLayout.span), Buffer.from(JSON.stringify(json))]);
  definitionHeaderLayout.encode({ version: 1, kind: 4, reserved: 0, ...header }, bytes);
  return bytes;
}

describe('a definition record', () => {
  it.each(DEFINITIONS.map((definition) => [definition.kind, definition] as const))(
    'gives back what was put into it: %s',
    (_, definition) => {
      expect(decoded(definition)).toStrictEqual(definition);
    },
  );

  it('is read wherever it lies', () => {
    const bytes = encodeDefinition(queue);
    const within = new Uint8Array(bytes.length + 10).fill(0xff);
    within.set(bytes, 5);
    expect(decodeDefinition(within.subarray(5, 5 + bytes.length))).toEqual(queue);
  });

  it('is as drawn: on disk it may never change', () => {
    const bytes = Buffer.from(encodeDefinition({ kind: 'virtual-host', name: 'v' }));
    expect(bytes.toString('latin1')).toBe('\x01\x04\0\0{"name":"v"}');
    const kinds = DEFINITIONS.map((definition) => [definition.kind, encodeDefinition(definition)[1]]);
    expect(Object.fromEntries(kinds)).toEqual({
      exchange: 1,
      queue: 2,
      binding: 3,
      'virtual-host': 4,
      user: 5,
      permission: 6,
      policy: 7,
      'operator-policy': 8,
      parameter: 9,
      'global-parameter': 10,
      'topic-permission': 11,
    });
    const small: FieldTable = [
      ['b', { type: 'x', value: Uint8Array.of(1) }],
      ['l', { type: 'l', value: 5n }],
    ];
    const text = Buffer.from(encodeDefinition({ ...binding, arguments: small })).toString('utf8', 4);
    expect(JSON.parse(text)).toEqual({
      virtualHost: '/',
      source: 'x',
      destinationKind: 'queue',
      destination: 'q',
      routingKey: 'a.#',
      arguments: [
        ['b', ['x', { base64: 'AQ==' }]],
        ['l', ['l', '5']],
      ],
    });
  });

  it('of an exchange names its log, if it has one', () => {
    expect(decoded({ ...exchange, logId: 7 })).toStrictEqual({ ...exchange, logId: 7 });
    expect(() => decodeDefinition(encodeDefinition({ ...exchange, logId: '7' } as never))).toThrow('expected a number');
  });

  it('may say more than this program knows', () => {
    expect(decodeDefinition(record({ name: 'v', owner: 'mary' }))).toEqual({ kind: 'virtual-host', name: 'v' });
  });

  it.each<[string, Uint8Array, string]>([
    ['another version', record({ name: 'v' }, { version: 2 }), 'version 2; this program knows version 1'],
    ['an unknown kind', record({ name: 'v' }, { kind: 77 }), 'unknown kind 77'],
    ['no header', Uint8Array.of(1, 4, 0), 'has 3 bytes'],
    ['no JSON', encodeDefinition(queue).subarray(0, 20), 'is damaged'],
    ['no UTF-8', Uint8Array.of(1, 4, 0, 0, 0xff), 'is damaged'],
    ['no record', record(['v']), 'is damaged: expected a record'],
    ['nothing it must have', record({}), 'is damaged: expected a string'],
    ['another type', record({ name: 5 }), 'is damaged: expected a string, got 5'],
    ['an unknown field type', record({ arguments: [['a', ['q', 1]]] }, { kind: 3 }), 'is damaged'],
  ])('is refused with %s', (_, bytes, text) => {
    expect(() => decodeDefinition(bytes)).toThrow(text);
  });

  it('survives with random arguments', () => {
    const random = new Random(seedOf('definition records'));
    for (let i = 0; i < 500; i++) {
      const definition: Definition = { ...binding, arguments: randomTable(random, 3) };
      expect(decoded(definition)).toStrictEqual(definition);
      expect(identityOf(decoded(definition))).toBe(identityOf(definition));
    }
  });
});

function randomTable(random: Random, depth: number): FieldTable {
  return Array.from({ length: random.below(4) }, () => [randomText(random), randomValue(random, depth)] as const);
}

function randomText(random: Random): string {
  return Array.from({ length: random.below(5) }, () => String.fromCodePoint(random.below(0xd800))).join('');
}

function randomValue(random: Random, depth: number): FieldValue {
  const double = new Float64Array(random.bytes(8).buffer)[0] ?? 0;
  const values: readonly FieldValue[] = [
    { type: 't', value: random.chance(0.5) },
    { type: 'I', value: random.below(2 ** 32) - 2 ** 31 },
    { type: 'l', value: new BigInt64Array(random.bytes(8).buffer)[0] ?? 0n },
    { type: 'd', value: double },
    { type: 'D', scale: random.below(256), value: random.below(2 ** 32) },
    { type: 'S', value: randomText(random) },
    { type: 'S', value: Uint8Array.of(0xff, ...random.bytes(random.below(9))) },
    { type: 'x', value: random.bytes(random.below(9)) },
    { type: 'V' },
  ];
  if (depth > 0 && random.chance(0.3)) {
    if (random.chance(0.5)) return { type: 'F', value: randomTable(random, depth - 1) };
    return { type: 'A', value: [randomValue(random, depth - 1), randomValue(random, depth - 1)] };
  }
  return random.pick(values);
}

describe('an identity', () => {
  const args = (...keys: readonly string[]): FieldTable => keys.map((key) => [key, { type: 'S', value: key }]);

  it('is the same whatever else changes', () => {
    expect(identityOf({ ...exchange, type: 'direct', arguments: [] })).toBe(identityOf(exchange));
    expect(identityOf({ ...queue, id: 1, autoDelete: true })).toBe(identityOf(queue));
    expect(identityOf({ ...user, tags: [], passwordHash: undefined })).toBe(identityOf(user));
    expect(identityOf({ ...permission, read: '' })).toBe(identityOf(permission));
  });

  it('is the same for a binding whose arguments come in another order', () => {
    const nested = (...keys: readonly string[]): Definition => ({
      ...binding,
      arguments: [['t', { type: 'A', value: [{ type: 'F', value: args(...keys) }] }]],
    });
    expect(identityOf({ ...binding, arguments: args('a', 'b') })).toBe(
      identityOf({ ...binding, arguments: args('b', 'a') }),
    );
    expect(identityOf(nested('a', 'b'))).toBe(identityOf(nested('b', 'a')));
  });

  it('is another for everything else', () => {
    const others: readonly Definition[] = [
      ...DEFINITIONS.filter((definition) => definition.kind !== 'user'),
      user,
      { ...exchange, name: 'y' },
      { ...exchange, virtualHost: 'other' },
      { ...exchange, virtualHost: '/","x' },
      { ...queue, virtualHost: '/', name: 'x' },
      { kind: 'virtual-host', name: 'mary' },
      { ...permission, virtualHost: 'other' },
      { ...permission, user: '/', virtualHost: 'mary' },
      { ...binding, virtualHost: 'other' },
      { ...binding, source: 'y' },
      { ...binding, destinationKind: 'exchange' },
      { ...binding, destination: 'r' },
      { ...binding, routingKey: '' },
      { ...binding, arguments: [] },
      { ...binding, arguments: [['n', { type: 'b', value: 1 }]] },
      { ...binding, arguments: [['n', { type: 'I', value: 1 }]] },
      { ...binding, arguments: [['n', { type: 'S', value: '1' }]] },
      { ...binding, arguments: [['n', { type: 'l', value: 1n }]] },
    ];
    expect(new Set(others.map(identityOf)).size).toBe(others.length);
  });
});
