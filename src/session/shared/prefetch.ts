/**
 * Prefetch of one channel: the limit that new consumers get, and the limit that all consumers share (RabbitMQ's
 * meaning of basic.qos with and without `global`). 0 is no limit.
 */
export class ChannelPrefetch {
  /** For each consumer created from now on. */
  consumerLimit = 0;
  /** Shared by all consumers of the channel. */
  channelLimit = 0;
  #outstanding = 0;
  /** Deliveries up to this tag count whatever they came from: they were there when the limit was set. */
  #countsAllUpTo = 0;

  get hasCredit(): boolean {
    return this.channelLimit === 0 || this.#outstanding < this.channelLimit;
  }

  /** `outstanding`: unsettled deliveries now, basic.get ones included; `lastTag`: the latest delivery tag. */
  limitChannel(limit: number, outstanding: number, lastTag: number): void {
    this.channelLimit = limit;
    this.#outstanding = outstanding;
    this.#countsAllUpTo = lastTag;
  }

  /** A consumer got a delivery that it will settle. */
  delivered(): void {
    this.#outstanding++;
  }

  settled(tag: number, byConsumer: boolean): void {
    // What a transaction held back when the limit was set was not counted.
    if ((byConsumer || tag <= this.#countsAllUpTo) && this.#outstanding > 0) this.#outstanding--;
  }
}
