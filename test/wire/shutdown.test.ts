import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Broker, startBroker } from '../../src/index.js';
import { WireClient } from '../support/wire-client.js';
import { PROTOCOL_HEADER } from '../support/wire-frames.js';

const FORCED = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";

async function start(port = 0): Promise<Broker> {
  const broker = await startBroker({ port, logLevel: 'silent' });
  onTestFinished(() => broker.close());
  return broker;
}

describe('close()', () => {
  it('says so to every client and waits for its answer', async () => {
    const broker = await start();
    const clients = await Promise.all([1, 2, 3].map(() => WireClient.connect(broker.amqpUrl)));
    const [first, ...others] = clients as [WireClient, WireClient, WireClient];
    let isClosed = false;
    const closing = broker.close().then(() => {
      isClosed = true;
    });
    for (const client of others) await client.expectConnectionClose(320, FORCED, [0, 0]);
    expect(isClosed).toBe(false);
    await first.expectConnectionClose(320, FORCED, [0, 0]);
    await closing;
    expect(broker.connectionCount).toBe(0);
  });

  it('does not wait for a client that never answers', async () => {
    const broker = await start();
    const client = await WireClient.connect(broker.amqpUrl);
    await broker.close();
    expect(broker.connectionCount).toBe(0);
    await client.expect(0, 'connection.close', { replyCode: 320, replyText: FORCED });
    await client.closed();
  });

  it('ends connections that are not open yet without a word', async () => {
    const broker = await start();
    const silent = await WireClient.connect(broker.amqpUrl, { handshake: false });
    const started = await WireClient.connect(broker.amqpUrl, { handshake: false });
    await started.start();
    await broker.close();
    await silent.closed();
    await started.closed();
    expect(silent.isSilent && started.isSilent).toBe(true);
  });

  it('discards what clients still send', async () => {
    const broker = await start();
    const client = await WireClient.connect(broker.amqpUrl);
    await client.openChannel();
    const closing = broker.close();
    client.send(1, { name: 'queue.declare', queue: 'late' });
    client.publish(1, { routingKey: 'late', body: Buffer.alloc(100_000) });
    await client.expectConnectionClose(320, FORCED, [0, 0]);
    expect(client.isSilent).toBe(true);
    await closing;
  });

  it('answers a client that closes at the same time', async () => {
    const broker = await start();
    const client = await WireClient.connect(broker.amqpUrl);
    const closing = broker.close();
    client.send(0, { name: 'connection.close', replyCode: 200 });
    await client.expect(0, 'connection.close', { replyCode: 320 });
    await client.expect(0, 'connection.close-ok');
    client.destroy();
    await closing;
  });

  it('may be called again and at any time', async () => {
    const broker = await start();
    const first = broker.close();
    const second = broker.close();
    await Promise.all([first, second]);
    await broker.close();
  });

  it('reaches a blocked publisher', async () => {
    const broker = await start();
    const client = await WireClient.connect(broker.amqpUrl);
    await client.openChannel();
    broker.raiseAlarm('memory');
    client.publish(1, { routingKey: 'nowhere' });
    await client.expect(0, 'connection.blocked');
    client.publish(1, { routingKey: 'nowhere' });
    const closing = broker.close();
    await client.expectConnectionClose(320, FORCED, [0, 0]);
    await closing;
  });

  it('does not need a blocked publisher to be there', async () => {
    const broker = await start();
    const client = await WireClient.connect(broker.amqpUrl);
    await client.openChannel();
    broker.raiseAlarm('disk');
    client.publish(1, { routingKey: 'nowhere' });
    await client.expect(0, 'connection.blocked');
    client.publish(1, { routingKey: 'nowhere', body: Buffer.alloc(100_000) });
    client.destroy();
    await broker.close();
    expect(broker.connectionCount).toBe(0);
  });

  it('frees the port', async () => {
    const broker = await start();
    const { amqpPort } = broker;
    const client = await WireClient.connect(broker.amqpUrl);
    await broker.close();
    await expect(WireClient.connect(broker.amqpUrl)).rejects.toThrow('ECONNREFUSED');
    client.destroy();
    const next = await start(amqpPort);
    expect(next.amqpPort).toBe(amqpPort);
  });
});

describe('a process', () => {
  it.each([
    ['without clients', ''],
    ['with a client that stays', "await new Promise((resolve) => socket.once('data', resolve));"],
    ['with a port that is taken', 'await startBroker({ port: broker.amqpPort }).catch(() => {});'],
  ])('ends by itself once its brokers are closed, %s', async (_, meanwhile) => {
    const library = fileURLToPath(new URL('../../dist/src/index.js', import.meta.url));
    const script = `
      import { connect } from 'node:net';
      import { startBroker } from ${JSON.stringify(library)};
      const broker = await startBroker({ port: 0 });
      await startBroker({ port: 0 }).then((second) => second.close());
      const socket = connect(broker.amqpPort, '127.0.0.1').on('error', () => {});
      socket.write(Buffer.from('${PROTOCOL_HEADER.toString('hex')}', 'hex'));
      ${meanwhile}
      await broker.close();
      console.log('closed');`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'pipe' });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    const [exitCode] = await once(child, 'exit');
    expect(output).toBe('closed\n');
    expect(exitCode).toBe(0);
  });
});

describe('several brokers in one process', () => {
  it('know nothing of each other', async () => {
    const [first, second] = await Promise.all([start(), start()]);
    expect(first.amqpPort).not.toBe(second.amqpPort);
    const clients = await Promise.all([first, second].map(({ amqpUrl }) => WireClient.connect(amqpUrl)));
    const [one, two] = clients as [WireClient, WireClient];
    for (const client of clients) await client.openChannel();
    await one.rpc(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
    const closing = first.close();
    await one.expectConnectionClose(320, FORCED, [0, 0]);
    await closing;
    two.send(1, { name: 'queue.declare', queue: 'q', passive: true });
    await two.expectChannelClose(1, 404, "NOT_FOUND - no queue 'q' in vhost '/'", [50, 10]);
    await two.close();
  });

  it('cannot share a port', async () => {
    const broker = await start();
    await expect(startBroker({ port: broker.amqpPort, logLevel: 'silent' })).rejects.toThrow('EADDRINUSE');
    const client = await WireClient.connect(broker.amqpUrl);
    await client.close();
  });
});

describe('a crowd that connects while the broker stops', () => {
  it('is turned away', async () => {
    const broker = await start();
    const sockets = Array.from({ length: 100 }, () => connectSocket(broker.amqpPort, '127.0.0.1'));
    const ends = sockets.map((socket) => {
      socket.on('error', () => {}).resume();
      return new Promise((resolve) => socket.on('close', resolve));
    });
    await broker.close();
    await Promise.all(ends);
    expect(broker.connectionCount).toBe(0);
  });
});
