// rabbitmq-client: raw channels for the shared scenarios, then the consumer, publisher and RPC client it is known for.

import {
  type AsyncMessage,
  type Channel,
  Connection,
  ConsumerStatus,
  type ReturnedMessage as Returned,
  type SyncMessage,
} from 'rabbitmq-client';
import { expect } from 'vitest';
import type {
  ClientChannel,
  ClientConnection,
  ClientUnderTest,
  ReceivedMessage,
  ReturnedMessage,
} from './client-under-test.js';
import { Inbox } from './inbox.js';
import type { SessionScenario } from './scenario-session.js';
import { proveScenarios, uniqueName } from './scenarios.js';
import { scenariosOf } from './scenarios-of-client.js';

/** The client decodes bodies by their content type. */
function bytesOf(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

function received(channel: Channel, message: AsyncMessage | SyncMessage): ReceivedMessage {
  const { deliveryTag, exchange, routingKey, redelivered } = message;
  return {
    body: bytesOf(message.body),
    properties: message,
    exchange,
    routingKey,
    deliveryTag,
    redelivered,
    consumerTag: 'consumerTag' in message ? message.consumerTag : undefined,
    messageCount: 'messageCount' in message ? message.messageCount : undefined,
    ack: (multiple = false) => channel.basicAck({ deliveryTag, multiple }),
    nack: (multiple, requeue) => channel.basicNack({ deliveryTag, multiple, requeue }),
    reject: (requeue) => channel.basicNack({ deliveryTag, requeue }),
  };
}

function returned({ replyCode, replyText, exchange, routingKey, messageId, body }: Returned): ReturnedMessage {
  return { replyCode, replyText, exchange, routingKey, messageId, body: bytesOf(body) };
}

function adapt(channel: Channel): ClientChannel {
  const failures = new Inbox<string>('channel error');
  const returns = new Inbox<ReturnedMessage>('return');
  channel.on('error', (error: Error) => failures.push(error.message));
  channel.on('basic.return', (message) => returns.push(returned(message)));
  return {
    failures,
    returns,
    tx: {
      select: () => channel.txSelect(),
      commit: () => channel.txCommit(),
      rollback: () => channel.txRollback(),
    },
    declareQueue: (queue, { args, ...options }) => channel.queueDeclare({ queue, ...options, arguments: { ...args } }),
    checkQueue: (queue) => channel.queueDeclare({ queue, passive: true }),
    purgeQueue: async (queue) => (await channel.queuePurge(queue)).messageCount,
    deleteQueue: async (queue) => (await channel.queueDelete(queue)).messageCount,
    bindQueue: (queue, exchange, routingKey, args) =>
      channel.queueBind({ queue, exchange, routingKey, arguments: { ...args } }),
    unbindQueue: (queue, exchange, routingKey) => channel.queueUnbind({ queue, exchange, routingKey }),
    declareExchange: (exchange, type, options) => channel.exchangeDeclare({ exchange, type, ...options }),
    checkExchange: (exchange) => channel.exchangeDeclare({ exchange, passive: true }),
    deleteExchange: (exchange) => channel.exchangeDelete({ exchange }),
    bindExchange: (destination, source, routingKey) => channel.exchangeBind({ destination, source, routingKey }),
    unbindExchange: (destination, source, routingKey) => channel.exchangeUnbind({ destination, source, routingKey }),
    publish: (exchange, routingKey, body, options) =>
      channel.basicPublish({ ...(options as object), exchange, routingKey }, body),
    prefetch: (prefetchCount) => channel.basicQos({ prefetchCount }),
    consume: async (queue, { tag = '', noAck = false } = {}) => {
      const deliveries = new Inbox<ReceivedMessage>(`delivery from ${queue}`);
      const cancelled = new Inbox<null>(`cancel of the consumer of ${queue}`);
      const { consumerTag } = await channel.basicConsume({ queue, consumerTag: tag, noAck }, (message) =>
        deliveries.push(received(channel, message)),
      );
      channel.on('basic.cancel', (cancelledTag) => {
        if (cancelledTag === consumerTag) cancelled.push(null);
      });
      return { tag: consumerTag, deliveries, cancelled };
    },
    cancel: (tag) => channel.basicCancel(tag),
    get: async (queue, { noAck = false } = {}) => {
      const message = await channel.basicGet({ queue, noAck });
      return message && received(channel, message);
    },
    close: () => channel.close(),
  };
}

/** Left to itself, the client would go on trying after a refusal. */
async function connected(url: string): Promise<Connection> {
  const connection = new Connection({ url, acquireTimeout: 5_000, retryLow: 10 });
  return new Promise((resolve, reject) => {
    connection.once('connection', () => {
      connection.removeAllListeners('error');
      resolve(connection);
    });
    connection.once('error', (error) => {
      connection.unsafeDestroy();
      reject(error);
    });
  });
}

const rabbitmqClient: ClientUnderTest = {
  async connect(url): Promise<ClientConnection> {
    const connection = await connected(url);
    return {
      openChannel: async ({ confirm = false } = {}) => {
        const channel = await connection.acquire({ emitErrorsFromChannel: true });
        if (confirm) await channel.confirmSelect();
        return adapt(channel);
      },
      close: () => connection.close(),
    };
  },
};

const own: Record<string, SessionScenario> = {
  'a publisher and a consumer declare what they need, and a failed message comes back': async ({ url }) => {
    const connection = await connected(url);
    const exchange = uniqueName('orders');
    const queue = uniqueName('queue');
    const attempts = new Inbox<{ body: unknown; redelivered: boolean }>('attempt');
    const consumer = connection.createConsumer(
      {
        queue,
        queueOptions: { exclusive: true },
        exchanges: [{ exchange, type: 'topic', autoDelete: true }],
        queueBindings: [{ exchange, routingKey: 'order.*' }],
        qos: { prefetchCount: 2 },
        requeue: true,
      },
      ({ body, redelivered }) => {
        attempts.push({ body, redelivered });
        return redelivered ? ConsumerStatus.ACK : ConsumerStatus.REQUEUE;
      },
    );
    const ready = new Inbox<void>('ready');
    consumer.on('ready', ready.push);
    await ready.next();
    const publisher = connection.createPublisher({ confirm: true, maxAttempts: 1 });
    await publisher.send({ exchange, routingKey: 'order.new' }, { id: 1 });
    expect(await attempts.take(2)).toEqual([
      { body: { id: 1 }, redelivered: false },
      { body: { id: 1 }, redelivered: true },
    ]);
    await publisher.close();
    await consumer.close();
    await connection.close();
  },
  'its RPC client is answered by its consumer': async ({ url }) => {
    const connection = await connected(url);
    const queue = uniqueName('rpc');
    const server = connection.createConsumer({ queue, queueOptions: { exclusive: true } }, async (request, reply) => {
      await reply(`re: ${request.body}`);
    });
    const ready = new Inbox<void>('ready');
    server.on('ready', ready.push);
    await ready.next();
    const client = connection.createRPCClient({ confirm: true, timeout: 5_000 });
    const answers = await Promise.all(['a', 'b', 'c'].map((question) => client.send(queue, question)));
    expect(answers.map(({ body }) => body)).toEqual(['re: a', 're: b', 're: c']);
    await client.close();
    await server.close();
    await connection.close();
  },
};

proveScenarios('rabbitmq-client', scenariosOf(rabbitmqClient, own));
