/**
 * `jackalope bench [scenario] [options]`: reads the options, runs the scenario, prints what it found.
 * Exit codes: 0 all checks passed, 1 a check failed or something went wrong, 2 wrong options.
 */
import { type BenchOptions, OptionError, optionHelp, parseArguments } from './options.js';
import { ProgressLine, type ProgressSource } from './report/progress.js';
import { summary } from './report/summary.js';
import type { BenchResult } from './result.js';
import { SCENARIOS, scenarioNamed } from './scenarios/registry.js';
import type { Scenario } from './scenarios/scenario.js';

const DEFAULT_SCENARIO = 'throughput';

/** `argv` behind `bench`. Answers the exit code. */
export async function runBenchCommand(argv: readonly string[]): Promise<number> {
  try {
    const { scenario, rest } = chosen(argv);
    const options = parseArguments(rest, scenario);
    if (options.help) {
      process.stdout.write(rest.length === argv.length ? help() : scenarioHelp(scenario));
      return 0;
    }
    const result = await run(scenario, options, argv);
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${summary(result)}${notes(result)}`);
    return result.checks.passed && result.errors.length === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    process.stderr.write(`jackalope bench: ${error.message}\n`);
    return 2;
  }
}

function chosen(argv: readonly string[]): { scenario: Scenario; rest: readonly string[] } {
  const [first = ''] = argv;
  const isNamed = first !== '' && !first.startsWith('-');
  const name = isNamed ? first : DEFAULT_SCENARIO;
  const scenario = scenarioNamed(name);
  if (scenario === undefined) {
    const names = SCENARIOS.map((each) => each.name).join(', ');
    throw new OptionError(`no scenario is called '${name.replace(/\p{Cc}/gu, '?')}'; there are ${names}`);
  }
  return { scenario, rest: isNamed ? argv.slice(1) : argv };
}

async function run(scenario: Scenario, options: BenchOptions, argv: readonly string[]): Promise<BenchResult> {
  const interruption = new AbortController();
  let progress: ProgressLine | undefined;
  const watch = (source: ProgressSource): void => {
    if (options.json) return;
    progress = new ProgressLine(source);
    progress.start();
  };
  const interrupt = (): void => {
    // The second time it is meant at once.
    if (interruption.signal.aborted) process.exit(130);
    interruption.abort();
  };
  process.on('SIGINT', interrupt);
  try {
    return await scenario.run(options, { signal: interruption.signal, arguments: withoutPasswords(argv), watch });
  } finally {
    progress?.stop();
    process.off('SIGINT', interrupt);
  }
}

/** Results are kept and shown around. */
function withoutPasswords(argv: readonly string[]): string[] {
  return argv.map((argument) => argument.replace(/(\/\/[^/@:]*):[^/@]*@/, '$1:***@'));
}

function notes({ notes = [] }: BenchResult): string {
  return notes.length === 0 ? '' : `\n${notes.map((note) => `  note: ${note}\n`).join('')}`;
}

function help(): string {
  const lines = SCENARIOS.map(({ name, summary: purpose }) => `  ${name.padEnd(18)} ${purpose}`);
  return `Usage: jackalope bench [scenario] [options]

Puts load on an AMQP 0-9-1 broker and checks what comes back.

Scenarios (${DEFAULT_SCENARIO} unless one is named):
${lines.join('\n')}

Options of ${DEFAULT_SCENARIO}; jackalope bench SCENARIO --help lists those of another:
${optionHelp(SCENARIOS.find(({ name }) => name === DEFAULT_SCENARIO) ?? { name: '', options: [] })}

The exit code is 0 when all checks passed, 1 when one failed or the broker refused something, 2 for wrong options.
`;
}

function scenarioHelp(scenario: Scenario): string {
  return `Usage: jackalope bench ${scenario.name} [options]

${scenario.summary}

${optionHelp(scenario)}
`;
}
