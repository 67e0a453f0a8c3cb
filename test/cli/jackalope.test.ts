import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import amqp from 'amqplib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WireClient } from '../support/wire-client.js';
import { Command } from './command.js';

const STARTED = 'Server startup complete';

/** In memory, so that nothing is written into the folder that the tests run in. */
async function started(args: readonly string[] = [], env: Record<string, string> = {}): Promise<[Command, string]> {
  return startedWith(['--memory', ...args], env);
}

async function startedWith(args: readonly string[], env: Record<string, string> = {}): Promise<[Command, string]> {
  const command = new Command(['--amqp-port', '0', ...args], env);
  const output = await command.printed(STARTED);
  return [command, output];
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'jackalope-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function urlIn(output: string): URL {
  const [url] = /amqp:\/\/[^\s"]+/.exec(output) ?? [];
  if (url === undefined) throw new Error(`no URL in: ${output}`);
  return new URL(url);
}

describe('jackalope', () => {
  it('prints its options with --help', async () => {
    const { exitCode, stdout, stderr } = await new Command(['--help']).finished();
    expect(exitCode).toBe(0);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^Usage: jackalope \[options\]\n[\s\S]*--amqp-port PORT[\s\S]*JACKALOPE_AMQP_PORT=5673/);
  });

  it('prints its version with --version', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(await new Command(['--version']).finished()).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' });
  });

  it.each([
    [['--amqp-prot', '1'], {}, 'unknown option --amqp-prot; jackalope --help lists the options'],
    [['--amqp-port', 'http'], {}, "--amqp-port 'http' is not valid: give a whole number from 0 to 65535"],
    [[], { JACKALOPE_LOG_LEVEL: 'loud' }, /^JACKALOPE_LOG_LEVEL 'loud' is not valid: give one of fatal, error/],
    [['--memory', '--data-dir', 'd'], {}, '--memory and --data-dir exclude each other: leave one out'],
    [['check', '--too'], {}, 'unknown option --too; jackalope check --help lists the options'],
    [['backup'], {}, 'jackalope backup needs --to: give the path of a folder'],
  ])('refuses %j %j with one line and exit code 2', async (args, env, message) => {
    const { exitCode, stdout, stderr } = await new Command(args, env).finished();
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    const [, text] = /^jackalope: (.*)\n$/.exec(stderr) ?? [];
    expect(text).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
  });

  it('says which port is in use and ends with exit code 1', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const { exitCode, stderr } = await new Command(['--memory', '--amqp-port', String(port)]).finished();
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      `jackalope: cannot listen on 127.0.0.1 port ${port}: another program does; stop it or choose --amqp-port\n`,
    );
  });

  it('says that an address is not one of this machine', async () => {
    // 192.0.2.0/24 is kept for documentation (RFC 5737): no machine has it.
    const args = ['--memory', '--host', '192.0.2.1', '--amqp-port', '0'];
    const { exitCode, stderr } = await new Command(args).finished();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^jackalope: cannot listen on 192\.0\.2\.1.*: not an address of this machine; see --host\n$/,
    );
  });

  it('prints the URL to paste into a client and where messages are kept', async () => {
    const [command, output] = await started();
    expect(output).toContain('Jackalope 0.');
    expect(output).toContain('in memory only');
    const url = urlIn(output);
    expect([url.username, url.password, url.hostname]).toEqual(['guest', 'guest', '127.0.0.1']);
    const connection = await amqp.connect(url.href);
    await connection.close();
    expect(command.stderr).toBe('');
  });

  it('says in which folder it keeps messages', async () => {
    const folder = join(newFolder(), 'data');
    const [, output] = await startedWith(['--data-dir', folder]);
    expect(output).toContain(`Durable queues and persistent messages are kept in ${folder}\n`);
  });

  it('says in JSON too in which folder it keeps messages', async () => {
    const folder = newFolder();
    const [, output] = await startedWith(['--log-format', 'json'], { JACKALOPE_DATA_DIR: folder });
    const [line = ''] = output.split('\n').filter((text) => text.includes('"msg":"Jackalope"'));
    expect(JSON.parse(line)).toMatchObject({ store: 'disk', dataDirectory: folder });
  });

  it('refuses a data directory that is none with one line', async () => {
    const file = join(newFolder(), 'file');
    writeFileSync(file, '');
    const { exitCode, stderr } = await new Command(['--amqp-port', '0', '--data-dir', file]).finished();
    expect([exitCode, stderr]).toEqual([
      1,
      `jackalope: data directory '${file}' cannot be used: not a folder (EEXIST)\n`,
    ]);
  });

  it('refuses a data directory that another broker has with one line', async () => {
    const folder = newFolder();
    await startedWith(['--data-dir', folder]);
    const { exitCode, stderr } = await new Command(['--amqp-port', '0', '--data-dir', folder]).finished();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^jackalope: data directory '.*' is in use by another broker \(pid \d+\)\n$/);
  });

  it('imports definitions, and names no user in its URL that they do not bring', async () => {
    const file = join(newFolder(), 'definitions.json');
    writeFileSync(
      file,
      JSON.stringify({ vhosts: [{ name: '/' }], users: [{ name: 'mary', tags: '', password: 's3cret' }] }),
    );
    const [command, output] = await started(['--definitions', file, '--log-level', 'trace', '--host', '0.0.0.0']);
    expect(output).toContain('definitions imported');
    expect(urlIn(output)).toMatchObject({ username: '', password: '' });
    // Nobody can log in with the well-known password.
    expect(output).not.toContain('WARN');
    command.signal('SIGTERM');
    const { stdout, stderr } = await command.finished();
    expect(stdout + stderr).not.toContain('s3cret');
  });

  it('refuses definitions with one line that names the entry', async () => {
    const file = join(newFolder(), 'definitions.json');
    writeFileSync(file, JSON.stringify({ vhosts: [{ name: 'v' }], queues: [{ vhost: 'v' }] }));
    const { exitCode, stderr } = await new Command(['--memory', '--definitions', file]).finished();
    expect([exitCode, stderr]).toEqual([1, `jackalope: ${file}: queues[0] in vhost 'v': "name" is missing\n`]);
  });

  it('keeps a password that is not the well-known one to itself', async () => {
    const [command, output] = await started(['--log-level', 'trace'], { JACKALOPE_DEFAULT_PASS: 's3cret' });
    expect(urlIn(output).password).toBe('***');
    const connection = await amqp.connect({ port: Number(urlIn(output).port), username: 'guest', password: 's3cret' });
    await connection.close();
    command.signal('SIGTERM');
    const { stdout, stderr } = await command.finished();
    expect(stdout + stderr).not.toContain('s3cret');
  });

  it('prints nothing but JSON with --log-format json', async () => {
    const [command] = await started(['--log-format', 'json']);
    command.signal('SIGTERM');
    const { stdout } = await command.finished();
    const records = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records).toContainEqual(
      expect.objectContaining({ msg: 'Jackalope', url: urlIn(stdout).href, store: 'memory' }),
    );
    expect(records.map(({ msg }) => msg)).toContain(STARTED);
  });

  it('warns when other machines can log in with the well-known password', async () => {
    const warning = 'other machines can log in with the well-known password';
    expect((await started(['--host', '0.0.0.0', '--loopback-users', 'none']))[1]).toContain(warning);
    expect((await started(['--host', '0.0.0.0']))[1]).not.toContain(warning);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('stops on %s: clients get 320, the exit code is 0', async (signal) => {
    const [command, output] = await started();
    const connection = await amqp.connect(urlIn(output).href);
    const closed = new Promise((resolve) => connection.once('close', resolve));
    command.signal(signal);
    expect(await closed).toMatchObject({ code: 320 });
    expect(await command.finished()).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it.skipIf(process.platform === 'win32')('stops when the shell that npm started it in is gone', async () => {
    const command = new Command(['--memory', '--amqp-port', '0'], { npm_execpath: 'npm' }, { shell: true });
    await command.printed(STARTED);
    command.signal('SIGTERM');
    // The broker holds the shell's output open until it ends itself.
    expect((await command.finished()).stdout).toContain('stopping');
  });

  it('stops at once on a second signal, whoever has not answered yet', async () => {
    const [command, output] = await started();
    // A peer that does not answer connection.close by itself.
    const peer = await WireClient.connect(urlIn(output).href);
    onTestFinished(() => peer.destroy());
    command.signal('SIGTERM');
    await command.printed('stopping');
    command.signal('SIGINT');
    expect((await command.finished()).exitCode).toBe(130);
  });
});

describe('jackalope check', () => {
  async function usedFolder(): Promise<string> {
    const folder = newFolder();
    const [command, output] = await startedWith(['--data-dir', folder]);
    const connection = await amqp.connect(urlIn(output).href);
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('orders', { durable: true });
    for (const body of ['a', 'bc']) channel.sendToQueue('orders', Buffer.from(body), { persistent: true });
    await channel.waitForConfirms();
    await connection.close();
    command.signal('SIGTERM');
    await command.finished();
    return folder;
  }

  it('counts what the queues of a directory hold, and backup copies it', async () => {
    const folder = await usedFolder();
    const copy = join(newFolder(), 'copy');
    const copied = await new Command(['backup', '--data-dir', folder, '--to', copy]).finished();
    expect(copied).toEqual({ exitCode: 0, stdout: `copied ${folder} to ${copy}\n`, stderr: '' });
    for (const directory of [folder, copy]) {
      const { exitCode, stdout, stderr } = await new Command(['check', '--data-dir', directory]).finished();
      expect([exitCode, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/^virtual host +queue +messages +bytes\n\/ +orders +2 +\d+\n/);
      expect(stdout).toContain('no problems found\n');
    }
    const json = await new Command(['check', '--data-dir', folder, '--compact', '--json']).finished();
    expect(JSON.parse(json.stdout)).toMatchObject({
      queues: [{ virtualHost: '/', name: 'orders', messages: 2 }],
      problems: [],
    });
  });

  it.each(['check', 'backup'])('refuses a folder without data with one line: %s', async (name) => {
    const folder = newFolder();
    const args = name === 'backup' ? ['--to', join(folder, 'copy')] : [];
    const { exitCode, stdout, stderr } = await new Command([name, '--data-dir', folder, ...args]).finished();
    expect([exitCode, stdout]).toEqual([1, '']);
    expect(stderr).toBe(`jackalope: there is no broker's data in '${folder}'\n`);
  });
});
