// amqplib through its promise API.

import { type Channel, type ConsumeMessage, connect, type GetMessage, type Message, type Options } from 'amqplib';
import type {
  ClientChannel,
  ClientConnection,
  ClientUnderTest,
  ReceivedMessage,
  ReturnedMessage,
} from './client-under-test.js';
import { Inbox } from './inbox.js';
import { proveScenarios, unsupported } from './scenarios.js';
import { scenariosOf } from './scenarios-of-client.js';

function received(channel: Channel, message: ConsumeMessage | GetMessage): ReceivedMessage {
  return {
    ...message.fields,
    body: message.content,
    properties: message.properties,
    ack: (multiple) => channel.ack(message, multiple),
    nack: (multiple, requeue) => channel.nack(message, multiple, requeue),
    reject: (requeue) => channel.reject(message, requeue),
  };
}

function returned(message: Message): ReturnedMessage {
  const { replyCode, replyText, exchange, routingKey } = message.fields as unknown as ReturnedMessage;
  const { messageId } = message.properties;
  return { replyCode, replyText, exchange, routingKey, messageId, body: message.content };
}

function adapt(channel: Channel, publish: ClientChannel['publish']): ClientChannel {
  const failures = new Inbox<string>('channel error');
  const returns = new Inbox<ReturnedMessage>('return');
  channel.on('error', (error: Error) => failures.push(error.message));
  channel.on('return', (message: Message) => returns.push(returned(message)));
  return {
    failures,
    returns,
    publish,
    declareQueue: (queue, { args, ...options }) => channel.assertQueue(queue, { ...options, arguments: args }),
    checkQueue: (queue) => channel.checkQueue(queue),
    purgeQueue: async (queue) => (await channel.purgeQueue(queue)).messageCount,
    deleteQueue: async (queue) => (await channel.deleteQueue(queue)).messageCount,
    bindQueue: (queue, exchange, key, args) => channel.bindQueue(queue, exchange, key, args),
    unbindQueue: (queue, exchange, key) => channel.unbindQueue(queue, exchange, key),
    declareExchange: (exchange, type, options) => channel.assertExchange(exchange, type, options),
    checkExchange: (exchange) => channel.checkExchange(exchange),
    deleteExchange: (exchange) => channel.deleteExchange(exchange),
    bindExchange: (destination, source, key) => channel.bindExchange(destination, source, key),
    unbindExchange: (destination, source, key) => channel.unbindExchange(destination, source, key),
    prefetch: (count) => channel.prefetch(count),
    consume: async (queue, { tag, noAck = false } = {}) => {
      const deliveries = new Inbox<ReceivedMessage>(`delivery from ${queue}`);
      const cancelled = new Inbox<null>(`cancel of the consumer of ${queue}`);
      const onMessage = (message: ConsumeMessage | null) => {
        if (message === null) cancelled.push(null);
        else deliveries.push(received(channel, message));
      };
      const options = tag === undefined ? { noAck } : { noAck, consumerTag: tag };
      const { consumerTag } = await channel.consume(queue, onMessage, options);
      return { tag: consumerTag, deliveries, cancelled };
    },
    cancel: (tag) => channel.cancel(tag),
    get: async (queue, { noAck = false } = {}) => {
      const message = await channel.get(queue, { noAck });
      return message === false ? undefined : received(channel, message);
    },
    close: () => channel.close(),
  };
}

const amqplib: ClientUnderTest = {
  vhostRefusal: 'Expected ConnectionOpenOk; got <ConnectionClose channel:0>',
  ownHeaders: { bytes: Buffer.from([0, 255]), when: { '!': 'timestamp', value: 1_700_000_000 } },

  async connect(url): Promise<ClientConnection> {
    const connection = await connect(url);
    return {
      serverProperties: connection.connection.serverProperties,
      openChannel: async ({ confirm = false } = {}) => {
        if (!confirm) {
          const channel = await connection.createChannel();
          return adapt(channel, async (exchange, key, body, options) =>
            channel.publish(exchange, key, body, options as Options.Publish),
          );
        }
        const channel = await connection.createConfirmChannel();
        return adapt(
          channel,
          (exchange, key, body, options) =>
            new Promise((resolve, reject) => {
              channel.publish(exchange, key, body, options as Options.Publish, (error) =>
                error === null ? resolve(true) : reject(error),
              );
            }),
        );
      },
      close: () => connection.close(),
    };
  },
};

proveScenarios('amqplib', {
  ...scenariosOf(amqplib),
  'tx-commit': unsupported('amqplib has no tx methods'),
  'tx-rollback': unsupported('amqplib has no tx methods'),
});
