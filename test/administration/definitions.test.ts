/** Definitions at the start of a broker. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { expect, onTestFinished, test } from 'vitest';
import { type Broker, BrokerError, type StartOptions, startBroker } from '../../src/index.js';
import { temporaryDirectory } from '../store/lmdb-environment.js';

async function start(options: StartOptions): Promise<Broker> {
  const broker = await startBroker({ port: 0, logLevel: 'silent', ...options });
  onTestFinished(() => broker.close());
  return broker;
}

function file(content: unknown, name = 'definitions.json', folder = temporaryDirectory()): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const DEFINITIONS = {
  users: [{ name: 'app', password: 'secret', tags: [] }],
  vhosts: [{ name: 'main' }],
  permissions: [{ user: 'app', vhost: 'main', configure: '.*', write: '.*', read: '.*' }],
  policies: [{ vhost: 'main', name: 'short', pattern: '.*', definition: { 'max-length': 1 } }],
  queues: [{ vhost: 'main', name: 'jobs', durable: true, auto_delete: false, arguments: {} }],
};

test('a broker with definitions has what they say, and no default user or virtual host', async () => {
  const broker = await start({ definitions: file(DEFINITIONS) });
  expect(broker.listUsers().map(({ name }) => name)).toEqual(['app']);
  expect(broker.listVirtualHosts().map(({ name }) => name)).toEqual(['main']);
  expect(broker.amqpUrl).toBe(`amqp://127.0.0.1:${broker.amqpPort}`);
  const connection = await connect(`${broker.amqpUrl.replace('amqp://', 'amqp://app:secret@')}/main`);
  const channel = await connection.createConfirmChannel();
  for (const body of ['a', 'b']) channel.sendToQueue('jobs', Buffer.from(body));
  await channel.waitForConfirms();
  expect((await channel.checkQueue('jobs')).messageCount).toBe(1);
  await connection.close();
});

test('definitions are imported again at every start, and leave messages alone', async () => {
  const dataDirectory = temporaryDirectory();
  const definitions = file(DEFINITIONS);
  let broker = await start({ dataDirectory, definitions });
  const url = (): string => `${broker.amqpUrl.replace('amqp://', 'amqp://app:secret@')}/main`;
  let connection = await connect(url());
  const channel = await connection.createConfirmChannel();
  channel.sendToQueue('jobs', Buffer.from('kept'), { persistent: true });
  await channel.waitForConfirms();
  await connection.close();
  broker.clearPolicy('main', 'short');
  broker.addUser('more', 'x');
  await broker.close();

  broker = await start({ dataDirectory, definitions });
  expect(broker.listUsers().map(({ name }) => name)).toEqual(['app', 'more']);
  expect(broker.listPolicies('main')).toHaveLength(1);
  connection = await connect(url());
  const found = await (await connection.createChannel()).get('jobs', { noAck: true });
  expect(found === false ? found : found.content.toString()).toBe('kept');
  await connection.close();
});

test('a folder of definitions is imported in the order of the names', async () => {
  const folder = temporaryDirectory();
  file({ queues: DEFINITIONS.queues }, '2-queues.json', folder);
  file({ users: DEFINITIONS.users, vhosts: DEFINITIONS.vhosts }, '1-base.json', folder);
  const broker = await start({ definitions: folder });
  expect(broker.exportDefinitions('main')['queues']).toHaveLength(1);
});

test('a broker does not start with definitions that it cannot take', async () => {
  const dataDirectory = temporaryDirectory();
  const broken = file({ ...DEFINITIONS, queues: [{ vhost: 'main', name: 'q', arguments: { 'x-expires': 0 } }] });
  const failure = await start({ dataDirectory, definitions: broken }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(BrokerError);
  expect(failure).toMatchObject({
    message: `${broken}: queues[0] 'q' in vhost 'main': invalid arg 'x-expires' for queue 'q' in vhost 'main': {value_zero,0}`,
  });
  await expect(start({ definitions: join(dataDirectory, 'missing.json') })).rejects.toThrow('ENOENT');
  const broker = await start({ dataDirectory });
  expect(broker.listVirtualHosts().map(({ name }) => name)).toEqual(['/']);
});

test('what one broker exports another one imports', async () => {
  const [one, other] = [await start({}), await start({})];
  one.addVirtualHost('v', { description: 'd' });
  one.addUser('mary', 'secret', ['management']);
  one.setPermissions('mary', 'v', { configure: '', write: '.*', read: '' });
  one.setPolicy({ virtualHost: 'v', name: 'p', pattern: 'q', definition: { 'max-length': 1 } });
  const connection = await connect(`${one.amqpUrl}/v`);
  const channel = await connection.createChannel();
  await channel.assertExchange('x', 'topic', { alternateExchange: 'amq.fanout' });
  await channel.assertQueue('q', { arguments: { 'x-max-length': 5, further: { a: [1, 'b', true] } } });
  await channel.bindQueue('q', 'x', 'a.#', { n: 1 });
  await connection.close();
  const exported = one.exportDefinitions();
  expect(other.importDefinitions(JSON.stringify(exported)).notInEffect).toEqual([]);
  expect(other.exportDefinitions()).toEqual(exported);
});
