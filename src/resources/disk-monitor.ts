/**
 * Raises the disk alarm while the file system of the data directory has less than the limit free, and looks more often
 * the closer it comes.
 */
import { statfs } from 'node:fs/promises';
import type { Clock, Timer } from '../clock.js';
import type { Logger } from '../logger.js';
import type { Alarms } from '../session/shared/flow-control.js';

export interface DiskMonitorOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly alarms: Alarms;
  readonly directory: string;
  readonly limitBytes: number;
  readonly freeBytes?: (directory: string) => Promise<number>;
}

const CALM_INTERVAL_MS = 1000;
const CLOSE_INTERVAL_MS = 100;
/** Close to the limit: within as many times of it, or within what a fast disk takes in a second. */
const CLOSE_FACTOR = 4;
const CLOSE_BYTES = 1024 * 1024 * 1024;

export class DiskMonitor {
  /** As of the last look; undefined while it cannot be told. */
  freeBytes: number | undefined;
  readonly #options: DiskMonitorOptions;
  readonly #readFreeBytes: (directory: string) => Promise<number>;
  #limitBytes: number;
  #timer: Timer | undefined;
  #state: 'idle' | 'waiting' | 'looking' | 'closed' = 'idle';
  #isRaised = false;
  #hasFailed = false;

  constructor(options: DiskMonitorOptions) {
    this.#options = options;
    this.#limitBytes = options.limitBytes;
    this.#readFreeBytes = options.freeBytes ?? freeBytesOf;
  }

  get limitBytes(): number {
    return this.#limitBytes;
  }

  /** Looks at once. */
  set limitBytes(bytes: number) {
    this.#limitBytes = bytes;
    if (this.#state === 'waiting') void this.#look();
  }

  /** Resolves after the first look, so that a broker on a full disk does not start by accepting messages. */
  async start(): Promise<void> {
    if (this.#state === 'idle') await this.#look();
  }

  close(): void {
    this.#state = 'closed';
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    this.#timer?.cancel();
    this.#state = 'looking';
    try {
      this.#learned(await this.#readFreeBytes(this.#options.directory));
    } catch (error) {
      this.#failed(error);
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isClosed()) return;
    this.#state = 'waiting';
    this.#timer = this.#options.clock.after(this.#isClose() ? CLOSE_INTERVAL_MS : CALM_INTERVAL_MS, () => {
      void this.#look();
    });
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #isClose(): boolean {
    if (this.freeBytes === undefined) return false;
    return this.freeBytes < Math.max(CLOSE_FACTOR * this.#limitBytes, this.#limitBytes + CLOSE_BYTES);
  }

  #learned(freeBytes: number): void {
    if (this.#isClosed()) return;
    this.freeBytes = freeBytes;
    this.#hasFailed = false;
    const isLow = freeBytes < this.#limitBytes;
    if (isLow === this.#isRaised) return;
    this.#isRaised = isLow;
    const { alarms, log } = this.#options;
    const fields = { source: 'disk', freeBytes, limitBytes: this.#limitBytes };
    if (isLow) {
      log.warn(fields, 'resource alarm raised: publishers are blocked');
      alarms.raise('disk', 'monitor');
    } else {
      log.info(fields, 'resource alarm cleared');
      alarms.clear('disk', 'monitor');
    }
  }

  /** What is not known changes nothing; that it is not known is said once. */
  #failed(error: unknown): void {
    this.freeBytes = undefined;
    if (this.#hasFailed || this.#isClosed()) return;
    this.#hasFailed = true;
    this.#options.log.warn({ err: error, directory: this.#options.directory }, 'free disk space is not known');
  }
}

async function freeBytesOf(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
