/**
 * STOMP sessions that send frames which are well-formed and make little sense. Whatever they ask for, nothing is our
 * mistake, the others go on, and in the end nothing is left behind.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seedOf } from '../support/random.js';
import { stompBroker } from '../support/stomp-environment.js';

const seed = seedOf('stomp-sessions');

const destination = fc.constantFrom(
  '/queue/a',
  '/queue/b',
  'a',
  '',
  '/queue/',
  '/queue/a/b',
  '/queue/amq.x',
  '/amq/queue/a',
  '/amq/queue/none',
  '/topic/t',
  '/topic/*',
  '/exchange/amq.fanout',
  '/exchange/amq.headers/k',
  '/exchange/none',
  '/exchange//',
  '/temp-queue/t',
  '/reply-queue/a/b',
  '/reply-queue',
  '/foo',
  '/',
  '//',
  `/queue/${'n'.repeat(300)}`,
);
const text = fc.constantFrom(
  '',
  '0',
  '1',
  '-1',
  '65536',
  '9'.repeat(30),
  'x',
  'true',
  'false',
  'T_1@@s@@1',
  '@@@@',
  'CC',
);
const id = fc.constantFrom('1', '2', 'a:b', '/temp-queue/t', '');
const header = fc.oneof(
  fc.tuple(fc.constant('destination'), destination),
  fc.tuple(fc.constantFrom('id', 'receipt', 'transaction', 'subscription'), id),
  fc.tuple(fc.constant('ack'), fc.constantFrom('auto', 'client', 'client-individual', 'other')),
  fc.tuple(fc.constant('reply-to'), destination),
  fc.tuple(
    fc.constantFrom('durable', 'persistent', 'exclusive', 'auto-delete', 'requeue'),
    fc.constantFrom('true', 'false', 'maybe'),
  ),
  fc.tuple(
    fc.constantFrom(
      'priority',
      'timestamp',
      'expiration',
      'user-id',
      'message-id',
      'content-type',
      'prefetch-count',
      'x-priority',
      'x-max-length',
      'x-message-ttl',
      'x-max-priority',
      'x-queue-name',
      'x-queue-type',
      'x-stream-offset',
      'x-dead-letter-exchange',
      'CC',
      'BCC',
      'k'.repeat(256),
    ),
    text,
  ),
);
const command = fc.constantFrom(
  ...['SEND', 'SEND', 'SEND', 'SUBSCRIBE', 'SUBSCRIBE', 'UNSUBSCRIBE', 'ACK', 'NACK', 'BEGIN', 'COMMIT', 'ABORT'],
  ...['BEGIN', 'FOO', 'MESSAGE', ''],
);
const step = fc.record({
  peer: fc.constantFrom(0, 1, 2),
  command,
  headers: fc.array(header, { maxLength: 6 }).map((pairs) => Object.fromEntries(pairs)),
  body: fc.constantFrom('', 'x', 'body'),
  /** Settles the message that came last. */
  settles: fc.boolean(),
});

describe('STOMP sessions that send nonsense', () => {
  it('end in ERROR frames, harm nobody and leave nothing behind', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const broker = stompBroker();
        const peers = [broker.logIn(), broker.logIn({ 'accept-version': '1.0' }), broker.logIn()];
        const witness = broker.logIn();
        const lastAck = ['', '', ''];
        for (const { peer: index, command, headers, body, settles } of steps) {
          const peer = peers[index]?.isGone === false ? peers[index] : undefined;
          if (peer === undefined) {
            peers[index] = broker.logIn();
            continue;
          }
          const named = settles && command.endsWith('ACK') ? { id: lastAck[index] ?? '', ...headers } : headers;
          peer.send(command, named, body);
          for (const frame of peer.received()) lastAck[index] = frame.headers['ack'] ?? lastAck[index] ?? '';
        }
        witness.send('BEGIN', { transaction: 't', receipt: 'r' });
        expect(witness.summary()).toEqual(['RECEIPT r']);
        for (const peer of [...peers, witness]) peer.transport.disconnect();
        broker.clock.settle();
        expect(broker.logged.filter(({ level }) => level === 'error')).toEqual([]);
        for (const name of ['a', 'b']) {
          const queue = broker.host.findQueue(name);
          expect([queue?.consumerCount ?? 0, queue?.unackedCount ?? 0]).toEqual([0, 0]);
        }
      }),
      { seed, numRuns: 400 },
    );
  });
});
