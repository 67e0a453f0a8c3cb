/**
 * The options of `jackalope bench`: one table for all scenarios, with the names of RabbitMQ's PerfTest and of
 * lavinmqperf where they have one. A scenario says which of them it reads; `parseArguments` refuses the others.
 */
import {
  count,
  flag,
  keyValues,
  messageFlags,
  nameOf,
  type Option,
  OptionError,
  one,
  parsed,
  pattern,
  pid,
  refuse,
  seconds,
  sizes,
  text,
  uri,
} from './option-kinds.js';

export { OptionError } from './option-kinds.js';

const EXCHANGE_TYPES = ['direct', 'fanout', 'topic', 'headers'] as const;

export const OPTIONS = {
  uri: uri(['--uri'], 'amqp://guest:guest@127.0.0.1:5672', 'the broker'),
  seconds: seconds(['-z', '--time'], 'length of the run (default 10, or until the counts are reached)'),
  warmupSeconds: one(['--warmup'], 'SECONDS', 0, 'runs that long before anything is measured'),
  drainSeconds: one(
    ['--drain'],
    'SECONDS',
    5,
    'ends the wait for messages, confirms and replies after that much silence',
  ),
  brokerPid: pid(['--broker-pid'], "measure that process's CPU and memory: the broker's, on this machine"),
  label: text(['-d', '--id', '--label'], 'TEXT', '', 'name of the run in the report'),
  json: flag(['-j', '--json'], 'print one line of JSON and no table'),
  help: flag(['-h', '-?', '--help'], 'print the options'),

  producers: count(['-x', '--producers', '--publishers'], 1, 'publishers, each with a connection of its own'),
  consumers: count(['-y', '--consumers'], 1, 'consumers, each with a connection of its own; spread over the queues'),
  queue: text(['-u', '--queue'], 'NAME', 'perf-test', 'queue, or with several the beginning of their names'),
  queues: count(['--queues'], 1, 'number of queues: NAME-1, NAME-2 and so on', 1),
  queuePattern: pattern(['-qp', '--queue-pattern'], 'names of the queues, with % or %d for the number'),
  queuePatternFrom: count(['-qpf', '--queue-pattern-from'], 1, "the pattern's first number"),
  queuePatternTo: count(['-qpt', '--queue-pattern-to'], 1, "the pattern's last number"),
  queueArguments: keyValues(['-qa', '--queue-args'], 'queue arguments, such as x-max-length=10 or a JSON object'),
  durable: flag(['--durable'], 'durable queues and exchange; --persistent makes them so too'),
  autoDelete: flag(['-ad', '--auto-delete'], 'auto-delete queues'),
  purge: flag(['--purge'], 'empty the queues first; a run refuses queues that hold messages'),
  exchange: text(
    ['-e', '--exchange'],
    'NAME',
    '',
    'exchange to publish to; declared and deleted unless its name is amq.*',
  ),
  exchangeType: one(['-t', '--type'], EXCHANGE_TYPES, 'direct', 'type of the exchange'),
  routingKey: text(['-k', '--routing-key'], 'KEY', undefined, "routing key (default the queue's name)"),
  routingKeys: count(['--routing-keys'], 1, 'that many distinct routing keys by turns: KEY with a number behind it', 1),
  bindings: count(['--bindings'], 1, 'bindings of each queue; the routing keys are spread over them', 1),
  bindingKey: text(['--binding-key'], 'KEY', undefined, 'binding key, where it is not the routing key: for topics'),

  sizesBytes: sizes(['-s', '--size'], [16], 'size of the bodies, or several by turns such as 16,1024'),
  flags: messageFlags(['-f', '--flag'], 'persistent or mandatory; may be given twice'),
  persistent: flag(['--persistent'], 'as --flag persistent'),
  mandatory: flag(['--mandatory'], 'as --flag mandatory'),
  confirmWindow: count(
    ['-c', '--confirm'],
    undefined,
    'confirms, with at most that many outstanding for each producer',
    1,
  ),
  ratePerSecond: one(['-r', '--rate'], 'NUMBER', 0, 'messages a second of each producer; 0 is as fast as it goes'),
  messagesPerProducer: count(['-C', '--pmessages'], undefined, 'messages of each producer'),
  messagesPerConsumer: count(['-D', '--cmessages'], undefined, 'deliveries after which a consumer ends the run'),
  prefetch: count(['-q', '--qos', '-P', '--prefetch'], 0, 'unacknowledged messages of each consumer; 0 is no limit'),
  channelPrefetch: count(['-Q', '--global-qos'], 0, 'the same for the whole channel'),
  autoAck: flag(['-a', '--autoack'], 'consume without acknowledgements'),
  ackEvery: count(['-A', '--multi-ack-every'], 1, 'acknowledge that many deliveries at once', 1),

  connections: count(['--connections'], 1, 'connections that work at the same time', 1),
  channels: count(['--channels'], 1, 'channels of each connection', 1),
  pipeline: count(['--pipeline'], 1, 'requests outstanding at a time on each channel', 1),
  operations: count(['-n', '--operations'], undefined, 'ends the run after that many operations', 1),
} as const;

type ValueOf<Entry> = Entry extends Option<infer Value> ? Value : never;

export type OptionName = keyof typeof OPTIONS;
export type BenchOptions = { readonly [Name in OptionName]: ValueOf<(typeof OPTIONS)[Name]> };

/** What every scenario reads. */
export const COMMON_OPTIONS: readonly OptionName[] = [
  'uri',
  'seconds',
  'warmupSeconds',
  'drainSeconds',
  'brokerPid',
  'label',
  'json',
  'help',
];

/** The parts of a scenario that decide how its command line is read. */
export interface OptionUser {
  readonly name: string;
  readonly options: readonly OptionName[];
  readonly defaults?: Partial<BenchOptions>;
}

const NAMES = Object.keys(OPTIONS) as OptionName[]; // Its keys are those of the table.

/** The table's defaults, a scenario's over them, and what is given over both: for programs and tests. */
export function benchOptions(given: Partial<BenchOptions> = {}, defaults: Partial<BenchOptions> = {}): BenchOptions {
  const fallbacks = Object.fromEntries(NAMES.map((name) => [name, OPTIONS[name].fallback]));
  // A row of the right value for every property, which a loop over the table cannot show.
  return { ...fallbacks, ...defaults, ...given } as BenchOptions;
}

/** `argv` behind the scenario's name. Throws OptionError. */
export function parseArguments(argv: readonly string[], user: OptionUser): BenchOptions {
  const given = new Map<OptionName, unknown>();
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? '';
    const [label, inline] = argument.startsWith('--') ? splitOnce(argument) : [argument, undefined];
    const name = NAMES.find((each) => OPTIONS[each].flags.includes(label));
    if (name === undefined) throw unknown(argument.startsWith('-') ? label : `'${argument}'`);
    if (!COMMON_OPTIONS.includes(name) && !user.options.includes(name)) {
      throw new OptionError(
        `${label} means nothing to ${user.name}; jackalope bench ${user.name} --help lists its options`,
      );
    }
    const option: Option<unknown> = OPTIONS[name];
    if (option.placeholder === undefined) {
      if (inline !== undefined) throw new OptionError(`${label} takes no value`);
      given.set(name, true);
      continue;
    }
    const value = inline ?? argv[++index];
    if (value === undefined) throw new OptionError(`${label} needs a value: give ${option.expects}`);
    given.set(name, parsed(option, label, value, given.get(name)));
  }
  return benchOptions(Object.fromEntries(given), user.defaults);
}

export function optionHelp(user: OptionUser): string {
  const names = NAMES.filter((name) => user.options.includes(name) || COMMON_OPTIONS.includes(name));
  return names.map((name) => helpLine(name, user.defaults?.[name])).join('\n');
}

/** Refuses what makes no sense together; `condition` is true when it does. */
export function demand(condition: boolean, text: string): void {
  if (!condition) refuse(text);
}

function helpLine(name: OptionName, scenarioDefault: unknown): string {
  const option: Option<unknown> = OPTIONS[name];
  const usage = `${option.flags.join(', ')}${option.placeholder === undefined ? '' : ` ${option.placeholder}`}`;
  const fallback = option.placeholder === undefined ? '' : nameOf(scenarioDefault ?? option.fallback);
  const shown = fallback === '' ? '' : ` (default ${fallback})`;
  const gap = usage.length > 36 ? `\n${' '.repeat(39)}` : ' '.repeat(37 - usage.length);
  return `  ${usage}${gap}${wrapped(option.help + shown, 78, 39)}`;
}

function wrapped(words: string, width: number, indent: number): string {
  return words.replace(new RegExp(`(.{1,${width}})( |$)`, 'g'), `$1\n${' '.repeat(indent)}`).trimEnd();
}

function unknown(shown: string): OptionError {
  return new OptionError(`unknown option ${shown}; jackalope bench --help lists the scenarios and their options`);
}

function splitOnce(argument: string): [string, string | undefined] {
  const at = argument.indexOf('=');
  return at === -1 ? [argument, undefined] : [argument.slice(0, at), argument.slice(at + 1)];
}
