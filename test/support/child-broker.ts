/**
 * The compiled broker in a process of its own, so that its memory, its descriptors and its stalls can be seen from
 * outside. Who starts one stops it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('../../dist/bin/jackalope.cjs', import.meta.url));
const STARTED = 'Server startup complete';
const START_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 10_000;
const LOG_TIMEOUT_MS = 10_000;

const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface ChildOptions {
  /** Further options of the command. Without --data-dir it keeps everything in memory. */
  readonly args?: readonly string[];
  /** Starts it under `ulimit -n`. */
  readonly descriptors?: number;
  /** The most that its JavaScript heap may take: with a leak it ends, instead of growing. */
  readonly heapMegabytes?: number;
}

export class ChildBroker {
  /** Everything it logged so far. */
  readonly lines: LogLine[] = [];
  readonly amqpUrl: string;
  readonly port: number;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  #onLine = (): void => {};

  static async start({ args = [], descriptors, heapMegabytes }: ChildOptions = {}): Promise<ChildBroker> {
    const heap = heapMegabytes === undefined ? [] : [`--max-old-space-size=${heapMegabytes}`];
    const store = args.some((argument) => argument.startsWith('--data-dir')) ? [] : ['--memory'];
    const options = ['--amqp-port', '0', '--log-format', 'json', ...store, ...args];
    const command = [process.execPath, ...heap, SCRIPT, ...options];
    const limited = ['/bin/sh', '-c', `ulimit -n ${descriptors} && exec "$@"`, 'sh', ...command];
    const [program = '', ...rest] = descriptors === undefined ? command : limited;
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('JACKALOPE_'));
    const child = spawn(program, rest, { env: Object.fromEntries(inherited), stdio: ['ignore', 'pipe', 'pipe'] });
    const starting = new Starting(child);
    children.add(child.once('exit', () => children.delete(child)));
    try {
      return new ChildBroker(child, await starting.done, starting);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  private constructor(child: ChildProcess, amqpUrl: string, starting: Starting) {
    this.#child = child;
    this.amqpUrl = amqpUrl;
    this.port = Number(new URL(amqpUrl).port);
    this.pid = child.pid ?? 0;
    this.#ended = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
    this.lines = starting.lines;
    starting.onLine = () => this.#onLine();
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  count(message: string): number {
    return this.lines.filter(({ msg }) => msg.includes(message)).length;
  }

  /** Resolves with the first line that has the text in its message, which may be there already. */
  async logged(message: string, timeoutMs = LOG_TIMEOUT_MS): Promise<LogLine> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const line = this.lines.find(({ msg }) => msg.includes(message));
      if (line !== undefined) return line;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`the broker did not log '${message}':\n${this.#lastLines()}`);
      await this.#nextLine(left);
    }
  }

  /** Resident set in bytes; undefined where the system does not tell. */
  residentBytes(): number | undefined {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(this.#proc('status'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  }

  /** Open file descriptors, sockets among them; undefined where the system does not tell. */
  descriptorCount(): number | undefined {
    try {
      return readdirSync(`/proc/${this.pid}/fd`).length;
    } catch {
      return undefined;
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Resolves to the exit code, null when a signal ended it. */
  async ended(): Promise<number | null> {
    return (await this.#ended).code;
  }

  /** Asks it to stop. Rejects when it does not end as asked. */
  async stop(): Promise<void> {
    if (!this.isRunning) throw new Error(`the broker had ended already:\n${this.#lastLines()}`);
    this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    const { code, signal } = await this.#ended;
    clearTimeout(late);
    if (code !== 0) throw new Error(`the broker ended with ${code ?? signal}:\n${this.#lastLines()}`);
  }

  #nextLine(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onLine = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #lastLines(): string {
    return this.lines
      .slice(-20)
      .map((line) => JSON.stringify(line))
      .join('\n');
  }

  #proc(file: string): string {
    try {
      return readFileSync(`/proc/${this.pid}/${file}`, 'utf8');
    } catch {
      return '';
    }
  }
}

/** Reads what a starting broker prints: `done` resolves to its URL once it listens. */
class Starting {
  readonly lines: LogLine[] = [];
  readonly done: Promise<string>;
  onLine = (): void => {};
  #rest = '';
  #stderr = '';
  #started = false;

  constructor(child: ChildProcess) {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#add({ level: 'stderr', msg: text });
    });
    this.done = new Promise((resolve, reject) => {
      const fail = (reason: string) => reject(new Error(`${reason}\n${this.#stderr}`));
      const timer = setTimeout(() => fail('the broker did not start in time'), START_TIMEOUT_MS);
      child.once('exit', (code) => {
        clearTimeout(timer);
        fail(`the broker ended with ${code} before it had started`);
      });
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        this.#read(text);
        if (this.#started || !this.lines.some(({ msg }) => msg === STARTED)) return;
        this.#started = true;
        clearTimeout(timer);
        resolve(String(this.lines.find(({ url }) => url !== undefined)?.['url']));
      });
    });
  }

  #read(text: string): void {
    const parts = (this.#rest + text).split('\n');
    this.#rest = parts.pop() ?? '';
    for (const part of parts) this.#add(JSON.parse(part) as LogLine);
  }

  #add(line: LogLine): void {
    this.lines.push(line);
    this.onLine();
  }
}
