import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { type FieldTable, table } from '../../../../protocol/amqp/field-table.js';
import {
  decodeProperties,
  encodeProperties,
  type MessageProperties,
  PropertiesPeek,
  readProperty,
  removeHeader,
  replaceReplyTo,
} from '../../../../protocol/amqp/properties.js';
import { PROPERTIES } from '../../../../protocol/amqp/spec.js';
import { MalformedError } from '../../../../protocol/errors.js';

const full: MessageProperties = {
  contentType: 'text/plain',
  contentEncoding: 'gzip',
  headers: table({ a: 1, BCC: ['x'], b: { BCC: 'inside' } }),
  deliveryMode: 2,
  priority: 9,
  correlationId: 'correlation',
  replyTo: 'amq.rabbitmq.reply-to',
  expiration: '60000',
  messageId: 'id',
  timestamp: 2n ** 63n,
  type: 'order',
  userId: 'guest',
  appId: 'app',
  clusterId: 'cluster',
};
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const decode = (bytes: Uint8Array) => decodeProperties(bytes, 0, bytes.length);
const peek = (bytes: Uint8Array, start = 0, end = bytes.length) => {
  const result = new PropertiesPeek();
  result.reset(bytes, start, end);
  return result;
};
const ascii = (bytes: Uint8Array, start: number, end: number) => Buffer.from(bytes.subarray(start, end)).toString();

describe('properties', () => {
  it('encodes none as two zero octets', () => {
    expect([...encodeProperties({})]).toEqual([0, 0]);
    expect(decode(Uint8Array.of(0, 0))).toEqual({});
  });

  it('encodes in the order of the flags', () => {
    expect(Buffer.from(encodeProperties({ appId: 'a', deliveryMode: 2, contentType: 'b' })).toString('hex')).toBe(
      '90080162020161',
    );
  });

  it('decodes what it encoded', () => {
    expect(Object.keys(full)).toEqual(PROPERTIES.map(({ name }) => name));
    expect(decode(encodeProperties(full))).toEqual(full);
  });

  it.each(PROPERTIES)('carries $name alone under its own flag', ({ name, flag }) => {
    const one = { [name]: full[name] } as MessageProperties;
    const bytes = encodeProperties(one);
    expect((bytes[0]! << 8) | bytes[1]!).toBe(flag);
    expect(decode(bytes)).toEqual(one);
    expect(peek(bytes).flags).toBe(flag);
  });

  it('takes text that is not UTF-8', () => {
    expect(decode(hex('0008 03 61ff62'))).toEqual({ appId: 'a?b' });
  });

  it('skips further words of flags and what belongs to them', () => {
    expect(decode(hex('1001 0000 02'))).toEqual({ deliveryMode: 2 });
    expect(decode(hex('1001 0001 8000 02 aabb'))).toEqual({ deliveryMode: 2 });
    expect(peek(hex('1001 0001 8000 02 aabb')).deliveryMode).toBe(2);
  });

  it.each([
    ['no flags', '00'],
    ['an octet missing', '1000'],
    ['a short string missing', '8000'],
    ['a short string cut', '8000 02 61'],
    ['a timestamp cut', '0040 00000000000000'],
    ['a table cut', '2000 00000001'],
    ['a table without its length', '2000 000000'],
    ['more flags announced', '1001'],
    ['data without a flag', '0000 00'],
    ['data after the delivery mode', '1000 0200'],
    ['data after the last property', '8000 0161 00'],
    ['data after empty further flags', '8001 0000 0161 00'],
  ])('refuses %s', (_, text) => {
    const bytes = hex(text);
    expect(() => decode(bytes)).toThrow(MalformedError);
    expect(() => peek(bytes)).toThrow(MalformedError);
  });
});

describe('PropertiesPeek', () => {
  const bytes = Buffer.concat([Buffer.from('before'), encodeProperties(full), Buffer.from('after')]);
  const found = peek(bytes, 6, bytes.length - 5);

  it('finds every range', () => {
    expect([found.deliveryMode, found.priority]).toEqual([2, 9]);
    expect(ascii(bytes, found.replyToStart, found.replyToEnd)).toBe('amq.rabbitmq.reply-to');
    expect(ascii(bytes, found.expirationStart, found.expirationEnd)).toBe('60000');
    expect(ascii(bytes, found.userIdStart, found.userIdEnd)).toBe('guest');
    expect(bytes.readUInt32BE(found.headersStart)).toBe(found.headersEnd - found.headersStart - 4);
  });

  it('forgets the message before', () => {
    const reused = peek(bytes, 6, bytes.length - 5);
    reused.reset(Uint8Array.of(0, 0), 0, 2);
    expect({ ...reused }).toEqual({ ...peek(Uint8Array.of(0, 0)) });
    reused.reset(Uint8Array.of(0x10, 0, 1), 0, 3);
    expect([reused.flags, reused.deliveryMode, reused.headersStart, reused.userIdEnd]).toEqual([0x1000, 1, -1, -1]);
  });
});

describe('readProperty', () => {
  const names = ['correlation_id', 'message_id', 'timestamp'] as const;
  const read = (bytes: Uint8Array) => names.map((name) => readProperty(bytes, 0, bytes.length, name));

  it('finds a property behind all others', () => {
    expect(read(encodeProperties(full))).toEqual(['correlation', 'id', String(2n ** 63n)]);
  });

  it('finds a property by itself', () => {
    expect(read(encodeProperties({ correlationId: '' }))).toEqual(['', undefined, undefined]);
    expect(read(encodeProperties({ messageId: 'ä' }))).toEqual([undefined, 'ä', undefined]);
    expect(read(encodeProperties({ timestamp: 0n }))).toEqual([undefined, undefined, '0']);
  });

  it('finds nothing where there is none', () => {
    const { correlationId: _, messageId: __, timestamp: ___, ...others } = full;
    expect(read(encodeProperties(others))).toEqual([undefined, undefined, undefined]);
    expect(read(new Uint8Array(0))).toEqual([undefined, undefined, undefined]);
  });

  it('reads within the range, past further words of flags', () => {
    const bytes = hex('ff 0401 0001 0000 03 616263 ff');
    expect(readProperty(bytes, 1, bytes.length - 1, 'correlation_id')).toBe('abc');
  });
});

describe('removeHeader', () => {
  const removed = (headers: FieldTable) => {
    const bytes = encodeProperties({ ...full, headers });
    const padded = Buffer.concat([Buffer.from('x'), bytes, Buffer.from('y')]);
    return decode(removeHeader(padded, 1, padded.length - 1, 'BCC')).headers;
  };

  it('cuts every entry of that name on the first level', () => {
    const headers: FieldTable = [
      ['BCC', { type: 'V' }],
      ['CC', { type: 'V' }],
      ['BCC', { type: 'I', value: 1 }],
      ['in', { type: 'F', value: [['BCC', { type: 'V' }]] }],
    ];
    expect(removed(headers)).toEqual([headers[1], headers[3]]);
  });

  it('leaves an empty table when it was the only one', () => {
    expect(removed([['BCC', { type: 'V' }]])).toEqual([]);
  });

  it('returns the same bytes when there is nothing to cut', () => {
    for (const properties of [{}, { headers: [] }, { ...full, headers: table({ CC: 1 }) }]) {
      const bytes = encodeProperties(properties);
      const result = removeHeader(bytes, 0, bytes.length, 'BCC');
      expect(result).toEqual(bytes);
      expect(result.buffer).not.toBe(bytes.buffer);
    }
  });
});

describe('replaceReplyTo', () => {
  it.each(['', 'amq.rabbitmq.reply-to.g1h2AA.token==', 'é'.repeat(100)])('puts %j in its place', (replyTo) => {
    const bytes = encodeProperties(full);
    expect(decode(replaceReplyTo(bytes, 0, bytes.length, replyTo))).toEqual({ ...full, replyTo });
  });

  it('copies properties that have none', () => {
    const bytes = encodeProperties({ appId: 'a' });
    expect(replaceReplyTo(bytes, 0, bytes.length, 'x')).toEqual(bytes);
  });
});
