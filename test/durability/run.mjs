// node test/durability/run.mjs <program> [options]: the programs of this folder that take too long for `npm test`.
// Needs a build (npm run build). Compiles <program>.ts with what it imports, and runs it.
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const [program] = process.argv.splice(2, 1);
const PROGRAMS = ['crash', 'moving', 'stream', 'power-loss', 'backlog', 'full-disk'];
if (!PROGRAMS.includes(program)) {
  console.error(`usage: node test/durability/run.mjs ${PROGRAMS.join('|')} [options]`);
  process.exit(2);
}
// As deep as this folder: the sources find the build and the child entry by relative paths.
const file = fileURLToPath(new URL(`../../data/durability/${program}.js`, import.meta.url));
const input = fileURLToPath(new URL(`${program}.ts`, import.meta.url));
const bundle = await rolldown({ input, platform: 'node' });
await bundle.write({ file, format: 'esm', codeSplitting: false });
await bundle.close();
const { main } = await import(file);
process.exitCode = await main(process.argv.slice(2));
