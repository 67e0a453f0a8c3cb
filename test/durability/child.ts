/**
 * A broker in a process of its own, on a data directory, made to be killed. In this folder and not in `support`, because
 * `run.mjs` puts the compiled programs as deep as this file.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ENTRY = fileURLToPath(new URL('../../test/durability/broker-child.mjs', import.meta.url));
const START_TIMEOUT_MS = 30_000;

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface ChildSettings {
  /** Undefined: in memory. */
  readonly dataDirectory?: string | undefined;
  /** A mistake to build in. */
  readonly sabotage?: string | undefined;
  readonly options?: Readonly<Record<string, unknown>>;
  /** In front of `node`: a tracer. */
  readonly wrapper?: readonly string[];
}

export class StoreChild {
  port = 0;
  /** The broker's, also behind a wrapper. */
  brokerPid = 0;
  /** From the start of the process until it listened. */
  startMs = 0;
  readonly lines: LogLine[] = [];
  readonly ready: Promise<void>;
  readonly exited: Promise<string>;
  readonly #child: ChildProcess;
  #rest = '';
  #onReady = (): void => {};

  constructor({ dataDirectory, sabotage, options = {}, wrapper = [] }: ChildSettings) {
    const given = JSON.stringify({ options: { ...options, dataDirectory }, sabotage });
    const [program = '', ...args] = [...wrapper, process.execPath, ENTRY, given];
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('JACKALOPE_'));
    const began = performance.now();
    this.#child = spawn(program, args, { env: Object.fromEntries(inherited), stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(this.#child);
    this.exited = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        running.delete(this.#child);
        resolve(String(code ?? signal));
      });
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.lines.push({ level: 'error', msg: `stderr: ${text}` });
    });
    this.ready = this.#untilReady().then(() => {
      this.startMs = performance.now() - began;
    });
    // Who kills it while it starts does not wait for it.
    this.ready.catch(() => {});
  }

  static async start(settings: ChildSettings): Promise<StoreChild> {
    const child = new StoreChild(settings);
    await child.ready;
    return child;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What someone would have to act upon. */
  get errors(): readonly LogLine[] {
    return this.lines.filter(({ level }) => level === 'error' || level === 'fatal');
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), START_TIMEOUT_MS);
    await this.exited;
    clearTimeout(late);
  }

  async #untilReady(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`no port after ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS);
    });
    const listening = new Promise<undefined>((resolve) => {
      this.#onReady = () => resolve(undefined);
    });
    const ended = this.exited.then((how) => `it ended with ${how}`);
    const failure = await Promise.race([listening, ended, timeout]);
    clearTimeout(timer);
    if (failure === undefined) return;
    this.#child.kill('SIGKILL');
    const log = this.lines.map((line) => JSON.stringify(line)).join('\n');
    throw new Error(`the broker did not start: ${failure}\n${log}`);
  }

  #read(text: string): void {
    const parts = (this.#rest + text).split('\n');
    this.#rest = parts.pop() ?? '';
    for (const part of parts) {
      const line = parsed(part);
      this.lines.push(line);
      if (typeof line['ready'] !== 'number') continue;
      this.port = line['ready'];
      this.brokerPid = Number(line['pid']);
      this.#onReady();
    }
  }
}

function parsed(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { level: 'info', msg: text };
  }
}
