/** @stomp/stompjs, unmodified; over TCP, for which its documentation asks for such a socket as below. */
import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { Client, type IMessage, type IStompSocket } from '@stomp/stompjs';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { stompUrl, stopBroker } from '../../support/broker-under-test.js';
import { Inbox } from '../inbox.js';

afterAll(stopBroker);

const OPEN = 1;
const CLOSED = 3;

/** What stompjs takes for a WebSocket. */
class TcpSocket implements IStompSocket {
  readonly url: string;
  readyState = 0;
  onopen: IStompSocket['onopen'];
  onmessage: IStompSocket['onmessage'];
  onclose: IStompSocket['onclose'];
  onerror: IStompSocket['onerror'];
  readonly #socket: Socket;

  constructor({ href, hostname, port }: URL) {
    this.url = href;
    this.#socket = connect(Number(port), hostname, () => {
      this.readyState = OPEN;
      this.onopen?.();
    });
    this.#socket.on('data', (bytes: Buffer) => this.onmessage?.({ data: Uint8Array.from(bytes).buffer }));
    this.#socket.on('error', (error) => this.onerror?.(error));
    this.#socket.on('close', () => {
      this.readyState = CLOSED;
      this.onclose?.({});
    });
  }

  send(data: string | ArrayBuffer): void {
    this.#socket.write(typeof data === 'string' ? data : new Uint8Array(data));
  }

  close(): void {
    this.#socket.end();
  }
}

async function open(versions = ['1.2', '1.1', '1.0']): Promise<Client> {
  const url = new URL((await stompUrl()) ?? '');
  const client = new Client({
    webSocketFactory: () => new TcpSocket(url),
    connectHeaders: { host: '/', login: 'guest', passcode: 'guest' },
    stompVersions: { versions, supportedVersions: () => versions.join(','), protocolVersions: () => [] },
    reconnectDelay: 0,
    heartbeatIncoming: 1000,
    heartbeatOutgoing: 1000,
    forceBinaryWSFrames: true,
  });
  onTestFinished(() => client.deactivate({ force: true }));
  await new Promise<void>((resolve, reject) => {
    client.onConnect = () => resolve();
    client.onStompError = ({ headers, body }) => reject(new Error(`${headers['message']}: ${body}`));
    client.activate();
  });
  return client;
}

function subscribe(client: Client, destination: string, headers: Record<string, string> = {}): Inbox<IMessage> {
  const inbox = new Inbox<IMessage>(`message of ${destination}`);
  client.subscribe(destination, inbox.push, headers);
  return inbox;
}

const unique = (): string => `stompjs.${randomUUID()}`;

describe('@stomp/stompjs', () => {
  test.for(['1.0', '1.1', '1.2'])('speaks STOMP %s', async (version) => {
    const client = await open([version]);
    expect(client.connectedVersion).toBe(version);
    const destination = `/queue/${unique()}`;
    const inbox = subscribe(client, destination);
    client.publish({ destination, body: 'hällo', headers: { mine: 'a b' } });
    const message = await inbox.next();
    expect([message.body, message.headers['mine']]).toEqual(['hällo', 'a b']);
  });

  test('carries binary bodies, NULs too', async () => {
    const client = await open();
    const destination = `/queue/${unique()}`;
    const inbox = subscribe(client, destination);
    const binaryBody = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    client.publish({ destination, binaryBody });
    expect((await inbox.next()).binaryBody).toEqual(binaryBody);
  });

  test('acknowledges cumulatively, and gets the rest again', async () => {
    const [client, other] = [await open(), await open()];
    const destination = `/queue/${unique()}`;
    for (const body of ['a', 'b', 'c']) client.publish({ destination, body });
    const inbox = subscribe(client, destination, { ack: 'client' });
    const [, second] = [await inbox.next(), await inbox.next(), await inbox.next()];
    second?.ack();
    const acknowledged = new Inbox<string>('receipt');
    client.watchForReceipt('r', () => acknowledged.push('r'));
    client.publish({ destination: `/queue/${unique()}`, headers: { receipt: 'r' } });
    await acknowledged.next();
    await client.deactivate();
    const again = await subscribe(other, destination).next();
    expect([again.body, again.headers['redelivered']]).toEqual(['c', 'true']);
  });

  test('has receipts, and transactions that are committed or not', async () => {
    const client = await open();
    const destination = `/queue/${unique()}`;
    const inbox = subscribe(client, destination);
    const aborted = client.begin();
    client.publish({ destination, body: 'never', headers: { transaction: aborted.id } });
    aborted.abort();
    const committed = client.begin();
    client.publish({ destination, body: 'a', headers: { transaction: committed.id } });
    committed.commit();
    expect((await inbox.next()).body).toBe('a');
    const receipts = new Inbox<string>('receipt');
    client.watchForReceipt('done', () => receipts.push('done'));
    client.publish({ destination, body: 'b', headers: { receipt: 'done', persistent: 'true' } });
    expect([await receipts.next(), (await inbox.next()).body]).toEqual(['done', 'b']);
  });

  test('is answered through a temporary queue', async () => {
    const [asker, responder] = [await open(), await open()];
    const destination = `/queue/${unique()}`;
    const requests = subscribe(responder, destination);
    const replies = new Inbox<IMessage>('reply');
    asker.onUnhandledMessage = replies.push;
    asker.publish({ destination, body: 'question', headers: { 'reply-to': '/temp-queue/mine' } });
    const { headers } = await requests.next();
    responder.publish({ destination: headers['reply-to'] ?? '', body: 'answer' });
    expect((await replies.next()).body).toBe('answer');
  });

  test('hears of an error in a frame', async () => {
    const client = await open();
    const errors = new Inbox<string>('error');
    client.onStompError = ({ headers }) => errors.push(headers['message'] ?? '');
    client.publish({ destination: '/nowhere/x', body: '' });
    expect(await errors.next()).toBe('Unknown destination');
  });
});
