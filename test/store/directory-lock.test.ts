import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { SystemClock } from '../../src/clock.js';
import { type DirectoryLock, lockDirectory } from '../../src/store/directory-lock.js';

const STARTERS = 8;
const clock = new SystemClock();
const root = realpathSync(mkdtempSync(join(tmpdir(), 'jackalope-lock-')));
const program = join(root, 'lock-holder.mjs');
let directories = 0;

beforeAll(async () => {
  const bundle = await rolldown({ input: 'test/store/lock-holder.ts', platform: 'node' });
  await bundle.write({ file: program, format: 'esm' });
  await bundle.close();
});

afterAll(() => rmSync(root, { recursive: true }));

function newDirectory(): string {
  return join(root, `data${++directories}`);
}

async function lock(directory: string): Promise<DirectoryLock> {
  const taken = await lockDirectory(directory, clock);
  onTestFinished(() => taken.release());
  return taken;
}

async function refusal(directory: string): Promise<string> {
  const outcome = await lock(directory).catch((error: Error) => `${error.name}: ${error.message}`);
  if (typeof outcome !== 'string') throw new Error('the lock was given');
  return outcome;
}

/** Starts a process that wants the lock, and resolves once it says how that went. */
async function starter(directory: string): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(process.execPath, [program, directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  while (!said.includes('\n')) await once(child.stdout ?? child, 'data');
  return { child, said: said.trimEnd() };
}

async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

const sockets = (directory: string) => readdirSync(directory).filter((name) => name.startsWith('broker-'));

describe('the lock of a data directory', () => {
  it('is given once and creates the directory', async () => {
    const directory = join(newDirectory(), 'deep');
    expect((await lock(directory)).directory).toBe(directory);
    expect(await refusal(directory)).toBe(
      `DataDirectoryError: data directory '${directory}' is in use by another broker (pid ${process.pid})`,
    );
    expect(sockets(directory)).toHaveLength(1);
  });

  it('is free after its release, which may be asked for twice', async () => {
    const directory = newDirectory();
    const first = await lock(directory);
    await first.release();
    await first.release();
    expect(readdirSync(directory)).toEqual([]);
    const second = await lock(directory);
    await first.release();
    expect(await refusal(directory)).toContain('in use');
    await second.release();
  });

  it('is one, whatever the path to it', async () => {
    const directory = newDirectory();
    await lock(directory);
    const link = join(root, 'link');
    symlinkSync(directory, link);
    expect(await refusal(`${link}/`)).toContain(`data directory '${directory}' is in use`);
  });

  it('is refused while another process has it, and free after that one was killed', async () => {
    const directory = newDirectory();
    const { child, said } = await starter(directory);
    expect(said).toBe('locked');
    expect(await refusal(directory)).toContain(`is in use by another broker (pid ${child.pid})`);
    await killed(child);
    expect(sockets(directory)).toHaveLength(1);
    await lock(directory);
    expect(sockets(directory)).toHaveLength(1);
    expect((await starter(directory)).said).toContain(`is in use by another broker (pid ${process.pid})`);
  });

  it('does not keep a process running', async () => {
    const { child } = await starter(newDirectory());
    child.stdin?.end();
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it.skipIf(process.platform === 'win32')('is not given while the process that has it stands still', async () => {
    const directory = newDirectory();
    const { child } = await starter(directory);
    child.kill('SIGSTOP');
    // A clock without patience.
    const hasty = Object.assign(new SystemClock(), { after: (_: number, done: () => void) => clock.after(50, done) });
    await expect(lockDirectory(directory, hasty)).rejects.toThrow(`in use by another broker (pid ${child.pid})`);
  });

  it('works where the path is too long for a socket', async () => {
    const directory = join(newDirectory(), 'x'.repeat(120), 'y'.repeat(120));
    const { child, said } = await starter(directory);
    expect(said).toBe('locked');
    expect(await refusal(directory)).toContain(`(pid ${child.pid})`);
    await killed(child);
    const taken = await lock(directory);
    expect(await refusal(directory)).toContain(`(pid ${process.pid})`);
    await taken.release();
    expect(readdirSync(directory)).toEqual([]);
    await lock(directory);
  });

  it(`goes to exactly one of ${STARTERS} processes that start at once`, async () => {
    const directory = newDirectory();
    for (let round = 0; round < 3; round++) {
      // The socket that the last winner left behind is part of the race.
      const starters = await Promise.all(Array.from({ length: STARTERS }, () => starter(directory)));
      const winners = starters.filter(({ said }) => said === 'locked');
      expect(winners).toHaveLength(1);
      for (const { said } of starters) {
        if (said !== 'locked') expect(said).toMatch(/^data directory '.*' is in use by another broker \(pid \d+\)$/);
      }
      for (const { child } of winners) await killed(child);
    }
  }, 30_000);

  it(`goes to exactly one of ${STARTERS} brokers of a process that start at once`, async () => {
    for (let round = 0; round < 20; round++) {
      const directory = newDirectory();
      const outcomes = await Promise.allSettled(
        Array.from({ length: STARTERS }, () => lockDirectory(directory, clock)),
      );
      const taken = outcomes.filter((outcome) => outcome.status === 'fulfilled');
      for (const { value } of taken) await value.release();
      expect(taken).toHaveLength(1);
      expect(readdirSync(directory)).toEqual([]);
    }
  });

  it('answers a connection with its process id', async () => {
    const directory = newDirectory();
    await lock(directory);
    const [name = ''] = sockets(directory);
    const socket = createConnection(join(directory, name)).setEncoding('utf8');
    expect(await once(socket, 'data')).toEqual([String(process.pid)]);
    await once(socket, 'close');
  });

  it('leaves other files alone', async () => {
    const directory = newDirectory();
    mkdirSync(directory);
    const names = ['broker-1.sock', 'data.mdb', 'lock.mdb'];
    for (const name of names) writeFileSync(join(directory, name), '');
    const taken = await lock(directory);
    await taken.release();
    expect(readdirSync(directory)).toEqual(names);
  });
});

describe('a directory that cannot be used', () => {
  it('is named with the reason', async () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    expect(await refusal(file)).toBe(
      `DataDirectoryError: data directory '${file}' cannot be used: not a folder (EEXIST)`,
    );
    expect(await refusal(join(file, 'below'))).toMatch(/cannot be used: not a folder \(ENOTDIR\)$/);
  });

  it.skipIf(process.getuid?.() === 0 || process.platform === 'win32')('may lack permissions', async () => {
    const directory = newDirectory();
    mkdirSync(directory);
    chmodSync(directory, 0o500);
    onTestFinished(() => chmodSync(directory, 0o700));
    expect(await refusal(directory)).toMatch(/cannot be used: not permitted \(EACCES\)$/);
  });
});
