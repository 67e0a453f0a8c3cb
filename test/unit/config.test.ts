import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type BrokerOptions,
  brokerOptions,
  commandLineOptions,
  listensOnLoopbackOnly,
  OptionError,
  optionNames,
  restrictedToLoopback,
  type StartOptions,
} from '../../src/config.js';

const DEFAULTS: BrokerOptions = {
  hosts: undefined,
  amqpPort: 5672,
  logLevel: 'info',
  logFormat: 'pretty',
  defaultUser: 'guest',
  defaultPassword: 'guest',
  defaultVirtualHost: '/',
  loopbackUsers: undefined,
  maxConnections: 0,
  channelMax: 2047,
  frameMax: 131_072,
  heartbeatSeconds: 60,
  maxMessageSizeBytes: 16_777_216,
  handshakeTimeoutMs: 10_000,
};

function run(argv: readonly string[], env: Record<string, string> = {}): BrokerOptions {
  const commandLine = commandLineOptions(argv, env);
  if (commandLine.kind !== 'run') throw new Error(`not a run: ${commandLine.kind}`);
  return commandLine.options;
}

function errorOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof OptionError) return error.message;
    throw error;
  }
  throw new Error('expected an OptionError');
}

function configFile(content: unknown): string {
  const folder = mkdtempSync(join(tmpdir(), 'jackalope-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'broker.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

describe('the command line', () => {
  it('has defaults for everything', () => {
    expect(run([])).toEqual(DEFAULTS);
  });

  it('takes every option, with a space or an equals sign', () => {
    const argv = ['--host', '::1, localhost', '--amqp-port=0', '--memory', '--log-level', 'debug', '--log-format=json'];
    argv.push('--default-user', 'app', '--default-pass', '-s=3,c', '--default-vhost', 'orders');
    argv.push('--loopback-users', 'app,guest', '--max-connections', '5', '--channel-max', '100', '--frame-max', '4096');
    argv.push('--heartbeat', '0', '--max-message-size', '1', '--handshake-timeout', '50');
    expect(run(argv)).toEqual({
      hosts: ['::1', 'localhost'],
      amqpPort: 0,
      logLevel: 'debug',
      logFormat: 'json',
      defaultUser: 'app',
      defaultPassword: '-s=3,c',
      defaultVirtualHost: 'orders',
      loopbackUsers: ['app', 'guest'],
      maxConnections: 5,
      channelMax: 100,
      frameMax: 4096,
      heartbeatSeconds: 0,
      maxMessageSizeBytes: 1,
      handshakeTimeoutMs: 50,
    });
  });

  it('takes the last of an option given twice', () => {
    expect(run(['--amqp-port', '1', '--amqp-port', '2']).amqpPort).toBe(2);
  });

  it('answers --help and --version whatever else is valid', () => {
    const help = commandLineOptions(['--amqp-port', '0', '--help'], {});
    expect(help.kind).toBe('help');
    expect(commandLineOptions(['-h'], {})).toEqual(help);
    expect(commandLineOptions(['--version'], { JACKALOPE_AMQP_PORT: 'x' })).toEqual({ kind: 'version' });
  });

  it.each([
    [['--prot', '1'], 'unknown option --prot; jackalope --help lists the options'],
    [['--prot=1'], 'unknown option --prot; jackalope --help lists the options'],
    [['-x'], 'unknown option -x; jackalope --help lists the options'],
    [['start'], "unknown option 'start'; jackalope --help lists the options"],
    [['--amqp-port'], '--amqp-port needs a value: give a whole number from 0 to 65535'],
    [['--amqp-port', '--memory'], '--amqp-port needs a value: give a whole number from 0 to 65535'],
    [['--memory=no'], '--memory takes no value'],
    [['--help=yes'], '--help takes no value'],
    [['--amqp-port', '65536'], "--amqp-port '65536' is not valid: give a whole number from 0 to 65535"],
    [['--amqp-port', '0x10'], "--amqp-port '0x10' is not valid: give a whole number from 0 to 65535"],
    [['--amqp-port', '-1'], "--amqp-port '-1' is not valid: give a whole number from 0 to 65535"],
    [['--frame-max', '4095'], "--frame-max '4095' is not valid: give a whole number from 4096 to 2147483647"],
    [['--host', ','], "--host ',' is not valid: give IP addresses or host names separated by commas"],
    [['--host', 'a b'], "--host 'a b' is not valid: give IP addresses or host names separated by commas"],
    [['--log-format', 'xml'], "--log-format 'xml' is not valid: give one of pretty, json"],
    [['--default-user', ''], "--default-user '' is not valid: give a name of 1 to 255 bytes"],
    [['--log-level', 'a\nb\x1b'], /^--log-level 'a\?b\?' is not valid: give one of fatal/],
    [['--data-dir', '/var'], /^--data-dir '\/var' cannot be used yet: durability has not landed/],
    [['--config', '/nowhere/x.json'], /^--config '\/nowhere\/x.json' cannot be read \(ENOENT\)/],
  ])('refuses %j', (argv, message) => {
    expect(errorOf(() => run(argv))).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
  });

  it.each([
    [['--default-pass', 's3cret'.repeat(50)]],
    [['--default-pass', 'long', 's3cret']],
    [['--default-pas=s3cret']],
  ])('shows no password: %j', (argv) => {
    expect(errorOf(() => run(argv))).not.toContain('s3cret');
  });
});

describe('the environment', () => {
  it('has a variable for every option', () => {
    const env = { JACKALOPE_AMQP_PORT: '0', JACKALOPE_DEFAULT_PASS: 'x', JACKALOPE_MEMORY: '1', JACKALOPE_HOST: '::' };
    expect(run([], env)).toEqual({ ...DEFAULTS, amqpPort: 0, defaultPassword: 'x', hosts: ['::'] });
  });

  it('counts an empty variable as absent and leaves other variables alone', () => {
    expect(run([], { JACKALOPE_AMQP_PORT: '', JACKALOPE_SERVICE_HOST: '10.0.0.1', JACKALOPE_HELP: '1' })).toEqual(
      DEFAULTS,
    );
  });

  it('is named in errors', () => {
    const message = "JACKALOPE_AMQP_PORT 'tcp' is not valid: give a whole number from 0 to 65535";
    expect(errorOf(() => run([], { JACKALOPE_AMQP_PORT: 'tcp' }))).toBe(message);
    expect(errorOf(() => run([], { JACKALOPE_DATA_DIR: '/var' }))).toMatch(/^JACKALOPE_DATA_DIR .* cannot be used yet/);
    expect(errorOf(() => run([], { JACKALOPE_DEFAULT_PASS: 's3cret'.repeat(50) }))).not.toContain('s3cret');
  });
});

describe('the config file', () => {
  it('has the names of the options as keys, and lists as arrays', () => {
    const path = configFile({ 'amqp-port': 1, host: ['::1', '127.0.0.1'], memory: true, 'loopback-users': [] });
    const expected = { ...DEFAULTS, amqpPort: 1, hosts: ['::1', '127.0.0.1'], loopbackUsers: [] };
    expect(run(['--config', path])).toEqual(expected);
    expect(run([], { JACKALOPE_CONFIG: path })).toEqual(expected);
  });

  it('comes after the environment, which comes after the command line', () => {
    const path = configFile({ 'amqp-port': 1, 'channel-max': 1, heartbeat: 1 });
    const options = run(['--config', path, '--amqp-port', '3'], {
      JACKALOPE_AMQP_PORT: '2',
      JACKALOPE_CHANNEL_MAX: '2',
    });
    expect([options.amqpPort, options.channelMax, options.heartbeatSeconds]).toEqual([3, 2, 1]);
  });

  it.each([
    [{ port: 1 }, /^unknown key 'port' in .*broker\.json; valid keys are host, amqp-port, .*handshake-timeout$/],
    [{ config: 'x' }, /^unknown key 'config'/],
    [{ 'amqp-port': 'x' }, /^amqp-port in .*broker\.json 'x' is not valid: give a whole number/],
    [{ 'amqp-port': null }, /^amqp-port in .*broker\.json 'object' is not valid: give a whole number/],
    [{ host: [1] }, /^host in .*broker\.json 'object' is not valid: give IP addresses/],
    [{ memory: false }, /^memory in .*broker\.json 'false' is not valid: give true: durability has not landed/],
    [{ 'data-dir': '/var' }, /^data-dir in .* cannot be used yet/],
    [{ 'default-pass': ['s3cret', 1] }, /^default-pass in .*broker\.json is not valid/],
    ['[]', /must hold one JSON object/],
    ['{"default-pass": "s3cret",, }', /^--config '.*broker\.json' is not valid JSON$/],
  ])('refuses %j', (content, message) => {
    const path = configFile(content);
    const text = errorOf(() => run(['--config', path]));
    expect(text).toMatch(message);
    expect(text).not.toContain('s3cret');
  });
});

describe('the options of a program', () => {
  it('are those of the command, but for a quieter log', () => {
    expect(brokerOptions()).toEqual({ ...DEFAULTS, logLevel: 'warn' });
    expect(brokerOptions({ port: 0, host: '::1', logLevel: 'silent', heartbeatSeconds: undefined })).toEqual({
      ...DEFAULTS,
      amqpPort: 0,
      hosts: ['::1'],
      logLevel: 'silent',
    });
    expect(brokerOptions({ host: ['::1', '::'], loopbackUsers: [] })).toMatchObject({
      hosts: ['::1', '::'],
      loopbackUsers: [],
    });
  });

  it('are checked', () => {
    expect(errorOf(() => brokerOptions({ port: -1 }))).toBe(
      "option port '-1' is not valid: give a whole number from 0 to 65535",
    );
    expect(errorOf(() => brokerOptions({ port: 1.5 }))).toMatch(/^option port '1.5' is not valid/);
    expect(errorOf(() => brokerOptions({ amqpPort: 1 } as StartOptions))).toMatch(
      /^unknown option 'amqpPort'; valid options are host, port, logLevel,/,
    );
  });
});

describe('the loopback rule', () => {
  it.each([
    [{}, true, []],
    [{ host: ['127.0.0.1', '::1', 'localhost', '127.9.9.9'] }, true, []],
    [{ host: '0.0.0.0' }, false, ['guest']],
    [{ host: ['::1', '::'], defaultUser: 'app' }, false, ['app']],
    [{ host: '127.example.org' }, false, ['guest']],
    [{ host: '0.0.0.0', loopbackUsers: [] }, false, []],
    [{ loopbackUsers: ['app'] }, true, ['app']],
  ])('with %j', (start: StartOptions, loopbackOnly, users) => {
    const options = brokerOptions(start);
    expect(listensOnLoopbackOnly(options)).toBe(loopbackOnly);
    expect(restrictedToLoopback(options)).toEqual(users);
  });
});

describe('the lists of options', () => {
  it('are complete in --help', () => {
    const help = commandLineOptions(['--help'], {});
    for (const name of optionNames()) expect(help).toMatchObject({ text: expect.stringContaining(`  --${name} `) });
  });

  it('are the same in README', () => {
    const rows = readFileSync('README.md', 'utf8').matchAll(/^\| `--([\w-]+)/gm);
    expect([...rows].map(([, name]) => name)).toEqual(optionNames());
  });
});
