/**
 * Turns 'sent' into 'on disk': an ack is on disk within two commits, so once the broker has processed it and then two
 * persistent publishes, one after the other, were confirmed, it must not be undone by any kill.
 */
import { Client, type ClientChannel } from './client.js';
import { Sent } from './messages.js';
import { publishKnown } from './traffic.js';
import type { World } from './world.js';

export const FENCE_QUEUE = 'fence';
const COMMITS = 2;

export class Fence {
  readonly #world: World;
  readonly #publisher: string;
  #numbers = 0;
  #channel: ClientChannel | undefined;

  constructor(world: World, publisher: string) {
    this.#world = world;
    this.#publisher = publisher;
  }

  /** `client` is the caller's. */
  async open(client: Client): Promise<void> {
    this.#channel = await client.confirmChannel();
  }

  async run(port: number): Promise<void> {
    const client = await Client.connect(port);
    this.#world.clients.push(client);
    await this.open(client);
    while (!this.#world.stopping) await this.settle();
  }

  /** Everything that was pending when it was called is on disk when it returns. */
  async settle(): Promise<void> {
    const effects = this.#world.processed.splice(0);
    for (const pending of this.#world.pending) {
      const some = pending.effects.splice(0);
      if (some.length === 0) continue;
      // Its reply says that everything before it on the channel was processed.
      await pending.channel.call({ name: 'access.request' }, 'access.request-ok');
      effects.push(...some);
    }
    for (let commit = 0; commit < COMMITS; commit++) await this.#commit();
    for (const effect of effects) effect();
  }

  #commit(): Promise<void> {
    const channel = this.#channel;
    if (channel === undefined) throw new Error('the fence is not open');
    const target = { exchange: '', routingKey: FENCE_QUEUE };
    const message = new Sent(this.#publisher, ++this.#numbers, target, 10, true);
    publishKnown(this.#world, channel, message);
    return channel.confirmed().then(() => this.#world.confirmed(message));
  }
}
