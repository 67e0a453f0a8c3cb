/** stompit, unmodified, over TCP: what it sees here is what it sees on RabbitMQ. */
import { randomUUID } from 'node:crypto';
import { type Client, connect, type Headers, type IncomingMessage } from 'stompit';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { stompUrl, stopBroker } from '../../support/broker-under-test.js';
import { Inbox } from '../inbox.js';

afterAll(stopBroker);

interface Received {
  readonly body: string;
  readonly message: IncomingMessage;
}

async function open(): Promise<Client> {
  const url = new URL((await stompUrl()) ?? '');
  const connectHeaders = { host: '/', login: 'guest', passcode: 'guest' };
  const client = await new Promise<Client>((resolve, reject) => {
    connect({ host: url.hostname, port: Number(url.port), connectHeaders }, (error, opened) => {
      if (error === null) resolve(opened);
      else reject(error);
    });
  });
  client.on('error', () => {});
  onTestFinished(() => client.destroy());
  return client;
}

/** Resolves at the receipt. */
function send(client: Client, destination: string, body: string, headers: Headers = {}): Promise<void> {
  return new Promise((resolve) => {
    client.send({ destination, ...headers }, { onReceipt: resolve }).end(body);
  });
}

function subscribe(client: Client, destination: string, headers: Headers = {}): Inbox<Received> {
  const inbox = new Inbox<Received>(`message of ${destination}`);
  client.subscribe({ destination, ...headers }, (error, message) => {
    if (error !== null) return;
    message.readString('utf8', (_, body) => inbox.push({ body, message }));
  });
  return inbox;
}

const unique = (): string => `stompit.${randomUUID()}`;

describe('stompit', () => {
  test('logs in', async () => {
    const client = await open();
    expect(client.headers['version']).toBe('1.2');
  });

  test('sends and receives, with headers of every kind', async () => {
    const client = await open();
    const destination = `/queue/${unique()}`;
    const inbox = subscribe(client, destination, { ack: 'auto' });
    const headers = { 'content-type': 'text/plain', mine: 'a:b\\c\nd', 'correlation-id': 'c' };
    await send(client, destination, 'hällo wörld', headers);
    const { body, message } = await inbox.next();
    expect(body).toBe('hällo wörld');
    expect(message.headers).toMatchObject({ destination, ...headers });
  });

  test('acknowledges one by one, and gets back what it refused', async () => {
    const client = await open();
    const destination = `/queue/${unique()}`;
    for (const body of ['a', 'b']) await send(client, destination, body);
    const inbox = subscribe(client, destination, { ack: 'client-individual', 'prefetch-count': 2 });
    const [first, second] = [await inbox.next(), await inbox.next()];
    expect([first.body, second.body]).toEqual(['a', 'b']);
    client.ack(second.message);
    client.nack(first.message);
    const again = await inbox.next();
    expect([again.body, again.message.headers['redelivered']]).toEqual(['a', 'true']);
  });

  test('publishes a transaction when it is committed, and nothing of one that is not', async () => {
    const client = await open();
    const destination = `/queue/${unique()}`;
    const inbox = subscribe(client, destination);
    const aborted = client.begin();
    aborted.send({ destination }).end('never');
    aborted.abort();
    const committed = client.begin();
    committed.send({ destination }).end('a');
    committed.send({ destination }).end('b');
    committed.commit();
    expect([(await inbox.next()).body, (await inbox.next()).body]).toEqual(['a', 'b']);
    await send(client, destination, 'last');
    expect((await inbox.next()).body).toBe('last');
  });

  test('gets a topic by pattern, each subscription its own copy', async () => {
    const [one, other] = [await open(), await open()];
    const prefix = unique();
    const inboxes = [subscribe(one, `/topic/${prefix}.*`), subscribe(other, `/topic/${prefix}.#`)];
    // The answer to each says that the subscription before it is there.
    await Promise.all([one, other].map((client) => send(client, `/queue/${unique()}`, '')));
    await send(one, `/topic/${prefix}.x`, 'm');
    for (const inbox of inboxes) expect((await inbox.next()).body).toBe('m');
  });

  test('asks and is answered through a queue of its own', async () => {
    const [asker, responder] = [await open(), await open()];
    const [destination, replyTo] = [`/queue/${unique()}`, `/queue/${unique()}`];
    const requests = subscribe(responder, destination);
    const replies = subscribe(asker, replyTo, { 'auto-delete': 'true', durable: 'false' });
    await send(asker, destination, 'question', { 'x-answer-to': replyTo });
    const { message } = await requests.next();
    // A queue that is there is declared as it was.
    await send(responder, `/amq/queue/${message.headers['x-answer-to']?.slice('/queue/'.length)}`, 'answer');
    expect((await replies.next()).body).toBe('answer');
  });

  test('says goodbye with a receipt', async () => {
    const client = await open();
    await new Promise<void>((resolve, reject) => {
      client.disconnect((error) => (error === null ? resolve() : reject(error)));
    });
  });
});
