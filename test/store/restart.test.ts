/** What a broker on disk brings back when it is started again, as a client sees it. */
import { type Channel, type ConsumeMessage, connect } from 'amqplib';
import { expect, onTestFinished, test } from 'vitest';
import { type Broker, startBroker } from '../../src/index.js';
import { checkDirectory } from '../../src/store/lmdb/check.js';
import { eventually } from '../support/eventually.js';
import { temporaryDirectory } from './lmdb-environment.js';

async function start(dataDirectory: string): Promise<Broker> {
  const broker = await startBroker({ port: 0, dataDirectory, logLevel: 'error' });
  onTestFinished(() => broker.close());
  return broker;
}

/** Does something on a channel of its own. */
async function withChannel<Result>(
  broker: Broker,
  use: (channel: Channel) => Promise<Result>,
  path = '',
): Promise<Result> {
  const connection = await connect(broker.amqpUrl + path);
  connection.on('error', () => {});
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  try {
    return await use(channel);
  } finally {
    await connection.close().catch(() => {});
  }
}

async function publish(broker: Broker, queue: string, bodies: readonly string[], persistent: boolean): Promise<void> {
  const connection = await connect(broker.amqpUrl);
  const channel = await connection.createConfirmChannel();
  for (const body of bodies) channel.sendToQueue(queue, Buffer.from(body), { persistent });
  await channel.waitForConfirms();
  await connection.close();
}

async function drain(broker: Broker, queue: string): Promise<{ body: string; redelivered: boolean }[]> {
  return withChannel(broker, async (channel) => {
    const found: { body: string; redelivered: boolean }[] = [];
    for (;;) {
      const message = await channel.get(queue, { noAck: true });
      if (message === false) return found;
      found.push({ body: message.content.toString(), redelivered: message.fields.redelivered });
    }
  });
}

async function exists(broker: Broker, look: (channel: Channel) => Promise<unknown>): Promise<boolean> {
  return withChannel(broker, (channel) =>
    look(channel).then(
      () => true,
      () => false,
    ),
  );
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `message ${index}`);
}

test('durable definitions come back, and only those', async () => {
  const directory = temporaryDirectory();
  let broker = await start(directory);
  await withChannel(broker, async (channel) => {
    await channel.assertExchange('kept', 'topic', { durable: true, autoDelete: true, alternateExchange: 'other' });
    await channel.assertExchange('inner', 'headers', { durable: true, internal: true });
    await channel.assertExchange('gone', 'topic', { durable: false });
    await channel.assertQueue('kept', { durable: true, arguments: { 'x-expires': 1e9, 'x-text': 'täxt' } });
    await channel.assertQueue('gone', { durable: false });
    await channel.assertQueue('mine', { durable: true, exclusive: true });
    await channel.bindQueue('kept', 'kept', 'a.#', { number: 1, nested: { list: [1, 'two'] } });
    await channel.bindQueue('kept', 'gone', 'lost');
    await channel.bindQueue('gone', 'kept', 'lost');
    await channel.bindExchange('inner', 'kept', 'b');
    await channel.bindQueue('kept', 'amq.direct', 'removed');
    await channel.unbindQueue('kept', 'amq.direct', 'removed');
    await channel.assertQueue('deleted', { durable: true });
    await channel.deleteQueue('deleted');
  });
  await broker.close();

  broker = await start(directory);
  expect(await exists(broker, (channel) => channel.checkExchange('kept'))).toBe(true);
  expect(await exists(broker, (channel) => channel.checkExchange('inner'))).toBe(true);
  expect(await exists(broker, (channel) => channel.checkQueue('kept'))).toBe(true);
  expect(await exists(broker, (channel) => channel.checkExchange('gone'))).toBe(false);
  for (const queue of ['gone', 'mine', 'deleted']) {
    expect(await exists(broker, (channel) => channel.checkQueue(queue)), queue).toBe(false);
  }
  await withChannel(broker, async (channel) => {
    // Equivalence shows that the arguments are the same.
    await channel.assertQueue('kept', { durable: true, arguments: { 'x-expires': 1e9, 'x-text': 'täxt' } });
    await channel.assertExchange('kept', 'topic', { durable: true, autoDelete: true, alternateExchange: 'other' });
    channel.publish('kept', 'a.b', Buffer.from('routed'));
    channel.publish('amq.direct', 'removed', Buffer.from('not routed'));
    await eventually(async () => expect((await channel.checkQueue('kept')).messageCount).toBe(1));
    // The binding came back with its arguments: unbinding it orphans the exchange, once the other is gone as well.
    await channel.unbindQueue('kept', 'kept', 'a.#', { number: 1, nested: { list: [1, 'two'] } });
    await channel.unbindExchange('inner', 'kept', 'b');
  });
  expect(await exists(broker, (channel) => channel.checkExchange('kept'))).toBe(false);
});

test('a consistent hash exchange goes on sending a key to the same queue', async () => {
  const directory = temporaryDirectory();
  const queues = ['e', 'b', 'd', 'a', 'c'];
  const publishAll = async (channel: Channel): Promise<void> => {
    for (const key of names(200)) channel.publish('x', key, Buffer.from(key));
    // An answer says that what came before it has been published.
    await channel.checkExchange('x');
  };
  let broker = await start(directory);
  await withChannel(broker, async (channel) => {
    await channel.assertExchange('x', 'x-consistent-hash', { durable: true });
    for (const [i, queue] of queues.entries()) {
      await channel.assertQueue(queue, { durable: true });
      // Which weight counts must not depend on the order, nor the queue of a key.
      for (const weight of i % 2 === 0 ? ['1', '9'] : ['9', '1']) await channel.bindQueue(queue, 'x', weight);
    }
    await publishAll(channel);
  });
  const before = await Promise.all(queues.map((queue) => drain(broker, queue)));
  expect(before.every((found) => found.length > 20)).toBe(true);
  await broker.close();

  broker = await start(directory);
  await withChannel(broker, publishAll);
  expect(await Promise.all(queues.map((queue) => drain(broker, queue)))).toEqual(before);
});

test('persistent messages come back in order, unacknowledged ones in place and redelivered, transient ones not', async () => {
  const directory = temporaryDirectory();
  let broker = await start(directory);
  await withChannel(broker, (channel) => channel.assertQueue('q', { durable: true }));
  await publish(broker, 'q', names(1000), true);
  await publish(broker, 'q', ['transient'], false);
  const connection = await connect(broker.amqpUrl);
  const channel = await connection.createChannel();
  for (let index = 0; index < 20; index++) {
    const message = await channel.get('q');
    // Every second one is done with; the others are unacknowledged when the broker stops.
    if (index % 2 === 0 && message !== false) channel.ack(message);
  }
  connection.on('error', () => {});
  await channel.checkQueue('q');
  await broker.close();

  broker = await start(directory);
  const found = await drain(broker, 'q');
  const expected = names(1000).filter((_, index) => index >= 20 || index % 2 === 1);
  expect(found.map(({ body }) => body)).toEqual(expected);
  expect(found.filter(({ redelivered }) => redelivered).length).toBe(10);
  expect(found.slice(0, 10).every(({ redelivered }) => redelivered)).toBe(true);
  await broker.close();

  broker = await start(directory);
  expect(await drain(broker, 'q')).toEqual([]);
  // Positions go on where they were: nothing new counts as delivered before.
  await publish(broker, 'q', ['new'], true);
  await broker.close();
  broker = await start(directory);
  expect(await drain(broker, 'q')).toEqual([{ body: 'new', redelivered: false }]);
});

test('a large body that several queues share comes back in each, and goes with the last', async () => {
  const directory = temporaryDirectory();
  let broker = await start(directory);
  const body = 'x'.repeat(100_000);
  const connection = await connect(broker.amqpUrl);
  const channel = await connection.createConfirmChannel();
  for (const queue of ['a', 'b', 'c']) {
    await channel.assertQueue(queue, { durable: true });
    await channel.bindQueue(queue, 'amq.fanout', '');
  }
  for (let index = 0; index < 10; index++)
    channel.publish('amq.fanout', '', Buffer.from(body + index), { persistent: true });
  await channel.waitForConfirms();
  await connection.close();
  await broker.close();

  for (const queue of ['a', 'b', 'c']) {
    broker = await start(directory);
    const found = await drain(broker, queue);
    expect(found.map((message) => message.body)).toEqual(Array.from({ length: 10 }, (_, index) => body + index));
    await broker.close();
  }
});

test('users, permissions and virtual hosts come back; the default user is made only once', async () => {
  const directory = temporaryDirectory();
  let broker = await start(directory);
  broker.addVirtualHost('tenant');
  broker.addUser('alice', 'secret', ['monitoring']);
  broker.setPermissions('alice', 'tenant', { configure: '^mine', write: '.*', read: '.*' });
  await broker.close();

  broker = await startBroker({ port: 0, dataDirectory: directory, logLevel: 'silent', defaultUser: 'other' });
  onTestFinished(() => broker.close());
  const url = (user: string): string => `amqp://${user}@127.0.0.1:${broker.amqpPort}/tenant`;
  const connection = await connect(url('alice:secret'));
  const channel = await connection.createChannel();
  await channel.assertQueue('mine', { durable: true });
  channel.on('error', () => {});
  await expect(channel.assertQueue('yours')).rejects.toThrow('ACCESS_REFUSED');
  await connection.close();
  await (await connect(url('guest:guest'))).close();
  await expect(connect(url('other:guest'))).rejects.toThrow();
});

test('a second broker on the directory is refused', async () => {
  const directory = temporaryDirectory();
  await start(directory);
  await expect(startBroker({ port: 0, dataDirectory: directory, logLevel: 'silent' })).rejects.toThrow('in use');
});

test('priority and quorum queues come back in their order, and with what was counted', async () => {
  const directory = temporaryDirectory();
  let broker = await start(directory);
  await withChannel(broker, async (channel) => {
    await channel.assertQueue('priorities', { durable: true, maxPriority: 9 });
    await channel.assertQueue('quorum', { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await channel.assertQueue('later', { durable: true });
    for (const priority of [1, 9, 4]) {
      channel.sendToQueue('priorities', Buffer.from(`${priority}`), { priority, persistent: true });
    }
    await channel.checkQueue('priorities');
  });
  await publish(broker, 'quorum', ['back', 'ready'], false);
  await publish(broker, 'later', ['other'], true);
  await withChannel(broker, async (channel) => {
    const message = await channel.get('quorum');
    if (message !== false) channel.nack(message);
    await channel.checkQueue('quorum');
  });
  await broker.close();

  broker = await start(directory);
  expect((await drain(broker, 'priorities')).map(({ body }) => body)).toEqual(['9', '4', '1']);
  expect(await drain(broker, 'quorum')).toEqual([
    { body: 'back', redelivered: true },
    { body: 'ready', redelivered: false },
  ]);
  expect((await drain(broker, 'later')).map(({ body }) => body)).toEqual(['other']);
});

test('delayed messages come back and come due, and the exchange keeps its bindings', async () => {
  const directory = temporaryDirectory();
  let broker = await start(directory);
  const connection = await connect(broker.amqpUrl);
  const channel = await connection.createConfirmChannel();
  const delayed = { durable: true, arguments: { 'x-delayed-type': 'direct' } };
  await channel.assertExchange('later', 'x-delayed-message', delayed);
  await channel.assertQueue('q', { durable: true });
  await channel.bindQueue('q', 'later', 'k');
  const publish = (body: string, delayMs: number, persistent = true): boolean =>
    channel.publish('later', 'k', Buffer.from(body), { persistent, headers: { 'x-delay': delayMs } });
  publish('long', 3_600_000);
  publish('transient', 1, false);
  for (let index = 0; index < 3000; index++) publish(`${index}`, 100);
  await channel.waitForConfirms();
  await connection.close();
  await broker.close();
  const { exchanges } = await checkDirectory(directory, { compact: false, writer: 'test' });
  expect(exchanges).toMatchObject([{ virtualHost: '/', name: 'later' }]);
  const kept = exchanges[0]?.messages ?? 0;

  broker = await start(directory);
  await withChannel(broker, (opened) =>
    eventually(async () => expect((await opened.checkQueue('q')).messageCount).toBe(3000)),
  );
  const found = await drain(broker, 'q');
  expect(found.map(({ body }) => body)).toEqual(Array.from({ length: 3000 }, (_, index) => `${index}`));
  await broker.close();
  expect(kept).toBeGreaterThan(0);
  const after = await checkDirectory(directory, { compact: false, writer: 'test' });
  expect(after.exchanges).toMatchObject([{ messages: 1 }]);

  broker = await start(directory);
  await withChannel(broker, async (opened) => {
    await opened.assertExchange('later', 'x-delayed-message', delayed);
    // A queue made now gets a log of its own, not that of the exchange.
    await opened.assertQueue('new', { durable: true });
    expect((await opened.checkQueue('new')).messageCount).toBe(0);
    await opened.deleteExchange('later');
  });
  await broker.close();
  expect((await checkDirectory(directory, { compact: false, writer: 'test' })).liveBytes).toBe(0);
});

test('the history of a durable exchange comes back', async () => {
  const directory = temporaryDirectory();
  let broker = await start(directory);
  const connection = await connect(broker.amqpUrl);
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange('news', 'x-recent-history', { durable: true });
  for (const body of names(30)) channel.publish('news', '', Buffer.from(body), { persistent: true });
  await channel.waitForConfirms();
  await connection.close();
  await broker.close();

  broker = await start(directory);
  await withChannel(broker, async (opened) => {
    await opened.assertQueue('q', { durable: true });
    await opened.bindQueue('q', 'news', '');
  });
  expect((await drain(broker, 'q')).map(({ body }) => body)).toEqual(names(30).slice(10));
});

test('a deduplication exchange remembers on disk what it has seen, if it is asked to', async () => {
  const directory = temporaryDirectory();
  const seen: number[] = [];
  for (const _ of ['before', 'after']) {
    const broker = await start(directory);
    await withChannel(broker, async (channel) => {
      for (const persistence of ['memory', 'disk']) {
        const args = { 'x-cache-size': 10, 'x-cache-persistence': persistence };
        await channel.assertExchange(persistence, 'x-message-deduplication', { durable: true, arguments: args });
        await channel.assertQueue(persistence, { durable: true });
        await channel.bindQueue(persistence, persistence, '');
        const headers = { 'x-deduplication-header': 'value' };
        channel.publish(persistence, '', Buffer.from('m'), { persistent: true, headers });
        seen.push((await channel.checkQueue(persistence)).messageCount);
      }
    });
    await broker.close();
  }
  expect(seen).toEqual([1, 1, 2, 1]);
});
test('a stream goes on at its offsets, whatever its retention removed', async () => {
  const directory = temporaryDirectory();
  const limits = { 'x-max-length-bytes': 2000, 'x-stream-max-segment-size-bytes': 500 };
  const bodies = names(40).map((name) => name.padEnd(200));
  let broker = await start(directory);
  await withChannel(broker, (channel) =>
    channel.assertQueue('stream', { durable: true, arguments: { 'x-queue-type': 'stream', ...limits } }),
  );
  await publish(broker, 'stream', bodies, false);
  const before = await readStream(broker, 'stream', bodies.length - 1);
  expect(before[0]?.offset).toBeGreaterThan(0);
  await broker.close();
  broker = await start(directory);
  await publish(broker, 'stream', ['new'], false);
  const after = await readStream(broker, 'stream', bodies.length);
  expect(after.at(-1)).toEqual({ body: 'new', offset: bodies.length });
  for (const { body, offset } of after.slice(0, -1)) expect(body).toBe(bodies[offset]);
  await broker.close();
  expect((await checkDirectory(directory, { compact: false, writer: 'test' })).problems).toEqual([]);
});

/** From the first that is kept to the one at `last`. */
async function readStream(broker: Broker, queue: string, last: number): Promise<{ body: string; offset: number }[]> {
  return withChannel(broker, async (channel) => {
    const found: { body: string; offset: number }[] = [];
    await channel.prefetch(100);
    await new Promise<void>((resolve) => {
      const take = (message: ConsumeMessage | null): void => {
        if (message === null) return;
        const offset = Number(message.properties.headers?.['x-stream-offset']);
        found.push({ body: message.content.toString(), offset });
        if (offset === last) resolve();
      };
      void channel.consume(queue, take, { arguments: { 'x-stream-offset': 'first' } });
    });
    return found;
  });
}
