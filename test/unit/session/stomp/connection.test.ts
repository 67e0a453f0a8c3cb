import { describe, expect, it } from 'vitest';
import { MemoryMessageStore } from '../../../../src/store/memory-store.js';
import { LOGIN_TIMEOUT_MS, stompBroker } from '../../../support/stomp-environment.js';

const QUEUE = { destination: '/queue/q' };
const MIB = 1024 * 1024;

/** Keeps no messages; the test says when a batch of definitions is on disk. */
function brokerWithDisk() {
  const listeners: ((upTo: number) => void)[] = [];
  const onDurable = (listener: (upTo: number) => void): void => void listeners.push(listener);
  const store = Object.assign(new MemoryMessageStore(), { durableCommit: 0, onDurable });
  const broker = stompBroker(store);
  broker.definitions.openBatch = 1;
  const durable = (): void => {
    store.durableCommit = broker.definitions.openBatch++;
    for (const listener of listeners) listener(store.durableCommit);
    broker.clock.settle();
  };
  return { ...broker, durable };
}

describe('a STOMP connection', () => {
  it('that says nothing is closed after a while', () => {
    const { open, clock } = stompBroker();
    const peer = open();
    clock.advance(LOGIN_TIMEOUT_MS - 1);
    expect(peer.transport.isClosed).toBe(false);
    clock.advance(1);
    expect(peer.transport.isClosed).toBe(true);
  });

  it('whose login fails is closed after the same while, and not at once', () => {
    const { open, clock } = stompBroker();
    const peer = open();
    peer.send('CONNECT', { passcode: 'wrong' });
    expect(peer.summary()).toEqual(['ERROR Bad CONNECT']);
    clock.advance(LOGIN_TIMEOUT_MS - 1);
    expect(peer.transport.isClosed).toBe(false);
    clock.advance(1);
    expect(peer.transport.isClosed).toBe(true);
  });

  it('that has logged in may say nothing', () => {
    const { logIn, clock } = stompBroker();
    const peer = logIn();
    clock.advance(100 * LOGIN_TIMEOUT_MS);
    clock.settle();
    expect(peer.transport.isClosed).toBe(false);
    expect(clock.timerCount).toBe(0);
  });

  it('takes frames of 64 KiB before the login', () => {
    const { open, clock } = stompBroker();
    const peer = open();
    peer.sendBytes(`CONNECT\n\n${'x'.repeat(65_536)}`);
    clock.settle();
    expect(peer.received()).toEqual([]);
    expect(peer.isGone).toBe(true);
  });

  it('sends heart-beats as often as was asked for', () => {
    const { logIn, clock } = stompBroker();
    const peer = logIn({ 'heart-beat': '0,2000' });
    const beats: number[] = [];
    for (let second = 0; second < 6; second++) {
      clock.advance(1000);
      clock.settle();
      beats.push(peer.transport.take().length);
    }
    expect(beats.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(3);
  });

  it('is closed when the promised heart-beats do not come', () => {
    const { logIn, clock } = stompBroker();
    const [silent, alive] = [logIn({ 'heart-beat': '1000,0' }), logIn({ 'heart-beat': '1000,0' })];
    for (let second = 0; second < 4; second++) {
      alive.sendBytes('\n');
      clock.advance(1000);
    }
    expect([silent.transport.isClosed, alive.transport.isClosed]).toEqual([true, false]);
    expect(alive.transport.take()).toHaveLength(0);
  });

  it('gives everything back when the client hangs up', () => {
    const { logIn, host, clock } = stompBroker();
    const peer = logIn();
    peer.send('SUBSCRIBE', { ...QUEUE, id: '1', ack: 'client' });
    peer.send('SUBSCRIBE', { destination: '/queue/own', id: '2', durable: 'false', 'auto-delete': 'false' });
    peer.send('SEND', QUEUE, 'x');
    const queue = host.findQueue('q');
    expect([queue?.unackedCount, queue?.consumerCount]).toEqual([1, 1]);
    peer.transport.disconnect();
    clock.settle();
    expect([queue?.readyCount, queue?.unackedCount, queue?.consumerCount]).toEqual([1, 0, 0]);
    expect(host.findQueue('own')).toBeUndefined();
    expect(peer.isGone).toBe(true);
  });

  it('is told why when the broker closes it', () => {
    const { logIn, clock } = stompBroker();
    const peer = logIn();
    peer.connection.close('shutdown');
    expect(peer.received()).toMatchObject([
      { command: 'ERROR', headers: { message: 'connection_forced' }, body: 'CONNECTION_FORCED - shutdown' },
    ]);
    clock.settle();
    expect(peer.isGone).toBe(true);
    expect(clock.timerCount).toBe(0);
  });

  it('is closed in the end when the client does not take the last words', () => {
    const { logIn, clock } = stompBroker();
    const peer = logIn();
    peer.transport.end = () => {};
    peer.send('SEND', { destination: '/exchange/nox' });
    expect(peer.summary()).toEqual(['ERROR not_found']);
    peer.send('SEND', QUEUE, 'not taken');
    clock.advance(10_000);
    expect(peer.transport.isClosed).toBe(true);
  });

  it('that settles too late is closed, and its messages return', () => {
    const { logIn, host, clock } = stompBroker();
    const peer = logIn();
    peer.send('SUBSCRIBE', { ...QUEUE, id: '1', ack: 'client' });
    peer.send('SEND', QUEUE, 'x');
    expect(peer.summary()).toEqual(['MESSAGE x']);
    for (let minute = 0; minute < 31; minute++) clock.advance(60_000);
    const [error] = peer.received();
    expect(error?.headers['message']).toBe('precondition_failed');
    expect(error?.body).toMatch(
      /^PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out\. .* 1800000 ms\./,
    );
    expect(host.findQueue('q')?.readyCount).toBe(1);
    expect(peer.isGone).toBe(true);
    expect(clock.timerCount).toBe(0);
  });

  it('lets the others have their turn', () => {
    const { logIn, clock } = stompBroker();
    const peer = logIn();
    const many = Buffer.from('BEGIN\ntransaction:t\nreceipt:r\n\n\0'.repeat(600));
    peer.transport.send(many);
    expect(peer.transport.readingPaused).toBe(true);
    clock.settle();
    expect(peer.received()).toHaveLength(600);
    expect(peer.transport.readingPaused).toBe(false);
  });

  it('does not harm the others when one of its frames meets a mistake of ours', () => {
    const { logIn, host, logged } = stompBroker();
    const [peer, other] = [logIn(), logIn()];
    const { deliver } = host;
    host.deliver = () => {
      throw new TypeError('a mistake');
    };
    peer.send('SEND', QUEUE, 'secret body');
    host.deliver = deliver;
    expect(peer.summary()).toEqual(['ERROR internal_error']);
    expect(peer.transport.isClosed).toBe(true);
    other.send('BEGIN', { transaction: 't', receipt: 'r' });
    expect(other.summary()).toEqual(['RECEIPT r']);
    expect(logged.filter(({ level }) => level === 'error')).toHaveLength(1);
  });

  it('writes no passcode and no body into the log', () => {
    const { open, logIn, logged } = stompBroker();
    const refused = open();
    refused.send('CONNECT', { login: 'guest', passcode: 'hunter2' });
    refused.sendBytes('CONNECT\npasscode:hunter2\nbad line\n\n\0');
    const peer = logIn({ passcode: 'guest' });
    peer.send('SEND', { ...QUEUE, 'user-id': 'x' }, 'hunter2');
    logIn().sendBytes('SEND\ndestination:/queue/a\ncontent-length:1\n\nhunter2\0');
    expect(logged.length).toBeGreaterThan(3);
    expect(JSON.stringify(logged)).not.toContain('hunter2');
  });
});

describe('back-pressure on a STOMP connection', () => {
  it('stops a publisher while an alarm is up, and nobody else', () => {
    const { logIn, alarms, host } = stompBroker();
    const [publisher, reader] = [logIn(), logIn()];
    reader.send('SUBSCRIBE', { ...QUEUE, id: '1' });
    alarms.raise('memory');
    publisher.send('SEND', QUEUE, '1');
    publisher.send('SEND', QUEUE, '2');
    expect(publisher.transport.readingPaused).toBe(true);
    expect(reader.transport.readingPaused).toBe(false);
    expect(reader.summary()).toEqual(['MESSAGE 1']);
    alarms.clear('memory');
    expect(reader.summary()).toEqual(['MESSAGE 2']);
    expect(publisher.transport.readingPaused).toBe(false);
    expect(host.findQueue('q')?.readyCount).toBe(0);
  });

  it('stops a publisher while the throttle is on and it has sent much', () => {
    const { logIn, throttle, clock } = stompBroker();
    const peer = logIn();
    throttle.set('commits', true);
    peer.send('SEND', QUEUE, 'x'.repeat(1000));
    expect(peer.transport.readingPaused).toBe(false);
    peer.send('SEND', QUEUE, 'x'.repeat(100_000));
    expect(peer.transport.readingPaused).toBe(true);
    throttle.set('commits', false);
    clock.settle();
    expect(peer.transport.readingPaused).toBe(false);
  });

  it('delivers no more to a client that does not read, and goes on when it does', () => {
    const { logIn, host } = stompBroker();
    const [reader, publisher] = [logIn(), logIn()];
    reader.send('SUBSCRIBE', { ...QUEUE, id: '1' });
    reader.transport.stalled = true;
    for (let i = 0; i < 8; i++) publisher.send('SEND', QUEUE, 'x'.repeat(MIB / 2));
    expect(reader.received().length).toBeLessThan(5);
    expect(host.findQueue('q')?.readyCount).toBeGreaterThan(3);
    reader.transport.drain();
    reader.received();
    reader.transport.drain();
    reader.received();
    expect(host.findQueue('q')?.readyCount).toBe(0);
  });

  it('reads no more from a client that asks without reading', () => {
    const { logIn } = stompBroker();
    const [peer, other] = [logIn(), logIn()];
    peer.transport.stalled = true;
    // Each is answered by an ERROR that repeats it.
    const wrong = Buffer.from(`${'F'.repeat(50_000)}\n\n\0`.repeat(4));
    let sent = 0;
    for (; sent < 200 && !peer.transport.readingPaused; sent++) peer.sendBytes(wrong);
    expect(sent).toBeLessThan(200);
    expect(other.transport.readingPaused).toBe(false);
    peer.transport.drain();
    expect(peer.transport.readingPaused).toBe(false);
  });
});

describe('receipts of a STOMP session', () => {
  it('wait until what was declared is on disk', () => {
    const { logIn, durable } = brokerWithDisk();
    const peer = logIn();
    peer.send('SUBSCRIBE', { ...QUEUE, id: '1', receipt: 'subscribed' });
    peer.send('SEND', { ...QUEUE, receipt: 'sent' }, 'x');
    expect(peer.summary()).toEqual(['MESSAGE x']);
    durable();
    expect(peer.summary()).toEqual(['RECEIPT subscribed', 'RECEIPT sent']);
    peer.send('SEND', { ...QUEUE, receipt: 'at once' }, 'y');
    expect(peer.summary()).toEqual(['MESSAGE y', 'RECEIPT at once']);
  });

  it('are all out before that of DISCONNECT, and then the connection is closed', () => {
    const { logIn, durable } = brokerWithDisk();
    const peer = logIn();
    peer.send('SEND', { ...QUEUE, receipt: 'sent' }, 'x');
    peer.send('DISCONNECT', { receipt: 'bye' });
    peer.send('SEND', { ...QUEUE, receipt: 'too late' }, 'x');
    expect(peer.summary()).toEqual([]);
    expect(peer.transport.isClosed).toBe(false);
    durable();
    expect(peer.summary()).toEqual(['RECEIPT sent', 'RECEIPT bye']);
    expect(peer.transport.isClosed).toBe(true);
  });

  it('that pile up stop the reading', () => {
    const { logIn, durable } = brokerWithDisk();
    const peer = logIn();
    const receipt = 'r'.repeat(1000);
    for (let i = 0; i < 1100 && !peer.transport.readingPaused; i++) peer.send('SEND', { ...QUEUE, receipt }, 'x');
    expect(peer.transport.readingPaused).toBe(true);
    durable();
    expect(peer.received().length).toBeGreaterThan(900);
    expect(peer.transport.readingPaused).toBe(false);
  });
});

describe('transactions of a STOMP session', () => {
  it('are at most sixteen', () => {
    const peer = stompBroker().logIn();
    for (let i = 0; i < 16; i++) peer.send('BEGIN', { transaction: `t${i}` });
    peer.send('BEGIN', { transaction: 't0' });
    expect(peer.summary()).toEqual([]);
    peer.send('BEGIN', { transaction: 'one more' });
    expect(peer.received()).toMatchObject([
      {
        headers: { message: 'Transaction limit exceeded' },
        body: 'Too many concurrent transactions (limit 16)',
      },
    ]);
    peer.send('ABORT', { transaction: 't0' });
    peer.send('BEGIN', { transaction: 'one more' });
    expect(peer.summary()).toEqual([]);
  });

  it('have at most 1024 frames and 64 MiB', () => {
    const { logIn, host } = stompBroker();
    const peer = logIn();
    const frame = { ...QUEUE, transaction: 't' };
    peer.send('BEGIN', { transaction: 't' });
    for (let i = 0; i < 1024; i++) peer.send('SEND', frame, 'x');
    expect(peer.summary()).toEqual([]);
    peer.send('SEND', frame, 'x');
    expect(peer.summary()).toEqual(['ERROR Transaction too large']);
    peer.send('BEGIN', { transaction: 'large' });
    for (let i = 0; i < 17; i++) peer.send('SEND', { ...QUEUE, transaction: 'large' }, 'x'.repeat(4_000_000));
    expect(peer.summary()).toEqual(['ERROR Transaction too large']);
    peer.send('COMMIT', { transaction: 't' });
    expect(host.findQueue('q')?.readyCount).toBe(1024);
  });
});
