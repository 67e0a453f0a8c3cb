/**
 * The broker the conformance and client tests talk to: the one BROKER_URL (and STOMP_URL) names, or one of ours for
 * each test file. Nothing else in those tests may depend on which it is.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface RunningBroker {
  readonly amqpUrl: string;
  readonly stompUrl: string | undefined;
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

/** Undefined when only BROKER_URL is given: that broker's STOMP port is not known. */
export async function stompUrl(): Promise<string | undefined> {
  if (givenUrl !== undefined) return process.env['STOMP_URL'];
  running ??= start();
  return (await running).stompUrl;
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
  return { amqpUrl: broker.amqpUrl, stompUrl: broker.stompUrl, close };
}
