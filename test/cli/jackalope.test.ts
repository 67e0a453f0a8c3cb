import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import amqp from 'amqplib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WireClient } from '../support/wire-client.js';
import { Command } from './command.js';

const STARTED = 'Server startup complete';

async function started(args: readonly string[] = [], env: Record<string, string> = {}): Promise<[Command, string]> {
  const command = new Command(['--amqp-port', '0', ...args], env);
  const output = await command.printed(STARTED);
  return [command, output];
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
    [['--data-dir', '/var/lib/jackalope'], {}, /durability has not landed, so memory is the only store; leave it out$/],
    [[], { JACKALOPE_DATA_DIR: '/var/lib/jackalope' }, /^JACKALOPE_DATA_DIR .* cannot be used yet/],
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
    const { exitCode, stderr } = await new Command(['--amqp-port', String(port)]).finished();
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      `jackalope: cannot listen on 127.0.0.1 port ${port}: another program does; stop it or choose --amqp-port\n`,
    );
  });

  it('says that an address is not one of this machine', async () => {
    // 192.0.2.0/24 is kept for documentation (RFC 5737): no machine has it.
    const { exitCode, stderr } = await new Command(['--host', '192.0.2.1', '--amqp-port', '0']).finished();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^jackalope: cannot listen on 192\.0\.2\.1.*: not an address of this machine; see --host\n$/,
    );
  });

  it('prints the URL to paste into a client and where messages are kept', async () => {
    const [command, output] = await started();
    expect(output).toContain('Jackalope 0.');
    expect(output).toContain('in memory');
    const url = urlIn(output);
    expect([url.username, url.password, url.hostname]).toEqual(['guest', 'guest', '127.0.0.1']);
    const connection = await amqp.connect(url.href);
    await connection.close();
    expect(command.stderr).toBe('');
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
    const command = new Command(['--amqp-port', '0'], { npm_execpath: 'npm' }, { shell: true });
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
