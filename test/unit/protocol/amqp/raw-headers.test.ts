import { describe, expect, it } from 'vitest';
import { table } from '../../../../protocol/amqp/field-table.js';
import { decodeProperties, encodeProperties, type MessageProperties } from '../../../../protocol/amqp/properties.js';
import { copyWithLong, textHeader } from '../../../../protocol/amqp/raw-headers.js';

const KEY = Buffer.from('key');
const BEFORE = 3;

/** Within a larger array, as it is in a record. */
function placed(properties: MessageProperties | Uint8Array): [Uint8Array, number, number] {
  const encoded = properties instanceof Uint8Array ? properties : encodeProperties(properties);
  const bytes = Buffer.alloc(encoded.length + 2 * BEFORE, 0xaa);
  bytes.set(encoded, BEFORE);
  return [bytes, BEFORE, BEFORE + encoded.length];
}

function withLong(properties: MessageProperties | Uint8Array, value = 5): MessageProperties {
  const target = Buffer.alloc(500, 0xbb);
  const places = { end: 0, numberAt: 0 };
  copyWithLong(...placed(properties), KEY, value, target, 7, places);
  const { end, numberAt } = places;
  expect(target.readBigInt64BE(numberAt)).toBe(BigInt(value));
  expect([target[6], target[end]]).toEqual([0xbb, 0xbb]);
  return decodeProperties(target, 7, end);
}

const ALL: MessageProperties = {
  contentType: 'text/plain',
  contentEncoding: 'gzip',
  headers: table({ first: 'a'.repeat(100), second: 2 }),
  deliveryMode: 2,
  priority: 3,
  correlationId: 'c',
  replyTo: 'r',
  expiration: '1000',
  messageId: 'm',
  timestamp: 12n,
  type: 't',
  userId: 'u',
  appId: 'a',
  clusterId: 'x',
};
const LONG = ['key', { type: 'l', value: 5n }];

describe('copyWithLong', () => {
  it('adds a header in front of the others', () => {
    expect(withLong(ALL)).toEqual({ ...ALL, headers: [LONG, ...(ALL.headers ?? [])] });
  });

  it('adds a table where there is none', () => {
    expect(withLong({})).toEqual({ headers: [LONG] });
    const { headers: _, ...others } = ALL;
    expect(withLong(others)).toEqual({ ...others, headers: [LONG] });
    expect(withLong({ contentEncoding: 'gzip', deliveryMode: 1 })).toEqual({
      contentEncoding: 'gzip',
      deliveryMode: 1,
      headers: [LONG],
    });
  });

  it('takes the place of headers of its name', () => {
    const headers = [...table({ a: 1, key: 'old', b: 2 }), ...table({ key: 3 })];
    expect(withLong({ headers }).headers).toEqual([LONG, ...table({ a: 1, b: 2 })]);
  });

  it('knows further words of flags', () => {
    const encoded = Uint8Array.of(0x10, 0x01, 0x00, 0x00, 2);
    expect(withLong(encoded)).toEqual({ deliveryMode: 2, headers: [LONG] });
  });

  it.each([0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1])('writes %d', (value) => {
    expect(withLong({}, value).headers).toEqual([['key', { type: 'l', value: BigInt(value) }]]);
  });
});

describe('textHeader', () => {
  it('finds a string among the headers, byte by byte', () => {
    expect(textHeader(...placed({ ...ALL, headers: table({ a: 1, key: 'väl', b: 2 }) }), KEY)).toBe('vÃ¤l');
    expect(textHeader(...placed({ headers: table({ key: '' }) }), KEY)).toBe('');
  });

  it('finds nothing where there is none, or it is no string', () => {
    expect(textHeader(...placed({}), KEY)).toBeUndefined();
    expect(textHeader(...placed({ ...ALL }), KEY)).toBeUndefined();
    expect(textHeader(...placed({ headers: table({ key: 1, keys: 'x' }) }), KEY)).toBeUndefined();
  });
});
