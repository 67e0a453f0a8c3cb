/**
 * The broker the conformance and client tests talk to: the one BROKER_URL names, or one of ours for each test file.
 * Nothing else in those tests may depend on which it is.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface RunningBroker {
  readonly amqpUrl: string;
  close(): Promise<void>;
}

const givenUrl = process.env['BROKER_URL'];
let running: Promise<RunningBroker> | undefined;

/** Starts the broker when it is first asked for. */
export async function brokerUrl(): Promise<string> {
  if (givenUrl !== undefined) return givenUrl;
  running ??= start();
  return (await running).amqpUrl;
}

/** For `afterAll`: stops the broker if it was started here. */
export async function stopBroker(): Promise<void> {
  const broker = await running;
  running = undefined;
  await broker?.close();
}

async function start(): Promise<RunningBroker> {
  // Imported late, so that the tests run against another broker whatever state ours is in.
  const { startBroker } = await import('../../src/index.js');
  // On disk, as the command runs: replies and confirms then come when they would.
  const dataDirectory = await mkdtemp(join(tmpdir(), 'jackalope-test-'));
  // Tests provoke warnings by the hundred.
  const broker = await startBroker({ port: 0, dataDirectory, logLevel: 'error' });
  const close = async (): Promise<void> => {
    await broker.close();
    await rm(dataDirectory, { recursive: true });
  };
  return { amqpUrl: broker.amqpUrl, close };
}
