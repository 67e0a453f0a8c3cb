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
  stompPort: undefined,
  dataDirectory: './data',
  definitions: undefined,
  eventExchange: false,
  trustClientDeaths: false,
  memoryLimit: '40%',
  diskFreeLimitBytes: 50_000_000,
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
  consumerTimeoutMs: 1_800_000,
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
    const argv = ['--host', '::1, localhost', '--amqp-port=0', '--log-level', 'debug', '--log-format=json'];
    argv.push('--data-dir', '/var/lib/jackalope', '--memory-limit=512MB', '--disk-free-limit', '1GiB');
    argv.push('--default-user', 'app', '--default-pass', '-s=3,c', '--default-vhost', 'orders');
    argv.push('--loopback-users', 'app,guest', '--max-connections', '5', '--channel-max', '100', '--frame-max', '4096');
    argv.push('--heartbeat', '0', '--max-message-size', '1', '--handshake-timeout', '50');
    argv.push('--consumer-timeout', '0', '--event-exchange', '--trust-client-deaths');
    expect(run(argv)).toEqual({
      hosts: ['::1', 'localhost'],
      consumerTimeoutMs: 0,
      eventExchange: true,
      trustClientDeaths: true,
      amqpPort: 0,
      dataDirectory: '/var/lib/jackalope',
      memoryLimit: 512_000_000,
      diskFreeLimitBytes: 1_073_741_824,
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
    [['--data-dir', ''], "--data-dir '' is not valid: give the path of a folder"],
    [['--memory', '--data-dir', 'd'], '--memory and --data-dir exclude each other: leave one out'],
    [
      ['--memory-limit', '101%'],
      "--memory-limit '101%' is not valid: give bytes, a size like 512MB or 2GiB, or a share like 40%",
    ],
    [['--disk-free-limit', '40%'], "--disk-free-limit '40%' is not valid: give bytes or a size like 50MB or 1GiB"],
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
    const expected = { ...DEFAULTS, dataDirectory: undefined, amqpPort: 0, defaultPassword: 'x', hosts: ['::'] };
    expect(run([], env)).toEqual(expected);
  });

  it('counts an empty variable as absent and leaves other variables alone', () => {
    expect(run([], { JACKALOPE_AMQP_PORT: '', JACKALOPE_SERVICE_HOST: '10.0.0.1', JACKALOPE_HELP: '1' })).toEqual(
      DEFAULTS,
    );
  });

  it('is named in errors', () => {
    const message = "JACKALOPE_AMQP_PORT 'tcp' is not valid: give a whole number from 0 to 65535";
    expect(errorOf(() => run([], { JACKALOPE_AMQP_PORT: 'tcp' }))).toBe(message);
    expect(errorOf(() => run([], { JACKALOPE_MEMORY_LIMIT: 'x' }))).toMatch(/^JACKALOPE_MEMORY_LIMIT 'x' is not valid/);
    expect(errorOf(() => run([], { JACKALOPE_DEFAULT_PASS: 's3cret'.repeat(50) }))).not.toContain('s3cret');
  });
});

describe('the config file', () => {
  it('has the names of the options as keys, and lists as arrays', () => {
    const path = configFile({ 'amqp-port': 1, host: ['::1', '127.0.0.1'], memory: true, 'loopback-users': [] });
    const expected = {
      ...DEFAULTS,
      dataDirectory: undefined,
      amqpPort: 1,
      hosts: ['::1', '127.0.0.1'],
      loopbackUsers: [],
    };
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
    [{ port: 1 }, /^unknown key 'port' in .*broker\.json; valid keys are host, amqp-port, .*consumer-timeout$/],
    [{ config: 'x' }, /^unknown key 'config'/],
    [{ 'amqp-port': 'x' }, /^amqp-port in .*broker\.json 'x' is not valid: give a whole number/],
    [{ 'amqp-port': null }, /^amqp-port in .*broker\.json 'object' is not valid: give a whole number/],
    [{ host: [1] }, /^host in .*broker\.json 'object' is not valid: give IP addresses/],
    [{ memory: 'no' }, /^memory in .*broker\.json 'no' is not valid: give true or false/],
    [
      { memory: true, 'data-dir': '/var' },
      /^memory in .*json and data-dir in .*json exclude each other: leave one out/,
    ],
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

describe('where data is kept', () => {
  it('is the folder data, or what the strongest source says', () => {
    expect(run([]).dataDirectory).toBe('./data');
    expect(run(['--memory']).dataDirectory).toBeUndefined();
    expect(run(['--memory'], { JACKALOPE_DATA_DIR: '/var' }).dataDirectory).toBeUndefined();
    expect(run(['--data-dir', 'd'], { JACKALOPE_MEMORY: '1' }).dataDirectory).toBe('d');
    expect(run([], { JACKALOPE_MEMORY: '0', JACKALOPE_DATA_DIR: 'd' }).dataDirectory).toBe('d');
    expect(run(['--config', configFile({ 'data-dir': 'd' })]).dataDirectory).toBe('d');
    expect(run(['--config', configFile({ memory: true })]).dataDirectory).toBeUndefined();
    expect(run(['--config', configFile({ memory: false })]).dataDirectory).toBe('./data');
  });
});

describe('a size', () => {
  it.each([
    ['0', 0],
    ['1234', 1234],
    ['1k', 1000],
    ['1kB', 1000],
    ['3KiB', 3072],
    ['2M', 2_000_000],
    ['2MB', 2_000_000],
    ['2Mi', 2_097_152],
    ['512MiB', 536_870_912],
    ['1G', 1_000_000_000],
    ['1gib', 1_073_741_824],
    ['1TB', 1_000_000_000_000],
  ])('%s is %i bytes', (text, bytes) => {
    expect(run(['--disk-free-limit', text]).diskFreeLimitBytes).toBe(bytes);
    expect(run(['--memory-limit', text]).memoryLimit).toBe(bytes);
  });

  it.each(['', '-1', '1.5GB', '1 GB', 'GB', '1XB', '1GBs', '999999999TB', '1constructor'])('is not %j', (text) => {
    expect(errorOf(() => run([`--disk-free-limit=${text}`]))).toContain('is not valid');
  });

  it.each([
    ['40%', '40%'],
    ['0%', '0%'],
    ['012.50%', '12.5%'],
    ['100%', '100%'],
  ])('may be a share of memory: %s', (text, limit) => {
    expect(run(['--memory-limit', text]).memoryLimit).toBe(limit);
  });
});

describe('the subcommands', () => {
  it('check and backup take the data directory as the broker does', () => {
    const check = { kind: 'check', directory: './data', compact: false, json: false };
    expect(commandLineOptions(['check'], {})).toEqual(check);
    expect(commandLineOptions(['check', '--data-dir=d', '--compact', '--json'], { JACKALOPE_DATA_DIR: 'e' })).toEqual({
      kind: 'check',
      directory: 'd',
      compact: true,
      json: true,
    });
    expect(commandLineOptions(['backup', '--to', 'copy'], { JACKALOPE_DATA_DIR: 'e' })).toEqual({
      kind: 'backup',
      directory: 'e',
      target: 'copy',
    });
  });

  it('have a help of their own', () => {
    const help = (name: string) => commandLineOptions([name, '--help'], {});
    expect(help('check')).toMatchObject({
      kind: 'help',
      text: expect.stringMatching(/^Usage: jackalope check.*--data-dir FOLDER.*--compact.*--json/s),
    });
    expect(help('backup')).toMatchObject({
      kind: 'help',
      text: expect.stringMatching(/^Usage: jackalope backup.*--data-dir FOLDER.*--to FOLDER/s),
    });
  });

  it.each([
    [['check', '--amqp-port', '1'], 'unknown option --amqp-port; jackalope check --help lists the options'],
    [['check', '--to', 'd'], 'unknown option --to; jackalope check --help lists the options'],
    [['check', '--data-dir='], "--data-dir '' is not valid: give the path of a folder"],
    [['backup'], 'jackalope backup needs --to: give the path of a folder'],
    [['backup', '--to'], '--to needs a value: give the path of a folder'],
    [['--memory', 'check'], "unknown option 'check'; jackalope --help lists the options"],
  ])('refuse %j', (argv, message) => {
    expect(errorOf(() => commandLineOptions(argv, {}))).toBe(message);
  });
});

describe('the options of a program', () => {
  it('are those of the command, but for a quieter log and any port for STOMP', () => {
    expect(brokerOptions()).toEqual({ ...DEFAULTS, dataDirectory: undefined, logLevel: 'warn', stompPort: 0 });
    expect(brokerOptions({ port: 0, host: '::1', logLevel: 'silent', heartbeatSeconds: undefined })).toEqual({
      ...DEFAULTS,
      dataDirectory: undefined,
      amqpPort: 0,
      hosts: ['::1'],
      logLevel: 'silent',
      stompPort: 0,
    });
    expect(brokerOptions({ dataDirectory: 'd', memoryLimit: '1GB', diskFreeLimitBytes: 7 })).toMatchObject({
      dataDirectory: 'd',
      memoryLimit: 1_000_000_000,
      diskFreeLimitBytes: 7,
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
      /^unknown option 'amqpPort'; valid options are host, port, stompPort, dataDirectory, definitions,/,
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
