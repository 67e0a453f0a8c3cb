import { describe, expect } from 'vitest';
import type { WireClient } from '../support/wire-client.js';
import { test } from './conformance-test.js';
import { consume, exclusiveQueue, getOne } from './topology.js';

const REPLY_TO = 'amq.rabbitmq.reply-to';

/** Publishes a request on channel 1 and says the reply-to the responder sees. */
async function requestedReplyTo(client: WireClient): Promise<string> {
  const queue = await exclusiveQueue(client);
  client.publish(1, { routingKey: queue, body: 'request', properties: { replyTo: REPLY_TO, correlationId: 'c-1' } });
  const { properties } = await getOne(client, queue, true);
  expect(properties.correlationId).toBe('c-1');
  return properties.replyTo ?? '';
}

async function consumeReplies(client: WireClient, consumerTag = ''): Promise<string> {
  return consume(client, { queue: REPLY_TO, noAck: true, consumerTag });
}

describe('direct reply-to', () => {
  test('gives the responder a name of its own', async ({ client }) => {
    await consumeReplies(client);
    expect(await requestedReplyTo(client)).toMatch(/^amq\.rabbitmq\.reply-to\.[^.]+\.[^.]+$/);
  });

  test('delivers the reply to the requester', async ({ client, connect }) => {
    const consumerTag = await consumeReplies(client);
    const replyTo = await requestedReplyTo(client);
    const responder = await connect();
    await responder.openChannel();
    responder.publish(1, { routingKey: replyTo, body: 'reply', properties: { correlationId: 'c-1' } });
    const fields = { consumerTag, redelivered: false, exchange: '', routingKey: replyTo };
    const reply = await client.expect(1, 'basic.deliver', fields);
    expect(reply.properties).toEqual({ correlationId: 'c-1' });
    expect(String(reply.body)).toBe('reply');
  });

  test('counts replies with the other deliveries of the channel', async ({ client, expects }) => {
    await consumeReplies(client);
    const replyTo = await requestedReplyTo(client);
    client.publish(1, { routingKey: replyTo });
    client.publish(1, { routingKey: replyTo });
    await client.expect(1, 'basic.deliver', { deliveryTag: 2 });
    const deliveryTag = expects('reply-to-delivery-tags', { rabbit3: 2, default: 3 });
    await client.expect(1, 'basic.deliver', { deliveryTag });
  });

  test('takes replies from the same channel', async ({ client }) => {
    await consumeReplies(client);
    const replyTo = await requestedReplyTo(client);
    client.publish(1, { routingKey: replyTo, body: 'own' });
    expect(String((await client.expect(1, 'basic.deliver')).body)).toBe('own');
  });

  test('has one name for all requests of a channel', async ({ client }) => {
    await consumeReplies(client);
    expect(await requestedReplyTo(client)).toBe(await requestedReplyTo(client));
  });

  test('leaves any other reply-to as it is', async ({ client }) => {
    await consumeReplies(client);
    const queue = await exclusiveQueue(client);
    client.publish(1, { routingKey: queue, properties: { replyTo: 'elsewhere' } });
    expect((await getOne(client, queue)).properties.replyTo).toBe('elsewhere');
  });

  test('needs a consumer without acknowledgements', async ({ client }) => {
    client.send(1, { name: 'basic.consume', queue: REPLY_TO });
    await client.expectChannelClose(1, 406, 'PRECONDITION_FAILED - reply consumer cannot acknowledge', [60, 20]);
  });

  test('takes one consumer a channel', async ({ client }) => {
    await client.openChannel(2);
    await consumeReplies(client);
    await consume(client, { queue: REPLY_TO, noAck: true }, 2);
    client.send(1, { name: 'basic.consume', queue: REPLY_TO, noAck: true });
    await client.expectChannelClose(1, 406, 'PRECONDITION_FAILED - reply consumer already set', [60, 20]);
  });

  test('needs its consumer before the request', async ({ client }) => {
    client.publish(1, { routingKey: 'conformance.missing', properties: { replyTo: REPLY_TO } });
    await client.expectChannelClose(1, 406, 'PRECONDITION_FAILED - fast reply consumer does not exist', [60, 40]);
  });

  test('needs its consumer on the channel of the request', async ({ client }) => {
    await client.openChannel(2);
    await consumeReplies(client);
    client.publish(2, { routingKey: 'conformance.missing', properties: { replyTo: REPLY_TO } });
    await client.expectChannelClose(2, 406, 'PRECONDITION_FAILED - fast reply consumer does not exist', [60, 40]);
  });

  test('shows the name as a queue while the requester is there', async ({ client, connect }) => {
    await consumeReplies(client);
    const queue = await requestedReplyTo(client);
    const responder = await connect();
    await responder.openChannel();
    const declare = { name: 'queue.declare', queue, passive: true } as const;
    await responder.rpc(1, declare, 'queue.declare-ok', { queue, messageCount: 0, consumerCount: 1 });
    await client.close();
    responder.send(1, declare);
    await responder.expectChannelClose(1, 404, `NOT_FOUND - no queue '${queue}' in vhost '/'`, [50, 10]);
  });

  test('shows its own name as a queue', async ({ client }) => {
    const declare = { name: 'queue.declare', queue: REPLY_TO, passive: true } as const;
    await client.rpc(1, declare, 'queue.declare-ok', { queue: REPLY_TO, messageCount: 0, consumerCount: 1 });
  });

  test('drops replies to a requester that is gone', async ({ client, connect }) => {
    const requester = await connect();
    await requester.openChannel();
    await consumeReplies(requester);
    const replyTo = await requestedReplyTo(requester);
    await requester.close();
    client.publish(1, { routingKey: replyTo });
    await client.expectNothing(1);
  });

  test('ends with the cancel of its consumer', async ({ client }) => {
    const consumerTag = await consumeReplies(client, 'replies');
    const replyTo = await requestedReplyTo(client);
    await client.rpc(1, { name: 'basic.cancel', consumerTag }, 'basic.cancel-ok');
    client.publish(1, { routingKey: replyTo });
    await client.expectNothing(1);
    client.publish(1, { routingKey: 'conformance.missing', properties: { replyTo: REPLY_TO } });
    await client.expect(1, 'channel.close', { replyCode: 406 });
  });

  test('begins again with another consumer after that', async ({ client }) => {
    const consumerTag = await consumeReplies(client);
    await client.rpc(1, { name: 'basic.cancel', consumerTag }, 'basic.cancel-ok');
    await consumeReplies(client);
    const replyTo = await requestedReplyTo(client);
    client.publish(1, { routingKey: replyTo });
    await client.expect(1, 'basic.deliver');
  });

  test('confirms replies', async ({ client, connect }) => {
    await consumeReplies(client);
    const replyTo = await requestedReplyTo(client);
    const responder = await connect();
    await responder.openChannel();
    await responder.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
    responder.publish(1, { routingKey: replyTo });
    await responder.expect(1, 'basic.ack', { deliveryTag: 1 });
    await client.expect(1, 'basic.deliver');
  });

  test('takes a mandatory reply for routed', async ({ client, connect, expects }) => {
    await consumeReplies(client);
    const replyTo = await requestedReplyTo(client);
    const responder = await connect();
    await responder.openChannel();
    responder.publish(1, { routingKey: replyTo, mandatory: true });
    await client.expect(1, 'basic.deliver');
    await expects('reply-to-mandatory', {
      rabbit3: async () => void (await responder.expect(1, 'basic.return', { replyCode: 312 })),
      default: () => responder.expectNothing(1),
    })();
  });

  test('cannot be bound', async ({ client, skipOn3 }) => {
    skipOn3('reply-to-binding');
    await consumeReplies(client);
    const queue = await requestedReplyTo(client);
    client.send(1, { name: 'queue.bind', queue, exchange: 'amq.direct', routingKey: 'k' });
    const text = /^ACCESS_REFUSED - cannot bind or unbind to a volatile \(direct reply-to\) queue/;
    await client.expectChannelClose(1, 403, text, [50, 20]);
  });
});
