/**
 * The log: pino, one JSON object a line, or the same line made readable. Writes at once and in this thread, so that
 * nothing is lost when the process ends and nothing has to be started first. Everything else in the broker sees only
 * the interface `Logger`.
 */
import { destination, pino, stdTimeFunctions } from 'pino';
import type { BrokerOptions } from './option-table.js';

interface LogMethod {
  (message: string): void;
  (fields: object, message: string): void;
}

/** A sentence and fields; the sentence is constant, what varies is in the fields. Errors go in the field `err`. */
export interface Logger {
  level: string;
  readonly fatal: LogMethod;
  readonly error: LogMethod;
  readonly warn: LogMethod;
  readonly info: LogMethod;
  readonly debug: LogMethod;
  readonly trace: LogMethod;
  isLevelEnabled(level: string): boolean;
  /** Adds fields to every line: `{ connection, channel, vhost }`. */
  child(fields: Record<string, unknown>): Logger;
}

export interface LogDestination {
  write(text: string): unknown;
}

const SECRETS = ['password', 'defaultPassword', 'secret', 'newSecret', 'response'];

export function createLogger(
  options: Pick<BrokerOptions, 'logLevel' | 'logFormat'>,
  output: LogDestination = standardOutput(),
): Logger {
  const write =
    options.logFormat === 'json'
      ? (line: string) => output.write(line)
      : (line: string) => output.write(readableLine(line));
  return pino(
    {
      level: options.logLevel,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '***' },
    },
    { write },
  );
}

/** Standard output, written to at once. A reader that goes away or a full disk ends the log, never the broker. */
export function standardOutput(): LogDestination {
  const output = destination({ dest: 1, sync: true });
  output.on('error', () => {});
  return output;
}

/** `12:34:56.789 INFO  message  key=value`, and below it the stack of an error. Takes a line that pino wrote. */
export function readableLine(line: string): string {
  const { time, level, msg, err, ...fields } = parsedLine(line);
  const words = [clockTime(time), String(level).toUpperCase().padEnd(5), singleLine(String(msg ?? ''))];
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${readableValue(value)}`);
  const head = [words.join(' '), ...pairs, ...errorSummary(err)].join('  ');
  return `${head}\n${stackOf(err)}`;
}

function parsedLine(line: string): Record<string, unknown> {
  const parsed: unknown = JSON.parse(line);
  return typeof parsed === 'object' && parsed !== null ? { ...parsed } : { msg: line };
}

function clockTime(time: unknown): string {
  const at = new Date(String(time));
  const part = (value: number, digits = 2) => String(value).padStart(digits, '0');
  return `${part(at.getHours())}:${part(at.getMinutes())}:${part(at.getSeconds())}.${part(at.getMilliseconds(), 3)}`;
}

function readableValue(value: unknown): string {
  return typeof value === 'string' && /^[\w.:/@+*[\]-]+$/.test(value) ? value : JSON.stringify(value);
}

function errorSummary(err: unknown): string[] {
  if (err === undefined || stackOf(err) !== '') return [];
  return [`err=${readableValue(err)}`];
}

function stackOf(err: unknown): string {
  if (typeof err !== 'object' || err === null || !('stack' in err) || typeof err.stack !== 'string') return '';
  return err.stack
    .split('\n')
    .map((line) => `    ${singleLine(line)}\n`)
    .join('');
}

/** A peer's text can neither begin a line of its own nor steer the terminal. */
function singleLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, '?');
}
