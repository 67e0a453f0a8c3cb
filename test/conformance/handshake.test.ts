import { Buffer } from 'node:buffer';
import { describe, expect } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
import { amqplainResponse, type WireClient } from '../support/wire-client.js';
import { methodFrame, PROTOCOL_HEADER } from '../support/wire-frames.js';
import { test } from './conformance-test.js';

const refusedBy = (mechanism: string) =>
  `ACCESS_REFUSED - Login was refused using authentication mechanism ${mechanism}. For details see the broker logfile.`;
const header = (...version: number[]) => Buffer.from([...Buffer.from('AMQP'), ...version]);

/** RabbitMQ holds a refused peer for three seconds before it ends the connection without a word. */
const SILENT_END_MS = 8_000;

async function expectSilentEnd(client: WireClient): Promise<void> {
  await client.closed(SILENT_END_MS);
  expect(client.isSilent).toBe(true);
}

describe('protocol header', () => {
  test('0-9-1 is answered with connection.start of 0-9', async ({ connect }) => {
    const client = await connect({ handshake: false });
    client.raw(PROTOCOL_HEADER);
    await client.expect(0, 'connection.start', { versionMajor: 0, versionMinor: 9 });
  });

  test('0-9 is taken for 0-9-1', async ({ connect }) => {
    const client = await connect({ handshake: false });
    client.raw(header(1, 1, 0, 9));
    await client.expect(0, 'connection.start', { versionMajor: 0, versionMinor: 9 });
  });

  test('may arrive octet by octet', async ({ connect }) => {
    const client = await connect({ handshake: false });
    for (const octet of PROTOCOL_HEADER) client.raw(Buffer.from([octet]));
    await client.expect(0, 'connection.start');
  });

  test.for([
    ['0-9-2', header(0, 0, 9, 2)],
    ['0-10', header(0, 0, 10, 0)],
    ['a version to come', header(0, 1, 2, 3)],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['TLS', Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01])],
  ] as const)('%s is answered with the header of 0-9-1 and the end', async ([, hello], { connect }) => {
    const client = await connect({ handshake: false });
    client.raw(hello);
    expect(await client.expectProtocolHeader()).toEqual(PROTOCOL_HEADER);
    await client.closed();
  });

  test('0-8 is not spoken', async ({ connect, skipOn3 }) => {
    skipOn3('protocol-0-8');
    const client = await connect({ handshake: false });
    client.raw(header(1, 1, 8, 0));
    expect(await client.expectProtocolHeader()).toEqual(PROTOCOL_HEADER);
    await client.closed();
  });

  test('the whole handshake may be sent without waiting for the answers', async ({ connect }) => {
    const client = await connect({ handshake: false });
    client.raw(PROTOCOL_HEADER);
    client.sendStartOk();
    client.raw(methodFrame(0, { name: 'connection.tune-ok', channelMax: 10, frameMax: 8192 }));
    client.raw(methodFrame(0, { name: 'connection.open', virtualHost: '/' }));
    await client.expect(0, 'connection.start');
    await client.expect(0, 'connection.tune');
    await client.expect(0, 'connection.open-ok');
  });
});

describe('connection.start', () => {
  test('offers PLAIN and AMQPLAIN and the locale en_US', async ({ connect }) => {
    const client = await connect({ handshake: false });
    const { mechanisms, locales } = await client.start();
    expect(Buffer.from(mechanisms).toString().split(' ')).toEqual(expect.arrayContaining(['PLAIN', 'AMQPLAIN']));
    expect(Buffer.from(locales).toString()).toBe('en_US');
  });

  test('offers ANONYMOUS', async ({ connect, skipOn3 }) => {
    skipOn3('sasl-anonymous');
    const client = await connect({ handshake: false });
    const { mechanisms } = await client.start();
    expect(Buffer.from(mechanisms).toString().split(' ')).toContain('ANONYMOUS');
  });

  test('describes the server in a table sorted by key', async ({ connect }) => {
    const client = await connect({ handshake: false });
    const { serverProperties } = await client.start();
    const types = serverProperties.map(([key, value]) => `${key} ${value.type}`);
    expect(types).toEqual([
      'capabilities F',
      'cluster_name S',
      'copyright S',
      'information S',
      'platform S',
      'product S',
      'version S',
    ]);
  });

  test('says product RabbitMQ and a version of three numbers', async ({ connect }) => {
    const client = await connect({ handshake: false });
    const { serverProperties } = await client.start();
    const properties = Object.fromEntries(serverProperties);
    expect(properties['product']).toEqual({ type: 'S', value: 'RabbitMQ' });
    expect(client.serverVersion).toMatch(/^\d+\.\d+\.\d+/);
  });

  test('lists the capabilities, each of them true', async ({ connect }) => {
    const client = await connect({ handshake: false });
    const { serverProperties } = await client.start();
    const capabilities = Object.fromEntries(serverProperties)['capabilities'];
    expect(capabilities).toEqual({
      type: 'F',
      value: table({
        publisher_confirms: true,
        exchange_exchange_bindings: true,
        'basic.nack': true,
        consumer_cancel_notify: true,
        'connection.blocked': true,
        consumer_priorities: true,
        authentication_failure_close: true,
        per_consumer_qos: true,
        direct_reply_to: true,
      }),
    });
  });
});

describe('authentication', () => {
  test('PLAIN with the right password goes on to connection.tune', async ({ connect }) => {
    const client = await connect({ handshake: false, mechanism: 'PLAIN' });
    await client.login();
  });

  test('AMQPLAIN with the right password goes on to connection.tune', async ({ connect }) => {
    const response = amqplainResponse('guest', 'guest');
    const client = await connect({ handshake: false, mechanism: 'AMQPLAIN', response });
    await client.login();
  });

  test('ANONYMOUS goes on to connection.tune', async ({ connect, skipOn3 }) => {
    skipOn3('sasl-anonymous');
    const client = await connect({ handshake: false, mechanism: 'ANONYMOUS', response: 'whoever' });
    await client.login();
  });

  test.for([
    ['a wrong password', 'PLAIN', '\0guest\0wrong'],
    ['an empty password', 'PLAIN', '\0guest\0'],
    ['an unknown user', 'PLAIN', '\0nobody\0guest'],
    ['a wrong password', 'AMQPLAIN', amqplainResponse('guest', 'wrong')],
  ] as const)('%s is refused by %s with 403', async ([, mechanism, response], { connect }) => {
    const client = await connect({ handshake: false, mechanism, response });
    await client.start();
    client.sendStartOk();
    await client.expectConnectionClose(403, refusedBy(mechanism), [0, 0]);
  });
});

describe('connection.tune', () => {
  test('offers 2047 channels, frames of 131072 and a heartbeat of 60 s', async ({ connect }) => {
    const client = await connect({ handshake: false });
    expect(await client.login()).toMatchObject({ channelMax: 2047, frameMax: 131072, heartbeat: 60 });
  });

  test.for([
    ['fewer channels than offered', { channelMax: 1 }],
    ['smaller frames than offered', { frameMax: 8192 }],
    ['no heartbeat', { heartbeat: 0 }],
    ['a longer heartbeat than offered', { heartbeat: 600 }],
  ] as const)('%s may be had', async ([, options], { connect }) => {
    const client = await connect(options);
    await client.openChannel();
  });

  test('zero stands for what the server offered', async ({ connect, skipOn3 }) => {
    skipOn3('tune-zero');
    const client = await connect({ channelMax: 0, frameMax: 0 });
    await client.openChannel();
  });
});

describe('connection.open', () => {
  test('opens a virtual host', async ({ connect }) => {
    const client = await connect({ virtualHost: '/' });
    await client.openChannel();
  });

  test('of a virtual host that does not exist is not allowed', async ({ connect }) => {
    const client = await connect({ handshake: false });
    await client.login();
    client.sendTuneOk();
    client.send(0, { name: 'connection.open', virtualHost: 'no-such-host' });
    await client.expectConnectionClose(530, 'NOT_ALLOWED - vhost no-such-host not found', [10, 40]);
  });

  test('takes the name literally', async ({ connect }) => {
    const client = await connect({ handshake: false });
    await client.login();
    client.sendTuneOk();
    client.send(0, { name: 'connection.open', virtualHost: '%2F' });
    await client.expectConnectionClose(530, 'NOT_ALLOWED - vhost %2F not found', [10, 40]);
  });
});

// Together, for each of them may take RabbitMQ three seconds.
describe.concurrent('a refused handshake', () => {
  test.for([
    ['a wrong password without authentication_failure_close', 'PLAIN', '\0guest\0wrong', false],
    ['an unknown mechanism', 'CRAM-MD5', '\0guest\0guest', true],
    ['PLAIN without the leading zero', 'PLAIN', 'guest\0guest', true],
    ['PLAIN with an authorization identity', 'PLAIN', 'guest\0guest\0guest', true],
    ['PLAIN with nothing', 'PLAIN', '', true],
    ['AMQPLAIN without a table', 'AMQPLAIN', '\0guest\0guest', true],
  ] as const)('%s ends the connection without a frame', async ([, mechanism, response, capable], { connect }) => {
    const capabilities = { authentication_failure_close: capable };
    const client = await connect({ handshake: false, mechanism, response, capabilities });
    await client.start();
    client.sendStartOk();
    await expectSilentEnd(client);
  });

  test.for([
    [
      'more channels than offered',
      { channelMax: 3000 },
      'NOT_ALLOWED - negotiated channel_max = 3000 is higher than the maximum allowed value (2047)',
    ],
    [
      'larger frames than offered',
      { frameMax: 200_000 },
      'NOT_ALLOWED - negotiated frame_max = 200000 is higher than the maximum allowed value (131072)',
    ],
    [
      'frames too small for the protocol',
      { frameMax: 1000 },
      /^NOT_ALLOWED - negotiated frame_max = 1000 is lower than the minimum allowed value \(\d+\)$/,
    ],
  ] as const)('%s in connection.tune-ok are refused', async ([, options, replyText], { connect, expects }) => {
    const client = await connect({ handshake: false, ...options });
    await client.login();
    client.sendTuneOk();
    await expects('tune-refusal', {
      rabbit3: () => expectSilentEnd(client),
      default: () => client.expectConnectionClose(530, replyText, [10, 30]),
    })();
  });

  test('a frame before connection.tune-ok may not exceed the initial limit', async ({ connect }) => {
    const client = await connect({ handshake: false });
    await client.start();
    const clientProperties = table({ padding: 'x'.repeat(20_000) });
    const response = Buffer.from('\0guest\0guest');
    client.send(0, { name: 'connection.start-ok', clientProperties, mechanism: 'PLAIN', response, locale: 'en_US' });
    await client.closed(SILENT_END_MS);
  });
});
