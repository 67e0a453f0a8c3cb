// What `npm start` and `npm test` do first, so that a fresh clone needs nothing but Node and npm: install when
// node_modules does not hold what the lock file says, then (with --build) compile when a source is newer than the last
// build. Plain JavaScript without dependencies: it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LEAST_NODE = 20;
const SOURCES = ['src', 'protocol', 'bin', 'bench', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];
const BUILT = 'dist/bin/command.cjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

if (Number.parseInt(process.versions.node, 10) < LEAST_NODE) {
  stop(`Jackalope needs Node ${LEAST_NODE} or newer; this is Node ${process.versions.node}.`);
}
if (!isInstalled()) install();
if (process.argv.includes('--build') && !isBuilt()) build();

/** True when every package of the lock file is there in its version, save optional ones for other platforms. */
function isInstalled() {
  const wanted = packagesOf('package-lock.json');
  const present = packagesOf('node_modules/.package-lock.json');
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || (present[path] ? present[path].version === version : optional),
  );
}

function packagesOf(lockFile) {
  try {
    return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
  } catch {
    return {};
  }
}

function install() {
  note('Installing packages (npm install)');
  // Not `npm ci`: it refuses a lock file that lacks an optional package of some other platform, and registries differ
  // in which of those they have. --no-save leaves the lock file, whose versions are taken, as it is.
  const options = ['--no-save', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  // npm is a .cmd file on Windows, which only a shell can start.
  run('npm', ['install', ...options], process.platform === 'win32');
}

function isBuilt() {
  return modifiedAt(BUILT) >= Math.max(...SOURCES.map(newestIn), modifiedAt('node_modules/.package-lock.json'));
}

function build() {
  note('Compiling');
  // What was compiled from a source that is gone must go too.
  rmSync('dist', { recursive: true, force: true });
  const compiler = join('node_modules', 'typescript', 'bin', 'tsc');
  run(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--noEmitOnError'], false);
  run(process.execPath, [join('bin', 'bundle.mjs')], false);
}

/** Newest modification time of a file, or of a folder and all it holds, in ms. A removed file shows in its folder's. */
function newestIn(path) {
  if (!statSync(path).isDirectory()) return modifiedAt(path);
  const entries = readdirSync(path, { withFileTypes: true }).map(({ name }) => newestIn(join(path, name)));
  return Math.max(modifiedAt(path), ...entries);
}

function modifiedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** The child's output goes to stderr: the stdout of `npm start` belongs to the broker. */
function run(command, args, shell) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 2, 2], shell });
  if (!error && status === 0) return;
  rmSync(BUILT, { force: true });
  stop(`${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`);
}

function note(text) {
  process.stderr.write(`${text} ...\n`);
}

function stop(text) {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}
