/**
 * The open channels of one connection.
 */
import type { Logger } from '../../logger.js';
import type { Channel } from './channel.js';

export class ChannelTable {
  readonly #channels = new Map<number, Channel>();
  /** The channel of the frame before, which most often is the channel of the next. */
  #recent: Channel | undefined;

  get size(): number {
    return this.#channels.size;
  }

  find(number: number): Channel | undefined {
    if (this.#recent?.number === number) return this.#recent;
    const channel = this.#channels.get(number);
    if (channel !== undefined) this.#recent = channel;
    return channel;
  }

  add(channel: Channel): void {
    this.#channels.set(channel.number, channel);
    this.#recent = channel;
  }

  remove(channel: Channel): void {
    this.#channels.delete(channel.number);
    if (this.#recent === channel) this.#recent = undefined;
  }

  /** Consumers of the connection may have credit again. */
  wakeConsumers(): void {
    for (const channel of this.#channels.values()) channel.prefetchFreed();
  }

  /** Ends every channel. A mistake of ours in one of them is logged and keeps no other from its end. */
  releaseAll(log: Logger): void {
    const channels = [...this.#channels.values()];
    this.#channels.clear();
    this.#recent = undefined;
    for (const channel of channels) attempt(() => channel.release(), log);
  }
}

/** Cleaning up runs where nobody could answer an error. */
export function attempt(release: () => void, log: Logger): void {
  try {
    release();
  } catch (err) {
    log.error({ err }, 'could not release what the connection held');
  }
}
