// node bench/hostile.mjs [scenario ...]: what a well-behaved client feels while others misbehave, in ms. Needs a build
// (npm run build). Compiles hostile.ts with what it imports, and runs that.
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const folder = new URL('../data/bench/', import.meta.url);
const sources = ['hostile.ts', 'hostile-threads.ts'].map((name) => fileURLToPath(new URL(name, import.meta.url)));
const bundle = await rolldown({ input: sources, platform: 'node' });
await bundle.write({ dir: fileURLToPath(folder), format: 'esm' });
await bundle.close();
await import(new URL('hostile.js', folder).href);
