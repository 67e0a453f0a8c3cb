/**
 * The brokers that are compared: ours and Debian's RabbitMQ, each started in directories and on ports of its own, or one
 * that runs already. A start is measured from the spawn to the first finished AMQP handshake.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { AmqpConnection } from '../load/amqp-connection.js';
import { parseTarget } from '../load/handshake.js';
import { UsageMeter } from '../report/process-usage.js';
import { type BackgroundProcess, freePort, type RunResources } from './run-resources.js';

const START_TIMEOUT_MS = 60_000;
const RETRY_MS = 4;
/** What a start left to do is done by then, and memory is what an idle broker takes. */
const REST_MS = 5000;
/** Of Debian's package: the one in the PATH insists on the directories and the user of the installed broker. */
const RABBITMQ_SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';

export interface RunningBroker {
  readonly uri: string;
  readonly pid: number | undefined;
  readonly product: string;
  readonly version: string;
  readonly start: { readonly startMillis: number; readonly idleRssBytes: number } | undefined;
}

export interface BrokerUnderTest {
  /** As the report shows how it is started. */
  readonly command: string;
  start(resources: RunResources, signal: AbortSignal): Promise<RunningBroker>;
}

/** What package.json says of the package that is measured. */
export interface OwnPackage {
  readonly version: string;
  /** The compiled command, from the package's folder. */
  readonly command: string;
}

/** `root` is the package's folder. To clients the broker calls itself a RabbitMQ, so its name is given here. */
export function jackalope(root: string, { version, command }: OwnPackage): BrokerUnderTest {
  const script = join(root, command);
  return {
    command: `node ${command} --data-dir DIRECTORY --amqp-port PORT --stomp-port off`,
    start: async (resources, signal) => {
      const port = await freePort();
      const options = ['--data-dir', resources.directory(), '--amqp-port', String(port), '--stomp-port', 'off'];
      const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('JACKALOPE_'));
      const started = performance.now();
      const broker = resources.start([process.execPath, script, ...options], Object.fromEntries(inherited));
      return { ...(await restedBroker(broker, port, started, signal)), product: 'Jackalope', version };
    },
  };
}

export function rabbitMq(): BrokerUnderTest {
  return {
    command: 'rabbitmq-server, default configuration, data and logs in a private directory',
    start: async (resources, signal) => {
      if (!existsSync(RABBITMQ_SERVER)) {
        throw new Error(
          `there is no ${RABBITMQ_SERVER}: install it with 'apt-get install rabbitmq-server', ` +
            'or compare with a broker that runs already (--against amqp://…)',
        );
      }
      const [port, distributionPort, epmdPort] = [await freePort(), await freePort(), await freePort()];
      const directory = resources.directory();
      const env = rabbitMqEnvironment(directory, port, distributionPort, epmdPort);
      // Started and awaited here, or Erlang would start one that outlives it.
      const epmd = resources.start(['epmd', '-port', String(epmdPort), '-address', '127.0.0.1'], env);
      await listening(epmdPort, epmd, signal);
      const started = performance.now();
      return restedBroker(resources.start([RABBITMQ_SERVER], env), port, started, signal);
    },
  };
}

/** One that somebody else runs; `pid` when it is on this machine and its CPU and memory are to be measured. */
export function runningBroker(uri: string, pid: number | undefined): BrokerUnderTest {
  return {
    command: 'was running already',
    start: async () => ({ uri, pid, ...(await identityOf(uri)), start: undefined }),
  };
}

function rabbitMqEnvironment(
  directory: string,
  port: number,
  distributionPort: number,
  epmdPort: number,
): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('RABBITMQ_'));
  return {
    ...Object.fromEntries(inherited),
    // The Erlang cookie is made there.
    HOME: directory,
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `compare${port}@localhost`,
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_MNESIA_BASE: directory,
    RABBITMQ_LOG_BASE: directory,
    RABBITMQ_CONF_ENV_FILE: `${directory}/rabbitmq-env.conf`,
    RABBITMQ_CONFIG_FILE: `${directory}/rabbitmq.conf`,
    RABBITMQ_ADVANCED_CONFIG_FILE: `${directory}/advanced.config`,
    RABBITMQ_ENABLED_PLUGINS_FILE: `${directory}/enabled_plugins`,
    // Its script then becomes the broker instead of waiting for it: the process started is the one to measure.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
}

async function restedBroker(
  broker: BackgroundProcess,
  port: number,
  started: number,
  signal: AbortSignal,
): Promise<RunningBroker> {
  const uri = `amqp://guest:guest@127.0.0.1:${port}`;
  const identity = await firstHandshake(uri, broker, started + START_TIMEOUT_MS, signal);
  const startMillis = performance.now() - started;
  await pause(REST_MS, undefined, { signal });
  const idleRssBytes = residentBytes(broker.pid);
  return { uri, pid: broker.pid, ...identity, start: { startMillis, idleRssBytes } };
}

async function listening(port: number, program: BackgroundProcess, signal: AbortSignal): Promise<void> {
  for (let connected = false; !connected; ) {
    signal.throwIfAborted();
    const failure = program.failure();
    if (failure !== undefined) throw new Error(`cannot start RabbitMQ: ${failure}`);
    const socket = connect(port, '127.0.0.1');
    connected = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (!connected) await pause(RETRY_MS);
  }
}

async function firstHandshake(
  uri: string,
  broker: BackgroundProcess,
  deadline: number,
  signal: AbortSignal,
): Promise<{ product: string; version: string }> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await identityOf(uri);
    } catch (error) {
      const failure = broker.failure();
      if (failure !== undefined) throw new Error(`the broker did not start: ${failure}`, { cause: error });
      if (performance.now() > deadline) {
        const seconds = START_TIMEOUT_MS / 1000;
        throw new Error(`nobody could connect to ${uri} after ${seconds} s: ${textOf(error)}`, { cause: error });
      }
      await pause(RETRY_MS);
    }
  }
}

async function identityOf(uri: string): Promise<{ product: string; version: string }> {
  const connection = await AmqpConnection.connect(parseTarget(uri), { readBytes: 8192 });
  const { product, version } = connection.identity;
  await connection.close();
  return { product, version };
}

function residentBytes(pid: number): number {
  const meter = UsageMeter.of(pid);
  meter.start();
  return meter.stop(0).rssBytes;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
