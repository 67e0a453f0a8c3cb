/** Runs the compiled command in a child process and collects what it prints. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../dist/bin/jackalope.cjs', import.meta.url));

export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Command {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #finished: Promise<Finished>;

  /** With `shell` the child is a shell that runs the command as its own child, as npm does. */
  constructor(args: readonly string[], env: Record<string, string> = {}, { shell = false, script = SCRIPT } = {}) {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('JACKALOPE_'));
    const direct = [process.execPath, script, ...args];
    const [file = '', ...rest] = shell ? ['sh', '-c', '"$@"; exit', 'sh', ...direct] : direct;
    this.#child = spawn(file, rest, {
      env: { ...Object.fromEntries(inherited), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.#finished = once(this.#child, 'close').then(([exitCode]) => {
      return { exitCode, stdout: this.stdout, stderr: this.stderr };
    });
    onTestFinished(async () => {
      this.#child.kill('SIGKILL');
      await this.#finished;
    });
  }

  /** Resolves with all of stdout so far once `text` is in it. */
  async printed(text: string): Promise<string> {
    while (!this.stdout.includes(text)) {
      const more = this.#child.stdout ? once(this.#child.stdout, 'data') : Promise.reject(new Error('no stdout'));
      const ended = await Promise.race([more.then(() => undefined), this.#finished]);
      if (ended !== undefined && !this.stdout.includes(text)) {
        throw new Error(`ended with ${ended.exitCode} before it printed '${text}': ${ended.stdout}${ended.stderr}`);
      }
    }
    return this.stdout;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  finished(): Promise<Finished> {
    return this.#finished;
  }
}
