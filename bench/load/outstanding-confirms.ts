/**
 * The publishes of a channel that wait for a confirm, by delivery tag: every one must be confirmed exactly once, singly
 * or with all before it, in whatever order. Remembers when each was sent, for the latency.
 */
import { LatencyHistogram } from '../report/histogram.js';

export class OutstandingConfirms {
  readonly latency = new LatencyHistogram();
  readonly window: number;
  confirmed = 0;
  nacked = 0;
  /** Confirms of what was confirmed before or never published. */
  unexpected = 0;
  /** By tag modulo the length: when it was sent; below 0 once it is confirmed. */
  readonly #sentMicros: Float64Array;
  /** All below are confirmed. */
  #floor = 1;
  #next = 1;

  constructor(window: number) {
    this.window = window;
    this.#sentMicros = new Float64Array(window).fill(-1);
  }

  get outstanding(): number {
    return this.#next - 1 - this.confirmed - this.nacked;
  }

  /** Publishes that the window lets out now. Those not confirmed yet below others that are hold it back too. */
  get room(): number {
    return this.window - (this.#next - this.#floor);
  }

  published(count: number, firstMicros: number, gapMicros: number): void {
    for (let index = 0; index < count; index++) {
      this.#sentMicros[this.#next++ % this.window] = firstMicros + index * gapMicros;
    }
  }

  confirm(tag: number, multiple: boolean, nack: boolean, micros: number): void {
    // RabbitMQ's clients read tag 0 with multiple as all so far; so does this.
    const last = multiple && tag === 0 ? this.#next - 1 : tag;
    if (last >= this.#next || last < this.#floor) {
      this.unexpected++;
      return;
    }
    let settled = 0;
    for (let each = multiple ? this.#floor : last; each <= last; each++) settled += this.#settle(each, micros);
    if (settled === 0) this.unexpected++;
    if (nack) this.nacked += settled;
    else this.confirmed += settled;
    while (this.#floor < this.#next && (this.#sentMicros[this.#floor % this.window] ?? 0) < 0) this.#floor++;
  }

  #settle(tag: number, micros: number): number {
    const slot = tag % this.window;
    const sent = this.#sentMicros[slot] ?? -1;
    if (sent < 0) return 0;
    this.#sentMicros[slot] = -1;
    this.latency.record(micros - sent);
    return 1;
  }
}
