import { describe, expect } from 'vitest';
import { type FieldTable, type FieldValue, table } from '../../protocol/amqp/field-table.js';
import type { Received, WireClient } from '../support/wire-client.js';
import { test } from './conformance-test.js';
import { declareQueue, expectQueue, type QueueFields } from './topology.js';

type Arguments = Parameters<typeof table>[0];

/** Two of these fill a segment of 500 octets. */
const BODY_BYTES = 400;

function streamArguments(further: Arguments = {}): FieldTable {
  return table({ 'x-queue-type': 'stream', ...further });
}

async function stream(client: WireClient, queue: string, further: Arguments = {}): Promise<string> {
  return declareQueue(client, { queue, durable: true, arguments: streamArguments(further) });
}

/** Published and confirmed one by one, so that each is a chunk of its own. */
async function filled(client: WireClient, queue: string, bodies: readonly string[], headers?: FieldTable) {
  await client.openChannel(9);
  await client.rpc(9, { name: 'confirm.select' }, 'confirm.select-ok');
  for (const body of bodies) {
    client.publish(9, { routingKey: queue, body, ...(headers === undefined ? {} : { properties: { headers } }) });
    await client.expect(9, 'basic.ack');
  }
  await client.rpc(9, { name: 'channel.close' }, 'channel.close-ok');
}

async function consume(client: WireClient, queue: string, args: Arguments = {}, prefetchCount = 100): Promise<void> {
  await client.rpc(1, { name: 'basic.qos', prefetchCount }, 'basic.qos-ok');
  await client.rpc(1, { name: 'basic.consume', queue, arguments: table(args) }, 'basic.consume-ok');
}

function header({ properties }: Pick<Received<'basic.deliver'>, 'properties'>, key: string): FieldValue | undefined {
  return properties.headers?.find(([name]) => name === key)?.[1];
}

/** The next deliveries: body and offset of each. */
async function received(client: WireClient, count: number): Promise<[string, bigint][]> {
  const found: [string, bigint][] = [];
  while (found.length < count) {
    const delivery = await client.expect(1, 'basic.deliver');
    expect(delivery.redelivered).toBe(false);
    const offset = header(delivery, 'x-stream-offset');
    found.push([delivery.body.toString(), offset?.type === 'l' ? offset.value : -1n]);
    client.send(1, { name: 'basic.ack', deliveryTag: delivery.deliveryTag });
  }
  return found;
}

function refused(queue: string, key: string, detail: string): string {
  return `PRECONDITION_FAILED - invalid arg '${key}' for queue '${queue}' in vhost '/'${detail}`;
}

describe('a stream', () => {
  const impossible: readonly (readonly [QueueFields, string])[] = [
    [{ durable: false }, 'non-durable'],
    [{ durable: true, autoDelete: true }, 'auto-delete'],
    [{ durable: true, exclusive: true }, 'exclusive-owner'],
  ];
  test.for(impossible)('cannot be declared with %o', async ([flags, property], { client, unique }) => {
    const queue = unique('s');
    client.send(1, { name: 'queue.declare', queue, ...flags, arguments: streamArguments() });
    const text = `PRECONDITION_FAILED - invalid property '${property}' for queue '${queue}' in vhost '/'`;
    await client.expectChannelClose(1, 406, text, [50, 10]);
  });

  const foreign: Arguments[] = [{ 'x-message-ttl': 1 }, { 'x-max-length': 1 }, { 'x-dead-letter-exchange': 'x' }];
  test.for(foreign)('does not know %o', async (args, { client, unique }) => {
    const queue = unique('s');
    client.send(1, { name: 'queue.declare', queue, durable: true, arguments: streamArguments(args) });
    const text = refused(queue, Object.keys(args).join(), ' of queue type rabbit_stream_queue');
    await client.expectChannelClose(1, 406, text, [50, 10]);
  });

  test('is read by many, from the beginning, and loses nothing by that', async ({ client, unique }) => {
    const queue = await stream(client, unique('s'));
    await filled(client, queue, ['a', 'b', 'c']);
    for (let round = 0; round < 2; round++) {
      await consume(client, queue, { 'x-stream-offset': 'first' });
      expect(await received(client, 3)).toEqual([
        ['a', 0n],
        ['b', 1n],
        ['c', 2n],
      ]);
    }
  });

  const offsets: readonly (readonly [string, Arguments, string])[] = [
    ['nothing', {}, 'd'],
    ['next', { 'x-stream-offset': 'next' }, 'd'],
    ['last', { 'x-stream-offset': 'last' }, 'c'],
    ['an offset', { 'x-stream-offset': 1 }, 'b'],
    ['a negative offset', { 'x-stream-offset': -1 }, 'a'],
    ['an offset to come', { 'x-stream-offset': 4 }, 'e'],
    ['a time long ago', { 'x-stream-offset': { type: 'T', value: 1n } }, 'a'],
    ['an hour ago', { 'x-stream-offset': '1h' }, 'a'],
    ['a time to come', { 'x-stream-offset': { type: 'T', value: 9_999_999_999n } }, 'd'],
  ];
  test.for(offsets)('can be read from %s', async ([, args, expected], { client, unique }) => {
    const queue = await stream(client, unique('s'));
    await filled(client, queue, ['a', 'b', 'c']);
    await consume(client, queue, args);
    await filled(client, queue, ['d', 'e']);
    const order = ['a', 'b', 'c', 'd', 'e'];
    const from = order.indexOf(expected);
    expect(await received(client, order.length - from)).toEqual(
      order.slice(from).map((body, index) => [body, BigInt(from + index)]),
    );
  });

  test('has no other offsets', async ({ client, unique }) => {
    const queue = await stream(client, unique('s'));
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
    client.send(1, { name: 'basic.consume', queue, arguments: table({ 'x-stream-offset': '3' }) });
    const text = refused(queue, 'x-stream-offset', ': {invalid_stream_offset_arg,{longstr,<<"3">>}}');
    await client.expectChannelClose(1, 406, text, [60, 20]);
  });

  test('refuses words that are no offset on the channel', async ({ client, unique, skipOn3 }) => {
    skipOn3('stream-offset-word');
    const queue = await stream(client, unique('s'));
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
    client.send(1, { name: 'basic.consume', queue, arguments: table({ 'x-stream-offset': 'middle' }) });
    const text = refused(queue, 'x-stream-offset', ': {invalid_stream_offset_arg,{longstr,<<"middle">>}}');
    await client.expectChannelClose(1, 406, text, [60, 20]);
  });

  test('needs a prefetch', async ({ client, unique, expects }) => {
    const queue = await stream(client, unique('s'));
    client.send(1, { name: 'basic.consume', queue });
    const described = `queue '${queue}' in vhost '/'`;
    const where = expects('stream-texts', { rabbit3: `'${described}'`, default: `stream ${described}` });
    const text = `PRECONDITION_FAILED - consumer prefetch count is not set for ${where}`;
    await client.expectChannelClose(1, 406, text, [60, 20]);
  });

  test('needs acknowledgements', async ({ client, unique, expects }) => {
    const queue = await stream(client, unique('s'));
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
    client.send(1, { name: 'basic.consume', queue, noAck: true });
    const what = expects('stream-texts', { rabbit3: 'stream queues', default: 'stream' });
    const text = `NOT_IMPLEMENTED - automatic acknowledgement not supported by ${what} queue '${queue}' in vhost '/'`;
    await client.expectConnectionClose(540, text, [60, 20]);
  });

  test('takes no part in a prefetch for the whole channel', async ({ client, unique }) => {
    const queue = await stream(client, unique('s'));
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 5 }, 'basic.qos-ok');
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 5, global: true }, 'basic.qos-ok');
    client.send(1, { name: 'basic.consume', queue });
    const text = `NOT_IMPLEMENTED - queue '${queue}' in vhost '/' does not support global qos`;
    await client.expectConnectionClose(540, text, [60, 20]);
  });

  test('does not know priorities of consumers', async ({ client, unique }) => {
    const queue = await stream(client, unique('s'));
    client.send(1, { name: 'basic.consume', queue, arguments: table({ 'x-priority': 1 }) });
    const text = refused(queue, 'x-priority', ' of queue type rabbit_stream_queue');
    await client.expectChannelClose(1, 406, text, [60, 20]);
  });

  test('has no exclusive consumers, and does not tell how many it has', async ({ client, unique }) => {
    const queue = await stream(client, unique('s'));
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
    for (let round = 0; round < 2; round++) {
      await client.rpc(1, { name: 'basic.consume', queue, exclusive: true }, 'basic.consume-ok');
    }
    await expectQueue(client, queue, { consumers: 0 });
  });

  test('gives as much as it has credit for, and more for each acknowledgement', async ({ client, unique }) => {
    const queue = await stream(client, unique('s'));
    await filled(client, queue, ['a', 'b', 'c', 'd', 'e']);
    await consume(client, queue, { 'x-stream-offset': 'first' }, 2);
    const [first, second] = [await client.expect(1, 'basic.deliver'), await client.expect(1, 'basic.deliver')];
    expect([first.body.toString(), second.body.toString()]).toEqual(['a', 'b']);
    await client.rpc(1, { name: 'basic.qos', prefetchCount: 2 }, 'basic.qos-ok');
    client.send(1, { name: 'basic.ack', deliveryTag: second.deliveryTag, multiple: true });
    expect((await received(client, 3)).map(([body]) => body)).toEqual(['c', 'd', 'e']);
  });

  test('takes a message back for credit alone', async ({ client, unique, skipOn3 }) => {
    skipOn3('stream-nack');
    const queue = await stream(client, unique('s'));
    await filled(client, queue, ['a', 'b', 'c']);
    await consume(client, queue, { 'x-stream-offset': 'first' }, 1);
    const { deliveryTag } = await client.expect(1, 'basic.deliver');
    client.send(1, { name: 'basic.nack', deliveryTag, requeue: true });
    const second = await client.expect(1, 'basic.deliver');
    client.send(1, { name: 'basic.reject', deliveryTag: second.deliveryTag });
    const third = await client.expect(1, 'basic.deliver');
    expect([second.body.toString(), third.body.toString()]).toEqual(['b', 'c']);
  });

  test('begins again where a new consumer says, after one that acknowledged nothing', async ({ client, unique }) => {
    const queue = await stream(client, unique('s'));
    await filled(client, queue, ['a', 'b']);
    await client.openChannel(2);
    await client.rpc(2, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
    const args = table({ 'x-stream-offset': 'first' });
    await client.rpc(2, { name: 'basic.consume', queue, arguments: args }, 'basic.consume-ok');
    await client.expect(2, 'basic.deliver');
    await client.rpc(2, { name: 'channel.close' }, 'channel.close-ok');
    await consume(client, queue, { 'x-stream-offset': 1 });
    expect(await received(client, 1)).toEqual([['b', 1n]]);
  });

  test('keeps the headers that a message has', async ({ client, unique }) => {
    const queue = await stream(client, unique('s'));
    await filled(client, queue, ['m'], table({ mine: 'yes' }));
    await consume(client, queue, { 'x-stream-offset': 'first' });
    const delivery = await client.expect(1, 'basic.deliver');
    expect(header(delivery, 'mine')).toEqual({ type: 'S', value: 'yes' });
    expect(header(delivery, 'x-stream-offset')).toEqual({ type: 'l', value: 0n });
  });

  test('cannot be purged', async ({ client, unique }) => {
    const queue = await stream(client, unique('s'));
    client.send(1, { name: 'queue.purge', queue });
    const text = `NOT_IMPLEMENTED - queue.purge not supported by stream queues queue '${queue}' in vhost '/'`;
    await client.expectConnectionClose(540, text, [50, 30]);
  });

  test('cannot be read message by message', async ({ client, unique }) => {
    const queue = await stream(client, unique('s'));
    client.send(1, { name: 'basic.get', queue });
    const text = `NOT_IMPLEMENTED - basic.get not supported by stream queues queue '${queue}' in vhost '/'`;
    await client.expectConnectionClose(540, text, [60, 70]);
  });

  test('is deleted whatever is in it, and tells its consumers', async ({ client, unique }) => {
    const queue = await stream(client, unique('s'));
    await filled(client, queue, ['a']);
    await consume(client, queue);
    await client.openChannel(2);
    const deletion = { name: 'queue.delete', queue, ifUnused: true, ifEmpty: true } as const;
    const { messageCount } = await client.rpc(2, deletion, 'queue.delete-ok');
    expect(messageCount).toBe(0);
    await client.expect(1, 'basic.cancel');
  });

  test('loses whole segments from its front above a length', async ({ client, unique }) => {
    const limits = { 'x-max-length-bytes': 2000, 'x-stream-max-segment-size-bytes': 500 };
    const queue = await stream(client, unique('s'), limits);
    const bodies = Array.from({ length: 20 }, (_, index) => String(index).padEnd(BODY_BYTES));
    await filled(client, queue, bodies);
    await consume(client, queue, { 'x-stream-offset': 'first' }, 1);
    const [[first] = ['']] = await received(client, 1);
    expect(bodies.indexOf(first)).toBeGreaterThan(0);
  });
});

describe('a filter of a stream', () => {
  async function mixed(client: WireClient, queue: string): Promise<void> {
    for (const value of ['a', 'b', 'c']) {
      await filled(client, queue, [value, value], table({ 'x-stream-filter-value': value }));
    }
    await filled(client, queue, ['none', 'none']);
  }

  const filters: readonly (readonly [Arguments, readonly string[]])[] = [
    [{ 'x-stream-filter': 'b' }, ['b', 'b']],
    [{ 'x-stream-filter': 'b', 'x-stream-match-unfiltered': true }, ['b', 'b', 'none', 'none']],
    [{ 'x-stream-filter': list('a', 'c', 'zz') }, ['a', 'a', 'c', 'c']],
  ];
  test.for(filters)('%o lets through %o', async ([args, expected], { client, unique, skipOn3 }) => {
    skipOn3('stream-filter');
    const queue = await stream(client, unique('s'));
    await mixed(client, queue);
    await consume(client, queue, { 'x-stream-offset': 'first', ...args });
    expect((await received(client, expected.length)).map(([body]) => body)).toEqual(expected);
  });
});

function list(...values: readonly string[]): FieldValue {
  return { type: 'A', value: values.map((value) => ({ type: 'S', value })) };
}
