// Makes the compiled command one file, with what it imports: Node takes longer to find and read a hundred small modules
// than to do everything else until the port is open (start to port open 190-235 ms with them, 115-130 ms without, node
// alone 75-85 ms; 10 MB less memory). The library in dist/src stays as it is, and so does whatever is not imported.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const COMMAND = 'dist/bin/jackalope.js';
const LICENCES = 'dist/bin/LICENSES.txt';

const bundle = await rolldown({ input: COMMAND, platform: 'node', external: ['lmdb'] });
const { output } = await bundle.write({ file: COMMAND, format: 'esm', codeSplitting: false });
await bundle.close();
writeFileSync(LICENCES, licencesOf(output.flatMap((chunk) => chunk.moduleIds ?? [])));

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
