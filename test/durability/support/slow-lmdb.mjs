// lmdb, but each batch is reported to its caller late, and said on stdout: `{"commit": [BEGIN, END]}` in monotonic ns.
// What confirms without waiting for the report is early by that much.
import { createRequire } from 'node:module';

const DELAY_MS = 40;

/** Before the broker opens its store: it asks for the same module. */
export function slowDown() {
  const lmdb = createRequire(import.meta.url)('lmdb');
  const { open } = lmdb;
  lmdb.open = (...args) => {
    const store = open(...args);
    for (const name of ['batch', 'transaction']) store[name] = late(store[name]);
    return store;
  };
}

function late(write) {
  return async function (...args) {
    const begin = process.hrtime.bigint();
    const result = await write.apply(this, args);
    await new Promise((resolve) => setTimeout(resolve, DELAY_MS));
    console.log(JSON.stringify({ level: 'info', commit: [String(begin), String(process.hrtime.bigint())] }));
    return result;
  };
}
