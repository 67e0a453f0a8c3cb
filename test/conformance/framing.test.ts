import { Buffer } from 'node:buffer';
import { describe, expect } from 'vitest';
import { FrameType } from '../../protocol/amqp/constants.gen.js';
import { bodyFrame, frame, headerFrame, methodFrame, rawMethodFrame } from '../support/wire-frames.js';
import { test } from './conformance-test.js';
import { drain, exclusiveQueue, getOne } from './topology.js';

const EMPTY = Buffer.alloc(0);
const publishTo = (queue: string) => methodFrame(1, { name: 'basic.publish', routingKey: queue });

describe('frames', () => {
  test('may arrive octet by octet', async ({ client }) => {
    for (const octet of methodFrame(1, { name: 'basic.qos', prefetchCount: 1 })) client.raw(Buffer.from([octet]));
    await client.expect(1, 'basic.qos-ok');
  });

  test('may arrive many at once', async ({ client }) => {
    const qos = methodFrame(1, { name: 'basic.qos', prefetchCount: 1 });
    client.raw(Buffer.concat(Array.from({ length: 50 }, () => qos)));
    for (let count = 0; count < 50; count += 1) await client.expect(1, 'basic.qos-ok');
    await client.expectNothing(1);
  });

  test('of two channels may alternate within their messages', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client);
    const publish = { name: 'basic.publish', routingKey: queue } as const;
    client.raw(
      Buffer.concat([
        methodFrame(1, publish),
        methodFrame(2, publish),
        headerFrame(2, { bodySize: 4 }),
        headerFrame(1, { bodySize: 4 }),
        bodyFrame(1, Buffer.from('on')),
        bodyFrame(2, Buffer.from('tw')),
        bodyFrame(1, Buffer.from('e1')),
        bodyFrame(2, Buffer.from('o2')),
      ]),
    );
    await client.expectNothing(1);
    await client.expectNothing(2);
    expect((await drain(client, queue)).sort()).toEqual(['one1', 'two2']);
  });

  test('with a payload as large as frame_max are accepted', async ({ connect }) => {
    const client = await connect({ frameMax: 8192 });
    await client.openChannel();
    const queue = await exclusiveQueue(client);
    const body = Buffer.alloc(8192, 'x');
    client.publish(1, { routingKey: queue, bodyFrames: [body] });
    const message = await getOne(client, queue);
    expect(message.body).toEqual(body);
    expect(message.bodyFrameSizes).toEqual([8184, 8]);
  });

  test.concurrent('larger than frame_max are an error', async ({ connect }) => {
    const client = await connect({ frameMax: 8192 });
    await client.openChannel();
    client.raw(Buffer.from([FrameType.body, 0, 1, 0, 0, 0x20, 0x01]));
    await client.expectConnectionClose(501, /^FRAME_ERROR - /, [0, 0]);
  });

  test.concurrent('without the end octet are an error', async ({ client }) => {
    client.raw(frame(FrameType.method, 1, Buffer.from('003c000a', 'hex'), 0));
    await client.expectConnectionClose(501, /^FRAME_ERROR - /, [0, 0]);
  });

  test('of an unknown type are an error', async ({ client }) => {
    client.raw(frame(9, 1, Buffer.from('abc')));
    await client.expectConnectionClose(501, /^FRAME_ERROR - /, [0, 0]);
  });
});

describe('method frames', () => {
  test('of which the arguments end early do not decode', async ({ client }) => {
    client.raw(rawMethodFrame(1, 60, 10, Buffer.from([0, 0])));
    await client.expectConnectionClose(501, /^FRAME_ERROR - /, [60, 10]);
  });

  test('with a short string that is not UTF-8 are an error', async ({ client }) => {
    const args = Buffer.concat([Buffer.from([0, 0, 2, 0xff, 0xfe, 0]), Buffer.alloc(4)]);
    client.raw(rawMethodFrame(1, 50, 10, args));
    await client.expectConnectionClose(501, 'FRAME_ERROR - Malformed UTF-8 in shortstr', [0, 0]);
  });

  test.for([
    ['an unknown class', 99, 10],
    ['an unknown method', 50, 99],
  ] as const)('of %s end the connection', async ([, classId, methodId], { client }) => {
    client.raw(rawMethodFrame(1, classId, methodId, EMPTY));
    await client.hardEnd();
  });

  test('with a field of an unknown type in a table end the connection', async ({ client }) => {
    const args = Buffer.from([0, 0, 1, 0x71, 0, 0, 0, 0, 4, 1, 0x6b, 0x7a, 0]);
    client.raw(rawMethodFrame(1, 50, 10, args));
    await client.hardEnd();
  });

  test('too short for their ids end the connection', async ({ client }) => {
    client.raw(frame(FrameType.method, 1, Buffer.from([0, 60])));
    await client.hardEnd();
  });
});

describe('the order of frames', () => {
  test('a content header without a method is unexpected', async ({ client }) => {
    client.raw(headerFrame(1, { bodySize: 0 }));
    const text = 'UNEXPECTED_FRAME - expected method frame, got non method frame instead';
    await client.expectConnectionClose(505, text, [0, 0]);
  });

  test('a body without a method is unexpected', async ({ client }) => {
    client.raw(bodyFrame(1, Buffer.from('x')));
    const text = 'UNEXPECTED_FRAME - expected method frame, got non method frame instead';
    await client.expectConnectionClose(505, text, [0, 0]);
  });

  test('a method instead of the content header is unexpected', async ({ client }) => {
    client.raw(Buffer.concat([publishTo('q'), methodFrame(1, { name: 'basic.qos' })]));
    const text = 'UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead';
    await client.expectConnectionClose(505, text, [60, 40]);
  });

  test('a body instead of the content header is unexpected', async ({ client }) => {
    client.raw(Buffer.concat([publishTo('q'), bodyFrame(1, Buffer.from('x'))]));
    const text = 'UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead';
    await client.expectConnectionClose(505, text, [60, 40]);
  });

  test('a content header for another class is unexpected', async ({ client }) => {
    client.raw(Buffer.concat([publishTo('q'), headerFrame(1, { bodySize: 0, classId: 50 })]));
    const text = 'UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead';
    await client.expectConnectionClose(505, text, [60, 40]);
  });

  test('a content header with a weight is unexpected', async ({ client }) => {
    client.raw(Buffer.concat([publishTo('q'), headerFrame(1, { bodySize: 0, weight: 1 })]));
    await client.expectConnectionClose(505, /^UNEXPECTED_FRAME - /, [60, 40]);
  });

  test.for([
    ['a method', methodFrame(1, { name: 'basic.qos' })],
    ['a content header', headerFrame(1, { bodySize: 1 })],
  ] as const)('%s instead of the body is unexpected', async ([, next], { client }) => {
    client.raw(Buffer.concat([publishTo('q'), headerFrame(1, { bodySize: 1 }), next]));
    const text = 'UNEXPECTED_FRAME - expected content body, got non content body frame instead';
    await client.expectConnectionClose(505, text, [60, 40]);
  });

  test('a heartbeat on a channel within a message is unexpected', async ({ client }) => {
    client.raw(publishTo('q'));
    client.heartbeat(1);
    await client.expectConnectionClose(505, /^UNEXPECTED_FRAME - /, [0, 0]);
  });
});

describe('content', () => {
  test('without a body has no body frame', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    client.publish(1, { routingKey: queue });
    client.publish(1, { routingKey: queue, body: 'next' });
    expect((await getOne(client, queue)).bodyFrameSizes).toEqual([]);
    expect(await drain(client, queue)).toEqual(['next']);
  });

  test('of several frames is one message', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    client.publish(1, { routingKey: queue, bodyFrames: ['a', 'bcd', 'ef'].map((part) => Buffer.from(part)) });
    expect(await drain(client, queue)).toEqual(['abcdef']);
  });

  test('skips body frames without octets', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    client.publish(1, { routingKey: queue, bodyFrames: ['', 'ab', '', '', 'c'].map((part) => Buffer.from(part)) });
    expect(await drain(client, queue)).toEqual(['abc']);
  });

  test('is cut into frames no larger than was negotiated', async ({ connect }) => {
    const client = await connect({ frameMax: 8192 });
    await client.openChannel();
    const queue = await exclusiveQueue(client);
    client.publish(1, { routingKey: queue, body: Buffer.alloc(20_000, 'x') });
    expect((await getOne(client, queue)).bodyFrameSizes).toEqual([8184, 8184, 3632]);
  });

  test('with more octets than announced is an error', async ({ client, skipOn3 }) => {
    skipOn3('body-exceeds-header');
    client.raw(Buffer.concat([publishTo('q'), headerFrame(1, { bodySize: 2 }), bodyFrame(1, Buffer.from('abc'))]));
    const text = 'FRAME_ERROR - content body frame exceeds remaining content size';
    await client.expectConnectionClose(501, text, [60, 40]);
  });

  test('announced larger than any message may be is an error', async ({ client, skipOn3 }) => {
    skipOn3('announced-body-size');
    client.raw(Buffer.concat([publishTo('q'), headerFrame(1, { bodySize: 536_870_913 })]));
    const text = 'FRAME_ERROR - content body size 536870913 exceeds maximum allowed size 536870912';
    await client.expectConnectionClose(501, text, [60, 40]);
  });

  test('with a field of an unknown type in its headers is an internal error', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    const properties = Buffer.from([0x20, 0, 0, 0, 0, 4, 1, 0x6b, 0x7a, 0]);
    client.publish(1, { routingKey: queue, properties });
    await client.expectConnectionClose(541, /^INTERNAL_ERROR/, [0, 0]);
  });
});
