// amqp-connection-manager: its channel wrappers for the shared scenarios, then what it adds to amqplib, recovery.

import { type ChannelWrapper, connect, type Options } from 'amqp-connection-manager';
import type { Channel, ConsumeMessage, GetMessage, Message } from 'amqplib';
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
import { proveScenarios, uniqueName, unsupported } from './scenarios.js';
import { scenariosOf } from './scenarios-of-client.js';

function received(wrapper: ChannelWrapper, message: ConsumeMessage | GetMessage): ReceivedMessage {
  return {
    ...message.fields,
    body: message.content,
    properties: message.properties,
    ack: (multiple) => wrapper.ack(message, multiple),
    nack: (multiple, requeue) => wrapper.nack(message, multiple, requeue),
    reject: (requeue) => wrapper.nack(message, false, requeue),
  };
}

function returned({ fields, properties, content }: Message): ReturnedMessage {
  const { replyCode, replyText, exchange, routingKey } = fields as unknown as ReturnedMessage;
  return { replyCode, replyText, exchange, routingKey, messageId: properties.messageId, body: content };
}

function adapt(wrapper: ChannelWrapper, failures: Inbox<string>, returns: Inbox<ReturnedMessage>): ClientChannel {
  let prefetch: number | undefined;
  return {
    failures,
    returns,
    declareQueue: (queue, { args, ...options }) => wrapper.assertQueue(queue, { ...options, arguments: args }),
    checkQueue: (queue) => wrapper.checkQueue(queue),
    purgeQueue: async (queue) => (await wrapper.purgeQueue(queue)).messageCount,
    deleteQueue: async (queue) => (await wrapper.deleteQueue(queue)).messageCount,
    bindQueue: (queue, exchange, key, args) => wrapper.bindQueue(queue, exchange, key, args),
    unbindQueue: (queue, exchange, key) => wrapper.unbindQueue(queue, exchange, key),
    declareExchange: (exchange, type, options) => wrapper.assertExchange(exchange, type, options),
    checkExchange: (exchange) => wrapper.checkExchange(exchange),
    deleteExchange: (exchange) => wrapper.deleteExchange(exchange),
    bindExchange: (destination, source, key) => wrapper.bindExchange(destination, source, key),
    unbindExchange: (destination, source, key) => wrapper.unbindExchange(destination, source, key),
    publish: (exchange, key, body, options) => wrapper.publish(exchange, key, body, options as Options.Publish),
    /** A wrapper takes the prefetch with each consume. */
    prefetch: async (count) => {
      prefetch = count;
    },
    consume: async (queue, { tag, noAck = false } = {}) => {
      const deliveries = new Inbox<ReceivedMessage>(`delivery from ${queue}`);
      const options = {
        noAck,
        ...(tag === undefined ? {} : { consumerTag: tag }),
        ...(prefetch === undefined ? {} : { prefetch }),
      };
      const { consumerTag } = await wrapper.consume(
        queue,
        (message) => deliveries.push(received(wrapper, message)),
        options,
      );
      return { tag: consumerTag, deliveries, cancelled: new Inbox<null>('never reported') };
    },
    cancel: (tag) => wrapper.cancel(tag),
    get: async (queue, { noAck = false } = {}) => {
      const message = await wrapper.get(queue, { noAck });
      return message === false ? undefined : received(wrapper, message);
    },
    close: () => wrapper.close(),
  };
}

/** The manager retries for ever, but tells each failure. */
async function connected(url: string) {
  const manager = connect(url, { reconnectTimeInSeconds: 1 });
  try {
    await new Promise<void>((resolve, reject) => {
      manager.once('connect', () => resolve());
      manager.once('connectFailed', ({ err }) => reject(err));
    });
  } catch (error) {
    // Awaiting this close would wait for the attempt it has just cancelled.
    void manager.close();
    throw error;
  }
  return manager;
}

const connectionManager: ClientUnderTest = {
  vhostRefusal: 'Expected ConnectionOpenOk; got <ConnectionClose channel:0>',
  ownHeaders: { bytes: Buffer.from([0, 255]), when: { '!': 'timestamp', value: 1_700_000_000 } },

  async connect(url): Promise<ClientConnection> {
    const manager = await connected(url);
    const serverProperties = manager.connection?.connection.serverProperties;
    return {
      ...(serverProperties === undefined ? {} : { serverProperties }),
      openChannel: async ({ confirm = false } = {}) => {
        const failures = new Inbox<string>('channel error');
        const returns = new Inbox<ReturnedMessage>('return');
        const setup = async (channel: Channel) => {
          channel.on('error', (error: Error) => failures.push(error.message));
          channel.on('return', (message) => returns.push(returned(message)));
        };
        const wrapper = manager.createChannel({ confirm, setup });
        await wrapper.waitForConnect();
        return adapt(wrapper, failures, returns);
      },
      close: () => manager.close(),
    };
  },
};

const own: Record<string, SessionScenario> = {
  'a lost connection is replaced, topology and consumers are restored': async ({ url }) => {
    const manager = await connected(url);
    const queue = uniqueName('queue');
    const deliveries = new Inbox<string>('delivery');
    const wrapper = manager.createChannel({
      json: true,
      setup: (channel: Channel) => channel.assertQueue(queue, { exclusive: true, durable: false }).then(() => {}),
    });
    await wrapper.waitForConnect();
    await wrapper.consume(queue, (message) => {
      deliveries.push(message.content.toString());
      wrapper.ack(message);
    });
    await wrapper.sendToQueue(queue, { before: true });
    expect(await deliveries.next()).toBe('{"before":true}');

    const reconnected = new Inbox<unknown>('reconnected');
    wrapper.on('connect', () => reconnected.push(undefined));
    const disconnected = new Inbox<unknown>('disconnected');
    manager.once('disconnect', disconnected.push);
    manager.reconnect();
    await disconnected.next();
    const sentMeanwhile = wrapper.sendToQueue(queue, { after: true });
    await reconnected.next();
    await sentMeanwhile;
    expect(await deliveries.next()).toBe('{"after":true}');
    await manager.close();
  },
};

proveScenarios('amqp-connection-manager', {
  ...scenariosOf(connectionManager, own),
  'consumer-cancelled': unsupported('the wrapper subscribes again instead of reporting the cancel'),
  'tx-commit': unsupported('amqplib has no tx methods'),
  'tx-rollback': unsupported('amqplib has no tx methods'),
});
