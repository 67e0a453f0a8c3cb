/**
 * Hostile peers, longer than the tests have time for: how long a round trip (publish to delivery) of another client
 * takes meanwhile. Run by hostile.mjs. Both kinds of client have a thread of their own, and this one reads the broker's
 * log: a broker waits for a log that nobody reads.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Latency } from '../test/hostile/round-trips.js';
import { ChildBroker } from '../test/support/child-broker.js';
import { SCENARIOS, type Scenario } from './hostile-scenarios.js';

/** A round trip slower than this for one client in a hundred is a failure. */
const MOST_P99_MS = 20;

async function measure({ name, args = [] }: Scenario): Promise<Latency> {
  const broker = await ChildBroker.start({ args });
  const { port, amqpUrl } = broker;
  const bystander = thread({ role: 'bystander', port, amqpUrl });
  await once(bystander, 'message');
  await once(thread({ role: 'hostile', name, port, amqpUrl }), 'exit');
  const answer = once(bystander, 'message');
  bystander.postMessage('stop');
  const [latency] = await answer;
  await broker.stop();
  return latency;
}

function thread(workerData: object): Worker {
  return new Worker(new URL('./hostile-threads.js', import.meta.url), { workerData });
}

const wanted = process.argv.slice(2);
process.stdout.write(`${'scenario'.padEnd(34)} round trips    p50    p99    max  (ms)\n`);
for (const scenario of SCENARIOS) {
  if (wanted.length > 0 && !wanted.some((word) => scenario.name.includes(word))) continue;
  const { count, p50, p99, max } = await measure(scenario);
  const columns = [p50, p99, max].map((ms) => ms.toFixed(1).padStart(6)).join(' ');
  const verdict = p99 <= MOST_P99_MS ? '' : `  p99 is above ${MOST_P99_MS}`;
  process.stdout.write(`${scenario.name.padEnd(34)} ${String(count).padStart(11)} ${columns}${verdict}\n`);
  if (verdict !== '') process.exitCode = 1;
}
