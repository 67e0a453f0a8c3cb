import { describe, expect, it } from 'vitest';
import type { VirtualHostAccess } from '../../src/auth/virtual-host-access.js';
import type { MemoryPeer } from './memory-server.js';
import { MemoryServer } from './memory-server.js';

const BUG = 'a bug of ours';

/** The first connection's virtual host has a bug in one method; the others' are sound. */
function serverWithBugIn(method: keyof VirtualHostAccess): MemoryServer {
  return new MemoryServer((sound, connection) => {
    if (connection > 1) return sound;
    return new Proxy(sound, {
      get: (target, name) => {
        if (name === method) {
          return () => {
            throw new TypeError(BUG);
          };
        }
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  });
}

function expectUnharmed(peer: MemoryPeer): void {
  peer.send(1, { name: 'queue.declare', queue: 'of another', exclusive: true });
  expect(peer.received()).toEqual(['1 queue.declare-ok']);
}

function expectStackInLog(server: MemoryServer): void {
  expect(server.errors()).toEqual([
    expect.objectContaining({ err: expect.objectContaining({ stack: expect.stringContaining(BUG) }) }),
  ]);
}

describe('an unexpected exception while one connection is served', () => {
  it('ends that connection with 541 and a stack in the log', () => {
    const server = serverWithBugIn('declareQueue');
    const unlucky = server.connect();
    const other = server.connect();
    unlucky.send(1, { name: 'queue.declare', queue: 'q' });
    expect(unlucky.received()).toEqual(['0 connection.close 541']);
    unlucky.send(0, { name: 'connection.close-ok' });
    expect(unlucky.transport.isClosed).toBe(true);
    expectStackInLog(server);
    expectUnharmed(other);
    expect(server.server.connectionCount).toBe(1);
  });

  it('does so for a publish', () => {
    const server = serverWithBugIn('exchangeToPublish');
    const unlucky = server.connect();
    const other = server.connect();
    unlucky.send(1, { name: 'basic.publish', routingKey: 'q' });
    unlucky.sendBytes(Buffer.from('0200010000000e003c000000000000000000000000ce', 'hex'));
    expect(unlucky.received()).toEqual(['0 connection.close 541']);
    expectStackInLog(server);
    expectUnharmed(other);
  });

  it.each(['connection.close', 'a lost socket', 'an error of its own'])(
    'survives one while cleaning up after %s',
    (end) => {
      const server = serverWithBugIn('releaseExclusiveQueues');
      const unlucky = server.connect();
      const other = server.connect();
      if (end === 'connection.close') {
        unlucky.send(0, { name: 'connection.close', replyCode: 200 });
        expect(unlucky.received()).toEqual(['0 connection.close-ok']);
      } else if (end === 'an error of its own') {
        unlucky.send(2, { name: 'queue.declare' });
        expect(unlucky.received()).toEqual(['0 connection.close 504']);
      }
      unlucky.transport.disconnect();
      expect(server.errors().length).toBeGreaterThan(0);
      expect(server.server.connectionCount).toBe(1);
      expectUnharmed(other);
    },
  );
});
