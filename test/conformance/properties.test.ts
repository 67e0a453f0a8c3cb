import { Buffer } from 'node:buffer';
import { describe, expect } from 'vitest';
import { type FieldValue, table } from '../../protocol/amqp/field-table.js';
import { encodeProperties, type MessageProperties } from '../../protocol/amqp/properties.js';
import type { WireClient } from '../support/wire-client.js';
import { test } from './conformance-test.js';
import { bindQueue, consume, declareExchange, exclusiveQueue, getOne } from './topology.js';

const EVERY: Required<MessageProperties> = {
  contentType: 'application/json',
  contentEncoding: 'gzip',
  headers: table({ a: 1, b: 'two' }),
  deliveryMode: 2,
  priority: 255,
  correlationId: 'correlation',
  replyTo: 'somewhere',
  expiration: '600000',
  messageId: 'message-1',
  timestamp: 18_446_744_073_709_551_615n,
  type: 'greeting',
  userId: 'guest',
  appId: 'conformance',
  clusterId: 'cluster',
};

async function roundTrip(client: WireClient, properties: MessageProperties | Uint8Array): Promise<Buffer> {
  const queue = await exclusiveQueue(client);
  client.publish(1, { routingKey: queue, properties });
  return (await getOne(client, queue)).propertyBytes;
}

/** Property flags and list with nothing but headers, from the bytes of the table's entries. */
function headersOf(entries: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(entries.length);
  return Buffer.concat([Buffer.from([0x20, 0]), length, entries]);
}

describe('basic properties', () => {
  test('all of them are delivered', async ({ client }) => {
    expect(await roundTrip(client, EVERY)).toEqual(Buffer.from(encodeProperties(EVERY)));
  });

  test('none of them are delivered', async ({ client }) => {
    expect(await roundTrip(client, {})).toEqual(Buffer.from([0, 0]));
  });

  test.for(Object.entries(EVERY))('%s alone is delivered', async ([name, value], { client }) => {
    const properties = { [name]: value } as MessageProperties;
    expect(await roundTrip(client, properties)).toEqual(Buffer.from(encodeProperties(properties)));
  });

  test('empty strings are not absent', async ({ client }) => {
    const properties = { contentType: '', messageId: '', headers: [] };
    expect(await roundTrip(client, properties)).toEqual(Buffer.from(encodeProperties(properties)));
  });

  test('short strings of 255 octets are delivered', async ({ client }) => {
    const properties = { correlationId: 'é'.repeat(127), appId: 'a'.repeat(255) };
    expect(await roundTrip(client, properties)).toEqual(Buffer.from(encodeProperties(properties)));
  });

  test('are the same for every queue and consumer', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type: 'fanout' });
    const [one, two] = [await exclusiveQueue(client), await exclusiveQueue(client)];
    for (const queue of [one, two]) await bindQueue(client, { queue, exchange });
    const properties = { ...EVERY, headers: table({ a: { type: 'l', value: 5n } }) };
    client.publish(1, { exchange, properties });
    await consume(client, { queue: one, noAck: true });
    const delivered = await client.expect(1, 'basic.deliver');
    const got = await getOne(client, two);
    expect(delivered.propertyBytes).toEqual(Buffer.from(encodeProperties(properties)));
    expect(got.propertyBytes).toEqual(delivered.propertyBytes);
  });

  test('are returned as they were published', async ({ client }) => {
    client.publish(1, { routingKey: 'conformance.missing', mandatory: true, properties: EVERY });
    const returned = await client.expect(1, 'basic.return');
    expect(returned.propertyBytes).toEqual(Buffer.from(encodeProperties(EVERY)));
  });
});

describe('a header', () => {
  const values: readonly (readonly [what: string, value: FieldValue])[] = [
    ['true', { type: 't', value: true }],
    ['false', { type: 't', value: false }],
    ['the least int8', { type: 'b', value: -128 }],
    ['the greatest uint8', { type: 'B', value: 255 }],
    ['the least int16', { type: 's', value: -32_768 }],
    ['the greatest uint16', { type: 'u', value: 65_535 }],
    ['the least int32', { type: 'I', value: -2_147_483_648 }],
    ['the greatest uint32', { type: 'i', value: 4_294_967_295 }],
    ['the least int64', { type: 'l', value: -9_223_372_036_854_775_808n }],
    ['the greatest int64', { type: 'l', value: 9_223_372_036_854_775_807n }],
    ['a float', { type: 'f', value: 0.5 }],
    ['a double', { type: 'd', value: 1e300 }],
    ['a decimal', { type: 'D', scale: 2, value: 314 }],
    ['a long string', { type: 'S', value: 'ä'.repeat(1000) }],
    ['a long string that is not UTF-8', { type: 'S', value: Uint8Array.from([0xff, 0xfe, 0]) }],
    ['an empty long string', { type: 'S', value: '' }],
    ['a byte array', { type: 'x', value: Uint8Array.from([0, 1, 255]) }],
    ['a timestamp', { type: 'T', value: 1_700_000_000n }],
    ['void', { type: 'V' }],
    ['an empty array', { type: 'A', value: [] }],
    [
      'an array of everything',
      { type: 'A', value: [{ type: 'b', value: 1 }, { type: 'S', value: 's' }, { type: 'V' }] },
    ],
    ['an empty table', { type: 'F', value: [] }],
    [
      'tables and arrays in each other',
      { type: 'F', value: table({ list: [{ own: [1, 'a'] }, []], deep: { er: {} } }) },
    ],
  ];

  test.for(values)('is delivered as it was: %s', async ([, value], { client }) => {
    const properties = { headers: [['key', value]] as const };
    expect(await roundTrip(client, properties)).toEqual(Buffer.from(encodeProperties(properties)));
  });

  test('stays where it was in the table', async ({ client }) => {
    const properties = { headers: table({ zebra: 1, ant: 2, Yak: 3, '': 4 }) };
    expect(await roundTrip(client, properties)).toEqual(Buffer.from(encodeProperties(properties)));
  });

  test('may have a name of 128 octets', async ({ client }) => {
    const properties = { headers: table({ ['k'.repeat(128)]: true }) };
    expect(await roundTrip(client, properties)).toEqual(Buffer.from(encodeProperties(properties)));
  });

  test('with the type letter L keeps it', async ({ client }) => {
    const properties = headersOf(Buffer.from([1, 0x6b, 0x4c, 0, 0, 0, 0, 0, 0, 0, 7]));
    expect(await roundTrip(client, properties)).toEqual(properties);
  });

  test('may be there a thousand times', async ({ client }) => {
    const headers = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`key-${index}`, index]));
    const properties = { headers: table(headers) };
    expect(await roundTrip(client, properties)).toEqual(Buffer.from(encodeProperties(properties)));
  });
});
