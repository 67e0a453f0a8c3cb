/**
 * The table of options. --help, the command line, the JACKALOPE_* environment variables, the keys of the config file
 * and BrokerOptions all come from it (`config.ts`). A new option is a row and a line in the interface; README lists
 * it, and a test compares the two.
 */
import { isIP } from 'node:net';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_FORMATS = ['pretty', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** An absolute number of bytes, or a share of what the process may use. */
export type MemoryLimit = number | `${number}%`;

export interface BrokerOptions {
  /** Addresses to listen on. Undefined: loopback only, 127.0.0.1 and, where the machine has it, ::1. */
  readonly hosts: readonly string[] | undefined;
  /** 0 takes any free port. */
  readonly amqpPort: number;
  /** 0 takes any free port, `off` is no STOMP at all. Undefined: see `stompPortToListenOn`. */
  readonly stompPort: number | 'off' | undefined;
  /** Where durable definitions and persistent messages are kept. Undefined: everything in memory, no disk at all. */
  readonly dataDirectory: string | undefined;
  /** A file of definitions, or a folder of them, to import at the start. It brings its own users and virtual hosts. */
  readonly definitions: string | undefined;
  /** Events are published to `amq.rabbitmq.event` of the default virtual host. */
  readonly eventExchange: boolean;
  /** An x-death header that a client publishes counts as history, as up to RabbitMQ 3.13. */
  readonly trustClientDeaths: boolean;
  /** Publishers are blocked when the process takes more. */
  readonly memoryLimit: MemoryLimit;
  /** Publishers are blocked while the data directory's file system has less than this free. */
  readonly diskFreeLimitBytes: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly defaultUser: string;
  readonly defaultPassword: string;
  readonly defaultVirtualHost: string;
  /** Users that may connect from this machine only. Undefined: see `restrictedToLoopback`. */
  readonly loopbackUsers: readonly string[] | undefined;
  /** 0 is no limit. */
  readonly maxConnections: number;
  readonly channelMax: number;
  readonly frameMax: number;
  /** 0 is off. */
  readonly heartbeatSeconds: number;
  readonly maxMessageSizeBytes: number;
  readonly handshakeTimeoutMs: number;
  /** 0 is off. */
  readonly consumerTimeoutMs: number;
}

export interface Option<Value> {
  /** Its name on the command line, after the dashes, and its key in the config file. */
  readonly name: string;
  /** What stands for the value in --help. A flag has none. */
  readonly placeholder?: string;
  readonly help: string;
  readonly fallback: Value;
  /** The default in words, where the value does not say it. */
  readonly fallbackText?: string;
  /** What a good value is, after "give ". */
  readonly expects: string;
  /** Why no value is taken at all. */
  readonly refusal?: string;
  readonly secret?: boolean;
  /** Steers the command itself and does not reach the broker. */
  readonly forCommand?: true;
  /** Where it may stand; everywhere when absent. */
  readonly only?: 'command line' | 'command line and environment';
  /** Undefined when `text` is not a valid value. */
  readonly parse: (text: string) => Value | undefined;
}

/** Options that steer the command itself and do not reach the broker. */
interface RunOptions {
  readonly memory: boolean;
  readonly config: string | undefined;
  readonly help: boolean;
  readonly version: boolean;
}

export type Table = { readonly [P in keyof (BrokerOptions & RunOptions)]: Option<(BrokerOptions & RunOptions)[P]> };

/** Where the command keeps data when nobody chose. A library that wrote into the current folder would surprise. */
export const COMMAND_DATA_DIRECTORY = './data';

const KILO = 1000;
const KIBI = 1024;
/** RabbitMQ's units, K, M and G without more being powers of ten there since 3.13. */
const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  k: KILO,
  kb: KILO,
  ki: KIBI,
  kib: KIBI,
  m: KILO ** 2,
  mb: KILO ** 2,
  mi: KIBI ** 2,
  mib: KIBI ** 2,
  g: KILO ** 3,
  gb: KILO ** 3,
  gi: KIBI ** 3,
  gib: KIBI ** 3,
  t: KILO ** 4,
  tb: KILO ** 4,
  ti: KIBI ** 4,
  tib: KIBI ** 4,
};

export const OPTIONS: Table = {
  hosts: {
    name: 'host',
    placeholder: 'ADDRESS,...',
    help: 'addresses or host names to listen on; 0.0.0.0 and :: are all of this machine',
    fallback: undefined,
    fallbackText: '127.0.0.1 and ::1',
    expects: 'IP addresses or host names separated by commas',
    parse: (text) => {
      const hosts = listOf(text);
      return hosts.length > 0 && hosts.every(isHost) ? hosts : undefined;
    },
  },
  amqpPort: {
    name: 'amqp-port',
    placeholder: 'PORT',
    help: 'port for AMQP 0-9-1; 0 takes any free port',
    fallback: 5672,
    ...wholeNumber(0, 65535),
  },
  stompPort: {
    name: 'stomp-port',
    placeholder: 'PORT',
    help: 'port for STOMP 1.0 to 1.2; 0 takes any free port, off is no STOMP',
    fallback: undefined,
    fallbackText: '61613, or any free port with --amqp-port 0',
    ...portOrOff(),
  },
  dataDirectory: {
    name: 'data-dir',
    placeholder: 'FOLDER',
    help: 'folder for durable queues and persistent messages; created if missing',
    fallback: undefined,
    fallbackText: COMMAND_DATA_DIRECTORY,
    expects: 'the path of a folder',
    parse: (text) => (text === '' || text.includes('\0') ? undefined : text),
  },
  memory: {
    name: 'memory',
    help: 'keep everything in memory and write nothing to disk, instead of --data-dir',
    fallback: false,
    fallbackText: 'off',
    forCommand: true,
    expects: 'true or false',
    parse: (text) => {
      if (text === 'true' || text === '1') return true;
      return text === 'false' || text === '0' ? false : undefined;
    },
  },
  definitions: {
    name: 'definitions',
    placeholder: 'FILE',
    help: 'definitions of RabbitMQ (JSON) to import before anybody can connect; of a folder, every file',
    fallback: undefined,
    fallbackText: 'none',
    expects: 'the path of a file or folder',
    parse: (text) => (text === '' || text.includes('\0') ? undefined : text),
  },
  eventExchange: {
    name: 'event-exchange',
    help: 'publish what happens in the broker to the exchange amq.rabbitmq.event of the default virtual host',
    fallback: false,
    fallbackText: 'off',
    expects: 'true or false',
    parse: (text) => {
      if (text === 'true' || text === '1') return true;
      return text === 'false' || text === '0' ? false : undefined;
    },
  },
  trustClientDeaths: {
    name: 'trust-client-deaths',
    help: 'go on with the x-death header of a published message when it dies, as up to RabbitMQ 3.13',
    fallback: false,
    fallbackText: 'off',
    expects: 'true or false',
    parse: (text) => {
      if (text === 'true' || text === '1') return true;
      return text === 'false' || text === '0' ? false : undefined;
    },
  },
  memoryLimit: {
    name: 'memory-limit',
    placeholder: 'SIZE',
    help: 'memory above which publishers are blocked: bytes, 512MB, 2GiB, or 40% of what the process may use',
    fallback: '40%',
    expects: 'bytes, a size like 512MB or 2GiB, or a share like 40%',
    parse: (text) => percentage(text) ?? sizeBytes(text),
  },
  diskFreeLimitBytes: {
    name: 'disk-free-limit',
    placeholder: 'SIZE',
    help: 'free disk space below which publishers are blocked: bytes, 50MB, 1GiB',
    fallback: 50_000_000,
    fallbackText: '50MB',
    expects: 'bytes or a size like 50MB or 1GiB',
    parse: sizeBytes,
  },
  config: {
    name: 'config',
    placeholder: 'FILE',
    help: 'JSON file whose keys are these names without dashes in front: {"amqp-port": 5673}',
    fallback: undefined,
    fallbackText: 'none',
    only: 'command line and environment',
    forCommand: true,
    expects: 'the path of a JSON file',
    parse: (text) => text,
  },
  logLevel: {
    name: 'log-level',
    placeholder: 'LEVEL',
    help: LOG_LEVELS.join(', '),
    fallback: 'info',
    ...oneOf(LOG_LEVELS),
  },
  logFormat: {
    name: 'log-format',
    placeholder: 'FORMAT',
    help: 'pretty for people, json (one object a line) for machines',
    fallback: 'pretty',
    ...oneOf(LOG_FORMATS),
  },
  defaultUser: {
    name: 'default-user',
    placeholder: 'NAME',
    help: 'the user that exists from the start, with all permissions',
    fallback: 'guest',
    ...shortText('a name of 1 to 255 bytes'),
  },
  defaultPassword: {
    name: 'default-pass',
    placeholder: 'PASSWORD',
    help: 'its password; better in the environment or the config file, where other users cannot list it',
    fallback: 'guest',
    secret: true,
    ...shortText('a password of 1 to 255 bytes'),
  },
  defaultVirtualHost: {
    name: 'default-vhost',
    placeholder: 'NAME',
    help: 'the virtual host that exists from the start',
    fallback: '/',
    ...shortText('a name of 1 to 255 bytes'),
  },
  loopbackUsers: {
    name: 'loopback-users',
    placeholder: 'USER,...',
    help: 'users that may only connect from this machine, or none (for containers)',
    fallback: undefined,
    fallbackText: 'none on loopback, the default user when --host goes wider',
    expects: 'user names separated by commas, or none',
    parse: (text) => (text === 'none' ? [] : listOf(text)),
  },
  maxConnections: {
    name: 'max-connections',
    placeholder: 'COUNT',
    help: 'refuse connections beyond this many; 0 is no limit',
    fallback: 0,
    ...wholeNumber(0, 10_000_000),
  },
  channelMax: {
    name: 'channel-max',
    placeholder: 'COUNT',
    help: 'channels that one connection may open',
    fallback: 2047,
    ...wholeNumber(1, 65535),
  },
  frameMax: {
    name: 'frame-max',
    placeholder: 'BYTES',
    help: 'largest frame, proposed to clients',
    fallback: 131_072,
    // AMQP 0-9-1 4.2.3: frame-min-size is 4096, which both sides must take whatever they agree on.
    ...wholeNumber(4096, 0x7fffffff),
  },
  heartbeatSeconds: {
    name: 'heartbeat',
    placeholder: 'SECONDS',
    help: 'heartbeat, proposed to clients; 0 is off',
    fallback: 60,
    ...wholeNumber(0, 65535),
  },
  maxMessageSizeBytes: {
    name: 'max-message-size',
    placeholder: 'BYTES',
    help: 'largest message body',
    fallback: 16_777_216,
    ...wholeNumber(1, 536_870_912),
  },
  handshakeTimeoutMs: {
    name: 'handshake-timeout',
    placeholder: 'MS',
    help: 'time a client has from connecting to opening a virtual host',
    fallback: 10_000,
    // The longest delay that a timer of Node takes.
    ...wholeNumber(1, 0x7fffffff),
  },
  consumerTimeoutMs: {
    name: 'consumer-timeout',
    placeholder: 'MS',
    help: 'time a delivery may wait for its acknowledgement before its channel is closed, 0 for any',
    fallback: 30 * 60 * 1000,
    ...wholeNumber(0, Number.MAX_SAFE_INTEGER),
  },
  version: { name: 'version', help: 'print the version', only: 'command line', ...flag() },
  help: { name: 'help', help: 'print this text', only: 'command line', ...flag() },
};

function listOf(text: string): readonly string[] {
  const entries = text.split(',').map((entry) => entry.trim());
  return entries.filter((entry) => entry !== '');
}

function isHost(text: string): boolean {
  return isIP(text) !== 0 || /^(?!-)[\w-]+(\.[\w-]+)*\.?$/.test(text);
}

function wholeNumber(least: number, most: number): Pick<Option<number>, 'expects' | 'parse'> {
  return {
    expects: `a whole number from ${least} to ${most}`,
    parse: (text) => {
      const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
      return value >= least && value <= most ? value : undefined;
    },
  };
}

function portOrOff(): Pick<Option<number | 'off' | undefined>, 'expects' | 'parse'> {
  const port = wholeNumber(0, 65535);
  return { expects: `${port.expects}, or off`, parse: (text) => (text === 'off' ? 'off' : port.parse(text)) };
}

/** `512MB`, `2GiB`, `1000`; upper and lower case are the same. */
export function sizeBytes(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^(\d{1,15})([a-z]*)$/i.exec(text) ?? [];
  const factor = UNIT_BYTES[unit.toLowerCase()];
  const bytes = digits === '' || factor === undefined ? Number.NaN : Number(digits) * factor;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

function percentage(text: string): MemoryLimit | undefined {
  const [, digits = ''] = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(text) ?? [];
  return digits !== '' && Number(digits) <= 100 ? `${Number(digits)}%` : undefined;
}

function oneOf<Choice extends string>(choices: readonly Choice[]): Pick<Option<Choice>, 'expects' | 'parse'> {
  return { expects: `one of ${choices.join(', ')}`, parse: (text) => choices.find((choice) => choice === text) };
}

function shortText(expects: string): Pick<Option<string>, 'expects' | 'parse'> {
  return { expects, parse: (text) => (text !== '' && Buffer.byteLength(text) <= 255 ? text : undefined) };
}

function flag(): Pick<Option<boolean>, 'expects' | 'fallback' | 'forCommand' | 'parse'> {
  return { expects: 'no value', fallback: false, forCommand: true, parse: (text) => text === 'true' || undefined };
}
