/**
 * Ticks for publishers at a fixed rate. Node's own timers are late by up to a millisecond, which would be measured as
 * the broker's latency, and turning the event loop meanwhile would take a core from the broker: so a thread that does
 * nothing but sleep sends the ticks.
 */
import { Worker } from 'node:worker_threads';

const SHORTEST_MICROS = 100;
const LONGEST_MICROS = 1000;

/** What the thread runs; a text, so that it needs no file of its own. */
const METRONOME = `
  const { parentPort, workerData: { state, gapMs } } = require('node:worker_threads');
  let due = performance.now();
  while (Atomics.load(state, 0) === 0) {
    due = Math.max(due + gapMs, performance.now() - 10 * gapMs);
    const wait = due - performance.now();
    if (wait > 0) Atomics.wait(state, 0, 0, wait);
    parentPort.postMessage(0);
  }
`;

export class Pacer {
  /** Resolves with the first tick. A thread takes a while to start: what is due should count from then. */
  readonly ticking: Promise<void>;
  readonly #worker: Worker;
  readonly #state = new Int32Array(new SharedArrayBuffer(4));

  /** Ticks about `perSecond` times a second, within limits. */
  constructor(perSecond: number, onTick: () => void) {
    const gapMs = Math.min(LONGEST_MICROS, Math.max(SHORTEST_MICROS, 1e6 / perSecond)) / 1000;
    this.#worker = new Worker(METRONOME, { eval: true, workerData: { state: this.#state, gapMs } });
    this.ticking = new Promise((resolve) => this.#worker.once('message', () => resolve()));
    this.#worker.on('message', onTick);
    this.#worker.unref();
  }

  async close(): Promise<void> {
    Atomics.store(this.#state, 0, 1);
    Atomics.notify(this.#state, 0);
    this.#worker.removeAllListeners('message');
    await this.#worker.terminate();
  }
}
