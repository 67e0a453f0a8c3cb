/** The report of a comparison as Markdown. Pure. */
import { bytes, cpuMicros, duration, perSecond } from '../report/units.js';
import type { ComparedRow, Comparison, Figure, Side } from './comparison.js';
import type { Machine } from './machine.js';
import type { Spread } from './medians.js';

export interface ReportFrame {
  readonly date: string;
  readonly machine: Machine;
  readonly versions: Readonly<Record<Side, string>>;
  readonly brokerCommands: Readonly<Record<Side, string>>;
  /** The command that made the report. */
  readonly command: string;
  readonly rounds: number;
  readonly seconds: number;
  /** Of each row, what was given to the load generator. */
  readonly scenarioCommands: readonly string[];
  /** Beside the report. */
  readonly chartFile: string;
}

export function markdownOf(comparison: Comparison, frame: ReportFrame): string {
  const { names, rows } = comparison;
  const { versions, machine } = frame;
  return [
    `# ${versions.ours} and ${versions.theirs}`,
    `![Bars of the ratios in the tables below](${frame.chartFile})`,
    introduction(frame),
    metricSection('Rate', rows, names, (row) => row.rate, perSecond, 'More is better.'),
    metricSection(
      'CPU of the broker per message',
      rows,
      names,
      ({ cpuMicros: figure }) => figure,
      cpuMicros,
      'User and system time of all threads, by published message or operation. Less is better.',
    ),
    metricSection('Latency, 99th percentile', rows, names, (row) => row.p99Micros, duration, latencyNote),
    metricSection('Peak memory during the run (RSS)', rows, names, (row) => row.rssBytes, bytes, memoryNote),
    startSection(comparison),
    problemSection(rows),
    '## Machine',
    `- ${machine.cpu}, ${machine.cores} cores, ${bytes(machine.memoryBytes)}\n- ${machine.system}\n- Node ${machine.node}`,
    commandSection(frame),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n');
}

const latencyNote =
  'From publish to delivery, to the confirm, or from request to reply; at a given rate from when the message was due. ' +
  'Where the rate is not given, the time includes waiting behind all that was sent before. Less is better.';

const memoryNote =
  'The rows of a round run in this order in one process: what a broker keeps of an earlier row counts in later ones. ' +
  'Less is better.';

function introduction({ date, rounds, seconds }: ReportFrame): string {
  return (
    `${date}. Medians of ${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${seconds} s (fewer rounds where a row says so), ` +
    'with the smallest and the largest in brackets. Both brokers ran in their default configuration on one machine, ' +
    'together with the load generator; in each round both started anew, and each scenario ran on one and then on the ' +
    'other, after a run of 1 s that does not count. Ratios are of the medians.'
  );
}

function metricSection(
  title: string,
  rows: readonly ComparedRow[],
  names: Readonly<Record<Side, string>>,
  read: (row: ComparedRow) => Figure,
  unit: (value: number) => string,
  note: string,
): string {
  const measured = rows.filter((row) => read(row).ours !== undefined || read(row).theirs !== undefined);
  if (measured.length === 0) return '';
  const lines = measured.map((row) => tableLine(nameWithMarks(row), read(row), unit));
  return [`## ${title}`, note, table(names, lines)].join('\n\n');
}

function startSection({ names, startMillis, idleRssBytes }: Comparison): string {
  const lines = [
    tableLine('process start to the first AMQP handshake', startMillis, (millis) => duration(millis * 1000)),
    tableLine('memory (RSS) after 5 s without a client', idleRssBytes, bytes),
  ];
  const measured = startMillis.ours !== undefined || startMillis.theirs !== undefined;
  return measured ? ['## Start', 'Less is better.', table(names, lines)].join('\n\n') : '';
}

function problemSection(rows: readonly ComparedRow[]): string {
  const lines = rows.flatMap(({ scenario, problems }) =>
    problems.map((problem) => `- ✗ ${escaped(scenario.name)}: ${escaped(problem)}`),
  );
  return lines.length === 0 ? '' : ['## Failed runs, which do not count above', lines.join('\n')].join('\n\n');
}

function commandSection({ command, brokerCommands, scenarioCommands }: ReportFrame): string {
  const load = ['# each with --uri URL --broker-pid PID', ...scenarioCommands];
  return [
    '## Commands',
    fenced([command]),
    'Brokers:',
    fenced([brokerCommands.ours, brokerCommands.theirs]),
    'Load:',
    fenced(load),
  ].join('\n\n');
}

function fenced(lines: readonly string[]): string {
  return ['```', ...lines, '```'].join('\n');
}

function table(names: Readonly<Record<Side, string>>, lines: readonly string[]): string {
  const [ours, theirs] = [escaped(names.ours), escaped(names.theirs)];
  return [`| | ${ours} | ${theirs} | ${ours} / ${theirs} |`, '|---|--:|--:|--:|', ...lines].join('\n');
}

function tableLine(name: string, { ours, theirs, ratio }: Figure, unit: (value: number) => string): string {
  return `| ${name} | ${spreadText(ours, unit)} | ${spreadText(theirs, unit)} | ${ratioText(ratio)} |`;
}

function nameWithMarks({ scenario, problems }: ComparedRow): string {
  const rounds = scenario.mostRounds === undefined ? '' : ` (${scenario.mostRounds} rounds at most)`;
  return `${escaped(scenario.name)}${rounds}${problems.length === 0 ? '' : ' ✗'}`;
}

function spreadText(spread: Spread | undefined, unit: (value: number) => string): string {
  if (spread === undefined) return '–';
  const { median, min, max } = spread;
  return min === max ? unit(median) : `${unit(median)} (${unit(min)} – ${unit(max)})`;
}

export function ratioText(ratio: number | undefined): string {
  if (ratio === undefined) return '–';
  if (ratio >= 10) return `${Math.round(ratio)}×`;
  return `${ratio.toFixed(ratio >= 1 ? 1 : 2)}×`;
}

/** Text in a table's cell or a list, as itself. */
function escaped(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_<>|[\]]/g, '\\$&');
}
