/**
 * `npm run bench:micro`: what single steps of the hot path cost, in CPU per message, beside the saved baseline.
 * Exit codes: 0, 1 for a failure and with --check for a regression, 2 for wrong options.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { type Baseline, confirmedRegressions, medianMeasurement, parseBaseline } from './baseline.js';
import { CALIBRATION_VERSION } from './calibration.js';
import type { Measurement } from './measure.js';
import { baselineText, regressionText, tableOf } from './report.js';
import { nameOf } from './step.js';
import { STEPS } from './steps.js';

const HELP = `npm run bench:micro -- [options]
  --save         keep the figures as the baseline (bench/micro/baseline.json)
  --check        exit with 1 when a step takes over 15% more CPU than in the baseline
  --only TEXT    only the steps with this text in their name
  --passes N     processes that measure each step; the median counts (5)
`;
const BASELINE = new URL('../../../bench/micro/baseline.json', import.meta.url);
const STEP_PROCESS = fileURLToPath(new URL('./step-process.js', import.meta.url));
const PASSES_AGAIN = 3;
const ATTEMPTS = 3;
const INTERRUPTED = 130;

const options = readOptions();
const names = STEPS.map(nameOf).filter((name) => name.includes(options.only));
if (names.length === 0) refuse(`no step has '${options.only}' in its name`);
const scratch = mkdtempSync(join(tmpdir(), 'jackalope-micro-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(INTERRUPTED));
await run();

async function run(): Promise<void> {
  const baseline = readBaseline();
  const measured = await measureAll();
  process.stdout.write(tableOf(measured, baseline));
  if (baseline !== undefined) await compare(baseline, measured);
  if (options.save) save(measured);
}

async function compare(baseline: Baseline, measured: ReadonlyMap<string, Measurement>): Promise<void> {
  process.stdout.write(`\n${baselineText(baseline, measured)}`);
  // What is saved now need not be judged by what was saved before.
  if (options.save) return;
  const again = async (name: string): Promise<Measurement> => {
    const passes: Measurement[] = [];
    for (let pass = 0; pass < PASSES_AGAIN; pass++) passes.push(await measureStep(name));
    return medianMeasurement(passes);
  };
  const regressions = await confirmedRegressions(baseline, measured, again, ATTEMPTS);
  for (const regression of regressions) process.stdout.write(regressionText(regression));
  if (regressions.length > 0 && options.check) process.exitCode = 1;
}

/** All steps once, then all again: a slow minute of the machine meets each step in one pass at most. */
async function measureAll(): Promise<Map<string, Measurement>> {
  const passes = new Map<string, Measurement[]>(names.map((name) => [name, []]));
  for (let pass = 1; pass <= options.passes; pass++) {
    if (process.stderr.isTTY) process.stderr.write(`pass ${pass} of ${options.passes}\n`);
    for (const [name, measurements] of passes) measurements.push(await measureStep(name));
  }
  return new Map([...passes].map(([name, measurements]) => [name, medianMeasurement(measurements)]));
}

async function measureStep(name: string): Promise<Measurement> {
  // Data directories go where this process removes them, whatever becomes of the child.
  const env = { ...process.env, TMPDIR: scratch, TEMP: scratch };
  const { stdout } = await promisify(execFile)(process.execPath, [STEP_PROCESS, name], { env });
  // What step-process.ts prints.
  return JSON.parse(stdout) as Measurement;
}

function readBaseline(): Baseline | undefined {
  let text: string;
  try {
    text = readFileSync(BASELINE, 'utf8');
  } catch {
    if (options.check) fail('there is no baseline to check against; make one with --save');
    return undefined;
  }
  try {
    return parseBaseline(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (!options.save) fail(`${fileURLToPath(BASELINE)}: ${reason}`);
    return undefined;
  }
}

function save(measured: ReadonlyMap<string, Measurement>): void {
  const baseline: Baseline = {
    calibration: CALIBRATION_VERSION,
    node: process.versions.node,
    cpu: cpus()[0]?.model ?? 'unknown',
    date: new Date().toISOString().slice(0, 'yyyy-mm-dd'.length),
    steps: Object.fromEntries(measured),
  };
  writeFileSync(BASELINE, `${JSON.stringify(baseline, undefined, 2)}\n`);
  process.stdout.write(`\nSaved as the baseline: ${fileURLToPath(BASELINE)}\n`);
}

interface Options {
  readonly save: boolean;
  readonly check: boolean;
  readonly only: string;
  readonly passes: number;
}

function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        save: { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
        only: { type: 'string', default: '' },
        passes: { type: 'string', default: '5' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(HELP);
      process.exit(0);
    }
    const passes = Number(values.passes);
    if (!Number.isInteger(passes) || passes < 1) refuse('--passes takes a whole number from 1');
    if (values.save && values.only !== '') refuse('a baseline holds all steps: --save goes without --only');
    return { save: values.save, check: values.check, only: values.only, passes };
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function refuse(text: string): never {
  process.stderr.write(`bench:micro: ${text}\n${HELP}`);
  process.exit(2);
}

function fail(text: string): never {
  process.stderr.write(`bench:micro: ${text}\n`);
  process.exit(1);
}
