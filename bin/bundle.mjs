// Makes the compiled command one file, with what it imports: Node takes longer to find and read a hundred small modules
// than to do everything else until the port is open (start to port open 190-235 ms with them, 115-130 ms without, node
// alone 75-85 ms; 10 MB less memory). The library in dist/src stays as it is, and so does whatever is not imported.
// The file is a script, not a module, because only of scripts can a program keep what V8 compiled (jackalope.cts).
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const COMMAND = 'dist/bin/command.js';
const BUNDLE = 'dist/bin/command.cjs';
const BENCH = 'dist/bin/bench.js';
const LICENCES = 'dist/bin/LICENSES.txt';
/** Without white space and comments, but with names, so that a stack can be read. */
const READABLE = { compress: true, mangle: false, codegen: { removeWhitespace: true } };

const bundle = await rolldown({ input: COMMAND, platform: 'node', external: ['lmdb'] });
const { output } = await bundle.generate({ format: 'cjs', codeSplitting: false, minify: READABLE });
await bundle.close();
for (const name of readdirSync('dist/bin')) if (name.endsWith('.cache')) rmSync(join('dist/bin', name));
writeFileSync(BUNDLE, asFunction(output[0].code));
writeFileSync(LICENCES, licencesOf(output.flatMap((chunk) => chunk.moduleIds ?? [])));

// The load generator is a module: the package has it in this file only, and its start is not measured.
const bench = await rolldown({ input: BENCH, platform: 'node' });
await bench.write({ file: BENCH, format: 'esm', codeSplitting: false });
await bench.close();

/** What the loader calls, behind a hash of it. In ASCII, so that V8 keeps it at a byte a character. */
function asFunction(code) {
  const ascii = code.replace(
    /[^\0-\x7f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const hash = createHash('sha256').update(ascii).digest('hex').slice(0, 16);
  return `//${hash}\n(function (exports, require, module, __filename, __dirname) {${ascii}\n})`;
}

/** The notices of the packages whose code the file now holds, as their licences ask. */
function licencesOf(modules) {
  const folders = modules.map((path) => /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(path)?.[0]);
  const packages = [...new Set(folders.filter((folder) => folder !== undefined))].sort();
  return packages.map(noticeOf).join('\n');
}

function noticeOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = ['LICENSE', 'LICENSE.md', 'LICENSE.txt', 'license'].map((each) => join(folder, each)).find(existsSync);
  return `${name} ${version} (${license})\n\n${file === undefined ? '' : readFileSync(file, 'utf8')}\n`;
}
