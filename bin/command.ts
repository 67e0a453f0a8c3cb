/**
 * The command: reads its options, starts a broker, says where it listens, and stops it on a signal.
 * Exit codes: 0 stopped as asked, 1 could not start or stop, or a check found problems, 2 wrong options.
 */
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { type Broker, runBroker } from '../src/broker.js';
import { SystemClock } from '../src/clock.js';
import {
  type BrokerOptions,
  type CommandLine,
  commandLineOptions,
  listensOnLoopbackOnly,
  OptionError,
  restrictedToLoopback,
  stompPortToListenOn,
} from '../src/config.js';
import { createLogger, type LogDestination, type Logger, standardOutput } from '../src/logger.js';
import { packageVersion, programName } from '../src/version.js';
import { backup, type CheckRequest, check } from './maintenance.js';

/** How often a broker that npm started looks whether its parent is still there. */
const PARENT_LOOK_MS = 250;
const WELL_KNOWN_PASSWORD = 'guest';

const output = standardOutput();
// No top-level await: the bundle is no module (see jackalope.ts).
void perform(readCommandLine());

function readCommandLine(): CommandLine {
  try {
    return commandLineOptions(process.argv.slice(2), process.env);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    return fail(2, error.message);
  }
}

async function perform(commandLine: CommandLine): Promise<void> {
  switch (commandLine.kind) {
    case 'help':
      output.write(commandLine.text);
      break;
    case 'version':
      output.write(`${packageVersion()}\n`);
      break;
    case 'check':
      await runCheck(commandLine);
      break;
    case 'backup':
      await runBackup(commandLine.directory, commandLine.target);
      break;
    case 'run':
      await run(commandLine.options, createLogger(commandLine.options, output), output);
      break;
  }
}

async function run(options: BrokerOptions, log: Logger, out: LogDestination): Promise<void> {
  const starting = runBroker(options, log);
  stopOnSignals(starting, log);
  try {
    const broker = await starting;
    announce(broker, options, log, out);
    void broker.failed.then((error) => fail(1, `the storage has failed for good: ${error.message}`));
  } catch (error) {
    fail(1, startFailure(error, options));
  }
}

async function runCheck(request: CheckRequest): Promise<void> {
  try {
    const [text, exitCode] = await check(request, programName());
    output.write(text);
    process.exitCode = exitCode;
  } catch (error) {
    fail(1, startFailure(error));
  }
}

async function runBackup(directory: string, target: string): Promise<void> {
  try {
    await backup(directory, target, programName());
    output.write(`copied ${resolve(directory)} to ${resolve(target)}\n`);
  } catch (error) {
    fail(1, startFailure(error));
  }
}

function announce(broker: Broker, options: BrokerOptions, log: Logger, out: LogDestination): void {
  const url = shown(broker.amqpUrl, options);
  const stompUrl = broker.stompUrl === undefined ? undefined : shown(broker.stompUrl, options).href;
  if (options.logFormat === 'json') {
    log.info({ version: packageVersion(), url: url.href, stompUrl, ...storeFields(options) }, 'Jackalope');
  } else if (options.logLevel !== 'silent') {
    out.write(banner(url.href, stompUrl, options));
  }
  if (isOpenToAnybody(options) && url.username !== '') {
    log.warn({ user: options.defaultUser }, 'other machines can log in with the well-known password');
  }
  log.info('Server startup complete');
}

/** Only the password that everybody knows may stand on a screen and in a log. */
function shown(text: string, { defaultPassword }: BrokerOptions): URL {
  const url = new URL(text);
  if (defaultPassword !== WELL_KNOWN_PASSWORD && url.username !== '') url.password = '***';
  return url;
}

function isOpenToAnybody(options: BrokerOptions): boolean {
  const remote = !listensOnLoopbackOnly(options) && !restrictedToLoopback(options).includes(options.defaultUser);
  return remote && options.defaultPassword === WELL_KNOWN_PASSWORD;
}

function storeFields({ dataDirectory }: BrokerOptions): Readonly<Record<string, string>> {
  return dataDirectory === undefined ? { store: 'memory' } : { store: 'disk', dataDirectory: resolve(dataDirectory) };
}

function banner(url: string, stompUrl: string | undefined, { dataDirectory }: BrokerOptions): string {
  const stomp = stompUrl === undefined ? '' : `\n  ${stompUrl}\n  And this into any STOMP client (1.0, 1.1, 1.2).\n`;
  const where =
    dataDirectory === undefined
      ? 'Everything is kept in memory only: it is gone when the broker stops.'
      : `Durable queues and persistent messages are kept in ${resolve(dataDirectory)}`;
  return `
  Jackalope ${packageVersion()}

  ${url}
  Paste this URL into any RabbitMQ client (AMQP 0-9-1).
${stomp}
  ${where}

`;
}

function stopOnSignals(starting: Promise<Broker>, log: Logger): void {
  let stopping = false;
  const stop = async (signal: 'SIGINT' | 'SIGTERM'): Promise<void> => {
    if (stopping) process.exit(128 + constants.signals[signal]);
    stopping = true;
    log.info({ signal }, 'stopping');
    try {
      const broker = await starting;
      await broker.close();
    } catch (err) {
      log.error({ err }, 'could not stop cleanly');
      process.exit(1);
    }
    process.exit(0);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  if (process.env['npm_execpath'] !== undefined) onParentGone(() => stop('SIGTERM'));
}

/** npm passes signals to its shell, and a shell that dies of one leaves its child running: the child looks itself. */
function onParentGone(callback: () => void): void {
  const parent = process.ppid;
  const timer = new SystemClock().every(PARENT_LOOK_MS, () => {
    if (process.ppid === parent) return;
    timer.cancel();
    callback();
  });
}

/** One line for what a user can mend, the stack for what only a developer can. */
function startFailure(error: unknown, options?: BrokerOptions): string {
  if (!(error instanceof Error)) return String(error);
  // Those of the data directory, of definitions, and of a file: they name it.
  if (error.name === 'DataDirectoryError' || error.name === 'BrokerError' || 'path' in error) return error.message;
  const code = 'code' in error ? error.code : undefined;
  const address = 'address' in error ? `${error.address}${'port' in error ? ` port ${error.port}` : ''}` : '';
  const isStomp = options !== undefined && 'port' in error && error.port === stompPortToListenOn(options);
  const option = isStomp ? '--stomp-port' : '--amqp-port';
  switch (code) {
    case 'EADDRINUSE':
      return `cannot listen on ${address}: another program does; stop it or choose ${option}`;
    case 'EACCES':
      return `cannot listen on ${address}: not permitted; choose a port above 1023 with ${option}`;
    case 'EADDRNOTAVAIL':
      return `cannot listen on ${address}: not an address of this machine; see --host`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `cannot listen: ${error.message}; see --host`;
    default:
      return error.stack ?? error.message;
  }
}

function fail(exitCode: 1 | 2, text: string): never {
  process.stderr.write(`jackalope: ${text}\n`);
  process.exit(exitCode);
}
