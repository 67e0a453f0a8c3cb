/** Policies, limits and deletions through the library, as a client that is connected all the while sees them. */
import { type Channel, type ChannelModel, connect } from 'amqplib';
import { expect, onTestFinished, test } from 'vitest';
import { type Broker, startBroker } from '../../src/index.js';
import { temporaryDirectory } from '../store/lmdb-environment.js';
import { eventually } from '../support/eventually.js';
import { WireClient } from '../support/wire-client.js';

async function start(dataDirectory?: string): Promise<Broker> {
  const broker = await startBroker({ port: 0, logLevel: 'silent', dataDirectory });
  onTestFinished(() => broker.close());
  return broker;
}

interface Client {
  readonly connection: ChannelModel;
  readonly channel: Channel;
  /** Texts of the errors that the broker closed the connection or the channel with. */
  readonly errors: string[];
}

async function client(broker: Broker, path = ''): Promise<Client> {
  const connection = await connect(broker.amqpUrl + path);
  const errors: string[] = [];
  noteErrors(connection, errors);
  const channel = await connection.createChannel();
  channel.on('error', (error) => errors.push(error.message));
  onTestFinished(() => connection.close().catch(() => {}));
  return { connection, channel, errors };
}

/** amqplib takes a connection that was forced to close for one that closed, with a reason. */
function noteErrors(connection: ChannelModel, errors: string[]): void {
  connection.on('error', (error) => errors.push(error.message));
  connection.on('close', (error) => errors.push(error?.message ?? ''));
}

/** Expects that the broker does not let a client in. */
async function expectRefused(broker: Broker, virtualHost: string, text: string): Promise<void> {
  const wire = await WireClient.connect(broker.amqpUrl, { handshake: false });
  await wire.login();
  wire.sendTuneOk();
  wire.send(0, { name: 'connection.open', virtualHost });
  await wire.expectConnectionClose(530, text, [10, 40]);
}

/** What is said of an attempt that fails. */
async function refusal(attempt: () => Promise<unknown>): Promise<string> {
  try {
    await attempt();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return 'accepted';
}

async function count(channel: Channel, queue: string, expected: number): Promise<void> {
  await eventually(async () => expect((await channel.checkQueue(queue)).messageCount, queue).toBe(expected));
}

function publish(channel: Channel, queue: string, ...bodies: readonly string[]): void {
  for (const body of bodies) channel.sendToQueue(queue, Buffer.from(body));
}

test('a policy acts on queues that are there, and no longer when it is cleared', async () => {
  const broker = await start();
  const { channel } = await client(broker);
  await channel.assertQueue('dead');
  await channel.assertQueue('jobs');
  publish(channel, 'jobs', '1', '2', '3');
  await count(channel, 'jobs', 3);
  const definition = {
    'max-length': 2,
    'message-ttl': 50,
    'dead-letter-exchange': '',
    'dead-letter-routing-key': 'dead',
  };
  broker.setPolicy({ virtualHost: '/', name: 'p', pattern: '^jobs$', definition, applyTo: 'queues' });
  // Down to the new length at once; what stays is older than the time to live and has none.
  await count(channel, 'dead', 1);
  await count(channel, 'jobs', 2);
  publish(channel, 'jobs', '4', '5');
  await count(channel, 'dead', 5);
  await count(channel, 'jobs', 0);
  broker.clearPolicy('/', 'p');
  publish(channel, 'jobs', '6', '7', '8');
  await count(channel, 'jobs', 3);
  await count(channel, 'dead', 5);
  expect(() => broker.clearPolicy('/', 'p')).toThrow('Parameter does not exist');
});

test('a policy ends queues that nobody uses, and an operator policy bounds it', async () => {
  const broker = await start();
  const { channel } = await client(broker);
  await channel.assertQueue('idle');
  broker.setPolicy({ virtualHost: '/', name: 'p', pattern: '', definition: { expires: 600_000 } });
  broker.setOperatorPolicy({ virtualHost: '/', name: 'op', pattern: '^idle$', definition: { expires: 30 } });
  expect(broker.listOperatorPolicies('/')).toMatchObject([{ virtualHost: '/', name: 'op', applyTo: 'all' }]);
  await eventually(() => expect(broker.exportDefinitions()['queues']).toEqual([]));
});

test('an alternate exchange comes and goes with a policy, also for routes that are in use', async () => {
  const broker = await start();
  const { channel } = await client(broker);
  await channel.assertExchange('x', 'direct');
  await channel.assertQueue('caught');
  await channel.bindQueue('caught', 'amq.fanout', '');
  const lost = async (): Promise<void> => {
    channel.publish('x', 'nowhere', Buffer.from('m'));
    await channel.checkExchange('x');
  };
  await lost();
  broker.setPolicy({
    virtualHost: '/',
    name: 'ae',
    pattern: '^x$',
    definition: { 'alternate-exchange': 'amq.fanout' },
    applyTo: 'exchanges',
  });
  await lost();
  await count(channel, 'caught', 1);
  broker.clearPolicy('/', 'ae');
  await lost();
  await count(channel, 'caught', 1);
});

test('limits refuse with what RabbitMQ says', async () => {
  const broker = await start();
  broker.addVirtualHost('small', { description: 'a small one', tags: ['test'] });
  broker.setVirtualHostLimits('small', { maxConnections: 1, maxQueues: 1 });
  expect(broker.listVirtualHosts()[1]).toEqual({
    name: 'small',
    description: 'a small one',
    tags: ['test'],
    defaultQueueType: undefined,
    limits: { maxConnections: 1, maxQueues: 1 },
  });
  const { connection, channel, errors } = await client(broker, '/small');
  await channel.assertQueue('one');
  expect(await refusal(() => channel.assertQueue('two'))).toContain(
    "406 (PRECONDITION-FAILED) with message \"PRECONDITION_FAILED - cannot declare queue 'two': queue limit in vhost " +
      "'small' (1) is reached\"",
  );
  const refused = "NOT_ALLOWED - access to vhost 'small' refused for user 'guest': connection limit (1) is reached";
  await expectRefused(broker, 'small', refused);
  broker.setUserLimits('guest', { maxConnections: 1, maxChannels: 2 });
  const full = "NOT_ALLOWED - connection refused for user 'guest': user connection limit (1) is reached";
  await expectRefused(broker, '/', full);
  await connection.createChannel();
  await connection.createChannel();
  await refusal(() => connection.createChannel());
  await eventually(() =>
    expect(errors.join()).toContain(
      "NOT_ALLOWED - number of channels opened for user 'guest' has reached the maximum allowed user limit of 2",
    ),
  );
  expect(() => broker.setUserLimits('guest', { maxChannels: 1.5 })).toThrow(
    'max-channels should be a number, actually was 1.5',
  );
  broker.setUserLimits('guest', {});
  await client(broker, '/small');
  broker.setVirtualHostLimits('small', {});
  await client(broker, '/small');
});

test('a virtual host that is deleted takes its connections and all that is in it along', async () => {
  const directory = temporaryDirectory();
  let broker = await start(directory);
  broker.addVirtualHost('doomed');
  const { channel, errors } = await client(broker, '/doomed');
  const bystander = await client(broker);
  await channel.assertQueue('q', { durable: true });
  channel.sendToQueue('q', Buffer.from('m'), { persistent: true });
  await count(channel, 'q', 1);
  broker.setPolicy({ virtualHost: 'doomed', name: 'p', pattern: '', definition: { 'max-length': 5 } });
  broker.addUser('mary', 'secret');
  broker.setPermissions('mary', 'doomed', { configure: '', write: '', read: '' });
  broker.deleteVirtualHost('doomed');
  expect(broker.exportDefinitions()['permissions']).toEqual([expect.objectContaining({ user: 'guest', vhost: '/' })]);
  await eventually(() => expect(errors.join()).toContain("CONNECTION_FORCED - vhost 'doomed' is deleted"));
  await expectRefused(broker, 'doomed', 'NOT_ALLOWED - vhost doomed not found');
  await bystander.channel.assertQueue('fine');
  broker.addVirtualHost('doomed');
  const again = await client(broker, '/doomed');
  expect((await again.channel.assertQueue('q', { durable: true })).messageCount).toBe(0);
  expect(() => broker.deleteVirtualHost('missing')).toThrow('vhost missing not found');
  await broker.close();
  broker = await start(directory);
  expect(broker.listVirtualHosts().map(({ name }) => name)).toEqual(['/', 'doomed']);
  expect(broker.listPolicies()).toEqual([]);
});

test('a user who is deleted is shown out', async () => {
  const broker = await start();
  broker.addUser('mary', 'secret', ['monitoring']);
  broker.setPermissions('mary', '/', { configure: '.*', write: '.*', read: '.*' });
  const url = broker.amqpUrl.replace('guest:guest', 'mary:secret');
  const connection = await connect(url);
  const errors: string[] = [];
  noteErrors(connection, errors);
  expect(broker.listUsers()).toContainEqual({ name: 'mary', tags: ['monitoring'], limits: {} });
  broker.deleteUser('mary');
  await eventually(() => expect(errors.join()).toContain("CONNECTION_FORCED - user 'mary' is deleted"));
  expect(await refusal(() => connect(url))).toContain('ACCESS_REFUSED');
  expect(() => broker.deleteUser('mary')).toThrow("no user 'mary'");
});

test('all of it comes back after a restart', async () => {
  const directory = temporaryDirectory();
  let broker = await start(directory);
  const { channel } = await client(broker);
  await channel.assertQueue('q', { durable: true });
  broker.setPolicy({ virtualHost: '/', name: 'p', pattern: '^q', definition: { 'max-length': 2 }, priority: 3 });
  broker.setOperatorPolicy({ virtualHost: '/', name: 'op', pattern: '^q', definition: { 'max-length': 1 } });
  broker.setParameter({ virtualHost: '/', component: 'vhost-limits', name: 'limits', value: { 'max-queues': 1 } });
  broker.setGlobalParameter('mine', { any: ['thing'] });
  broker.addVirtualHost('typed', { defaultQueueType: 'quorum', description: 'd', tags: ['t'] });
  broker.setUserLimits('guest', { maxChannels: 100 });
  const exported = broker.exportDefinitions();
  await broker.close();

  broker = await start(directory);
  expect(broker.exportDefinitions()).toEqual(exported);
  const after = await client(broker);
  publish(after.channel, 'q', '1', '2', '3');
  await count(after.channel, 'q', 1);
  expect(await refusal(() => after.channel.assertQueue('more'))).toContain('queue limit');
  broker.clearGlobalParameter('mine');
  broker.clearParameter('/', 'vhost-limits', 'limits');
  expect([broker.listParameters('/').length, broker.listGlobalParameters()]).toEqual([1, []]);
});
