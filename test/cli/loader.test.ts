/** dist/bin/jackalope.cjs: the compiled command is kept beside it, and nothing depends on that. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/eventually.js';
import { Command } from './command.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FILES = ['jackalope.cjs', 'command.cjs'];

let bin: string;

/** An installation of its own, so that nobody else's cache is touched. */
beforeEach(() => {
  const root = mkdtempSync(join(tmpdir(), 'jackalope-loader-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  bin = join(root, 'dist', 'bin');
  mkdirSync(bin, { recursive: true });
  for (const file of FILES) cpSync(join(ROOT, 'dist', 'bin', file), join(bin, file));
  cpSync(join(ROOT, 'package.json'), join(root, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
});

function caches(): string[] {
  return readdirSync(bin).filter((name) => name.endsWith('.cache'));
}

function cache(): Buffer {
  const [name = 'none'] = caches();
  return readFileSync(join(bin, name));
}

async function start(): Promise<Command> {
  const command = new Command(['--memory', '--amqp-port', '0'], {}, { script: join(bin, 'jackalope.cjs') });
  await command.printed('Server startup complete');
  return command;
}

async function stop(command: Command): Promise<void> {
  command.signal('SIGTERM');
  expect(await command.finished()).toMatchObject({ exitCode: 0, stderr: '' });
}

describe('the loader of the command', () => {
  it('keeps what was compiled, takes it at the next start, and makes a damaged one anew', async () => {
    const first = await start();
    const kept = await eventually(() => {
      expect(caches()).toHaveLength(1);
      return cache();
    });
    await stop(first);
    expect(readdirSync(bin).sort()).toEqual([...FILES, ...caches()].sort());

    const [name = ''] = caches();
    const damaged = Buffer.from(kept);
    damaged.writeUInt8(damaged.readUInt8(5000) ^ 0xff, 5000);
    writeFileSync(join(bin, name), damaged);
    const second = await start();
    await eventually(() => expect(cache().equals(damaged)).toBe(false));
    await stop(second);
  });

  it('does not take the cache of another bundle, not even one of the same length', async () => {
    await stop(await keptStart());
    const before = cache();
    const source = readFileSync(join(bin, 'command.cjs'), 'latin1');
    const changed = source
      .replace(/^\/\/[0-9a-f]{16}/, '//0123456789abcdef')
      .replace('startup complete', 'startup compl3te');
    expect(changed.length).toBe(source.length);
    writeFileSync(join(bin, 'command.cjs'), changed, 'latin1');
    const command = new Command(['--memory', '--amqp-port', '0'], {}, { script: join(bin, 'jackalope.cjs') });
    await command.printed('Server startup compl3te');
    await eventually(() => expect(cache().equals(before)).toBe(false));
    await stop(command);
  });

  it('runs from the modules where nothing was bundled', async () => {
    rmSync(join(bin, 'command.cjs'));
    for (const folder of ['bin', 'src', 'protocol']) {
      cpSync(join(ROOT, 'dist', folder), join(bin, '..', folder), {
        recursive: true,
        filter: (path) => !/c(js|ache)$/.test(path),
      });
    }
    cpSync(join(ROOT, 'dist', 'bin', 'jackalope.cjs'), join(bin, 'jackalope.cjs'));
    await stop(await start());
    expect(caches()).toEqual([]);
  });
});

async function keptStart(): Promise<Command> {
  const command = await start();
  await eventually(() => expect(caches()).toHaveLength(1));
  return command;
}
