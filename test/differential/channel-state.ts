/**
 * What a client has to remember of a channel to settle messages and read confirms. The order of deliveries of different
 * consumers differs from broker to broker, so a delivery is named by its place among those of its consumer and step.
 */
import type { Item } from '../support/wire-inbox.js';

interface Delivery {
  readonly tag: number;
  readonly step: number;
  readonly consumer: string;
}

export class ChannelState {
  readonly number: number;
  /** Of the get or consume that waits for its reply. */
  noAck = false;
  #unsettled: Delivery[] = [];
  #settledInTransaction: Delivery[] = [];
  #isTransactional = false;
  #unconfirmed: Set<number> | undefined;
  #published = 0;
  readonly #noAckConsumers = new Set<string>();

  constructor(number: number) {
    this.number = number;
  }

  published(): void {
    this.#published += 1;
    this.#unconfirmed?.add(this.#published);
  }

  /** Takes note of what came. A confirm is taken apart into one text a message. */
  received(item: Item, step: number): string[] {
    switch (item.name) {
      case 'basic.deliver':
        if (!this.#noAckConsumers.has(item.consumerTag)) this.#delivered(item.deliveryTag, step, item.consumerTag);
        return [];
      case 'basic.get-ok':
        if (!this.noAck) this.#delivered(item.deliveryTag, step, '');
        return [];
      case 'basic.consume-ok':
        if (this.noAck) this.#noAckConsumers.add(item.consumerTag);
        else this.#noAckConsumers.delete(item.consumerTag);
        return [];
      case 'basic.ack':
      case 'basic.nack':
        return this.#confirmed(item.name, item.deliveryTag, item.multiple);
      case 'confirm.select-ok':
        this.#unconfirmed ??= this.#startConfirms();
        return [];
      case 'tx.select-ok':
        this.#isTransactional = true;
        return [];
      case 'tx.commit-ok':
        this.#settledInTransaction = [];
        return [];
      case 'tx.rollback-ok':
        this.#unsettled = inOrder([...this.#settledInTransaction, ...this.#unsettled]);
        this.#settledInTransaction = [];
        return [];
      default:
        return [];
    }
  }

  /** RabbitMQ takes them consumer by consumer, in whatever order, when several are settled at once. */
  isOfOneConsumer(): boolean {
    return this.#unsettled.every(({ consumer }) => consumer === this.#unsettled[0]?.consumer);
  }

  /** All go back to their queues, but for those settled in a transaction. */
  recover(): void {
    this.#unsettled = [];
  }

  /** The tag to settle the `which`th unsettled message by; undefined when there is none. */
  settle(which: number, multiple: boolean): number | undefined {
    if (this.#unsettled.length === 0) return undefined;
    const chosen = this.#unsettled[which % this.#unsettled.length] as Delivery;
    const together = this.#unsettled.filter(({ step }) => step === chosen.step);
    // Which deliveries of other consumers come before it is anybody's guess, so it is all of the step.
    const isGuess = multiple && together.some(({ consumer }) => consumer !== chosen.consumer);
    const tag = isGuess ? Math.max(...together.map((delivery) => delivery.tag)) : chosen.tag;
    const isSettled = (delivery: Delivery) => (multiple ? delivery.tag <= tag : delivery.tag === tag);
    if (this.#isTransactional) this.#settledInTransaction.push(...this.#unsettled.filter(isSettled));
    this.#unsettled = this.#unsettled.filter((delivery) => !isSettled(delivery));
    return tag;
  }

  #delivered(tag: number, step: number, consumer: string): void {
    this.#unsettled = inOrder([...this.#unsettled, { tag, step, consumer }]);
  }

  #startConfirms(): Set<number> {
    this.#published = 0;
    return new Set();
  }

  #confirmed(name: string, tag: number, multiple: boolean): string[] {
    const outstanding = this.#unconfirmed ?? new Set();
    const meant = multiple ? [...outstanding].filter((number) => number <= tag) : [tag];
    return meant.map((number) => `${name} ${number}${outstanding.delete(number) ? '' : ' (not outstanding)'}`);
  }
}

function inOrder(deliveries: readonly Delivery[]): Delivery[] {
  return deliveries.toSorted(
    (one, other) =>
      one.step - other.step ||
      (one.consumer < other.consumer ? -1 : one.consumer > other.consumer ? 1 : one.tag - other.tag),
  );
}
