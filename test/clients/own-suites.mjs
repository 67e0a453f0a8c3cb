// Runs the test suites of two client libraries, unmodified, against a broker: their judgement of it.
//
//   npm run test:own-suites -- DIR_AMQPLIB DIR_NODE_RABBITMQ_CLIENT
//   BROKER_URL=amqp://guest:guest@127.0.0.1:5673 npm run test:own-suites -- …
//
// The folders are checkouts of github.com/amqp-node/amqplib and github.com/cody-greene/node-rabbitmq-client in which
// `npm ci` has run. `-` leaves a suite out. Without BROKER_URL they meet a broker started here on a free port, which
// the tests in `later` do not. Each file runs as under the suite's own `npm test`, but in a process for itself and
// with a time limit of our own: the one in amqplib's script covers a whole file before Node 22 and is too short then.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const brokerCommand =
  process.env.JACKALOPE_BIN ?? fileURLToPath(new URL('../../dist/bin/jackalope.cjs', import.meta.url));
const reporter = new URL('test-results.mjs', import.meta.url).href;

const silenceLimitMs = 60_000;
const brokerLimitMs = 20_000;
const defaultPort = 5672;

const suites = [
  {
    name: 'amqplib',
    testFile: /\.test\.js$/,
    nodeOptions: [],
    urlVariable: 'URL',
    // Its callback tests leave the address out, whatever URL says.
    usesDefaultPort: true,
    later: {},
  },
  {
    name: 'node-rabbitmq-client',
    testFile: /\.ts$/,
    nodeOptions: ['-r', 'ts-node/register'],
    urlVariable: 'RABBITMQ_URL',
    usesDefaultPort: false,
    later: { 'Consumer return codes': 'x-dead-letter-exchange' },
  },
];

const children = new Set();

class Refusal extends Error {}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    for (const child of children) child.kill('SIGKILL');
    process.exit(1);
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}

async function main(folders) {
  const chosen = checkedSuites(folders);
  const givenUrl = process.env.BROKER_URL;
  const broker = givenUrl ? { url: givenUrl, stop: async () => {} } : await startBroker();
  const reports = [];
  try {
    for (const suite of chosen) reports.push(await runSuite(suite, broker.url, givenUrl ? {} : suite.later));
  } finally {
    await broker.stop();
  }
  return summarise(reports);
}

function checkedSuites(folders) {
  if (folders.length !== suites.length) {
    throw new Refusal(`Usage: npm run test:own-suites -- ${suites.map(({ name }) => `CHECKOUT_OF_${name}`).join(' ')}`);
  }
  const chosen = suites
    .map((suite, index) => ({ ...suite, folder: folders[index] }))
    .filter(({ folder }) => folder !== '-');
  for (const { name, folder } of chosen) {
    if (!existsSync(join(folder, 'test'))) throw new Refusal(`${folder} is not a checkout of ${name}`);
    if (!existsSync(join(folder, 'node_modules'))) throw new Refusal(`Run npm ci in ${folder} first`);
  }
  return chosen;
}

async function startBroker() {
  if (!existsSync(brokerCommand)) throw new Refusal(`${brokerCommand} does not exist. Run: npm run build`);
  const dataDirectory = mkdtempSync(join(tmpdir(), 'jackalope-test-'));
  const broker = start([brokerCommand, '--amqp-port', '0', '--data-dir', dataDirectory, '--log-format', 'json'], {});
  const exited = once(broker, 'exit');
  exited.then(() => rmSync(dataDirectory, { recursive: true }));
  const stop = async () => {
    broker.kill('SIGTERM');
    const limit = setTimeout(() => broker.kill('SIGKILL'), brokerLimitMs);
    const [exitCode] = await exited;
    clearTimeout(limit);
    if (exitCode !== 0) throw new Refusal(`The broker did not stop as asked: exit code ${exitCode}`);
  };
  const limit = setTimeout(() => broker.kill('SIGKILL'), brokerLimitMs);
  let url;
  for await (const line of createInterface({ input: broker.stdout })) {
    url ??= line.match(/amqp:\/\/[^\s"]+/)?.[0];
    if (line.includes('Server startup complete')) break;
  }
  clearTimeout(limit);
  if (url === undefined) throw new Refusal('The broker did not start');
  broker.stdout.resume();
  return { url, stop };
}

async function runSuite(suite, url, later) {
  const startedAt = performance.now();
  const closeForwarder = suite.usesDefaultPort ? await forwardDefaultPort(url) : () => {};
  const report = { name: suite.name, passed: 0, failures: [], later: Object.entries(later) };
  const files = readdirSync(join(suite.folder, 'test')).filter((file) => suite.testFile.test(file));
  try {
    for (const file of files.sort()) await runFile(suite, file, url, Object.keys(later), report);
  } finally {
    closeForwarder();
  }
  if (report.passed === 0) report.failures.push({ file: suite.folder, name: '(no test passed)', reason: 'none ran?' });
  return { ...report, seconds: (performance.now() - startedAt) / 1000 };
}

async function runFile(suite, file, url, leftOut, report) {
  // Node tries the pattern on the file's root too, and what the root matches its tests need not match.
  const filter = leftOut.length > 0 ? [`--test-name-pattern=/^(?!(?:<root>|${leftOut.join('|')})$)/`] : [];
  const args = [...suite.nodeOptions, `--test-reporter=${reporter}`, ...filter, join('test', file)];
  const child = start(args, { [suite.urlVariable]: url }, suite.folder);
  const exited = once(child, 'exit');
  const running = new Set();
  const failures = [];
  let stalled = false;
  const silence = setTimeout(() => {
    stalled = true;
    child.kill('SIGKILL');
  }, silenceLimitMs);

  for await (const line of createInterface({ input: child.stdout })) {
    silence.refresh();
    const { event, name, reason } = readResult(line);
    if (event === undefined) continue;
    if (event === 'start') running.add(name);
    else running.delete(name);
    if (event === 'pass') report.passed += 1;
    if (event === 'fail') failures.push({ file, name, reason });
  }
  clearTimeout(silence);
  const [exitCode] = await exited;
  if (stalled) {
    const name = [...running].join(' > ');
    failures.push({
      file,
      name,
      reason: `silent for ${silenceLimitMs / 1000} s; what follows it in the file did not run`,
    });
  } else if (exitCode !== 0 && failures.length === 0) {
    failures.push({ file, name: '(exit)', reason: `exit code ${exitCode}` });
  }
  report.failures.push(...failures);
}

/** The tests may print lines of their own between ours. */
function readResult(line) {
  try {
    return JSON.parse(line) ?? {};
  } catch {
    return {};
  }
}

/** Makes the broker reachable at localhost:5672; returns what ends that. */
async function forwardDefaultPort(url) {
  const { hostname, port } = new URL(url);
  const target = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || defaultPort) };
  const local = ['localhost', '127.0.0.1', '::1'].includes(target.host);
  if (local && target.port === defaultPort) return () => {};

  const sockets = new Set();
  const forward = (socket) => {
    const upstream = connect({ ...target, allowHalfOpen: true });
    for (const [from, to] of [
      [socket, upstream],
      [upstream, socket],
    ]) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('error', () => to.destroy());
      from.on('close', () => sockets.delete(from));
      from.pipe(to);
    }
  };
  const servers = [];
  const close = () => {
    for (const server of servers) server.close();
    for (const socket of sockets) socket.destroy();
  };
  for (const host of ['127.0.0.1', '::1']) {
    const server = createServer({ allowHalfOpen: true }, forward).listen(defaultPort, host);
    try {
      await once(server, 'listening');
      servers.push(server);
    } catch (error) {
      if (host === '::1' && error.code !== 'EADDRINUSE') continue;
      close();
      throw new Refusal(`The suite connects to ${host}:${defaultPort}, which must be free for it: ${error.message}`);
    }
  }
  return close;
}

function start(args, env, cwd = process.cwd()) {
  const child = spawn(process.execPath, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 2] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

function summarise(reports) {
  const row = (name, ...cells) => name.padEnd(24) + cells.map((cell) => String(cell).padStart(10)).join('');
  console.log(row('suite', 'passed', 'failed', 'seconds'));
  for (const { name, passed, failures, seconds } of reports) {
    console.log(row(name, passed, failures.length, seconds.toFixed(1)));
  }
  for (const { name, failures, later } of reports) {
    for (const [test, reason] of later) console.log(`\nleft out of ${name} until the broker has ${reason}: ${test}`);
    for (const { file, name: test, reason } of failures) console.log(`\n${name} ${file}: ${test}\n  ${reason}`);
  }
  const passed = reports.reduce((total, report) => total + report.passed, 0);
  const failed = reports.reduce((total, report) => total + report.failures.length, 0);
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}
