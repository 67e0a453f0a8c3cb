/** STOMP over TCP as only a broker in this process can show it: ports, users, restarts, and peers that misbehave. */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Broker, type StartOptions, startBroker } from '../../src/index.js';
import { eventually } from '../support/eventually.js';
import { Random, seedOf } from '../support/random.js';
import { StompClient } from '../support/stomp-client.js';

async function start(options: StartOptions = {}): Promise<Broker> {
  const broker = await startBroker({ port: 0, logLevel: 'silent', ...options });
  onTestFinished(() => broker.close());
  return broker;
}

async function client(broker: Broker, user = 'guest', password = 'guest'): Promise<StompClient> {
  const url = new URL(broker.stompUrl ?? '');
  [url.username, url.password] = [user, password];
  const opened = await StompClient.connect(url.href);
  onTestFinished(() => opened.destroy());
  return opened;
}

async function stranger(broker: Broker): Promise<StompClient> {
  const opened = await StompClient.open(broker.stompUrl ?? '');
  onTestFinished(() => opened.destroy());
  return opened;
}

describe('the STOMP port', () => {
  it('is any free one when that of AMQP is', async () => {
    const [one, two] = [await start(), await start()];
    expect(new Set([one.amqpPort, one.stompPort, two.amqpPort, two.stompPort]).size).toBe(4);
    expect(one.stompUrl).toBe(`stomp://guest:guest@127.0.0.1:${one.stompPort}`);
    await (await client(one)).settle();
  });

  it('is none when it is off', async () => {
    const broker = await start({ stompPort: 'off' });
    expect([broker.stompPort, broker.stompUrl]).toEqual([undefined, undefined]);
  });

  it('that is taken keeps the broker from starting', async () => {
    const { stompPort } = await start();
    await expect(startBroker({ port: 0, stompPort, logLevel: 'silent' })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('closes when the broker does, and tells clients why', async () => {
    const broker = await start();
    const stomp = await client(broker);
    await broker.close();
    expect((await stomp.expect('ERROR')).headers['message']).toBe('connection_forced');
    await stomp.closed();
  });
});

describe('users of STOMP', () => {
  it('need the permissions that AMQP users need', async () => {
    const broker = await start();
    broker.addUser('reader', 'secret');
    broker.setPermissions('reader', '/', { configure: '^mine', write: '^mine', read: '^(mine|amq\\.topic)' });
    const send = await client(broker, 'reader', 'secret');
    send.send('SEND', { destination: '/queue/other' }, 'x');
    const { headers, body } = await send.expect('ERROR');
    expect([headers['message'], body]).toEqual([
      'access_refused',
      `ACCESS_REFUSED - configure access to queue 'other' in vhost '/' refused for user 'reader'`,
    ]);
    await send.closed();
    const own = await client(broker, 'reader', 'secret');
    await own.request('SUBSCRIBE', { id: '1', destination: '/topic/t', 'x-queue-name': 'mine' });
    own.send('SEND', { destination: '/topic/t' }, 'x');
    expect((await own.expect('ERROR')).body).toBe(
      `ACCESS_REFUSED - write access to exchange 'amq.topic' in vhost '/' refused for user 'reader'`,
    );
  });

  it('lose them at once when they are taken away', async () => {
    const broker = await start();
    broker.addUser('writer', 'secret');
    broker.setPermissions('writer', '/', { configure: '', write: '.*', read: '' });
    const stomp = await client(broker, 'writer', 'secret');
    await stomp.request('SEND', { destination: '/amq/queue/q' }, 'x');
    broker.setPermissions('writer', '/', { configure: '', write: '', read: '' });
    stomp.send('SEND', { destination: '/amq/queue/q' }, 'x');
    expect((await stomp.expect('ERROR')).headers['message']).toBe('access_refused');
  });
});

describe('tracing', () => {
  it('reports what STOMP clients send and get', async () => {
    const broker = await start();
    const [watcher, stomp] = [await client(broker), await client(broker)];
    await watcher.request('SUBSCRIBE', { id: 'trace', destination: '/exchange/amq.rabbitmq.trace/#' });
    broker.setTracing('/', true);
    stomp.send('SUBSCRIBE', { id: '1', destination: '/queue/q' });
    for (const body of ['a', 'a']) stomp.send('SEND', { destination: '/queue/q' }, body);
    const keys = [];
    for (let i = 0; i < 4; i++) keys.push((await watcher.expect('MESSAGE')).headers['destination']?.split('/').at(-1));
    expect(keys.sort()).toEqual(['deliver.q', 'deliver.q', 'publish.', 'publish.']);
  });
});

describe('limits and ends of others', () => {
  it('count STOMP connections to those of a user', async () => {
    const broker = await start();
    broker.addUser('one', 'secret');
    broker.setPermissions('one', '/', { configure: '', write: '', read: '' });
    broker.setUserLimits('one', { maxConnections: 1 });
    const first = await client(broker, 'one', 'secret');
    await expect(client(broker, 'one', 'secret')).rejects.toThrow('Bad CONNECT');
    await first.destroy();
    await eventually(async () => void (await client(broker, 'one', 'secret')));
  });

  it('close the connections to a virtual host that is deleted', async () => {
    const broker = await start();
    broker.addVirtualHost('other');
    const stomp = await stranger(broker);
    await stomp.logIn(broker.stompUrl ?? '', { headers: { host: 'other' } });
    const witness = await client(broker);
    broker.deleteVirtualHost('other');
    expect((await stomp.expect('ERROR')).headers['message']).toBe('connection_forced');
    await stomp.closed();
    await witness.settle();
  });
});

describe('a restart', () => {
  it('loses nothing that a receipt promised', async () => {
    const dataDirectory = await mkdtemp(join(tmpdir(), 'jackalope-stomp-'));
    onTestFinished(() => rm(dataDirectory, { recursive: true }));
    const durable = { id: 's', destination: '/topic/t', durable: 'true', 'auto-delete': 'false' };
    const first = await start({ dataDirectory });
    const before = await client(first);
    await before.request('SUBSCRIBE', { ...durable, ack: 'client' });
    await before.request('UNSUBSCRIBE', { id: 's' });
    await before.request('SEND', { destination: '/topic/t', persistent: 'true', foo: 'bar' }, 'topic');
    await before.request('SEND', { destination: '/queue/q', persistent: 'true' }, 'queue');
    await before.request('BEGIN', { transaction: 't' });
    before.send('SEND', { destination: '/queue/q', persistent: 'true', transaction: 't' }, 'transaction');
    await before.request('COMMIT', { transaction: 't' });
    await first.close();
    const after = await client(await start({ dataDirectory }));
    after.send('SUBSCRIBE', durable);
    expect(await after.expect('MESSAGE')).toMatchObject({ headers: { foo: 'bar', persistent: 'true' }, body: 'topic' });
    after.send('SUBSCRIBE', { id: 'q', destination: '/queue/q' });
    expect((await after.expect('MESSAGE')).body).toBe('queue');
    expect((await after.expect('MESSAGE')).body).toBe('transaction');
  });
});

describe('STOMP peers that misbehave', () => {
  it('are gone after a while without CONNECT, garbage or not', async () => {
    const broker = await start({ handshakeTimeoutMs: 300 });
    const witness = await client(broker);
    const peers = await Promise.all(Array.from({ length: 5 }, () => stranger(broker)));
    peers[1]?.sendBytes('\n\n\n');
    peers[2]?.sendBytes('CONN');
    peers[3]?.sendBytes('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    peers[4]?.sendBytes(Buffer.from('AMQP\0\0\x09\x01'));
    await Promise.all(peers.map((peer) => peer.closed()));
    await witness.settle();
    expect(broker.connectionCount).toBe(1);
  });

  it('with random bytes only end their own connection', async () => {
    const broker = await start({ handshakeTimeoutMs: 300 });
    const witness = await client(broker);
    const random = new Random(seedOf('stomp garbage'));
    const peers = await Promise.all(Array.from({ length: 20 }, () => stranger(broker)));
    for (const peer of peers) peer.sendBytes(random.bytes(random.below(100_000)));
    await witness.settle();
    await Promise.all(peers.map((peer) => peer.closed()));
    await witness.settle();
  });

  it('that end their side at once are answered first', async () => {
    const broker = await start();
    const socket = connect(broker.stompPort ?? 0, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    let text = '';
    socket.setEncoding('latin1').on('data', (more: string) => {
      text += more;
    });
    socket.end('CONNECT\n\n\0BEGIN\ntransaction:t\nreceipt:r\n\n\0');
    await eventually(() => expect(text).toMatch(/^CONNECTED\n[\s\S]*RECEIPT\nreceipt-id:r\n/));
    await eventually(() => expect(broker.connectionCount).toBe(0));
  });

  it('that never read cost the others nothing', async () => {
    const broker = await start();
    const [deaf, witness] = [await client(broker), await client(broker)];
    await deaf.request('SUBSCRIBE', { id: '1', destination: '/topic/t' });
    await witness.request('SUBSCRIBE', { id: '1', destination: '/topic/t' });
    deaf.pause();
    const body = 'x'.repeat(100_000);
    for (let i = 0; i < 200; i++) {
      witness.send('SEND', { destination: '/topic/t' }, body);
      await witness.expect('MESSAGE');
    }
    await witness.settle();
    deaf.resume();
    for (let i = 0; i < 200; i++) expect((await deaf.expect('MESSAGE')).body).toHaveLength(100_000);
  });
});
