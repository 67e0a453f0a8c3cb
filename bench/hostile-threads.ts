/** The two kinds of client that `hostile.ts` puts into threads. */
import { parentPort, workerData } from 'node:worker_threads';
import { RoundTrips } from '../test/hostile/round-trips.js';
import { SCENARIOS, type Target } from './hostile-scenarios.js';

interface Task extends Target {
  readonly role: 'bystander' | 'hostile';
  readonly name: string;
}

const task: Task = workerData;
if (task.role === 'hostile') await SCENARIOS.find(({ name }) => name === task.name)?.run(task);
else {
  const client = await RoundTrips.start(task.amqpUrl);
  parentPort?.once('message', async () => parentPort?.postMessage(await client.stop()));
  parentPort?.postMessage('started');
}
