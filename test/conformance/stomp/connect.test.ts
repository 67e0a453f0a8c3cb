import { describe, expect } from 'vitest';
import { expectError, test } from './stomp-test.js';

describe('CONNECT', () => {
  test('is answered by CONNECTED with headers in this order', async ({ openStomp, url }) => {
    const client = await openStomp();
    const { command, names, headers, body } = await client.logIn(url);
    expect([command, names, body]).toEqual(['CONNECTED', ['server', 'session', 'heart-beat', 'version'], '']);
    expect(headers).toEqual({
      server: expect.stringMatching(/^RabbitMQ\/\d+\.\d+\.\d+$/),
      session: expect.stringMatching(/^session-[\w-]{22}$/),
      'heart-beat': '0,0',
      version: '1.2',
    });
  });

  test('may be called STOMP', async ({ openStomp }) => {
    const client = await openStomp();
    client.send('STOMP', { 'accept-version': '1.1', login: 'guest', passcode: 'guest', host: '/' });
    expect((await client.expect('CONNECTED')).headers['version']).toBe('1.1');
  });

  for (const [offered, chosen] of [
    ['1.0,1.1,1.2', '1.2'],
    ['1.1,1.0', '1.1'],
    ['1.2,2.0', '1.2'],
    ['1.0', '1.0'],
  ] as const) {
    test(`with versions ${offered} gets ${chosen}`, async ({ openStomp, url }) => {
      const client = await openStomp();
      expect((await client.logIn(url, { version: offered })).headers['version']).toBe(chosen);
    });
  }

  test('needs no header at all', async ({ openStomp }) => {
    const client = await openStomp();
    client.send('CONNECT');
    expect((await client.expect('CONNECTED')).headers['version']).toBe('1.0');
  });

  for (const [asked, answered] of [
    ['0,0', '0,0'],
    ['1500,2700', '2000,1000'],
    ['1,999', '1000,1000'],
    ['0,5000', '5000,0'],
  ] as const) {
    test(`with heart-beat ${asked} gets ${answered}`, async ({ openStomp, url }) => {
      const client = await openStomp();
      const { headers } = await client.logIn(url, { headers: { 'heart-beat': asked } });
      expect(headers['heart-beat']).toBe(answered);
    });
  }

  test('without a common version is refused, and may be tried again', async ({ openStomp, url }) => {
    const client = await openStomp();
    client.send('CONNECT', { 'accept-version': '2.0', login: 'guest', passcode: 'guest' });
    const { names, headers } = await expectError(client, 'Version mismatch', 'Supported versions are 1.0,1.1,1.2\n');
    expect(names).toEqual(['message', 'content-type', 'version', 'content-length']);
    expect(headers).toMatchObject({ 'content-type': 'text/plain', version: '1.0,1.1,1.2' });
    expect((await client.logIn(url)).command).toBe('CONNECTED');
  });

  test('with a wrong password is refused, and may be tried again', async ({ openStomp, url }) => {
    const client = await openStomp();
    client.send('CONNECT', { login: 'guest', passcode: 'wrong' });
    await expectError(client, 'Bad CONNECT', `Access refused for user 'guest'\n`);
    expect((await client.logIn(url)).command).toBe('CONNECTED');
  });

  test('to an unknown virtual host is refused, and may be tried again', async ({ openStomp, url }) => {
    const client = await openStomp();
    client.send('CONNECT', { login: 'guest', passcode: 'guest', host: 'zz' });
    await expectError(client, 'Bad CONNECT', `Virtual host 'zz' access denied`);
    expect((await client.logIn(url)).command).toBe('CONNECTED');
  });

  test('comes before any other command', async ({ openStomp, url }) => {
    const client = await openStomp();
    client.send('SEND', { destination: '/queue/a', receipt: 'r' }, 'x');
    await expectError(client, 'Illegal command', 'You must log in using CONNECT first');
    expect((await client.logIn(url)).command).toBe('CONNECTED');
  });

  test('comes once: another one ends the connection without a word', async ({ stomp }) => {
    stomp.send('CONNECT', { login: 'guest', passcode: 'guest' });
    await stomp.closed();
    expect(stomp.pending).toBe(0);
  });
});

describe('DISCONNECT', () => {
  test('is answered by its receipt and the end of the connection', async ({ stomp }) => {
    stomp.send('DISCONNECT', { receipt: 'bye' });
    expect((await stomp.expect('RECEIPT')).headers).toEqual({ 'receipt-id': 'bye' });
    await stomp.closed();
  });

  test('without a receipt ends the connection', async ({ stomp }) => {
    stomp.send('DISCONNECT');
    await stomp.closed();
    expect(stomp.pending).toBe(0);
  });

  test('comes after the receipts of what was sent before', async ({ stomp, unique, skipOn3 }) => {
    skipOn3('stomp-receipts-at-the-end');
    const destination = `/queue/${unique('q')}`;
    for (const receipt of ['1', '2', '3']) stomp.send('SEND', { destination, persistent: 'true', receipt }, 'x');
    stomp.send('DISCONNECT', { receipt: 'bye' });
    const receipts = [];
    for (let i = 0; i < 4; i++) receipts.push((await stomp.expect('RECEIPT')).headers['receipt-id']);
    expect(receipts).toEqual(['1', '2', '3', 'bye']);
  });

  test('gives unsettled messages back to their queue', async ({ stomp, connectStomp, unique }) => {
    const destination = `/queue/${unique('q')}`;
    stomp.send('SUBSCRIBE', { id: '0', destination, ack: 'client' });
    stomp.send('SEND', { destination }, 'x');
    expect((await stomp.expect('MESSAGE')).headers['redelivered']).toBe('false');
    stomp.send('DISCONNECT');
    await stomp.closed();
    const second = await connectStomp();
    second.send('SUBSCRIBE', { id: '0', destination });
    expect((await second.expect('MESSAGE')).headers['redelivered']).toBe('true');
  });
});
