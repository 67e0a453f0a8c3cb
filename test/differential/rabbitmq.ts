/**
 * Debian's RabbitMQ in a directory and on ports of its own, for the time of a run. Needs to be root or the user rabbitmq
 * no more than any program would: it does not touch the installed broker.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { WireClient } from '../support/wire-client.js';

/** The one in the PATH insists on the directories and the user of the installed broker. */
const SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const START_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_MS = 10_000;
const RETRY_MS = 100;

export interface RunningRabbitMq {
  readonly amqpUrl: string;
  stop(): Promise<void>;
}

export async function startRabbitMq(): Promise<RunningRabbitMq> {
  if (!existsSync(SERVER)) {
    throw new Error(
      `there is no ${SERVER}: install it with 'apt-get install rabbitmq-server', or give --url-a amqp://…`,
    );
  }
  const directory = mkdtempSync(join(tmpdir(), 'jackalope-rabbitmq-'));
  const [port, distributionPort, epmdPort] = [await freePort(), await freePort(), await freePort()];
  const env = environment(directory, port, distributionPort, epmdPort);
  writeFileSync(`${directory}/enabled_plugins`, '[].');
  const processes: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const process of processes.toReversed()) await ended(process);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    // Started here, or Erlang would start one that outlives it.
    processes.push(spawn('epmd', ['-port', String(epmdPort), '-address', '127.0.0.1'], { env, stdio: 'ignore' }));
    await listening(epmdPort);
    processes.push(spawn(SERVER, [], { env, stdio: 'ignore' }));
    const amqpUrl = `amqp://guest:guest@127.0.0.1:${port}`;
    await answering(amqpUrl);
    return { amqpUrl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function environment(directory: string, port: number, distributionPort: number, epmdPort: number): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('RABBITMQ_'));
  return {
    ...Object.fromEntries(inherited),
    // The Erlang cookie is made there.
    HOME: directory,
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `differential${port}@localhost`,
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_MNESIA_BASE: directory,
    RABBITMQ_LOG_BASE: directory,
    RABBITMQ_CONF_ENV_FILE: `${directory}/rabbitmq-env.conf`,
    RABBITMQ_CONFIG_FILE: `${directory}/rabbitmq.conf`,
    RABBITMQ_ADVANCED_CONFIG_FILE: `${directory}/advanced.config`,
    RABBITMQ_ENABLED_PLUGINS_FILE: `${directory}/enabled_plugins`,
    // Its script then becomes the broker instead of waiting for it: the process started is the one to end.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

async function listening(port: number): Promise<void> {
  await retried(async () => {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
    } finally {
      socket.destroy();
    }
  });
}

async function answering(url: string): Promise<void> {
  await retried(async () => {
    const client = await WireClient.connect(url);
    await client.close();
  });
}

async function retried(attempt: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) throw new Error('RabbitMQ did not start', { cause: error });
    }
    await pause(RETRY_MS);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await exit;
  clearTimeout(late);
}
