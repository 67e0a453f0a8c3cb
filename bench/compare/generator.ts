/** Runs `jackalope bench` as a process of its own and reads the one line that it prints with --json. */
import { spawn } from 'node:child_process';
import type { BenchResult } from '../result.js';

const LAST_LINES = 10;
const WRONG_OPTIONS = 2;
/** Beyond the run itself: connecting, warming up, waiting for what is still on its way. */
const TIMEOUT_MS = 600_000;

/** The generator did not take its options: so it will be in every other run. */
export class GeneratorUsageError extends Error {}

/** Rejects with what the generator said when it printed no result, and when `signal` ends it. */
export async function runGenerator(
  command: readonly string[],
  signal: AbortSignal,
  timeoutMs = TIMEOUT_MS,
): Promise<BenchResult> {
  const { code, stdout, stderr } = await output(command, signal, timeoutMs);
  const line = stdout.trim();
  if (line === '') throw failure(command, code, stderr);
  return parseResult(line);
}

function failure(command: readonly string[], code: number | string | null, stderr: string): Error {
  const words = stderr.trim().split('\n').slice(-LAST_LINES).join('\n');
  const text = `the load generator ended with ${code} and no result${words === '' ? '' : `: ${words}`}`;
  return code === WRONG_OPTIONS ? new GeneratorUsageError(`${text}\ncommand: ${command.join(' ')}`) : new Error(text);
}

interface Output {
  /** Exit code, or the signal that ended it. */
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

function output(command: readonly string[], signal: AbortSignal, timeoutMs: number): Promise<Output> {
  const [program = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], signal });
    const late = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', (error) => {
      clearTimeout(late);
      reject(error);
    });
    child.once('close', (code, endedBy) => {
      clearTimeout(late);
      resolve({ code: endedBy ?? code, stdout, stderr });
    });
  });
}

/** Throws Error for what is no result. */
export function parseResult(line: string): BenchResult {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    throw new Error(`the load generator printed no JSON line: '${shortened(line)}'`);
  }
  if (!isResult(parsed)) throw new Error(`the load generator's line is no result: '${shortened(line)}'`);
  return parsed;
}

/** What every result has; the rest is left out by scenarios that do not measure it. */
function isResult(value: unknown): value is BenchResult {
  if (!isObject(value)) return false;
  const { scenario, target, checks, errors, seconds } = value;
  return (
    typeof scenario === 'string' &&
    typeof seconds === 'number' &&
    isObject(target) &&
    isObject(checks) &&
    typeof checks['passed'] === 'boolean' &&
    Array.isArray(errors)
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function shortened(line: string): string {
  return line.length <= 200 ? line : `${line.slice(0, 200)}…`;
}
