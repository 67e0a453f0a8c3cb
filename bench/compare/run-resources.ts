/**
 * What a comparison starts and makes on this machine: processes and directories, all of which go in the end, also when
 * something fails half-way. Processes are ended by their pids and nothing else is touched.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Then a process that was asked to end is killed. */
const STOP_TIMEOUT_MS = 20_000;
const LAST_LINES = 15;

export interface BackgroundProcess {
  readonly pid: number;
  /** What ended it, with its last output; undefined while it runs. */
  failure(): string | undefined;
}

export class RunResources {
  readonly #children: ChildProcess[] = [];
  readonly #directories: string[] = [];

  directory(): string {
    const directory = mkdtempSync(join(tmpdir(), 'jackalope-compare-'));
    this.#directories.push(directory);
    return directory;
  }

  /** Starts a process that runs until `close`. Throws when there is no such program. Its output goes to a file: a full pipe would stop it. */
  start(command: readonly string[], env: NodeJS.ProcessEnv): BackgroundProcess {
    const [program = '', ...args] = command;
    const outputFile = join(this.directory(), 'output');
    const output = openSync(outputFile, 'w');
    // Detached: Ctrl-C on a terminal reaches this process alone, which then ends the others in order.
    const child = spawn(program, args, { env, stdio: ['ignore', output, output], detached: true });
    closeSync(output);
    // Without a pid nothing was started; the event would bring the reason later.
    child.once('error', () => {});
    if (child.pid === undefined) throw new Error(`cannot start ${program}: is it installed?`);
    this.#children.push(child);
    const failure = (): string | undefined => {
      const ending = child.signalCode ?? child.exitCode;
      return ending === null ? undefined : `${program} ended with ${ending}\n${lastLines(outputFile)}`;
    };
    return { pid: child.pid, failure };
  }

  /** Ends the processes, the last one first, and removes the directories. */
  async close(): Promise<void> {
    for (const child of this.#children.splice(0).reverse()) await stop(child);
    this.#removeDirectories();
  }

  /** Without waiting: for a process that is about to exit. */
  closeNow(): void {
    for (const child of this.#children.splice(0)) if (isRunning(child)) child.kill('SIGKILL');
    this.#removeDirectories();
  }

  #removeDirectories(): void {
    for (const directory of this.#directories.splice(0)) {
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    }
  }
}

/** A port that nothing listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

async function stop(child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(late);
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-LAST_LINES).join('\n');
}
