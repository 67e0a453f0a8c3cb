// Where a client's callbacks leave what arrived, so that a scenario can await it. Every wait has a time limit.

const defaultLimitMs = 5_000;

export class Inbox<Item> {
  readonly #purpose: string;
  readonly #items: Item[] = [];
  #arrived: (() => void) | undefined;

  constructor(purpose: string) {
    this.#purpose = purpose;
  }

  /** Bound, so that it can be handed to a client as the callback. */
  readonly push = (item: Item): void => {
    this.#items.push(item);
    this.#arrived?.();
  };

  get size(): number {
    return this.#items.length;
  }

  async next(limitMs = defaultLimitMs): Promise<Item> {
    const [item] = await this.take(1, limitMs);
    return item as Item;
  }

  /** The next `count` items in the order of arrival. */
  async take(count: number, limitMs = defaultLimitMs): Promise<Item[]> {
    if (this.#items.length < count) await this.#waitFor(count, limitMs);
    return this.#items.splice(0, count);
  }

  #waitFor(count: number, limitMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => {
        this.#arrived = undefined;
        reject(new Error(`${this.#purpose}: ${this.#items.length} of ${count} arrived within ${limitMs} ms`));
      }, limitMs);
      this.#arrived = () => {
        if (this.#items.length < count) return;
        clearTimeout(limit);
        this.#arrived = undefined;
        resolve();
      };
    });
  }
}
