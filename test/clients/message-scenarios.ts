// Publishing, confirming, consuming, settling: what happens to messages.

import { expect } from 'vitest';
import type { ClientChannel, ReceivedMessage } from './client-under-test.js';
import type { ScenarioSession, SessionScenario } from './scenario-session.js';
import { largeBody, uniqueName } from './scenarios.js';

const bodies = (messages: readonly ReceivedMessage[]) => messages.map(({ body }) => body.toString());

/** A queue whose rejected and expired messages go to a second queue, and that second queue. */
async function queueWithDeadLetters(session: ScenarioSession, channel: ClientChannel) {
  const dead = await session.exclusiveQueue(channel);
  const queue = await session.exclusiveQueue(channel, {
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': dead,
  });
  return { queue, dead };
}

export const messageScenarios: Readonly<Record<string, SessionScenario>> = {
  'publish-properties': async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    const headers = {
      text: 'grüße',
      small: 7,
      negative: -40_000,
      large: 2 ** 40,
      fraction: 1.5,
      yes: true,
      no: false,
      nothing: null,
      list: ['a', 1, { deep: false }],
      table: { inner: { most: 'x' } },
      ...session.client.ownHeaders,
    };
    const properties = {
      contentType: 'application/octet-stream',
      contentEncoding: 'identity',
      deliveryMode: 2,
      priority: 5,
      correlationId: 'c-1',
      replyTo: 'answers',
      expiration: '60000',
      messageId: 'm-1',
      timestamp: 1_700_000_000,
      type: 'order',
      userId: new URL(session.url).username,
      appId: 'proof',
    };
    await channel.publish('', queue, Buffer.from('{}'), { ...properties, headers });
    const { deliveries } = await channel.consume(queue, { noAck: true });
    const message = await deliveries.next();
    expect(message.properties).toMatchObject(properties);
    expect(message.properties.headers).toEqual(headers);
    expect(message.body.toString()).toBe('{}');
  },
  'publish-empty-body': async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    await session.fill(queue, '', 'after');
    expect(await session.drain(queue)).toEqual(['', 'after']);
  },
  'publish-large-body': async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    const { deliveries } = await channel.consume(queue, { noAck: true });
    await channel.publish('', queue, largeBody());
    const { body } = await deliveries.next();
    expect(body.equals(largeBody())).toBe(true);
  },
  confirm: async (session) => {
    const channel = await session.openChannel({ confirm: true });
    const queue = await session.exclusiveQueue(channel);
    const confirms: Promise<unknown>[] = [];
    for (let n = 0; n < 100; n += 1) {
      confirms.push(channel.publish('', queue, Buffer.from(`${n}`), { deliveryMode: 2 }));
    }
    await Promise.all(confirms);
    expect((await channel.checkQueue(queue)).messageCount).toBe(100);
  },
  'confirm-nack': async (session) => {
    const channel = await session.openChannel({ confirm: true });
    const queue = await session.exclusiveQueue(channel, { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
    await channel.publish('', queue, Buffer.from('fits'));
    await expect(channel.publish('', queue, Buffer.from('too many'))).rejects.toThrow();
    expect(await session.drain(queue)).toEqual(['fits']);
  },
  return: async (session) => {
    const channel = await session.openChannel({ confirm: true });
    const routingKey = uniqueName('nobody');
    await channel.publish('amq.direct', routingKey, Buffer.from('back'), { mandatory: true, messageId: 'm-2' });
    expect(await channel.returns.next()).toEqual({
      replyCode: 312,
      replyText: 'NO_ROUTE',
      exchange: 'amq.direct',
      routingKey,
      messageId: 'm-2',
      body: Buffer.from('back'),
    });
  },
  consume: async (session) => {
    const channel = await session.openChannel();
    const exchange = await session.temporaryExchange(channel, 'direct');
    const queue = await session.exclusiveQueue(channel);
    await channel.bindQueue(queue, exchange, 'key');
    const { tag, deliveries } = await channel.consume(queue, { tag: 'reader' });
    expect(tag).toBe('reader');
    for (const body of ['1', '2', '3']) await channel.publish(exchange, 'key', Buffer.from(body));
    const messages = await deliveries.take(3);
    expect(bodies(messages)).toEqual(['1', '2', '3']);
    messages.forEach((message, index) => {
      const deliveryTag = index + 1;
      expect(message).toMatchObject({ consumerTag: tag, deliveryTag, redelivered: false, exchange, routingKey: 'key' });
    });
  },
  'consume-cancel': async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    const { tag, deliveries } = await channel.consume(queue, { tag: 'brief', noAck: true });
    await session.fill(queue, 'before');
    expect(bodies([await deliveries.next()])).toEqual(['before']);
    await channel.cancel(tag);
    await session.fill(queue, 'after');
    expect(await channel.checkQueue(queue)).toEqual({ queue, messageCount: 1, consumerCount: 0 });
    expect(deliveries.size).toBe(0);
  },
  'consumer-cancelled': async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    const { cancelled } = await channel.consume(queue);
    const other = await session.openChannel();
    await other.deleteQueue(queue);
    await cancelled.next();
  },
  prefetch: async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    await session.fill(queue, '1', '2', '3', '4', '5');
    await channel.prefetch(2);
    const { deliveries } = await channel.consume(queue);
    const [first] = await deliveries.take(2);
    expect((await channel.checkQueue(queue)).messageCount).toBe(3);
    expect(deliveries.size).toBe(0);
    await first?.ack();
    expect(bodies([await deliveries.next()])).toEqual(['3']);
    expect((await channel.checkQueue(queue)).messageCount).toBe(2);
    expect(deliveries.size).toBe(0);
  },
  ack: async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    await session.fill(queue, 'settled', 'left');
    const { deliveries } = await channel.consume(queue);
    const [settled] = await deliveries.take(2);
    await settled?.ack();
    await channel.close();
    expect(await session.drain(queue)).toEqual(['left']);
  },
  'ack-multiple': async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    await session.fill(queue, '1', '2', '3', '4');
    const { deliveries } = await channel.consume(queue);
    const messages = await deliveries.take(4);
    await messages[2]?.ack(true);
    await channel.close();
    expect(await session.drain(queue)).toEqual(['4']);
  },
  redeliver: async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    await session.fill(queue, '1', '2', '3');
    const { deliveries } = await channel.consume(queue);
    await deliveries.take(3);
    await channel.close();
    const other = await session.openChannel();
    const again = await (await other.consume(queue)).deliveries.take(3);
    expect(bodies(again)).toEqual(['1', '2', '3']);
    expect(again.map(({ redelivered }) => redelivered)).toEqual([true, true, true]);
  },
  get: async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    await session.fill(queue, '1', '2', '3');
    const message = await channel.get(queue);
    expect(message?.body.toString()).toBe('1');
    expect(message).toMatchObject({
      deliveryTag: 1,
      redelivered: false,
      exchange: '',
      routingKey: queue,
      messageCount: 2,
    });
    await message?.ack();
    await channel.close();
    expect(await session.drain(queue)).toEqual(['2', '3']);
  },
  'get-empty': async (session) => {
    const channel = await session.openChannel();
    expect(await channel.get(await session.exclusiveQueue(channel))).toBeUndefined();
  },
  'reject-requeue': async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    await session.fill(queue, '1', '2');
    const first = await channel.get(queue);
    await first?.reject(true);
    const again = await channel.get(queue);
    expect(again?.body.toString()).toBe('1');
    expect(again?.redelivered).toBe(true);
  },
  'reject-dead-letter': async (session) => {
    const channel = await session.openChannel();
    const { queue, dead } = await queueWithDeadLetters(session, channel);
    await session.fill(queue, 'bad');
    const { deliveries } = await channel.consume(dead);
    const rejected = await channel.get(queue);
    await rejected?.reject(false);
    const message = await deliveries.next();
    expect(message.body.toString()).toBe('bad');
    expect(message.properties.headers?.['x-death']).toEqual([
      expect.objectContaining({ reason: 'rejected', queue, exchange: '', count: 1, 'routing-keys': [queue] }),
    ]);
    expect(message.properties.headers).toMatchObject({
      'x-first-death-reason': 'rejected',
      'x-first-death-queue': queue,
      'x-first-death-exchange': '',
    });
  },
  'nack-multiple': async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    await session.fill(queue, '1', '2', '3');
    await channel.get(queue);
    const second = await channel.get(queue);
    await second?.nack(true, true);
    const again = await channel.get(queue);
    expect(again).toMatchObject({ redelivered: true, messageCount: 2 });
    await again?.reject(true);
    await channel.close();
    expect(await session.drain(queue)).toEqual(['1', '2', '3']);
  },
  'message-ttl': async (session) => {
    const channel = await session.openChannel();
    const { queue, dead } = await queueWithDeadLetters(session, channel);
    const { deliveries } = await channel.consume(dead);
    await channel.publish('', queue, Buffer.from('late'), { expiration: '30' });
    const { properties } = await deliveries.next();
    expect(properties.headers?.['x-death']).toEqual([
      expect.objectContaining({ reason: 'expired', queue, 'original-expiration': '30' }),
    ]);
    expect(properties.expiration).toBeUndefined();
  },
  'tx-commit': async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    await session.fill(queue, 'settled in it');
    await channel.tx?.select();
    const message = await channel.get(queue);
    await channel.publish('', queue, Buffer.from('published in it'));
    await message?.ack();
    expect((await channel.checkQueue(queue)).messageCount).toBe(0);
    await channel.tx?.commit();
    await channel.close();
    expect(await session.drain(queue)).toEqual(['published in it']);
  },
  'tx-rollback': async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    await channel.tx?.select();
    await channel.publish('', queue, Buffer.from('taken back'));
    await channel.tx?.rollback();
    await channel.publish('', queue, Buffer.from('kept'));
    await channel.tx?.commit();
    expect(await session.drain(queue)).toEqual(['kept']);
  },
  rpc: async (session) => {
    const server = await session.openChannel();
    const requests = await session.exclusiveQueue(server);
    const { deliveries } = await server.consume(requests, { noAck: true });
    const channel = await session.openChannel();
    const replyTo = 'amq.rabbitmq.reply-to';
    const answers = await channel.consume(replyTo, { noAck: true });
    await channel.publish('', requests, Buffer.from('ping'), { replyTo, correlationId: '42' });
    const request = await deliveries.next();
    expect(request.properties.replyTo).toMatch(/^amq\.rabbitmq\.reply-to\../);
    await server.publish('', request.properties.replyTo ?? '', Buffer.from('pong'), { correlationId: '42' });
    const answer = await answers.deliveries.next();
    expect(answer.body.toString()).toBe('pong');
    expect(answer.properties.correlationId).toBe('42');
  },
};
