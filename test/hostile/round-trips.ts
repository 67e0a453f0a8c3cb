/**
 * The well-behaved client beside the hostile ones: it publishes to a queue of its own, waits for the delivery, and does
 * so again until it is stopped. It says how many round trips it did and how long they took.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { WireClient } from '../support/wire-client.js';

/** Between two round trips, so that the measuring does not become the load. */
const PACE_MS = 1;

export interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export class RoundTrips {
  readonly #client: WireClient;
  readonly #queue: string;
  readonly #durationsMs: number[] = [];
  readonly #running: Promise<void>;
  #stopping = false;
  #failure: unknown;

  static async start(url: string): Promise<RoundTrips> {
    const client = await WireClient.connect(url);
    await client.openChannel();
    const { queue } = await client.rpc(1, { name: 'queue.declare', exclusive: true }, 'queue.declare-ok');
    await client.rpc(1, { name: 'basic.consume', queue, noAck: true }, 'basic.consume-ok');
    return new RoundTrips(client, queue);
  }

  private constructor(client: WireClient, queue: string) {
    this.#client = client;
    this.#queue = queue;
    this.#running = this.#run().catch((error) => {
      this.#failure = error;
    });
  }

  /** Resolves after `count` more round trips: that many times the broker found time for this client. */
  async more(count: number): Promise<void> {
    const wanted = this.#durationsMs.length + count;
    while (this.#durationsMs.length < wanted) {
      if (this.#failure !== undefined) throw this.#failure;
      await pause(PACE_MS);
    }
  }

  /** Ends it. Throws what went wrong, if anything did. */
  async stop(): Promise<Latency> {
    this.#stopping = true;
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure;
    await this.#client.close();
    const sorted = this.#durationsMs.sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const before = performance.now();
      this.#client.publish(1, { routingKey: this.#queue, body: 'ping' });
      await this.#client.expect(1, 'basic.deliver');
      this.#durationsMs.push(performance.now() - before);
      await pause(PACE_MS);
    }
  }
}
