/**
 * Where options come from: a program, the command line, the environment and a config file, each read against the one
 * table in `option-table.ts` and put together as a validated BrokerOptions.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { type BrokerOptions, COMMAND_DATA_DIRECTORY, OPTIONS, type Option } from './option-table.js';

export type { BrokerOptions, LogFormat, LogLevel, MemoryLimit } from './option-table.js';

const STOMP_PORT = 61_613;

type RenamedOrWidened = 'hosts' | 'amqpPort' | 'memoryLimit' | 'diskFreeLimitBytes';

/** What `startBroker` takes. All of it is optional and checked like the command line. */
export type StartOptions = {
  readonly [Property in keyof Omit<BrokerOptions, RenamedOrWidened>]?: BrokerOptions[Property] | undefined;
} & {
  /** Default 5672; 0 takes any free port. */
  readonly port?: number | undefined;
  /** One address or several; default loopback only. */
  readonly host?: string | readonly string[] | undefined;
  /** Bytes, `512MB`, `2GiB`, or `40%` of what the process may use; default 40%. */
  readonly memoryLimit?: number | string | undefined;
  /** Bytes, `50MB`, `1GiB`; default 50 MB. */
  readonly diskFreeLimitBytes?: number | string | undefined;
};

export type CommandLine =
  | { readonly kind: 'run'; readonly options: BrokerOptions }
  | { readonly kind: 'check'; readonly directory: string; readonly compact: boolean; readonly json: boolean }
  | { readonly kind: 'backup'; readonly directory: string; readonly target: string }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' };

/** An option that does not exist or a value that it does not take. The text is one line and never shows a password. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
}

interface Row {
  readonly property: string;
  readonly option: Option<unknown>;
}

const ROWS: readonly Row[] = Object.entries(OPTIONS).map(([property, option]) => ({ property, option }));

const HELP_ROW = rowOf('help');
const DATA_DIRECTORY_ROW: Row = {
  property: 'dataDirectory',
  option: { ...OPTIONS.dataDirectory, help: "the broker's folder" },
};
const FLAG = { ...OPTIONS.help, only: 'command line' } as const;
const COMPACT = { ...FLAG, name: 'compact', help: 'write the file anew, without its free space' };
const JSON_OUTPUT = { ...FLAG, name: 'json', help: 'print one JSON object' };
const TARGET = {
  ...OPTIONS.dataDirectory,
  name: 'to',
  help: 'folder for the copy, which must not hold one yet',
  only: 'command line',
} as const;

type Subcommand = 'check' | 'backup';

const SUBCOMMANDS: Readonly<Record<Subcommand, { readonly purpose: string; readonly rows: readonly Row[] }>> = {
  check: {
    purpose: 'Verifies the data directory of a broker that is not running, and counts what its queues hold.',
    rows: [
      DATA_DIRECTORY_ROW,
      { property: 'compact', option: COMPACT },
      { property: 'json', option: JSON_OUTPUT },
      HELP_ROW,
    ],
  },
  backup: {
    purpose: 'Copies the data directory as it is at one moment, also that of a running broker.',
    rows: [DATA_DIRECTORY_ROW, { property: 'target', option: TARGET }, HELP_ROW],
  },
};

/** A value before it is checked, and the name under which the user knows it. */
interface Given {
  readonly label: string;
  readonly value: unknown;
}
type Source = ReadonlyMap<string, Given>;
type Environment = Readonly<Record<string, string | undefined>>;

/** The options of a broker that a program starts itself. It logs less than the command: warnings and worse. */
export function brokerOptions(start: StartOptions = {}): BrokerOptions {
  return assemble([fromProgram(start), fromProgram({ logLevel: 'warn', stompPort: 0 })]);
}

/** `argv` without node and the script. Command line before environment before config file before default. */
export function commandLineOptions(argv: readonly string[], env: Environment): CommandLine {
  const [first = '', ...rest] = argv;
  if (first === 'check' || first === 'backup') return subcommand(first, rest, env);
  const given = fromCommandLine(argv, ROWS, 'jackalope');
  if (given.has('help')) return { kind: 'help', text: helpText() };
  if (given.has('version')) return { kind: 'version' };
  const environment = fromEnvironment(env);
  const path = given.get('config') ?? environment.get('config');
  const file = path === undefined ? new Map<string, Given>() : fromFile(path);
  const sources = [given, environment, file];
  const options = { ...assemble(sources), dataDirectory: commandDataDirectory(sources) };
  return { kind: 'run', options: Object.freeze(options) };
}

/** One option's value as a program gives it. Throws OptionError. */
export function parseOption<Property extends keyof BrokerOptions>(
  property: Property,
  value: unknown,
): BrokerOptions[Property] {
  const option: Option<BrokerOptions[Property]> = OPTIONS[property];
  return parsed(option, { label: option.name, value });
}

/** STOMP has a port of its own, unless whoever chose any free port for AMQP did not choose one: then any, too. */
export function stompPortToListenOn({ stompPort, amqpPort }: BrokerOptions): number | 'off' {
  return stompPort ?? (amqpPort === 0 ? 0 : STOMP_PORT);
}

/** Names of all options as the command line, the environment and the config file know them. */
export function optionNames(): readonly string[] {
  return ROWS.map(({ option }) => option.name);
}

/**
 * The users of RabbitMQ's loopback rule. Where nobody chose: nobody while only this machine can connect, and the
 * default user, whose password the world knows, as soon as others can.
 */
export function restrictedToLoopback(
  options: Pick<BrokerOptions, 'hosts' | 'loopbackUsers' | 'defaultUser'>,
): readonly string[] {
  return options.loopbackUsers ?? (listensOnLoopbackOnly(options) ? [] : [options.defaultUser]);
}

export function listensOnLoopbackOnly(options: Pick<BrokerOptions, 'hosts'>): boolean {
  return options.hosts === undefined || options.hosts.every(isLoopback);
}

function subcommand(name: Subcommand, argv: readonly string[], env: Environment): CommandLine {
  const given = fromCommandLine(argv, SUBCOMMANDS[name].rows, `jackalope ${name}`);
  if (given.has('help')) return { kind: 'help', text: subcommandHelp(name) };
  const chosen = given.get('dataDirectory') ?? fromEnvironment(env).get('dataDirectory');
  const directory = chosen === undefined ? COMMAND_DATA_DIRECTORY : textOf(OPTIONS.dataDirectory, chosen);
  if (name === 'check') return { kind: name, directory, compact: given.has('compact'), json: given.has('json') };
  const target = given.get('target');
  if (target === undefined) throw new OptionError(`jackalope backup needs --to: give ${TARGET.expects}`);
  return { kind: name, directory, target: textOf(TARGET, target) };
}

/** The strongest source that says anything about it decides: --memory wins over a JACKALOPE_DATA_DIR. */
function commandDataDirectory(sources: readonly Source[]): string | undefined {
  for (const source of sources) {
    const directory = source.get('dataDirectory');
    const memory = source.get('memory');
    if (memory !== undefined && parsed(OPTIONS.memory, memory)) {
      if (directory === undefined) return undefined;
      throw new OptionError(`${memory.label} and ${directory.label} exclude each other: leave one out`);
    }
    if (directory !== undefined) return parsed(OPTIONS.dataDirectory, directory);
  }
  return COMMAND_DATA_DIRECTORY;
}

function assemble(sources: readonly Source[]): BrokerOptions {
  const options: Record<string, unknown> = {};
  for (const { property, option } of ROWS) {
    const given = sources.find((source) => source.has(property))?.get(property);
    const value = given === undefined ? option.fallback : parsed(option, given);
    if (!option.forCommand) options[property] = value;
  }
  // The table's type has a row of the right value for every property of BrokerOptions; a loop cannot show it.
  return Object.freeze(options) as unknown as BrokerOptions;
}

function textOf(option: Option<string | undefined>, given: Given): string {
  return parsed(option, given) ?? '';
}

function parsed<Value>(option: Option<Value>, { label, value }: Given): Value {
  const text = asText(value);
  const result = text === undefined ? undefined : option.parse(text);
  if (result !== undefined) return result;
  const shown = option.secret ? '' : ` '${printable(text ?? typeof value)}'`;
  throw new OptionError(`${label}${shown} ${option.refusal ?? `is not valid: give ${option.expects}`}`);
}

function fromCommandLine(argv: readonly string[], rows: readonly Row[], command: string): Source {
  const given = new Map<string, Given>();
  let previous: Option<unknown> | undefined;
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? '';
    const [label, inline] = splitOnce(argument === '-h' ? '--help' : argument, '=');
    const row = rows.find(({ option }) => `--${option.name}` === label);
    if (row === undefined) {
      // What stands alone after a password may be the rest of it, cut at a space.
      const shown = argument.startsWith('-') ? label : previous?.secret ? '(not shown)' : `'${argument}'`;
      throw new OptionError(`unknown option ${printable(shown)}; ${command} --help lists the options`);
    }
    let value = inline;
    if (row.option.placeholder === undefined) {
      if (inline !== undefined) throw new OptionError(`${label} takes no value`);
      value = 'true';
    } else if (inline === undefined) {
      value = argv[++index];
      if (value === undefined || value.startsWith('--')) {
        throw new OptionError(`${label} needs a value: give ${row.option.expects}`);
      }
    }
    given.set(row.property, { label, value });
    previous = row.option;
  }
  return given;
}

/** Other JACKALOPE_* variables are nobody's mistake: container platforms set some for a service of that name. */
function fromEnvironment(env: Environment): Source {
  const given = new Map<string, Given>();
  for (const { property, option } of ROWS) {
    const label = environmentName(option);
    const value = env[label];
    if (option.only !== 'command line' && value !== undefined && value !== '') given.set(property, { label, value });
  }
  return given;
}

function fromFile({ label, value }: Given): Source {
  const path = String(value);
  const rows = ROWS.filter(({ option }) => option.only === undefined);
  const given = new Map<string, Given>();
  for (const [key, entry] of Object.entries(readJsonObject(label, path))) {
    const row = rows.find(({ option }) => option.name === key);
    if (row === undefined) {
      const names = rows.map(({ option }) => option.name).join(', ');
      throw new OptionError(`unknown key '${printable(key)}' in ${printable(path)}; valid keys are ${names}`);
    }
    given.set(row.property, { label: `${key} in ${printable(path)}`, value: entry });
  }
  return given;
}

function readJsonObject(label: string, path: string): object {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${error.code})` : '';
    throw new OptionError(`${label} '${printable(path)}' cannot be read${code}: give the path of a JSON file`);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    // The parser's own message quotes the file, which may hold a password.
    throw new OptionError(`${label} '${printable(path)}' is not valid JSON`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new OptionError(`${label} '${printable(path)}' must hold one JSON object: {"amqp-port": 5673}`);
  }
  return content;
}

function fromProgram(start: StartOptions): Source {
  const given = new Map<string, Given>();
  const rows = ROWS.filter(({ option }) => !option.forCommand);
  for (const [name, value] of Object.entries(start)) {
    const row = rows.find(({ property }) => programName(property) === name);
    if (row === undefined) {
      const names = rows.map(({ property }) => programName(property)).join(', ');
      throw new OptionError(`unknown option '${printable(name)}'; valid options are ${names}`);
    }
    if (value !== undefined) given.set(row.property, { label: `option ${name}`, value });
  }
  return given;
}

function rowOf(property: keyof typeof OPTIONS): Row {
  return { property, option: OPTIONS[property] };
}

function programName(property: string): string {
  return property === 'hosts' ? 'host' : property === 'amqpPort' ? 'port' : property;
}

function environmentName(option: Option<unknown>): string {
  return `JACKALOPE_${option.name.toUpperCase().replaceAll('-', '_')}`;
}

function helpText(): string {
  return `Usage: jackalope [options]
       jackalope check [options]
       jackalope backup [options]
       jackalope bench [scenario] [options]

A message broker that RabbitMQ clients connect to.

${optionList(ROWS)}

Every option but --help and --version may also stand in the environment: ${environmentName(OPTIONS.amqpPort)}=5673.
The command line wins over the environment, the environment over the config file.

jackalope check --help and jackalope backup --help tell what they do with a data directory, jackalope bench --help how to
put load on a broker.
`;
}

function subcommandHelp(name: Subcommand): string {
  const { purpose, rows } = SUBCOMMANDS[name];
  return `Usage: jackalope ${name} [options]

${purpose}

${optionList(rows)}
`;
}

function optionList(rows: readonly Row[]): string {
  const lines = rows.map(({ option }) => {
    const usage = `--${option.name}${option.placeholder === undefined ? '' : ` ${option.placeholder}`}`;
    const fallback =
      option.only === 'command line' ? '' : ` (default ${option.fallbackText ?? String(option.fallback)})`;
    return `  ${usage.padEnd(27)} ${wrapped(option.help + fallback, 70, 30)}`;
  });
  return lines.join('\n');
}

function wrapped(text: string, width: number, indent: number): string {
  return text.replace(new RegExp(`(.{1,${width}})( |$)`, 'g'), `$1\n${' '.repeat(indent)}`).trimEnd();
}

function asText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string') ? value.join(',') : undefined;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** Keeps an error text on one line and free of terminal control. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, '?');
}
