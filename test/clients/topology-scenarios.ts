// Connecting, declaring, binding and what the server refuses.

import { expect } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { Arguments } from './client-under-test.js';
import type { Publication, ScenarioSession, SessionScenario } from './scenario-session.js';
import { replyText, uniqueName, urlWith } from './scenarios.js';

/** One queue for each binding; what each of them got of the publications. */
async function routed(
  session: ScenarioSession,
  type: string,
  bindings: readonly (readonly [key: string, args?: Arguments])[],
  publications: Publication[],
): Promise<string[][]> {
  const channel = await session.openChannel();
  const exchange = await session.temporaryExchange(channel, type);
  const queues: string[] = [];
  for (const [key, args] of bindings) {
    const queue = await session.exclusiveQueue(channel);
    await channel.bindQueue(queue, exchange, key, args);
    queues.push(queue);
  }
  await session.publishConfirmed(exchange, ...publications);
  return Promise.all(queues.map((queue) => session.drain(queue)));
}

export const topologyScenarios: Readonly<Record<string, SessionScenario>> = {
  connect: async (session) => {
    const { serverProperties } = session.connection;
    await session.openChannel();
    if (serverProperties === undefined) return;
    expect(serverProperties).toMatchObject({
      product: expect.any(String),
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      capabilities: {
        publisher_confirms: true,
        exchange_exchange_bindings: true,
        'basic.nack': true,
        consumer_cancel_notify: true,
        authentication_failure_close: true,
      },
    });
  },
  'connect-wrong-password': async ({ client, url }) => {
    await expect(client.connect(urlWith(url, { password: 'wrong' }))).rejects.toThrow(replyText.loginRefused);
  },
  'connect-unknown-vhost': async ({ client, url }) => {
    const reason = client.vhostRefusal ?? replyText.unknownVhost('nowhere');
    await expect(client.connect(urlWith(url, { vhost: 'nowhere' }))).rejects.toThrow(reason);
  },
  'declare-queue': async (session) => {
    const channel = await session.openChannel();
    const queue = uniqueName('queue');
    const options = { exclusive: true, durable: false, args: { 'x-message-ttl': 60_000, 'x-max-length': 10 } };
    expect(await channel.declareQueue(queue, options)).toEqual({ queue, messageCount: 0, consumerCount: 0 });
    await session.fill(queue, 'one', 'two');
    expect(await channel.checkQueue(queue)).toEqual({ queue, messageCount: 2, consumerCount: 0 });
    await channel.consume(queue);
    expect(await channel.declareQueue(queue, options)).toMatchObject({ queue, consumerCount: 1 });
  },
  'declare-server-named': async (session) => {
    const channel = await session.openChannel();
    const { queue } = await channel.declareQueue('', { exclusive: true });
    expect(queue).toMatch(/^amq\.gen-[\w-]{22}$/);
    expect((await channel.checkQueue(queue)).queue).toBe(queue);
  },
  'declare-exchange': async (session) => {
    const channel = await session.openChannel();
    for (const type of ['direct', 'fanout', 'topic', 'headers']) {
      const exchange = uniqueName(type);
      await channel.declareExchange(exchange, type, { durable: true, autoDelete: false });
      await channel.declareExchange(exchange, type, { durable: true, autoDelete: false });
      await channel.checkExchange(exchange);
      await channel.deleteExchange(exchange);
    }
    await channel.checkExchange('amq.topic');
  },
  'bind-direct': async (session) => {
    const publications: Publication[] = [
      ['red', 'r'],
      ['blue', 'b'],
      ['red.dark', 'none'],
    ];
    expect(await routed(session, 'direct', [['red'], ['blue']], publications)).toEqual([['r'], ['b']]);
  },
  'bind-fanout': async (session) => {
    const publications: Publication[] = [
      ['a', 'one'],
      ['b', 'two'],
    ];
    expect(await routed(session, 'fanout', [[''], ['ignored']], publications)).toEqual([
      ['one', 'two'],
      ['one', 'two'],
    ]);
  },
  'bind-topic': async (session) => {
    const publications: Publication[] = [
      ['web.error', 'web'],
      ['web.disk.error', 'disk'],
      ['audit', 'bare'],
      ['audit.error', 'both'],
    ];
    expect(await routed(session, 'topic', [['*.error'], ['audit.#']], publications)).toEqual([
      ['web', 'both'],
      ['bare', 'both'],
    ]);
  },
  'bind-headers': async (session) => {
    const wanted = { format: 'pdf', pages: 2 };
    const bindings: [string, Arguments][] = [
      ['', { 'x-match': 'all', ...wanted }],
      ['', { 'x-match': 'any', ...wanted }],
    ];
    const publications: Publication[] = [
      ['', 'both', { headers: { format: 'pdf', pages: 2 } }],
      ['', 'one', { headers: { format: 'pdf', pages: 3 } }],
      ['', 'neither', { headers: { format: 'zip' } }],
    ];
    expect(await routed(session, 'headers', bindings, publications)).toEqual([['both'], ['both', 'one']]);
  },
  'bind-exchange': async (session) => {
    const channel = await session.openChannel();
    const source = await session.temporaryExchange(channel, 'topic');
    const destination = await session.temporaryExchange(channel, 'fanout');
    const queue = await session.exclusiveQueue(channel);
    await channel.bindQueue(queue, destination, '');
    await channel.bindQueue(queue, source, 'kept');
    await channel.bindExchange(destination, source, 'a.*');
    await session.publishConfirmed(source, ['a.b', 'through'], ['c', 'not']);
    await channel.unbindExchange(destination, source, 'a.*');
    await session.publishConfirmed(source, ['a.b', 'unbound'], ['kept', 'last']);
    expect(await session.drain(queue)).toEqual(['through', 'last']);
  },
  unbind: async (session) => {
    const channel = await session.openChannel();
    const exchange = await session.temporaryExchange(channel, 'direct');
    const queue = await session.exclusiveQueue(channel);
    await channel.bindQueue(queue, exchange, 'a');
    await channel.bindQueue(queue, exchange, 'b');
    await channel.unbindQueue(queue, exchange, 'a');
    await session.publishConfirmed(exchange, ['a', 'gone'], ['b', 'kept']);
    expect(await session.drain(queue)).toEqual(['kept']);
  },
  'purge-delete': async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    await session.fill(queue, '1', '2', '3');
    expect(await channel.purgeQueue(queue)).toBe(3);
    await session.fill(queue, '4');
    expect(await channel.deleteQueue(queue)).toBe(1);
    await session.expectFailure(channel, replyText.noQueue(queue), () => channel.checkQueue(queue));
  },
  'error-404-queue': async (session) => {
    const channel = await session.openChannel();
    const queue = uniqueName('missing');
    await session.expectFailure(channel, replyText.noQueue(queue), () => channel.checkQueue(queue));
  },
  'error-404-exchange': async (session) => {
    const channel = await session.openChannel();
    const exchange = uniqueName('missing');
    const publish = () => channel.publish(exchange, '', Buffer.from('lost'));
    await session.expectFailure(channel, replyText.noExchange(exchange), publish);
  },
  'error-406-redeclare': async (session) => {
    const channel = await session.openChannel();
    const queue = uniqueName('queue');
    await channel.declareQueue(queue, { durable: false, autoDelete: true });
    const redeclare = () => channel.declareQueue(queue, { durable: true, autoDelete: true });
    await session.expectFailure(channel, replyText.otherDurability(queue), redeclare);
    const other = await session.openChannel();
    expect(await other.deleteQueue(queue)).toBe(0);
  },
  'error-406-ack': async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    await session.fill(queue, 'one');
    const message = await channel.get(queue);
    const ackTwice = async () => {
      await message?.ack();
      await message?.ack();
    };
    await session.expectFailure(channel, replyText.unknownTag(1), ackTwice);
  },
  'error-403': async (session) => {
    const channel = await session.openChannel();
    const queue = `amq.${uniqueName('reserved')}`;
    await session.expectFailure(channel, replyText.reservedName(queue), () => channel.declareQueue(queue, {}));
  },
  'error-405': async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    const stranger = await session.client.connect(session.url);
    const theirs = await stranger.openChannel();
    await session.expectFailure(theirs, replyText.locked(queue), () => theirs.consume(queue));
    await stranger.close();
  },
  'error-survived': async (session) => {
    const channel = await session.openChannel();
    const queue = await session.exclusiveQueue(channel);
    const { deliveries } = await channel.consume(queue, { noAck: true });
    const broken = await session.openChannel();
    await session.expectFailure(broken, 'NOT_FOUND', () => broken.checkExchange(uniqueName('missing')));
    const fresh = await session.openChannel();
    await fresh.publish('', queue, Buffer.from('still here'));
    expect((await deliveries.next()).body.toString()).toBe('still here');
  },
  close: async (session) => {
    const own = await session.client.connect(session.url);
    const channel = await own.openChannel();
    const queue = await session.exclusiveQueue(channel);
    await channel.close();
    await own.close();
    // The name stays locked until the server has dealt with the end of the connection.
    await eventually(async () => {
      const probe = await session.openChannel();
      await session.expectFailure(probe, replyText.noQueue(queue), () => probe.checkQueue(queue));
    });
  },
};
