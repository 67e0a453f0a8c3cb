import { describe, expect, it } from 'vitest';
import { HeartbeatMonitor, type Monitored } from '../../../src/net/heartbeat.js';
import { FakeClock } from '../../support/fake-clock.js';

class Peer implements Monitored {
  bytesRead = 0;
  bytesWritten = 0;
  readingPaused = false;
  heartbeats: number[] = [];
  silentAt: number | undefined;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  sendHeartbeat(): void {
    this.heartbeats.push(this.#clock.monotonicTime() / 1000);
    // Written at the end of the turn.
    this.#clock.atEndOfTurn(() => {
      this.bytesWritten += 8;
    });
  }

  onSilence(): void {
    this.silentAt = this.#clock.monotonicTime() / 1000;
  }
}

/** Lets seconds pass; each second is a turn, and what the test does in it. */
function pass(clock: FakeClock, seconds: number, eachSecond: () => void = () => {}): void {
  for (let second = 0; second < seconds; second++) {
    clock.advance(1000);
    clock.settle();
    eachSecond();
  }
}

function monitorOf(intervalSeconds: number) {
  const clock = new FakeClock();
  const monitor = new HeartbeatMonitor(clock);
  const peer = new Peer(clock);
  monitor.watch(peer, intervalSeconds);
  return { clock, monitor, peer };
}

describe('heartbeats', () => {
  it('are sent at the first half interval whatever was written, and then when nothing was', () => {
    const { clock, peer } = monitorOf(10);
    const busy = (): void => {
      peer.bytesRead++;
      peer.bytesWritten++;
    };
    pass(clock, 20, busy);
    expect(peer.heartbeats).toEqual([5]);
    pass(clock, 20, () => peer.bytesRead++);
    // A heartbeat is something written, so an idle connection sends one an interval.
    expect(peer.heartbeats).toEqual([5, 30, 40]);
    expect(peer.silentAt).toBeUndefined();
  });

  it('give a peer up after two intervals in a row without a byte', () => {
    const { clock, peer } = monitorOf(10);
    pass(clock, 19);
    expect(peer.silentAt).toBeUndefined();
    pass(clock, 30);
    expect(peer.silentAt).toBe(20);
    expect(clock.timerCount).toBe(0);
  });

  it('take any byte for a sign of life', () => {
    const { clock, peer } = monitorOf(10);
    for (let interval = 0; interval < 10; interval++) {
      pass(clock, 15);
      peer.bytesRead++;
    }
    expect(peer.silentAt).toBeUndefined();
    pass(clock, 40);
    expect(peer.silentAt).toBe(180);
  });

  it('do not blame a peer that is not read', () => {
    const { clock, peer } = monitorOf(10);
    peer.readingPaused = true;
    pass(clock, 300);
    expect(peer.silentAt).toBeUndefined();
    peer.readingPaused = false;
    pass(clock, 21);
    expect(peer.silentAt).toBe(320);
  });

  it('are kept for several peers with intervals of their own, by one timer', () => {
    const clock = new FakeClock();
    const monitor = new HeartbeatMonitor(clock);
    const peers = [2, 7, 60].map((interval) => {
      const peer = new Peer(clock);
      monitor.watch(peer, interval);
      return peer;
    });
    expect(clock.timerCount).toBe(1);
    pass(clock, 13);
    expect(peers.map(({ silentAt }) => silentAt)).toEqual([4, undefined, undefined]);
    pass(clock, 1);
    expect(peers.map(({ silentAt }) => silentAt)).toEqual([4, 14, undefined]);
    pass(clock, 106);
    expect(peers.map(({ silentAt }) => silentAt)).toEqual([4, 14, 120]);
    expect(clock.timerCount).toBe(0);
  });

  it('end for a peer that is forgotten, and begin again for the next', () => {
    const { clock, monitor, peer } = monitorOf(10);
    monitor.forget(peer);
    expect(clock.timerCount).toBe(0);
    monitor.forget(peer);
    const next = new Peer(clock);
    monitor.watch(next, 10);
    pass(clock, 30);
    expect([peer.heartbeats, peer.silentAt, next.silentAt]).toEqual([[], undefined, 20]);
  });

  it('end when the monitor is closed', () => {
    const { clock, monitor, peer } = monitorOf(1);
    monitor.close();
    monitor.close();
    pass(clock, 10);
    expect([clock.timerCount, peer.heartbeats, peer.silentAt]).toEqual([0, [], undefined]);
  });
});
