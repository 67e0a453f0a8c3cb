// @cloudamqp/amqp-client: raw channels for the shared scenarios, then its sessions.

import {
  type AMQPChannel,
  AMQPClient,
  type AMQPMessage,
  type AMQPProperties,
  AMQPSession,
} from '@cloudamqp/amqp-client';
import { expect } from 'vitest';
import type {
  ClientChannel,
  ClientConnection,
  ClientUnderTest,
  Properties,
  PublishOptions,
  ReceivedMessage,
  ReturnedMessage,
} from './client-under-test.js';
import { Inbox } from './inbox.js';
import type { SessionScenario } from './scenario-session.js';
import { proveScenarios, uniqueName } from './scenarios.js';
import { scenariosOf } from './scenarios-of-client.js';

function outgoing({ mandatory: _, timestamp, ...properties }: PublishOptions): AMQPProperties {
  if (timestamp === undefined) return properties as AMQPProperties;
  return { ...properties, timestamp: new Date(timestamp * 1000) } as AMQPProperties;
}

function incoming({ timestamp, ...properties }: AMQPProperties): Properties {
  return { ...properties, timestamp: timestamp && timestamp.getTime() / 1000 } as Properties;
}

function received(channel: AMQPChannel, message: AMQPMessage): ReceivedMessage {
  const { deliveryTag, exchange, routingKey, redelivered, consumerTag, messageCount } = message;
  return {
    body: Buffer.from(message.body ?? []),
    properties: incoming(message.properties),
    exchange,
    routingKey,
    deliveryTag,
    redelivered,
    consumerTag,
    messageCount,
    ack: (multiple = false) => channel.basicAck(deliveryTag, multiple),
    nack: (multiple, requeue) => channel.basicNack(deliveryTag, requeue, multiple),
    reject: (requeue) => channel.basicReject(deliveryTag, requeue),
  };
}

function returned(message: AMQPMessage): ReturnedMessage {
  const { replyCode = 0, replyText = '', exchange, routingKey } = message;
  const { messageId } = message.properties;
  return { replyCode, replyText, exchange, routingKey, messageId, body: Buffer.from(message.body ?? []) };
}

function adapt(channel: AMQPChannel): ClientChannel {
  const failures = new Inbox<string>('channel error');
  const returns = new Inbox<ReturnedMessage>('return');
  channel.onerror = failures.push;
  channel.onReturn = (message) => returns.push(returned(message));
  return {
    failures,
    returns,
    tx: {
      select: () => channel.txSelect(),
      commit: () => channel.txCommit(),
      rollback: () => channel.txRollback(),
    },
    declareQueue: async (queue, { args, durable = false, exclusive = false, autoDelete = false }) => {
      const { name, ...counts } = await channel.queueDeclare(queue, { durable, exclusive, autoDelete }, { ...args });
      return { queue: name, ...counts };
    },
    checkQueue: async (queue) => {
      const { name, ...counts } = await channel.queueDeclare(queue, { passive: true });
      return { queue: name, ...counts };
    },
    purgeQueue: async (queue) => (await channel.queuePurge(queue)).messageCount,
    deleteQueue: async (queue) => (await channel.queueDelete(queue)).messageCount,
    bindQueue: (queue, exchange, key, args) => channel.queueBind(queue, exchange, key, { ...args }),
    unbindQueue: (queue, exchange, key) => channel.queueUnbind(queue, exchange, key),
    declareExchange: (exchange, type, options) => channel.exchangeDeclare(exchange, type, options),
    checkExchange: (exchange) => channel.exchangeDeclare(exchange, 'direct', { passive: true }),
    deleteExchange: (exchange) => channel.exchangeDelete(exchange),
    bindExchange: (destination, source, key) => channel.exchangeBind(destination, source, key),
    unbindExchange: (destination, source, key) => channel.exchangeUnbind(destination, source, key),
    publish: (exchange, key, body, options = {}) =>
      channel.basicPublish(exchange, key, body, outgoing(options), options.mandatory),
    prefetch: (count) => channel.prefetch(count),
    consume: async (queue, { tag = '', noAck = false } = {}) => {
      const deliveries = new Inbox<ReceivedMessage>(`delivery from ${queue}`);
      const cancelled = new Inbox<null>(`cancel of the consumer of ${queue}`);
      const consumer = await channel.basicConsume(queue, { tag, noAck }, (message) =>
        deliveries.push(received(channel, message)),
      );
      consumer.wait().catch(() => cancelled.push(null));
      return { tag: consumer.tag, deliveries, cancelled };
    },
    cancel: (tag) => channel.basicCancel(tag),
    get: async (queue, { noAck = false } = {}) => {
      const message = await channel.basicGet(queue, { noAck });
      return message === null ? undefined : received(channel, message);
    },
    close: () => channel.close(),
  };
}

const amqpClient: ClientUnderTest = {
  ownHeaders: { bytes: new Uint8Array([0, 255]), when: new Date(1_700_000_000_000) },

  async connect(url): Promise<ClientConnection> {
    const client = new AMQPClient(url, undefined, null);
    await client.connect();
    return {
      openChannel: async ({ confirm = false } = {}) => {
        const channel = await client.channel();
        if (confirm) await channel.confirmSelect();
        return adapt(channel);
      },
      close: () => client.close(),
    };
  },
};

const own: Record<string, SessionScenario> = {
  'a session publishes through an exchange and iterates over a queue': async ({ url }) => {
    const session = await AMQPSession.connect(url, { logger: null });
    const exchange = await session.topicExchange(uniqueName('topic'), { durable: false, autoDelete: true });
    const queue = await session.queue(uniqueName('queue'), { exclusive: true, durable: false });
    await queue.bind(exchange, 'order.#');
    for (const body of ['1', '2', '3']) await exchange.publish(body, { routingKey: 'order.new' });
    // It acknowledges a message when the next one arrives: a prefetch of 1 would never see a second.
    const subscription = await queue.subscribe({ prefetch: 2 });
    const bodies: (string | null)[] = [];
    for await (const message of subscription) {
      bodies.push(message.bodyString());
      if (bodies.length === 3) break;
    }
    expect(bodies).toEqual(['1', '2', '3']);
    await session.stop();
  },
  'its RPC client is answered by its RPC server': async ({ url }) => {
    const session = await AMQPSession.connect(url, { logger: null });
    const queue = uniqueName('rpc');
    const server = await session.rpcServer(queue, (request) => `re: ${request.bodyString()}`);
    const answer = await session.rpcCall(queue, 'ping', { timeout: 5_000 });
    expect(answer.bodyString()).toBe('re: ping');
    await server.close();
    await (await session.queue(queue)).delete();
    await session.stop();
  },
};

proveScenarios('@cloudamqp/amqp-client', scenariosOf(amqpClient, own));
