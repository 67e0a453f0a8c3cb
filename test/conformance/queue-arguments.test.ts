import { describe } from 'vitest';
import { type FieldValue, type PlainValue, table } from '../../protocol/amqp/field-table.js';
import { test } from './conformance-test.js';
import { declareQueue, exclusiveQueue } from './topology.js';

type Table = Readonly<Record<string, PlainValue>>;

const inequivalent = (arg: string, queue: string) =>
  `PRECONDITION_FAILED - inequivalent arg '${arg}' for queue '${queue}' in vhost '/': `;
const INTEGERS: readonly (readonly [word: string, value: FieldValue])[] = [
  ['byte', { type: 'b', value: 100 }],
  ['unsignedbyte', { type: 'B', value: 100 }],
  ['short', { type: 's', value: 100 }],
  ['unsignedshort', { type: 'u', value: 100 }],
  ['signedint', { type: 'I', value: 100 }],
  ['unsignedint', { type: 'i', value: 100 }],
  ['long', { type: 'l', value: 100n }],
];

describe('the arguments of a queue declared again', () => {
  test('must be equal', async ({ client, unique }) => {
    const queue = await exclusiveQueue(client, { queue: unique('q'), arguments: table({ 'x-message-ttl': 1000 }) });
    client.send(1, { name: 'queue.declare', queue, exclusive: true, arguments: table({ 'x-message-ttl': 1001 }) });
    const text = `${inequivalent('x-message-ttl', queue)}received '1001' but current is '1000'`;
    await client.expectChannelClose(1, 406, text, [50, 10]);
  });

  test.for(INTEGERS)('may not appear: %s', async ([word, value], { client, unique }) => {
    const queue = await exclusiveQueue(client, { queue: unique('q') });
    client.send(1, { name: 'queue.declare', queue, exclusive: true, arguments: table({ 'x-message-ttl': value }) });
    const text = `${inequivalent('x-message-ttl', queue)}received the value '100' of type '${word}' but current is none`;
    await client.expectChannelClose(1, 406, text, [50, 10]);
  });

  test.for(INTEGERS)('may not be left out: %s', async ([word, value], { client, unique }) => {
    const queue = await exclusiveQueue(client, { queue: unique('q'), arguments: table({ 'x-message-ttl': value }) });
    client.send(1, { name: 'queue.declare', queue, exclusive: true });
    const text = `${inequivalent('x-message-ttl', queue)}received none but current is the value '100' of type '${word}'`;
    await client.expectChannelClose(1, 406, text, [50, 10]);
  });

  test.for([
    ['longstr', 'x-overflow', 'drop-head', 'drop-head'],
    ['bool', 'x-single-active-consumer', true, 'true'],
  ] as const)('may not be left out: %s', async ([word, key, value, shown], { client, unique }) => {
    const queue = await exclusiveQueue(client, { queue: unique('q'), arguments: table({ [key]: value }) });
    client.send(1, { name: 'queue.declare', queue, exclusive: true });
    const text = `${inequivalent(key, queue)}received none but current is the value '${shown}' of type '${word}'`;
    await client.expectChannelClose(1, 406, text, [50, 10]);
  });

  test('may have another integer type', async ({ client, unique }) => {
    const queue = unique('q');
    for (const [, value] of INTEGERS) await exclusiveQueue(client, { queue, arguments: table({ 'x-expires': value }) });
  });

  test('need not name the classic type', async ({ client, unique }) => {
    const queue = unique('q');
    const classic = table({ 'x-queue-type': 'classic' });
    await exclusiveQueue(client, { queue });
    await exclusiveQueue(client, { queue, arguments: classic });
    const another = unique('q');
    await exclusiveQueue(client, { queue: another, arguments: classic });
    await exclusiveQueue(client, { queue: another });
  });

  test('may differ where the broker knows nothing of them', async ({ client, unique }) => {
    const queue = unique('q');
    await exclusiveQueue(client, { queue, arguments: table({ 'x-own': 1, own: 'a' }) });
    await exclusiveQueue(client, { queue, arguments: table({ 'x-own': 2 }) });
    await exclusiveQueue(client, { queue });
  });

  test.for([
    ['x-expires', 60_000, 60_001],
    ['x-max-length', 10, 11],
    ['x-max-length-bytes', 10, 11],
    ['x-overflow', 'drop-head', 'reject-publish'],
    ['x-dead-letter-exchange', 'a', 'b'],
    ['x-max-priority', 5, 6],
    ['x-single-active-consumer', true, false],
  ] as const)('are compared: %s', async ([key, current, received], { client, unique }) => {
    const queue = await exclusiveQueue(client, { queue: unique('q'), arguments: table({ [key]: current }) });
    client.send(1, { name: 'queue.declare', queue, exclusive: true, arguments: table({ [key]: received }) });
    const text = `${inequivalent(key, queue)}received '${received}' but current is '${current}'`;
    await client.expectChannelClose(1, 406, text, [50, 10]);
  });

  test('are compared: x-dead-letter-routing-key', async ({ client, unique }) => {
    const args = (key: string) => table({ 'x-dead-letter-exchange': 'a', 'x-dead-letter-routing-key': key });
    const queue = await exclusiveQueue(client, { queue: unique('q'), arguments: args('a') });
    client.send(1, { name: 'queue.declare', queue, exclusive: true, arguments: args('b') });
    const text = `${inequivalent('x-dead-letter-routing-key', queue)}received 'b' but current is 'a'`;
    await client.expectChannelClose(1, 406, text, [50, 10]);
  });
});

describe('a queue argument', () => {
  const refused: readonly (readonly [args: Table, key: string, detail: string])[] = [
    [{ 'x-expires': 0 }, 'x-expires', '{value_zero,0}'],
    [{ 'x-expires': -1 }, 'x-expires', '{value_negative,-1}'],
    [{ 'x-expires': 315_360_000_001n }, 'x-expires', '{value_too_large,315360000001}'],
    [{ 'x-expires': 'soon' }, 'x-expires', '"expected integer, got longstr"'],
    [{ 'x-message-ttl': -1 }, 'x-message-ttl', '{value_negative,-1}'],
    [{ 'x-message-ttl': 315_360_000_001n }, 'x-message-ttl', '{value_too_large,315360000001}'],
    [{ 'x-message-ttl': '1000' }, 'x-message-ttl', '"expected integer, got longstr"'],
    [{ 'x-message-ttl': true }, 'x-message-ttl', '"expected integer, got bool"'],
    [{ 'x-max-length': -1 }, 'x-max-length', '{value_negative,-1}'],
    [{ 'x-max-length': '5' }, 'x-max-length', '"expected integer, got longstr"'],
    [{ 'x-max-length-bytes': -1 }, 'x-max-length-bytes', '{value_negative,-1}'],
    [{ 'x-max-priority': -3 }, 'x-max-priority', '{value_negative,-3}'],
    [{ 'x-max-priority': 300 }, 'x-max-priority', '{max_value_exceeded,300}'],
    [{ 'x-overflow': 'drop-tail' }, 'x-overflow', 'invalid_overflow'],
    [{ 'x-overflow': 5 }, 'x-overflow', '{unacceptable_type,signedint}'],
    [{ 'x-dead-letter-routing-key': 'k' }, 'x-dead-letter-routing-key', 'routing_key_but_no_dlx_defined'],
    [{ 'x-single-active-consumer': 'yes' }, 'x-single-active-consumer', '{unacceptable_type,longstr}'],
    [{ 'x-queue-type': 'foo' }, 'x-queue-type', '"unsupported queue type \'foo\'"'],
    [{ 'x-queue-type': 5 }, 'x-queue-type', '{unacceptable_type,signedint}'],
    [{ 'x-queue-version': 9 }, 'x-queue-version', '"unsupported queue version \'9\'"'],
  ];

  test.for(refused)('is refused: %o', async ([args, key, detail], { client, unique }) => {
    const queue = unique('q');
    client.send(1, { name: 'queue.declare', queue, exclusive: true, arguments: table(args) });
    const text = `PRECONDITION_FAILED - invalid arg '${key}' for queue '${queue}' in vhost '/': ${detail}`;
    await client.expectChannelClose(1, 406, text, [50, 10]);
  });

  test('x-dead-letter-exchange must be a long string', async ({ client, unique }) => {
    const queue = unique('q');
    const args = table({ 'x-dead-letter-exchange': 5 });
    client.send(1, { name: 'queue.declare', queue, exclusive: true, arguments: args });
    const text = `PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue '${queue}' in vhost '/'`;
    await client.expectChannelClose(1, 406, text, [50, 10]);
  });

  test.for(['x-max-age', 'x-stream-max-segment-size-bytes', 'x-quorum-initial-group-size', 'x-delivery-limit'])(
    'of another queue type is refused: %s',
    async (key, { client, unique }) => {
      const queue = unique('q');
      client.send(1, { name: 'queue.declare', queue, exclusive: true, arguments: table({ [key]: 1 }) });
      const text = `PRECONDITION_FAILED - invalid arg '${key}' for queue '${queue}' in vhost '/' of queue type rabbit_classic_queue`;
      await client.expectChannelClose(1, 406, text, [50, 10]);
    },
  );

  const accepted: readonly Table[] = [
    { 'x-expires': 315_360_000_000n },
    { 'x-message-ttl': 0 },
    { 'x-max-length': 0, 'x-max-length-bytes': 0 },
    { 'x-overflow': 'reject-publish-dlx' },
    { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'k' },
    { 'x-dead-letter-exchange': 'conformance.no-such-exchange' },
    { 'x-max-priority': 255 },
    { 'x-queue-mode': 'lazy' },
    { 'x-queue-version': 2 },
    { 'x-anything-else': ['a', 1, { nested: true }] },
  ];

  test.for(accepted)('is accepted: %o', async (args, { client }) => {
    await exclusiveQueue(client, { arguments: table(args) });
  });

  test('that is refused leaves no queue behind', async ({ client, unique }) => {
    const queue = unique('q');
    client.send(1, { name: 'queue.declare', queue, arguments: table({ 'x-message-ttl': -1 }) });
    await client.expect(1, 'channel.close', { replyCode: 406 });
    client.send(1, { name: 'channel.close-ok' });
    await client.openChannel();
    client.send(1, { name: 'queue.declare', queue, passive: true });
    await client.expectChannelClose(1, 404, `NOT_FOUND - no queue '${queue}' in vhost '/'`, [50, 10]);
  });

  test('that is wrong does not matter where the queue exists with another', async ({ client, unique }) => {
    const queue = await declareQueue(client, { queue: unique('q'), arguments: table({ 'x-max-length': 5 }) });
    client.send(1, { name: 'queue.declare', queue, arguments: table({ 'x-max-length': -1 }) });
    const text = `${inequivalent('x-max-length', queue)}received '-1' but current is '5'`;
    await client.expectChannelClose(1, 406, text, [50, 10]);
  });
});
