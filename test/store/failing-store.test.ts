/** A whole broker on a disk that is slow or fails when the test says so. */
import { type Channel, type ChannelModel, connect } from 'amqplib';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { type Broker, startBroker } from '../../src/index.js';
import type { Environment } from '../../src/store/lmdb/environment.js';
import { eventually } from '../support/eventually.js';
import { temporaryDirectory } from './lmdb-environment.js';

interface Disk {
  /** Every commit fails with it. */
  failure: Error | undefined;
  /** Commits wait for it. */
  held: Promise<void>;
  commits: number;
}

const disk: Disk = vi.hoisted(() => ({ failure: undefined, held: Promise.resolve(), commits: 0 }));

vi.mock('../../src/store/lmdb/environment.js', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../src/store/lmdb/environment.js')>();
  const openEnvironment: typeof original.openEnvironment = async (...args) => {
    const environment = await original.openEnvironment(...args);
    const root = {
      close: () => environment.root.close(),
      batch: async (write: () => void) => {
        disk.commits++;
        await disk.held;
        if (disk.failure !== undefined) throw disk.failure;
        return environment.root.batch(write);
      },
    };
    return { ...environment, root } as unknown as Environment;
  };
  return { ...original, openEnvironment };
});

beforeEach(() => {
  disk.failure = undefined;
  disk.held = Promise.resolve();
  disk.commits = 0;
});

async function start(dataDirectory: string): Promise<Broker> {
  const broker = await startBroker({ port: 0, dataDirectory, logLevel: 'silent' });
  onTestFinished(() => broker.close());
  return broker;
}

interface Client {
  readonly connection: ChannelModel;
  readonly channel: Channel;
  /** `blocked: reason` and `unblocked`, as they came. */
  readonly heard: string[];
}

async function client(broker: Broker, confirms = false): Promise<Client> {
  const connection = await connect(broker.amqpUrl);
  onTestFinished(() => connection.close().catch(() => {}));
  connection.on('error', () => {});
  const heard: string[] = [];
  connection.on('blocked', (reason) => heard.push(`blocked: ${reason}`));
  connection.on('unblocked', () => heard.push('unblocked'));
  const channel = confirms ? await connection.createConfirmChannel() : await connection.createChannel();
  return { connection, channel, heard };
}

function publish({ channel }: Client, body: string, confirmed: string[], persistent = true): void {
  const options = { persistent };
  // Only a confirm channel calls back.
  (channel as unknown as { sendToQueue(...args: unknown[]): void }).sendToQueue('q', Buffer.from(body), options, () =>
    confirmed.push(body),
  );
}

test('nothing is confirmed before its commit is through, and what needs no disk goes on', async () => {
  const broker = await start(temporaryDirectory());
  const [publisher, other] = [await client(broker, true), await client(broker)];
  await publisher.channel.assertQueue('q', { durable: true });
  let release = (): void => {};
  disk.held = new Promise((resolve) => {
    release = resolve;
  });
  onTestFinished(() => release());
  const before = disk.commits;
  const confirmed: string[] = [];
  publish(publisher, 'first', confirmed);
  await eventually(() => expect(disk.commits).toBe(before + 1));
  publish(publisher, 'second', confirmed);
  const declared: string[] = [];
  const declaring = other.channel.assertQueue('durable').then(() => declared.push('durable'));
  const third = await client(broker);
  // The messages are there, and a transient queue is declared: only the promises wait.
  await eventually(async () => expect((await third.channel.checkQueue('q')).messageCount).toBe(2));
  await third.channel.assertQueue('transient', { durable: false });
  expect([confirmed, declared, disk.commits]).toEqual([[], [], before + 1]);
  release();
  await declaring;
  await eventually(() => expect(confirmed).toEqual(['first', 'second']));
});

test('a failing disk blocks publishers, lets consumers go on, and loses nothing that is confirmed', async () => {
  const directory = temporaryDirectory();
  const broker = await start(directory);
  const [publisher, consumer] = [await client(broker, true), await client(broker)];
  await publisher.channel.assertQueue('q', { durable: true });
  const confirmed: string[] = [];
  for (const body of ['a', 'b', 'c']) publish(publisher, body, confirmed);
  await eventually(() => expect(confirmed).toEqual(['a', 'b', 'c']));

  const before = disk.commits;
  disk.failure = new Error('no space left on device');
  publish(publisher, 'd', confirmed);
  await eventually(() => expect(disk.commits).toBeGreaterThan(before));
  publish(publisher, 'e', confirmed);
  await eventually(() => expect(publisher.heard).toEqual(['blocked: low on disk']));
  const received: string[] = [];
  await consumer.channel.consume('q', (message) => {
    if (message === null) return;
    received.push(message.content.toString());
    if (received.length < 3) consumer.channel.ack(message);
  });
  await eventually(() => expect(received.slice(0, 4)).toEqual(['a', 'b', 'c', 'd']));
  expect([confirmed, consumer.heard]).toEqual([['a', 'b', 'c'], []]);

  disk.failure = undefined;
  await eventually(() => expect(publisher.heard).toEqual(['blocked: low on disk', 'unblocked']));
  await eventually(() => expect(confirmed).toEqual(['a', 'b', 'c', 'd', 'e']));
  await broker.close();

  const again = await client(await start(directory));
  const left: string[] = [];
  for (let message = await again.channel.get('q'); message !== false; message = await again.channel.get('q')) {
    left.push(`${message.content}${message.fields.redelivered ? ' again' : ''}`);
  }
  expect(left).toEqual(['c again', 'd again', 'e again']);
});

test('a broker that cannot write at its end says so', async () => {
  const broker = await startBroker({ port: 0, dataDirectory: temporaryDirectory(), logLevel: 'silent' });
  const publisher = await client(broker);
  await publisher.channel.assertQueue('q', { durable: true });
  const before = disk.commits;
  disk.failure = new Error('input/output error');
  publisher.channel.sendToQueue('q', Buffer.from('lost'), { persistent: true });
  await eventually(() => expect(disk.commits).toBeGreaterThan(before));
  await expect(broker.close()).rejects.toThrow('input/output error');
});
