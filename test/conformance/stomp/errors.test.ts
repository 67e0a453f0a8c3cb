import { describe, expect } from 'vitest';
import type { Headers } from '../../support/stomp-client.js';
import { expectError, expectOpen, test } from './stomp-test.js';

type Row = readonly [what: string, command: string, headers: Headers, message: string, body: string];

const destinations =
  'Valid destination types are: /temp-queue, /exchange, /topic, /queue, /amq/queue, /reply-queue/.\n';

/** After these the connection goes on, and the receipt that was asked for does not come. */
const rows: readonly Row[] = [
  ['an unknown command', 'FOO', {}, 'Bad command', 'Could not interpret command "FOO"\n'],
  ['SEND without destination', 'SEND', {}, 'Missing destination', `"SEND" must include a 'destination' header\n`],
  [
    'SUBSCRIBE without destination',
    'SUBSCRIBE',
    { id: '1' },
    'Missing destination',
    `"SUBSCRIBE" must include a 'destination' header\n`,
  ],
  [
    'an unknown prefix',
    'SEND',
    { destination: '/foo/x' },
    'Unknown destination',
    `'/foo/x' is not a valid destination.\n${destinations}`,
  ],
  ...(
    [
      ['/queue/a/b', '/a/b', 'queue'],
      ['/queue/', '/', 'queue'],
      ['/queue', '', 'queue'],
      ['/topic/a/b', '/a/b', 'topic'],
      ['/topic/', '/', 'topic'],
      ['/exchange/a/b/c', '/a/b/c', 'exchange'],
      ['/exchange/', '/', 'exchange'],
      ['/amq/queue/a/b', '/a/b', 'amqqueue'],
      ['/temp-queue/a/b', '/a/b', 'temp_queue'],
    ] as const
  ).map(
    ([destination, path, type]): Row => [
      `the destination ${destination}`,
      'SEND',
      { destination },
      'Invalid destination',
      `'${path}' is not a valid ${type} destination\n`,
    ],
  ),
  [
    'SEND to a temporary queue',
    'SEND',
    { destination: '/temp-queue/a' },
    'Invalid destination',
    `'/temp-queue/a' is not a valid destination for 'SEND'\n`,
  ],
  [
    'SUBSCRIBE to a temporary queue',
    'SUBSCRIBE',
    { id: '1', destination: '/temp-queue/a' },
    'Invalid destination',
    `'/temp-queue/a' is not a valid destination for 'SUBSCRIBE'\n`,
  ],
  ['a blank destination', 'SEND', { destination: '' }, 'Invalid destination', 'Destination cannot be blank'],
  [
    'SEND with a message-id',
    'SEND',
    { destination: '/queue/a', 'message-id': 'x' },
    'Invalid header',
    `'message-id' is not allowed on 'SEND'.\n`,
  ],
  [
    'a durable subscription without id',
    'SUBSCRIBE',
    { destination: '/topic/a', durable: 'true' },
    'Missing Header',
    `Header 'id' is required for durable subscriptions`,
  ],
  [
    'UNSUBSCRIBE without id and destination',
    'UNSUBSCRIBE',
    {},
    'Missing destination or id',
    `UNSUBSCRIBE must include a 'destination' or 'id' header`,
  ],
  [
    'UNSUBSCRIBE with the id of a reply queue',
    'UNSUBSCRIBE',
    { id: '/temp-queue/a' },
    'Invalid id',
    `UNSUBSCRIBE 'id' may not start with /temp-queue/\n`,
  ],
  [
    'UNSUBSCRIBE of no subscription',
    'UNSUBSCRIBE',
    { id: '5' },
    'No subscription found',
    `UNSUBSCRIBE must refer to an existing subscription.\nSubscription to "id='5'" not found.\n`,
  ],
  [
    'UNSUBSCRIBE of no destination',
    'UNSUBSCRIBE',
    { destination: '/queue/a' },
    'No subscription found',
    `UNSUBSCRIBE must refer to an existing subscription.\nSubscription to "destination='/queue/a'" not found.\n`,
  ],
  ['ACK without id', 'ACK', {}, 'Missing header', '"ACK" must include the "id" header\n'],
  ['NACK without id', 'NACK', { 'message-id': 'x' }, 'Missing header', '"NACK" must include the "id" header\n'],
  ['ACK of nonsense', 'ACK', { id: 'x' }, 'Invalid header', '"ACK" must include a valid "id" header\n'],
  ['BEGIN without transaction', 'BEGIN', {}, 'Missing transaction', `"BEGIN" must include a 'transaction' header\n`],
  ['COMMIT without transaction', 'COMMIT', {}, 'Missing transaction', `"COMMIT" must include a 'transaction' header\n`],
  ['ABORT without transaction', 'ABORT', {}, 'Missing transaction', `"ABORT" must include a 'transaction' header\n`],
  [
    'COMMIT of no transaction',
    'COMMIT',
    { transaction: 't1' },
    'Bad transaction',
    'Invalid transaction identifier: "t1"\n',
  ],
  [
    'ABORT of no transaction',
    'ABORT',
    { transaction: 't1' },
    'Bad transaction',
    'Invalid transaction identifier: "t1"\n',
  ],
  [
    'SEND in no transaction',
    'SEND',
    { destination: '/queue/a', transaction: 't1' },
    'Bad transaction',
    'Invalid transaction identifier: "t1"\n',
  ],
];

describe('an ERROR', () => {
  for (const [what, command, headers, message, body] of rows) {
    test(`says what is wrong with ${what}`, async ({ stomp }) => {
      stomp.send(command, { ...headers, receipt: 'r' });
      const { names } = await expectError(stomp, message, body);
      expect(names).toEqual(['message', 'content-type', 'version', 'content-length']);
      await expectOpen(stomp);
    });
  }

  test('in 1.0 and 1.1 speaks of message-id', async ({ connectStomp }) => {
    for (const version of ['1.0', '1.1']) {
      const client = await connectStomp({ version });
      client.send('ACK', { id: 'x' });
      await expectError(client, 'Missing header', '"ACK" must include the "message-id" header\n');
      client.send('ACK', { 'message-id': 'x' });
      await expectError(client, 'Invalid header', '"ACK" must include a valid "message-id" header\n');
    }
  });

  for (const [what, headers] of [
    ['an unknown ack mode', { ack: 'maybe' }],
    ['a prefetch-count that is no number', { 'prefetch-count': 'x' }],
    ['a queue argument that is no number', { 'x-message-ttl': 'x' }],
  ] as const) {
    test(`says little of ${what}`, async ({ stomp, unique }) => {
      stomp.send('SUBSCRIBE', { id: '0', destination: `/queue/${unique('q')}`, ...headers });
      await expectError(stomp, 'Processing error', 'Processing error');
      await expectOpen(stomp);
    });
  }

  for (const [what, headers] of [
    ['a priority that is no number', { priority: 'x' }],
    ['a timestamp that is no number', { timestamp: 'x' }],
    ['a reply-to that is no destination', { 'reply-to': '/foo/bar' }],
  ] as const) {
    test(`says little of ${what}`, async ({ stomp, unique }) => {
      stomp.send('SEND', { destination: `/queue/${unique('q')}`, ...headers });
      await expectError(stomp, 'Processing error', 'Processing error');
      await expectOpen(stomp);
    });
  }

  test('of an unknown subscription names the message', async ({ stomp, unique }) => {
    const destination = `/queue/${unique('q')}`;
    stomp.send('SUBSCRIBE', { id: '1', destination, ack: 'client' });
    stomp.send('SEND', { destination }, 'x');
    const { headers } = await stomp.expect('MESSAGE');
    stomp.send('UNSUBSCRIBE', { id: '1' });
    stomp.send('ACK', { id: headers['ack'] ?? '' });
    await expectError(stomp, 'Subscription not found', `Message with id "${headers['ack']}" has no subscription`);
    await expectOpen(stomp);
  });

  test('closes when an exchange does not exist', async ({ stomp }) => {
    stomp.send('SEND', { destination: '/exchange/nox/key' }, 'x');
    await expectError(stomp, 'not_found', `NOT_FOUND - no exchange 'nox' in vhost '/'`);
    await stomp.closed();
  });

  test('closes when a queue to subscribe to does not exist', async ({ stomp }) => {
    stomp.send('SUBSCRIBE', { id: '0', destination: '/amq/queue/nope' });
    await expectError(stomp, 'not_found', `NOT_FOUND - no queue 'nope' in vhost '/'`);
    await stomp.closed();
  });

  test('closes when a queue is declared otherwise than it is', async ({ stomp, connectStomp, unique }) => {
    const queue = unique('q');
    await stomp.request('SEND', { destination: `/queue/${queue}` });
    const second = await connectStomp();
    second.send('SEND', { destination: `/queue/${queue}`, 'x-message-ttl': '1000' });
    const { body } = await second.expect('ERROR');
    expect(body).toBe(
      `PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue '${queue}' in vhost '/': received the value '1000' of type 'long' but current is none`,
    );
    await second.closed();
  });

  test('closes when a name is reserved', async ({ stomp }) => {
    stomp.send('SEND', { destination: '/queue/amq.x' });
    await expectError(stomp, 'access_refused', `ACCESS_REFUSED - queue name 'amq.x' contains reserved prefix 'amq.*'`);
    await stomp.closed();
  });

  test('closes when a subscription has the id of another; the receipt comes', async ({ stomp, unique }) => {
    const destination = `/queue/${unique('q')}`;
    stomp.send('SUBSCRIBE', { id: '1', destination });
    stomp.send('SUBSCRIBE', { id: '1', destination, receipt: 'r' });
    await expectError(
      stomp,
      'Duplicated subscription identifier',
      `A subscription identified by 'T_1' already exists.`,
    );
    expect((await stomp.expect('RECEIPT')).headers).toEqual({ 'receipt-id': 'r' });
    await stomp.closed();
  });

  test('closes when a message was settled before', async ({ stomp, unique }) => {
    const destination = `/queue/${unique('q')}`;
    stomp.send('SUBSCRIBE', { id: '1', destination, ack: 'client' });
    stomp.send('SEND', { destination }, 'x');
    const { headers } = await stomp.expect('MESSAGE');
    stomp.send('ACK', { id: headers['ack'] ?? '' });
    stomp.send('ACK', { id: headers['ack'] ?? '' });
    await expectError(stomp, 'precondition_failed', 'PRECONDITION_FAILED - unknown delivery tag 1');
    await stomp.closed();
  });

  test('closes when a message of an auto subscription is settled', async ({ stomp, unique }) => {
    const destination = `/queue/${unique('q')}`;
    stomp.send('SUBSCRIBE', { id: '1', destination });
    stomp.send('SEND', { destination }, 'x');
    const { headers } = await stomp.expect('MESSAGE');
    stomp.send('ACK', { id: headers['message-id'] ?? '' });
    await expectError(stomp, 'precondition_failed', 'PRECONDITION_FAILED - unknown delivery tag 1');
    await stomp.closed();
  });

  for (const [what, headers, text] of [
    [
      'a user-id of another',
      { 'user-id': 'nobody' },
      "user_id property set to 'nobody' but authenticated user was 'guest'",
    ],
    ['an expiration that is no number', { expiration: 'x' }, "invalid expiration 'x': no_integer"],
  ] as const) {
    test(`closes after ${what}`, async ({ stomp, unique }) => {
      stomp.send('SEND', { destination: `/queue/${unique('q')}`, ...headers });
      await expectError(stomp, 'precondition_failed', `PRECONDITION_FAILED - ${text}`);
      await stomp.closed();
    });
  }
});
