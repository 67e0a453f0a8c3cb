// Runs the clients Debian packages against a broker and sums up what they report.
//
//   npm run test:clients               all clients, against a broker started here on a free port
//   npm run test:clients -- pika       the named clients only
//   BROKER_URL=amqp://… npm run test:clients
//
// A client program is given the broker's URL and prints `ok NAME`, `not ok NAME REASON` or `unsupported NAME REASON`
// for every name in scenarios.json; further names are its own. It leaves out the names in LEAVE_OUT: against our own
// broker those of later.json, which it does not have yet. Missing packages are installed, which takes root.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
const brokerCommand =
  process.env.JACKALOPE_BIN ?? fileURLToPath(new URL('../../../dist/bin/jackalope.cjs', import.meta.url));
const scenarioNames = namesIn('../scenarios.json');
const later = process.env.BROKER_URL ? [] : namesIn('../later.json');

const clientLimitMs = 120_000;
const brokerLimitMs = 20_000;

const clients = [
  { name: 'pika', packages: ['python3-pika'], command: ['/usr/bin/python3', 'pika_client.py'] },
  { name: 'py-amqp', packages: ['python3-amqp'], command: ['/usr/bin/python3', 'py_amqp_client.py'] },
  { name: 'kombu', packages: ['python3-kombu'], command: ['/usr/bin/python3', 'kombu_client.py'] },
  { name: 'celery', packages: ['python3-celery'], command: ['/usr/bin/python3', 'celery_client.py'] },
  { name: 'bunny', packages: ['ruby-bunny'], command: ['/usr/bin/ruby', 'bunny_client.rb'] },
  { name: 'php-amqplib', packages: ['php-amqplib', 'php-cli'], command: ['/usr/bin/php', 'php_amqplib_client.php'] },
  { name: 'amqp-tools', packages: ['amqp-tools'], command: ['/bin/bash', 'amqp_tools_client.sh'] },
];

/** Leaders of the process groups running now: everything a client or the broker has started is in theirs. */
const groups = new Set();

class Refusal extends Error {}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    for (const pid of groups) killGroup(pid, 'SIGKILL');
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

async function main(wanted) {
  const unknown = wanted.filter((name) => !clients.some((client) => client.name === name));
  if (unknown.length > 0) throw new Refusal(`no such client: ${unknown.join(', ')}`);
  const chosen = clients.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  install(chosen.flatMap(({ packages }) => packages));

  const broker = process.env.BROKER_URL ? { url: process.env.BROKER_URL, stop: async () => {} } : await startBroker();
  const reports = [];
  try {
    for (const client of chosen) reports.push(await runClient(client, broker.url));
  } finally {
    await broker.stop();
  }
  return summarise(reports);
}

function namesIn(file) {
  return Object.keys(JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')));
}

function install(packages) {
  const missing = packages.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  const manual = `apt-get install --no-install-recommends ${missing.join(' ')}`;
  if (spawnSync('apt-get', ['--version']).status !== 0) {
    throw new Refusal(`These clients come from Debian packages, and this system has no apt-get: ${missing.join(' ')}`);
  }
  if (process.getuid?.() !== 0) throw new Refusal(`Missing packages. As root, run: ${manual}`);
  console.log(`installing ${missing.join(' ')}`);
  const options = {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  };
  const apt = (...args) => spawnSync('apt-get', ['-y', '-o', 'DPkg::Lock::Timeout=300', ...args], options).status === 0;
  const installMissing = () => apt('install', '--no-install-recommends', ...missing);
  if (!installMissing() && !(apt('update') && installMissing())) throw new Refusal(`apt-get failed. Try: ${manual}`);
}

function isInstalled(name) {
  const query = spawnSync('dpkg-query', ['--status', name], { encoding: 'utf8' });
  return query.stdout?.includes('Status: install ok installed') ?? false;
}

async function startBroker() {
  if (!existsSync(brokerCommand)) throw new Refusal(`${brokerCommand} does not exist. Run: npm run build`);
  const dataDirectory = mkdtempSync(join(tmpdir(), 'jackalope-test-'));
  const broker = start(process.execPath, [
    brokerCommand,
    '--amqp-port',
    '0',
    '--data-dir',
    dataDirectory,
    '--log-format',
    'json',
  ]);
  const exited = new Promise((resolve) => broker.once('exit', resolve));
  exited.then(() => rmSync(dataDirectory, { recursive: true }));
  const stop = async () => {
    if (!groups.has(broker.pid)) return;
    broker.kill('SIGTERM');
    const limit = setTimeout(() => killGroup(broker.pid, 'SIGKILL'), brokerLimitMs);
    await exited;
    clearTimeout(limit);
  };
  try {
    return { url: await startedUrl(broker, exited), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The broker names its address and, once it takes connections, says that startup is complete. */
function startedUrl(broker, exited) {
  let output = '';
  return new Promise((resolve, reject) => {
    const fail = (reason) => reject(new Refusal(`The broker ${reason}.\n${output}`));
    const limit = setTimeout(() => fail(`did not start within ${brokerLimitMs} ms`), brokerLimitMs);
    exited.then(() => fail('exited'));
    const read = (chunk) => {
      output += chunk;
      const url = output.match(/amqp:\/\/[^\s"]+/)?.[0];
      if (url === undefined || !output.includes('Server startup complete')) return;
      clearTimeout(limit);
      output = '';
      resolve(url);
    };
    broker.stdout.on('data', read);
    broker.stderr.on('data', read);
  });
}

async function runClient({ name, command }, url) {
  const startedAt = performance.now();
  const [program, ...args] = command;
  const client = start(program, [...args, url]);
  let output = '';
  let complaints = '';
  client.stdout.on('data', (chunk) => {
    output += chunk;
  });
  client.stderr.on('data', (chunk) => {
    complaints += chunk;
  });
  let timedOut = false;
  const limit = setTimeout(() => {
    timedOut = true;
    killGroup(client.pid, 'SIGKILL');
  }, clientLimitMs);
  const exitCode = await new Promise((resolve) => client.once('close', resolve));
  clearTimeout(limit);
  killGroup(client.pid, 'SIGKILL');

  const report = { name, seconds: (performance.now() - startedAt) / 1000, complaints, ...readReport(output) };
  if (timedOut) report.failed.push(['(time limit)', `not done within ${clientLimitMs / 1000} s`]);
  else if (exitCode !== 0 && report.failed.length === 0) report.failed.push(['(exit)', `exit code ${exitCode}`]);
  return report;
}

function readReport(output) {
  const report = { passed: [], failed: [], unsupported: [] };
  for (const line of output.split('\n')) {
    const [, verdict, name, reason] = /^(ok|not ok|unsupported) (\S+) ?(.*)$/.exec(line) ?? [];
    if (verdict === 'ok') report.passed.push(name);
    else if (verdict === 'not ok') report.failed.push([name, reason]);
    else if (verdict === 'unsupported') report.unsupported.push(name);
  }
  const answered = new Set([...report.passed, ...report.unsupported, ...report.failed.map(([name]) => name), ...later]);
  for (const name of scenarioNames) {
    if (!answered.has(name)) report.failed.push([name, 'the program said nothing of it']);
  }
  return report;
}

function summarise(reports) {
  const sum = (key) => reports.reduce((total, report) => total + report[key].length, 0);
  const row = (name, ...cells) => name.padEnd(14) + cells.map((cell) => String(cell).padStart(12)).join('');
  console.log(row('client', 'passed', 'failed', 'unsupported', 'seconds'));
  for (const { name, passed, failed, unsupported, seconds } of reports) {
    console.log(row(name, passed.length, failed.length, unsupported.length, seconds.toFixed(1)));
  }
  if (later.length > 0) console.log(`\nleft out until the broker has it: ${later.join(', ')}`);
  for (const { name, failed, complaints } of reports.filter((report) => report.failed.length > 0)) {
    console.log(`\n${name}`);
    for (const [scenario, reason] of failed) console.log(`  ${scenario}: ${reason}`);
    if (complaints.trim() !== '') console.log(complaints.trimEnd().split('\n').slice(-20).join('\n'));
  }
  console.log(`\n${sum('passed')} passed, ${sum('failed')} failed`);
  return sum('failed') === 0 ? 0 : 1;
}

/** In a process group of its own, which ends with it. */
function start(program, args) {
  const env = { ...process.env, LANG: 'C.UTF-8', PYTHONDONTWRITEBYTECODE: '1', LEAVE_OUT: later.join(' ') };
  const child = spawn(program, args, { cwd: folder, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.setEncoding('utf8');
  child.stderr.setEncoding('utf8');
  groups.add(child.pid);
  child.once('exit', () => groups.delete(child.pid));
  return child;
}

function killGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
