// rascal: topology from configuration, publications and subscriptions. Its brokers are the unit here, so the scenarios
// are written in its own terms instead of channels.

import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { brokerUrl, stopBroker } from '../support/broker-under-test.js';
import { Inbox } from './inbox.js';
import {
  contents,
  failures,
  oneQueue,
  oneTransientQueue,
  publish,
  shutDownBrokers,
  startRascal,
  subscribe,
  type Topology,
  withDeadLetters,
} from './rascal-broker.js';
import { routingScenarios } from './rascal-routing.js';
import { largeBody, proveScenarios, replyText, uniqueName, unsupported, urlWith } from './scenarios.js';

let address: string;

beforeAll(async () => {
  address = await brokerUrl();
});

afterEach(shutDownBrokers);

afterAll(stopBroker);

const start = (topology: Topology) => startRascal(address, topology);

proveScenarios('rascal', {
  connect: async () => {
    await start({});
  },
  'connect-wrong-password': async () => {
    await expect(startRascal(urlWith(address, { password: 'wrong' }), {})).rejects.toThrow(replyText.loginRefused);
  },
  'connect-unknown-vhost': async () => {
    await expect(startRascal(urlWith(address, { vhost: 'nowhere' }), {})).rejects.toThrow(
      'got <ConnectionClose channel:0>',
    );
  },
  'declare-queue': async () => {
    const queue = uniqueName('queue');
    const options = { durable: true, autoDelete: true, arguments: { 'x-message-ttl': 60_000 } };
    await start({ queues: { [queue]: { options } } });
    await start({ queues: { [queue]: { options } } });
    const last = await start({ queues: { [queue]: { assert: false, check: true } } });
    await last.nuke();
  },
  'declare-server-named': unsupported('queues have the name they are configured under'),
  'declare-exchange': async () => {
    const types = ['direct', 'fanout', 'topic', 'headers'];
    const exchanges = Object.fromEntries(types.map((type) => [uniqueName(type), { type }]));
    await start({ exchanges });
    await start({ exchanges });
    const checks = Object.keys(exchanges).map((exchange) => [exchange, { assert: false, check: true }]);
    const last = await start({ exchanges: Object.fromEntries(checks) });
    await last.nuke();
  },
  ...routingScenarios(start),
  unbind: unsupported('bindings are only ever added'),
  'publish-properties': async () => {
    const broker = await start(oneQueue(uniqueName('queue')));
    const headers = { text: 'grüße', large: 2 ** 40, fraction: 1.5, yes: true, list: ['a', 1], table: { inner: 'x' } };
    const properties = {
      contentType: 'application/json',
      priority: 5,
      correlationId: 'c-1',
      type: 'order',
      appId: 'x',
    };
    await publish(broker, { id: 1 }, { options: { ...properties, expiration: 60_000, headers } });
    const { deliveries } = await subscribe(broker);
    const { message, content } = await deliveries.next();
    expect(content).toEqual({ id: 1 });
    expect(message.properties).toMatchObject({ ...properties, expiration: '60000', deliveryMode: 2 });
    expect(message.properties.headers).toMatchObject(headers);
  },
  'publish-empty-body': async () => {
    const broker = await start(oneQueue(uniqueName('queue')));
    await publish(broker, '');
    await publish(broker, 'after');
    const { deliveries } = await subscribe(broker);
    expect(contents(await deliveries.take(2))).toEqual(['', 'after']);
  },
  'publish-large-body': async () => {
    const broker = await start(oneQueue(uniqueName('queue')));
    await publish(broker, largeBody());
    const { deliveries } = await subscribe(broker);
    const { message } = await deliveries.next();
    expect(message.content.equals(largeBody())).toBe(true);
  },
  confirm: async () => {
    const broker = await start(oneQueue(uniqueName('queue')));
    const confirms = Array.from({ length: 100 }, (_, n) => publish(broker, `${n}`));
    expect(await Promise.all(confirms)).toEqual(Array(100).fill(undefined));
  },
  'confirm-nack': async () => {
    const broker = await start(oneQueue(uniqueName('queue'), { 'x-max-length': 1, 'x-overflow': 'reject-publish' }));
    await publish(broker, 'fits');
    await expect(publish(broker, 'too many')).rejects.toThrow('nacked');
    const { deliveries } = await subscribe(broker);
    expect((await deliveries.next()).content).toBe('fits');
  },
  return: async () => {
    const exchange = uniqueName('direct');
    const broker = await start({
      exchanges: { [exchange]: { type: 'direct', options: { durable: false } } },
      publications: { out: { exchange } },
    });
    const returned = await publish(broker, 'back', { routingKey: 'nobody', options: { messageId: 'm-2' } });
    expect(returned?.fields).toMatchObject({ replyCode: 312, replyText: 'NO_ROUTE', exchange, routingKey: 'nobody' });
    expect(returned?.properties.messageId).toBe('m-2');
    expect(returned?.content.toString()).toBe('back');
    await broker.nuke();
  },
  consume: async () => {
    const queue = uniqueName('queue');
    const broker = await start(oneQueue(queue));
    const { deliveries } = await subscribe(broker);
    for (const body of ['1', '2', '3']) await publish(broker, body);
    const messages = await deliveries.take(3);
    expect(contents(messages)).toEqual(['1', '2', '3']);
    messages.forEach(({ message }, index) => {
      expect(message.fields).toMatchObject({
        deliveryTag: index + 1,
        redelivered: false,
        exchange: '',
        routingKey: queue,
      });
    });
  },
  'consume-cancel': async () => {
    const broker = await start(oneQueue(uniqueName('queue')));
    const first = await subscribe(broker);
    await publish(broker, 'before');
    const before = await first.deliveries.next();
    before.ackOrNack();
    await first.session.cancel();
    await publish(broker, 'after');
    const second = await subscribe(broker);
    expect((await second.deliveries.next()).content).toBe('after');
    expect(first.deliveries.size).toBe(0);
  },
  'consumer-cancelled': async () => {
    const shared = oneTransientQueue(uniqueName('queue'));
    const broker = await start(shared);
    const { session } = await subscribe(broker);
    const cancelled = new Inbox<Error>('cancel');
    session.on('cancelled', cancelled.push);
    const other = await start(shared);
    await other.nuke();
    expect((await cancelled.next()).message).toContain('was cancelled by the broker');
  },
  prefetch: async () => {
    const broker = await start(oneQueue(uniqueName('queue'), {}, { prefetch: 2 }));
    for (const body of ['1', '2', '3']) await publish(broker, body);
    const { deliveries } = await subscribe(broker);
    const [first] = await deliveries.take(2);
    await publish(broker, '4');
    expect(deliveries.size).toBe(0);
    first?.ackOrNack();
    expect((await deliveries.next()).content).toBe('3');
  },
  ack: async () => {
    const topology = oneTransientQueue(uniqueName('queue'));
    const first = await start(topology);
    await publish(first, 'settled');
    await publish(first, 'left');
    const { deliveries } = await subscribe(first);
    const [settled] = await deliveries.take(2);
    settled?.ackOrNack();
    await first.shutdown();
    const second = await start(topology);
    const again = await subscribe(second);
    expect(contents(await again.deliveries.take(1))).toEqual(['left']);
    expect(again.deliveries.size).toBe(0);
    await second.nuke();
  },
  'ack-multiple': async () => {
    const topology = oneTransientQueue(uniqueName('queue'), { prefetch: 3 });
    const first = await start(topology);
    for (const body of ['1', '2', '3', '4']) await publish(first, body);
    const { deliveries } = await subscribe(first);
    const messages = await deliveries.take(3);
    messages[2]?.ackOrNack(undefined, { all: true });
    await deliveries.next();
    await first.shutdown();
    const second = await start(topology);
    const again = await subscribe(second);
    expect((await again.deliveries.next()).content).toBe('4');
    await second.nuke();
  },
  redeliver: async () => {
    const topology = oneTransientQueue(uniqueName('queue'));
    const first = await start(topology);
    for (const body of ['1', '2', '3']) await publish(first, body);
    const { deliveries } = await subscribe(first);
    await deliveries.take(3);
    await first.shutdown();
    const second = await start(topology);
    const again = await (await subscribe(second)).deliveries.take(3);
    expect(contents(again)).toEqual(['1', '2', '3']);
    expect(again.map(({ message }) => message.fields.redelivered)).toEqual([true, true, true]);
    await second.nuke();
  },
  get: unsupported('messages come only through subscriptions'),
  'get-empty': unsupported('messages come only through subscriptions'),
  'reject-requeue': async () => {
    const broker = await start(oneQueue(uniqueName('queue')));
    await publish(broker, 'again');
    const { deliveries } = await subscribe(broker);
    const first = await deliveries.next();
    first.ackOrNack(new Error('not now'), { strategy: 'nack', requeue: true });
    const second = await deliveries.next();
    expect(second.content).toBe('again');
    expect(second.message.fields.redelivered).toBe(true);
    second.ackOrNack();
  },
  'reject-dead-letter': async () => {
    const queue = uniqueName('queue');
    const broker = await start(withDeadLetters(queue));
    await publish(broker, 'bad');
    const { deliveries } = await subscribe(broker);
    const dead = await subscribe(broker, 'dead');
    (await deliveries.next()).ackOrNack(new Error('for good'));
    const { message, content } = await dead.deliveries.next();
    expect(content).toBe('bad');
    expect(message.properties.headers?.['x-death']?.[0]).toMatchObject({ reason: 'rejected', queue, count: 1 });
  },
  'nack-multiple': async () => {
    const broker = await start(oneQueue(uniqueName('queue'), {}, { prefetch: 3 }));
    for (const body of ['1', '2', '3']) await publish(broker, body);
    const { deliveries } = await subscribe(broker);
    const messages = await deliveries.take(3);
    messages[1]?.ackOrNack(new Error('both'), { strategy: 'nack', requeue: true, all: true });
    expect(contents(await deliveries.take(2))).toEqual(['1', '2']);
  },
  'message-ttl': async () => {
    const queue = uniqueName('queue');
    const broker = await start(withDeadLetters(queue));
    const dead = await subscribe(broker, 'dead');
    await publish(broker, 'late', { options: { expiration: 30 } });
    const { message } = await dead.deliveries.next();
    expect(message.properties.headers?.['x-death']?.[0]).toMatchObject({ reason: 'expired', queue });
  },
  'purge-delete': async () => {
    const topology = oneTransientQueue(uniqueName('queue'));
    const broker = await start(topology);
    await publish(broker, 'purged');
    await broker.purge();
    await publish(broker, 'after');
    const { deliveries } = await subscribe(broker);
    expect((await deliveries.next()).content).toBe('after');
    await broker.nuke();
    const [queue = ''] = Object.keys(topology.queues);
    const check = { queues: { [queue]: { assert: false, check: true } } };
    await expect(start(check)).rejects.toThrow(replyText.noQueue(queue));
  },
  'tx-commit': unsupported('amqplib, underneath, has no tx methods'),
  'tx-rollback': unsupported('amqplib, underneath, has no tx methods'),
  rpc: unsupported('publications and subscriptions never share a channel, as direct reply-to requires'),
  'error-404-queue': async () => {
    const queue = uniqueName('missing');
    const check = { queues: { [queue]: { assert: false, check: true } } };
    await expect(start(check)).rejects.toThrow(replyText.noQueue(queue));
  },
  'error-404-exchange': async () => {
    const exchange = uniqueName('missing');
    const broker = await start({ exchanges: { [exchange]: { assert: false } }, publications: { out: { exchange } } });
    const errors = await failures(broker, 'out');
    expect(errors).toContainEqual(expect.stringContaining(replyText.noExchange(exchange)));
  },
  'error-406-redeclare': async () => {
    const queue = uniqueName('queue');
    const broker = await start({ queues: { [queue]: { options: { durable: false } } } });
    const redeclare = start({ queues: { [queue]: { options: { durable: true } } } });
    await expect(redeclare).rejects.toThrow(replyText.otherDurability(queue));
    await broker.nuke();
  },
  'error-406-ack': unsupported('rascal itself refuses to settle a message twice'),
  'error-403': async () => {
    const queue = `amq.${uniqueName('reserved')}`;
    await expect(start({ queues: { [queue]: {} } })).rejects.toThrow(replyText.reservedName(queue));
  },
  'error-405': async () => {
    const { queues } = oneQueue(uniqueName('queue'));
    await start({ queues });
    await expect(start({ queues })).rejects.toThrow(replyText.locked(Object.keys(queues)[0] ?? ''));
  },
  'error-survived': async () => {
    const exchange = uniqueName('missing');
    const topology = oneQueue(uniqueName('queue'));
    const broker = await start({
      ...topology,
      exchanges: { [exchange]: { assert: false } },
      publications: { ...topology.publications, nowhere: { exchange } },
    });
    const { deliveries } = await subscribe(broker);
    await failures(broker, 'nowhere');
    await publish(broker, 'still here');
    expect((await deliveries.next()).content).toBe('still here');
  },
  close: async () => {
    const topology = oneQueue(uniqueName('queue'));
    const broker = await start(topology);
    await broker.shutdown();
    await start(topology);
  },
});
