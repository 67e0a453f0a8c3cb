/**
 * No confirm before its commit, seen without a tracer: the store of the child reports each commit late and says when it
 * began and ended; a client says when it published and when the confirm came. Both read the same monotonic clock.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StoreChild } from './child.js';
import { Client } from './support/client.js';

export interface OrderOptions {
  readonly messages: number;
  readonly window: number;
  readonly sabotage?: string | undefined;
}

interface Times {
  readonly begin: bigint;
  readonly end: bigint;
}

/** How many confirms came, and how many of them before a commit that began after the publish had ended. */
export async function confirmsAndCommits(options: OrderOptions): Promise<{ confirms: number; early: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'jackalope-order-'));
  const sabotage = ['slow-commits', ...(options.sabotage === undefined ? [] : [options.sabotage])].join();
  const broker = await StoreChild.start({ dataDirectory: join(folder, 'data'), sabotage });
  try {
    const publishes = await publish(broker.port, options);
    await broker.stop();
    const commits = broker.lines.flatMap(({ commit }) => (Array.isArray(commit) ? [timesOf(commit)] : []));
    const isCovered = ({ begin, end }: Times) => commits.some((each) => each.begin >= begin && each.end <= end);
    return { confirms: publishes.length, early: publishes.filter((each) => !isCovered(each)).length };
  } finally {
    await broker.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

function timesOf([begin, end]: readonly string[]): Times {
  return { begin: BigInt(begin ?? 0), end: BigInt(end ?? 0) };
}

/** From each publish to its confirm. */
async function publish(port: number, { messages, window }: OrderOptions): Promise<Times[]> {
  const client = await Client.connect(port);
  const channel = await client.confirmChannel();
  await channel.call({ name: 'queue.declare', queue: 'ordered', durable: true }, 'queue.declare-ok');
  const sent: bigint[] = [];
  const times: Times[] = [];
  await new Promise<void>((resolve) => {
    const fill = () => {
      while (sent.length < messages && sent.length - times.length < window) {
        sent.push(process.hrtime.bigint());
        const body = Buffer.from(String(sent.length));
        channel.publish({ routingKey: 'ordered', body, properties: { deliveryMode: 2 } });
      }
    };
    channel.onConfirm = (tag) => {
      const end = process.hrtime.bigint();
      while (times.length < tag) times.push({ begin: sent[times.length] ?? 0n, end });
      if (times.length === messages) resolve();
      else fill();
    };
    fill();
  });
  await client.close();
  return times;
}
