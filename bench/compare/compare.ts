/**
 * `npm run bench:compare`: our broker and another one under the same load, in turns, and a report of it.
 * Exit codes: 0, 1 for a failure or a run whose checks failed, 2 for wrong options, 130 for Ctrl-C.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrokerUnderTest, jackalope, type OwnPackage, rabbitMq, runningBroker } from './broker-under-test.js';
import { chartOf } from './chart.js';
import { type CompareOptions, HELP, parseCompareOptions } from './compare-options.js';
import { type Comparison, compareRuns, type Side } from './comparison.js';
import { thisMachine } from './machine.js';
import { markdownOf } from './markdown.js';
import { type RoundsOutcome, runRounds, scenarioArguments } from './rounds.js';
import { RunResources } from './run-resources.js';
import { type ComparedScenario, SCENARIO_SET } from './scenario-set.js';

/** Of the package; this file is three folders below it when compiled. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const RESULTS = join(ROOT, 'bench', 'results');
const INTERRUPTED = 130;

const options = readOptions();
const ownPackage = readOwnPackage();
const scenarios = SCENARIO_SET.filter(
  ({ name }) => options.only.length === 0 || options.only.some((text) => name.includes(text)),
);
if (scenarios.length === 0) refuse(`no scenario has ${options.only.join(' or ')} in its name`);
const resources = new RunResources();
const interrupt = new AbortController();
// What is left when this process ends in any other way than through `run`.
process.once('exit', () => resources.closeNow());
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // Asked twice: at once.
    if (interrupt.signal.aborted) process.exit(INTERRUPTED);
    interrupt.abort();
  });
}
await run();

async function run(): Promise<void> {
  const brokers: Record<Side, BrokerUnderTest> = {
    ours: jackalope(ROOT, ownPackage),
    theirs: options.against === undefined ? rabbitMq() : runningBroker(options.against, options.againstPid),
  };
  const { rounds, seconds } = options;
  const generator = [process.execPath, join(ROOT, ownPackage.command), 'bench'];
  const note = (text: string): void => {
    process.stderr.write(`${text}\n`);
  };
  try {
    const { signal } = interrupt;
    const outcome = await runRounds({ brokers, scenarios, rounds, seconds, generator, resources, signal, note });
    report(brokers, outcome);
  } catch (error) {
    process.exitCode = interrupt.signal.aborted ? INTERRUPTED : 1;
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`bench:compare: ${interrupt.signal.aborted ? 'interrupted' : reason}\n`);
  } finally {
    await resources.close();
  }
}

function report(brokers: Readonly<Record<Side, BrokerUnderTest>>, outcome: RoundsOutcome): void {
  const { runs, starts, identities } = outcome;
  const versions = { ours: versionOf(identities.ours), theirs: options.name ?? versionOf(identities.theirs) };
  const comparison = compareRuns(namesOf(identities, versions), runs, starts);
  const date = new Date().toISOString().slice(0, 'yyyy-mm-dd'.length);
  const file = `${date}-${fileNameOf(versions.theirs)}`;
  const markdown = markdownOf(comparison, {
    date,
    machine: thisMachine(),
    versions,
    brokerCommands: { ours: brokers.ours.command, theirs: brokers.theirs.command },
    command: ownCommand(options),
    rounds: options.rounds,
    seconds: options.seconds,
    scenarioCommands: scenarios.map(commandOf),
    chartFile: `${file}.svg`,
  });
  const directory = options.out ?? RESULTS;
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `${file}.md`), markdown);
  writeFileSync(join(directory, `${file}.svg`), chartOf(comparison, `${versions.ours} and ${versions.theirs}`));
  process.stdout.write(`${markdown}\nWritten to ${relative('.', join(directory, file))}.md and .svg\n`);
  if (hasProblems(comparison)) process.exitCode = 1;
}

function hasProblems({ rows }: Comparison): boolean {
  return rows.some(({ problems }) => problems.length > 0);
}

/** For the heads of tables: without the versions, where that tells the two apart. */
function namesOf(identities: RoundsOutcome['identities'], versions: Record<Side, string>): Record<Side, string> {
  const names = { ours: identities.ours.product, theirs: options.name ?? identities.theirs.product };
  if (names.ours !== names.theirs) return names;
  return versions.ours === versions.theirs ? { ...versions, theirs: `${versions.theirs} (other)` } : versions;
}

function versionOf({ product, version }: RoundsOutcome['identities'][Side]): string {
  return `${product} ${version}`.trim();
}

/** Without what stands in brackets: the platform. */
function fileNameOf(version: string): string {
  return version
    .replace(/ \(.*/, '')
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, '-');
}

function commandOf(scenario: ComparedScenario): string {
  return ['jackalope', 'bench', ...scenarioArguments(scenario, options.seconds)].join(' ');
}

function readOwnPackage(): OwnPackage {
  // Our own file: its shape is known.
  const content = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as PackageFile;
  return { version: content.version, command: content.bin.jackalope };
}

interface PackageFile {
  readonly version: string;
  readonly bin: { readonly jackalope: string };
}

/** The command line again, without what is private in a URL. */
function ownCommand({ rounds, seconds, only, against, againstPid }: CompareOptions): string {
  const parts = ['--rounds', String(rounds), '--seconds', String(seconds)];
  for (const text of only) parts.push('--only', `'${text}'`);
  if (against !== undefined) parts.push('--against', 'URL');
  if (againstPid !== undefined) parts.push('--against-pid', 'PID');
  return `npm run bench:compare -- ${parts.join(' ')}`;
}

function readOptions(): CompareOptions {
  try {
    const parsed = parseCompareOptions(process.argv.slice(2));
    if (parsed !== undefined) return parsed;
    process.stdout.write(HELP);
    return process.exit(0);
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function refuse(text: string): never {
  process.stderr.write(`bench:compare: ${text}\n${HELP}`);
  process.exit(2);
}
