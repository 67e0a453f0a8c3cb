/**
 * Heartbeats of all connections from one timer (SEMANTICS 1.5, 4.2). Sending: every half interval, when nothing was
 * written since the last look. Receiving: every interval; two looks in a row without a byte and the peer is gone.
 */
import type { Clock, Timer } from '../clock.js';

/** What the monitor watches and does. */
export interface Monitored {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** True while nothing is read on purpose, so silence means nothing. */
  readonly readingPaused: boolean;
  sendHeartbeat(): void;
  onSilence(): void;
}

interface Entry {
  readonly monitored: Monitored;
  readonly sendMs: number;
  readonly receiveMs: number;
  nextSendAt: number;
  nextReceiveAt: number;
  /** -1 before the first look, so that the first always sends. */
  bytesWritten: number;
  bytesRead: number;
  silentLooks: number;
}

/** How late a look may be. */
const TICK_MS = 100;

export class HeartbeatMonitor {
  readonly #clock: Clock;
  readonly #entries = new Map<Monitored, Entry>();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How often something is to be sent and received; 0 is off. */
  watch(monitored: Monitored, sendSeconds: number, receiveSeconds = sendSeconds): void {
    const sendMs = sendSeconds > 0 ? sendSeconds * 1000 : Number.POSITIVE_INFINITY;
    const receiveMs = receiveSeconds > 0 ? receiveSeconds * 1000 : Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonicTime();
    this.#entries.set(monitored, {
      monitored,
      sendMs,
      receiveMs,
      nextSendAt: now + sendMs / 2,
      nextReceiveAt: now + receiveMs,
      bytesWritten: -1,
      bytesRead: monitored.bytesRead,
      silentLooks: 0,
    });
    this.#timer ??= this.#clock.every(TICK_MS, () => this.#tick());
  }

  forget(monitored: Monitored): void {
    this.#entries.delete(monitored);
    if (this.#entries.size === 0) this.close();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #tick(): void {
    const now = this.#clock.monotonicTime();
    for (const entry of this.#entries.values()) {
      if (now >= entry.nextSendAt) this.#lookAtSending(entry, now);
      if (now >= entry.nextReceiveAt) this.#lookAtReceiving(entry, now);
    }
  }

  #lookAtSending(entry: Entry, now: number): void {
    entry.nextSendAt = now + entry.sendMs / 2;
    if (entry.bytesWritten === entry.monitored.bytesWritten || entry.bytesWritten === -1) {
      entry.monitored.sendHeartbeat();
    }
    entry.bytesWritten = entry.monitored.bytesWritten;
  }

  #lookAtReceiving(entry: Entry, now: number): void {
    const { monitored } = entry;
    entry.nextReceiveAt = now + entry.receiveMs;
    const silent = monitored.bytesRead === entry.bytesRead && !monitored.readingPaused;
    entry.bytesRead = monitored.bytesRead;
    entry.silentLooks = silent ? entry.silentLooks + 1 : 0;
    if (entry.silentLooks < 2) return;
    this.forget(monitored);
    monitored.onSilence();
  }
}
