/** Runs bin/set-up.mjs in a made-up project whose npm and compiler only leave a note that they were called. */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';

const NPM = `#!/bin/sh
echo "npm $*" >>calls
mkdir -p node_modules/typescript/bin
cp package-lock.json node_modules/.package-lock.json
cp tsc.cjs node_modules/typescript/bin/tsc
`;
const COMPILER = `
const { appendFileSync, mkdirSync, writeFileSync } = require('node:fs');
appendFileSync('calls', 'tsc\\n');
if (require('node:fs').readFileSync('src/index.ts', 'utf8') === 'wrong') process.exit(2);
mkdirSync('dist/bin', { recursive: true });
writeFileSync('dist/bin/command.cjs', '');
`;

const BUNDLER = `
import { appendFileSync, readFileSync } from 'node:fs';
appendFileSync('calls', 'bundle\\n');
if (readFileSync('src/index.ts', 'utf8') === 'unbundled') process.exit(1);
`;

let project: string;

function write(path: string, content: string): void {
  mkdirSync(dirname(join(project, path)), { recursive: true });
  writeFileSync(join(project, path), content);
}

function lock(version: string, optional: Record<string, unknown> = {}): string {
  return JSON.stringify({ packages: { '': { name: 'x' }, 'node_modules/typescript': { version }, ...optional } });
}

/** What was called, and whether it went well. */
function setUp(...args: string[]): { calls: string[]; succeeded: boolean } {
  write('calls', '');
  const { status } = spawnSync(process.execPath, ['bin/set-up.mjs', ...args], {
    cwd: project,
    env: { ...process.env, PATH: `${join(project, 'fake')}${delimiter}${process.env['PATH']}` },
  });
  const calls = readFileSync(join(project, 'calls'), 'utf8').split('\n');
  return {
    calls: calls.filter((call) => call !== '').map((call) => call.split(' --')[0] ?? ''),
    succeeded: status === 0,
  };
}

/** As if written a minute from now: file times have no finer grain on some disks. */
function touchLater(path: string): void {
  const later = Date.now() / 1000 + 60;
  utimesSync(join(project, path), later, later);
}

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'jackalope-set-up-'));
  onTestFinished(() => rmSync(project, { recursive: true }));
  mkdirSync(join(project, 'bin'));
  cpSync('bin/set-up.mjs', join(project, 'bin/set-up.mjs'));
  write('fake/npm', NPM);
  chmodSync(join(project, 'fake/npm'), 0o755);
  write('tsc.cjs', COMPILER);
  write('bin/bundle.mjs', BUNDLER);
  for (const path of ['package.json', 'tsconfig.json', 'tsconfig.build.json']) write(path, '{}');
  for (const path of ['src/index.ts', 'src/core/turn.ts', 'protocol/spec.ts', 'bench/micro.ts']) write(path, '');
  write('package-lock.json', lock('1.0.0', { 'node_modules/elsewhere': { version: '1.0.0', optional: true } }));
});

describe.skipIf(process.platform === 'win32')('bin/set-up.mjs', () => {
  it('installs and compiles a fresh clone, and then has nothing to do', () => {
    expect(setUp('--build')).toEqual({ calls: ['npm install', 'tsc', 'bundle'], succeeded: true });
    expect(setUp('--build')).toEqual({ calls: [], succeeded: true });
    expect(setUp()).toEqual({ calls: [], succeeded: true });
  });

  it('only installs without --build', () => {
    expect(setUp()).toEqual({ calls: ['npm install'], succeeded: true });
  });

  it('does not miss an optional package of another platform', () => {
    setUp('--build');
    write('node_modules/.package-lock.json', lock('1.0.0'));
    touchLater('dist/bin/command.cjs');
    expect(setUp('--build').calls).toEqual([]);
  });

  it('installs again when the lock file names another version', () => {
    setUp('--build');
    write('package-lock.json', lock('1.0.1'));
    expect(setUp().calls).toEqual(['npm install']);
  });

  it.each(['src/core/turn.ts', 'bin/set-up.mjs', 'tsconfig.json'])('compiles again when %s is newer', (path) => {
    setUp('--build');
    touchLater(path);
    expect(setUp('--build').calls).toEqual(['tsc', 'bundle']);
  });

  it('compiles again, from nothing, when a source was removed', () => {
    setUp('--build');
    write('dist/src/core/turn.js', '');
    rmSync(join(project, 'src/core/turn.ts'));
    touchLater('src/core');
    expect(setUp('--build').calls).toEqual(['tsc', 'bundle']);
    expect(() => readFileSync(join(project, 'dist/src/core/turn.js'))).toThrow('ENOENT');
  });

  it('fails, and tries again, when the compiler or the bundler does', () => {
    write('src/index.ts', 'wrong');
    expect(setUp('--build')).toEqual({ calls: ['npm install', 'tsc'], succeeded: false });
    expect(setUp('--build')).toEqual({ calls: ['tsc'], succeeded: false });
    write('src/index.ts', 'unbundled');
    expect(setUp('--build')).toEqual({ calls: ['tsc', 'bundle'], succeeded: false });
    expect(setUp('--build')).toEqual({ calls: ['tsc', 'bundle'], succeeded: false });
  });
});
