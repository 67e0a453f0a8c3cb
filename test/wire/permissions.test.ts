import { networkInterfaces } from 'node:os';
import { describe, expect } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
import { startBroker } from '../../src/index.js';
import { WireClient } from '../support/wire-client.js';
import { test, unique } from './broker-test.js';
import { type Need, OPERATIONS, patternsFor, toDeadLetterTo } from './operations.js';

const DENIALS = OPERATIONS.flatMap((operation) =>
  operation.needs.map((need) => ({ operation, need, title: `${operation.name} is refused without ${need.join(' ')}` })),
);

function refusal([access, kind, name]: Need, virtualHost: string, user: string): string {
  return `ACCESS_REFUSED - ${access} access to ${kind} '${name}' in vhost '${virtualHost}' refused for user '${user}'`;
}

async function declareTopology(owner: WireClient): Promise<void> {
  await owner.rpc(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
  for (const exchange of ['from', 'to']) {
    await owner.rpc(1, { name: 'exchange.declare', exchange, type: 'direct' }, 'exchange.declare-ok');
  }
}

describe('an operation', () => {
  test.for(OPERATIONS)(
    '$name asks for no more permissions than it needs',
    async (operation, { connect, connectAs }) => {
      await declareTopology(await connect());
      const { client } = await connectAs(patternsFor(operation.needs));
      operation.send(client);
      await client.expect(1, operation.answer);
    },
  );

  test.for(DENIALS)('$title', async ({ operation, need }, { connect, connectAs, virtualHost }) => {
    await declareTopology(await connect());
    const { user, client } = await connectAs(patternsFor(operation.needs.filter((other) => other !== need)));
    operation.send(client);
    await client.expectChannelClose(1, 403, refusal(need, virtualHost, user), operation.ids);
  });

  test.for(OPERATIONS.filter(({ needs }) => needs.length > 1))(
    '$name asks for them in order',
    async (operation, { connect, connectAs, virtualHost }) => {
      await declareTopology(await connect());
      const { user, client } = await connectAs({});
      operation.send(client);
      const [first] = operation.needs as [Need];
      await client.expectChannelClose(1, 403, refusal(first, virtualHost, user), operation.ids);
    },
  );
});

describe('what is there already', () => {
  test('is declared again without a look at its further exchanges', async ({ connect, connectAs }) => {
    const owner = await connect();
    const { client } = await connectAs({ configure: '.*' });
    for (const each of [owner, client]) {
      const queue = { name: 'queue.declare', queue: 'q', arguments: toDeadLetterTo('to') } as const;
      await each.rpc(1, queue, 'queue.declare-ok');
      const args = table({ 'alternate-exchange': 'to' });
      const exchange = { name: 'exchange.declare', exchange: 'e', type: 'fanout', arguments: args } as const;
      await each.rpc(1, exchange, 'exchange.declare-ok');
    }
  });
});

describe('a refused operation', () => {
  test('has no effect', async ({ connect, connectAs }) => {
    const owner = await connect();
    await declareTopology(owner);
    const { client } = await connectAs({ configure: '.*', read: '.*', write: '^q$' });
    client.send(1, { name: 'queue.declare', queue: 'new', arguments: toDeadLetterTo('to') });
    await client.expect(1, 'channel.close', { replyCode: 403 });
    owner.send(1, { name: 'queue.declare', queue: 'new', passive: true });
    await owner.expect(1, 'channel.close', { replyCode: 404 });
  });

  test('leaves the other channels open', async ({ connect, connectAs }) => {
    await declareTopology(await connect());
    const { client } = await connectAs({ read: '^q$' });
    await client.openChannel(2);
    client.publish(1, { routingKey: 'q' });
    await client.expect(1, 'channel.close', { replyCode: 403 });
    await client.rpc(2, { name: 'basic.get', queue: 'q' }, 'basic.get-empty');
  });

  test('is refused before it is looked whether its target exists', async ({ connectAs, virtualHost }) => {
    const { user, client } = await connectAs({});
    client.publish(1, { exchange: 'none' });
    await client.expectChannelClose(1, 403, refusal(['write', 'exchange', 'none'], virtualHost, user), [60, 40]);
    await client.openChannel();
    client.send(1, { name: 'queue.unbind', queue: 'none', exchange: 'none' });
    await client.expectChannelClose(1, 403, refusal(['write', 'queue', 'none'], virtualHost, user), [50, 50]);
    await client.openChannel();
    client.send(1, { name: 'basic.consume', queue: 'none' });
    await client.expectChannelClose(1, 403, refusal(['read', 'queue', 'none'], virtualHost, user), [60, 20]);
  });
});

describe('a permission pattern', () => {
  test('matches anywhere in a name unless it is anchored', async ({ connectAs, virtualHost }) => {
    const { user, client } = await connectAs({ configure: 'mid|^start|end$' });
    for (const queue of ['a-mid-z', 'start-z', 'a-end']) {
      await client.rpc(1, { name: 'queue.declare', queue }, 'queue.declare-ok');
    }
    client.send(1, { name: 'queue.declare', queue: 'a-start' });
    const text = refusal(['configure', 'queue', 'a-start'], virtualHost, user);
    await client.expectChannelClose(1, 403, text, [50, 10]);
  });

  test('is asked about the name that the server chose', async ({ connectAs }) => {
    const { client } = await connectAs({ configure: '^amq\\.gen' });
    await client.rpc(1, { name: 'queue.declare' }, 'queue.declare-ok', { queue: /^amq\.gen-/ });
    client.send(1, { name: 'queue.declare', queue: 'own' });
    await client.expect(1, 'channel.close', { replyCode: 403 });
  });

  test('is asked about a name without its line breaks', async ({ connectAs }) => {
    const { client } = await connectAs({ configure: '^clean$' });
    await client.rpc(1, { name: 'queue.declare', queue: 'cl\r\nean' }, 'queue.declare-ok', { queue: 'clean' });
    const exchange = { name: 'exchange.declare', exchange: 'clean\n', type: 'fanout' } as const;
    await client.rpc(1, exchange, 'exchange.declare-ok');
  });

  test('does not hold for another virtual host', async ({ broker, connectAs, connect }) => {
    const { user } = await connectAs({ configure: '.*' });
    const other = unique('vhost');
    broker.addVirtualHost(other);
    broker.setPermissions(user, other, { configure: '', write: '', read: '' });
    const client = await connect({ username: user, password: 'secret', virtualHost: other });
    client.send(1, { name: 'queue.declare', queue: 'q' });
    const text = refusal(['configure', 'queue', 'q'], other, user);
    await client.expectChannelClose(1, 403, text, [50, 10]);
  });

  test('must be a regular expression', ({ broker }) => {
    const patterns = { configure: '.*', write: '(', read: '.*' };
    expect(() => broker.setPermissions('guest', '/', patterns)).toThrow(SyntaxError);
    expect(() => broker.setPermissions('nobody', '/', { ...patterns, write: '' })).toThrow("no user 'nobody'");
  });
});

describe('what needs no permission of its own', () => {
  test('a queue or an exchange that a permitted exchange leads to', async ({ connect, connectAs }) => {
    const owner = await connect();
    await declareTopology(owner);
    await owner.rpc(
      1,
      { name: 'exchange.bind', source: 'to', destination: 'from', routingKey: 'k' },
      'exchange.bind-ok',
    );
    await owner.rpc(1, { name: 'queue.bind', queue: 'q', exchange: 'from', routingKey: 'k' }, 'queue.bind-ok');
    const { client } = await connectAs({ write: '^to$' });
    await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
    client.publish(1, { exchange: 'to', routingKey: 'k' });
    await client.expect(1, 'basic.ack');
    await owner.rpc(1, { name: 'basic.get', queue: 'q' }, 'basic.get-ok');
  });

  test('a consumer of direct replies', async ({ connectAs }) => {
    const { client } = await connectAs({ write: '^amq\\.default$' });
    const queue = 'amq.rabbitmq.reply-to';
    await client.rpc(1, { name: 'basic.consume', queue, noAck: true }, 'basic.consume-ok');
  });
});

describe('a change of permissions', () => {
  test('holds for the next publish, although the route is known', async ({
    broker,
    connect,
    connectAs,
    virtualHost,
  }) => {
    const owner = await connect();
    await declareTopology(owner);
    const all = { configure: '.*', write: '.*', read: '.*' };
    const { user, client } = await connectAs(all);
    await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
    for (let i = 0; i < 3; i++) {
      client.publish(1, { routingKey: 'q' });
      await client.expect(1, 'basic.ack');
    }
    broker.setPermissions(user, virtualHost, { ...all, write: '' });
    client.publish(1, { routingKey: 'q' });
    const text = refusal(['write', 'exchange', 'amq.default'], virtualHost, user);
    await client.expectChannelClose(1, 403, text, [60, 40]);
    broker.setPermissions(user, virtualHost, all);
    await client.openChannel();
    client.publish(1, { routingKey: 'q' });
    await client.expectNothing(1);
    await owner.rpc(1, { name: 'basic.get', queue: 'q' }, 'basic.get-ok', { messageCount: 3 });
    broker.clearPermissions(user, virtualHost);
    client.publish(1, { routingKey: 'q' });
    await client.expectChannelClose(1, 403, text, [60, 40]);
  });

  test('leaves consumers that were permitted alone', async ({ broker, connect, connectAs, virtualHost }) => {
    const owner = await connect();
    await declareTopology(owner);
    const { user, client } = await connectAs({ read: '.*' });
    await client.rpc(1, { name: 'basic.consume', queue: 'q' }, 'basic.consume-ok');
    broker.clearPermissions(user, virtualHost);
    owner.publish(1, { routingKey: 'q', body: 'still' });
    const delivery = await client.expect(1, 'basic.deliver');
    client.send(1, { name: 'basic.ack', deliveryTag: delivery.deliveryTag });
    await client.expectNothing(1);
  });
});

describe('connection.open', () => {
  test('is refused to a user without permissions there', async ({ broker, virtualHost }) => {
    const user = unique('user');
    broker.addUser(user, 'secret');
    const client = await WireClient.connect(broker.amqpUrl, { handshake: false, username: user, password: 'secret' });
    await client.login();
    client.sendTuneOk();
    client.send(0, { name: 'connection.open', virtualHost });
    const text = `NOT_ALLOWED - access to vhost '${virtualHost}' refused for user '${user}'`;
    await client.expectConnectionClose(530, text, [10, 40]);
  });

  test('of a virtual host that is not there says so', async ({ broker }) => {
    const client = await WireClient.connect(broker.amqpUrl, { handshake: false });
    await client.login();
    client.sendTuneOk();
    client.send(0, { name: 'connection.open', virtualHost: 'none' });
    await client.expectConnectionClose(530, 'NOT_ALLOWED - vhost none not found', [10, 40]);
  });
});

describe('the user-id of a message', () => {
  test('must be the name of the user', async ({ connectAs }) => {
    const { user, client } = await connectAs({ write: '.*' });
    await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
    client.publish(1, { routingKey: 'q', properties: { userId: user } });
    await client.expect(1, 'basic.ack');
    client.publish(1, { routingKey: 'q', properties: { userId: 'bob' } });
    const text = `PRECONDITION_FAILED - user_id property set to 'bob' but authenticated user was '${user}'`;
    await client.expectChannelClose(1, 406, text, [60, 40]);
  });

  test('may be any for a user with the tag impersonator', async ({ connect, connectAs }) => {
    const owner = await connect();
    await declareTopology(owner);
    const { client } = await connectAs({ write: '.*' }, ['impersonator']);
    client.publish(1, { routingKey: 'q', properties: { userId: 'bob' } });
    await client.expectNothing(1);
    const message = await owner.rpc(1, { name: 'basic.get', queue: 'q' }, 'basic.get-ok');
    expect(message.properties.userId).toBe('bob');
  });

  test('may not, with another tag', async ({ connectAs }) => {
    const { client } = await connectAs({ write: '.*' }, ['administrator']);
    client.publish(1, { routingKey: 'q', properties: { userId: 'bob' } });
    await client.expect(1, 'channel.close', { replyCode: 406 });
  });
});

describe('ANONYMOUS', () => {
  test('logs in as the default user', async () => {
    const broker = await startBroker({ port: 0, logLevel: 'silent', defaultUser: 'mary', defaultPassword: 'secret' });
    const client = await WireClient.connect(broker.amqpUrl, { mechanism: 'ANONYMOUS', response: '' });
    await client.openChannel();
    await client.rpc(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
    client.publish(1, { routingKey: 'q', properties: { userId: 'mary' } });
    await client.expectNothing(1);
    await client.close();
    await broker.close();
  });
});

const LOGIN_REFUSED =
  'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.';
const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
const ownAddress = addresses.find(({ internal, family }) => !internal && family === 'IPv4')?.address;

describe.runIf(ownAddress !== undefined)('a user of the loopback rule', () => {
  const elsewhere = (port: number) => `amqp://guest:guest@${ownAddress}:${port}`;

  test.for([
    ['as an option says', { loopbackUsers: ['guest'] }],
    ['when nobody chose and the broker listens to all', {}],
  ] as const)('logs in from this machine only, %s', async ([, options]) => {
    const broker = await startBroker({ port: 0, host: '0.0.0.0', logLevel: 'silent', ...options });
    const local = await WireClient.connect(broker.amqpUrl);
    await local.close();
    const client = await WireClient.connect(elsewhere(broker.amqpPort), { handshake: false });
    await client.start();
    client.sendStartOk();
    await client.expectConnectionClose(403, LOGIN_REFUSED, [0, 0]);
    await broker.close();
  });

  test('is nobody when the option says so', async () => {
    const broker = await startBroker({ port: 0, host: '0.0.0.0', logLevel: 'silent', loopbackUsers: [] });
    const client = await WireClient.connect(elsewhere(broker.amqpPort));
    await client.close();
    await broker.close();
  });
});
