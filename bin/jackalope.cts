#!/usr/bin/env node
/**
 * The file that `npx jackalope` runs. It only loads the command, fast. The build makes one file of that (bundle.mjs),
 * and what V8 compiled of the file is kept beside it, which Node does by itself from version 22 on. A cache that is
 * missing, damaged or another's is not used and made again; where nothing can be written there is none. It is no
 * ES module, because loading the first of those costs 2 MB and 2 ms.
 *
 *      0                       16            20  24
 *      ┌───────────────────────┬─────────────┬───┬──────┐   V8 itself compares no more than the length of the
 *      │ hash, from the bundle │ CRC of data │   │ data │   source; it takes the data where it lies if aligned
 *      └───────────────────────┴─────────────┴───┴──────┘
 */
const fs: typeof import('node:fs') = require('node:fs');
const path: typeof import('node:path') = require('node:path');
const v8: typeof import('node:v8') = require('node:v8');
const vm: typeof import('node:vm') = require('node:vm');
const zlib: typeof import('node:zlib') = require('node:zlib');

const BUNDLE = path.join(__dirname, 'command.cjs');
/** By then the command has compiled what it needs to start. */
const KEEP_AFTER_MS = 2000;
/** The bundle begins with one of itself, in a comment; reading it there saves the memory of working it out. */
const HASH_STARTS_AT = 2;
const CRC_AT = 16;
const HEADER_BYTES = 24;

// The load generator is a program of its own: the broker's start shall not read it, nor it the broker.
if (process.argv[2] === 'bench') void import('./bench.js');
else if (fs.existsSync(BUNDLE)) runBundle();
else void import('./command.js');

function runBundle(): void {
  // The bundle is ASCII; read as such it takes a byte a character.
  const source = fs.readFileSync(BUNDLE, 'latin1');
  const cacheFile = `${BUNDLE}.${v8.cachedDataVersionTag().toString(16)}.cache`;
  const cachedData = readCache(cacheFile, source);
  const script = new vm.Script(source, { filename: BUNDLE, ...(cachedData === undefined ? {} : { cachedData }) });
  const command: unknown = script.runInThisContext();
  if (typeof command !== 'function') throw new TypeError(`${BUNDLE} is no bundle`);
  command(exports, require, module, BUNDLE, __dirname);
  if (cachedData !== undefined && script.cachedDataRejected !== true) return;
  setTimeout(() => writeCache(cacheFile, source, script.createCachedData()), KEEP_AFTER_MS).unref();
}

function readCache(file: string, source: string): Buffer | undefined {
  // Node has it from 20.15 on.
  if (typeof zlib.crc32 !== 'function' || !fs.existsSync(file)) return undefined;
  try {
    const bytes = fs.readFileSync(file);
    const data = bytes.subarray(HEADER_BYTES);
    if (bytes.toString('latin1', 0, CRC_AT) !== hashOf(source)) return undefined;
    return bytes.readUInt32BE(CRC_AT) === zlib.crc32(data) ? data : undefined;
  } catch {
    return undefined;
  }
}

/** Whole or not at all: other processes may start meanwhile. */
function writeCache(file: string, source: string, data: Buffer): void {
  if (typeof zlib.crc32 !== 'function') return;
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(hashOf(source), 'latin1');
  header.writeUInt32BE(zlib.crc32(data), CRC_AT);
  const unfinished = `${file}.${process.pid}`;
  try {
    fs.writeFileSync(unfinished, Buffer.concat([header, data]));
    fs.renameSync(unfinished, file);
  } catch {
    fs.rmSync(unfinished, { force: true });
  }
}

function hashOf(source: string): string {
  return source.slice(HASH_STARTS_AT, HASH_STARTS_AT + CRC_AT);
}
