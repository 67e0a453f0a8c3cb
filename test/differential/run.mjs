// node test/differential/run.mjs [options]: random programs against RabbitMQ and ours side by side. Needs a build
// (npm run build). Compiles differential.ts with what it imports, and runs it.
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

// As deep as this folder: the sources find the build by relative paths.
const file = fileURLToPath(new URL('../../data/differential/differential.js', import.meta.url));
const input = fileURLToPath(new URL('differential.ts', import.meta.url));
const bundle = await rolldown({ input, platform: 'node' });
await bundle.write({ file, format: 'esm', codeSplitting: false });
await bundle.close();
const { main } = await import(file);
process.exitCode = await main(process.argv.slice(2));
