/**
 * The LMDB environment of a data directory: opens it, checks what wrote it, and hands out its tables. The only file
 * that imports lmdb.
 */
import { closeSync, existsSync, fstatSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Database, RootDatabase } from 'lmdb';
import { DataDirectoryError } from '../data-directory-error.js';
import type { TableName } from './batch-writer.js';
import { FORMAT_KEY, FORMAT_VERSION, formatLayout } from './layouts.js';

export type Table = Database<Buffer, Buffer>;

export interface Environment {
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly tables: Readonly<Record<TableName, Table>>;
  readonly dataFile: string;
  /** The file was shorter than LMDB's own account of it: pages may be missing, so everything is to be verified. */
  readonly wasShort: boolean;
}

export const DATA_FILE = 'data.mdb';
const TABLES: readonly TableName[] = ['meta', 'definitions', 'logs', 'runs', 'records', 'bodies'];
/** Address space that is reserved at first; the map grows by itself beyond it. */
const FIRST_MAP_BYTES = 256 * 1024 * 1024;
const META_PAGES = 2;

/** Turns what an older version wrote into what the next one reads; one entry for each version before the current. */
const MIGRATIONS: ReadonlyMap<number, (environment: Environment) => void> = new Map();

export interface OpenOptions {
  /** Opens what a running broker may be writing at the same time. */
  readonly readOnly?: boolean;
  /** Name and version of this program, noted in a new directory. */
  readonly writer: string;
  readonly now: number;
}

/** Rejects with DataDirectoryError for a directory that is damaged, foreign or of another version. */
export async function openEnvironment(directory: string, options: OpenOptions): Promise<Environment> {
  const { readOnly = false } = options;
  const dataFile = join(directory, DATA_FILE);
  if (readOnly && !existsSync(dataFile)) throw noData(directory);
  mkdirSync(directory, { recursive: true });
  const wasShort = fillUp(dataFile, readOnly);
  const environment = { ...(await openTables(directory, dataFile, readOnly)), wasShort };
  try {
    checkFormat(environment, directory, options);
    if (!readOnly) syncDirectory(directory);
  } catch (error) {
    await environment.root.close();
    throw error;
  }
  return environment;
}

/**
 * Loaded late, because a broker in memory has no use for it, and by require: the one file that it then is takes 25 ms,
 * its modules 36.
 */
function loadLmdb(): typeof import('lmdb') {
  // What require returns is not typed.
  return createRequire(import.meta.url)('lmdb') as typeof import('lmdb');
}

async function openTables(
  directory: string,
  dataFile: string,
  readOnly: boolean,
): Promise<Omit<Environment, 'wasShort'>> {
  const { open } = loadLmdb();
  let root: RootDatabase<Buffer, Buffer> | undefined;
  try {
    root = open<Buffer, Buffer>({
      path: dataFile,
      noSubdir: true,
      maxDbs: TABLES.length + 2,
      mapSize: FIRST_MAP_BYTES,
      readOnly,
      encoding: 'binary',
      cache: false,
      noMemInit: true,
      // A commit's promise then resolves after its syncs, not before.
      overlappingSync: false,
      // The committer draws the line between batches itself.
      eventTurnBatching: false,
    });
    const opened = root;
    const table = (name: TableName): Table =>
      opened.openDB<Buffer, Buffer>(name, { encoding: 'binary', keyEncoding: 'binary', cache: false });
    const tables = {
      meta: table('meta'),
      definitions: table('definitions'),
      logs: table('logs'),
      runs: table('runs'),
      records: table('records'),
      bodies: table('bodies'),
    };
    return { root, tables, dataFile };
  } catch (error) {
    await root?.close();
    throw damagedDirectory(directory, error);
  }
}

export function noData(directory: string): DataDirectoryError {
  return new DataDirectoryError(`there is no broker's data in '${directory}'`);
}

export function damagedDirectory(directory: string, error: unknown): DataDirectoryError {
  if (error instanceof DataDirectoryError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new DataDirectoryError(
    `data directory '${directory}' cannot be read (${reason}); restore a backup of it or move it away`,
  );
}

/** A new file is only sure to be found after a power loss when the directory that names it is on disk as well. */
function syncDirectory(directory: string): void {
  // Windows knows no such thing.
  if (process.platform === 'win32') return;
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function checkFormat(environment: Environment, directory: string, { readOnly, writer, now }: OpenOptions): void {
  const { meta } = environment.tables;
  const stored = meta.get(FORMAT_KEY);
  if (stored === undefined) {
    const foreign =
      readOnly === true || [...environment.root.getKeys({ limit: TABLES.length + 1 })].length > TABLES.length;
    if (foreign) throw new DataDirectoryError(`'${directory}' holds another program's data; choose another directory`);
    writeFormat(environment, writer, now);
    return;
  }
  const { version } = formatLayout.decode(stored);
  const writtenBy = stored.toString('utf8', formatLayout.span);
  if (version === FORMAT_VERSION) return;
  if (version > FORMAT_VERSION || !MIGRATIONS.has(version) || readOnly === true) {
    throw new DataDirectoryError(
      `this data directory was written by ${writtenBy} (format ${version}, this is ${writer} with format ` +
        `${FORMAT_VERSION}); start with ${writtenBy} or move '${directory}' away`,
    );
  }
  for (let from = version; from < FORMAT_VERSION; from++) MIGRATIONS.get(from)?.(environment);
  writeFormat(environment, writer, now);
}

function writeFormat({ tables }: Environment, writer: string, now: number): void {
  const name = Buffer.from(writer);
  const record = Buffer.alloc(formatLayout.span + name.length);
  formatLayout.encode({ version: FORMAT_VERSION, reserved: 0, createdAt: now }, record);
  name.copy(record, formatLayout.span);
  tables.meta.putSync(FORMAT_KEY, record);
}

/**
 * LMDB maps the file, and the system kills a process that touches a page behind its end. A file cut short by a crash or
 * a bad copy is therefore filled up with zeros, which LMDB recognises as no page of its own. (A whole file may also be a
 * little shorter than LMDB's last page number says, when the last pages were allocated and never used.)
 */
function fillUp(dataFile: string, readOnly: boolean): boolean {
  if (!existsSync(dataFile)) return false;
  const fd = openSync(dataFile, readOnly ? 'r' : 'r+');
  try {
    const { size } = fstatSync(fd);
    const needed = size === 0 ? 0 : bytesInUse(fd);
    // lmdb itself ends the process over such a file.
    if (needed === undefined)
      throw new DataDirectoryError(`'${dataFile}' is not a broker's data, or damaged; move it away`);
    if (size >= needed) return false;
    if (readOnly)
      throw new DataDirectoryError(`'${dataFile}' has ${size} bytes and should have ${needed}: it is cut short`);
    ftruncateSync(fd, needed);
    return true;
  } finally {
    closeSync(fd);
  }
}

/** Offsets within a meta page: the page header of 24 bytes, then lmdb's MDB_meta. */
const META = { magic: 24, version: 28, pageBytes: 48, lastPage: 144, transaction: 152, span: 160 };
const MAGIC = 0xbeefc0de;
const LMDB_DATA_VERSION = 2;

/** Up to the last page that the newer of the two meta pages names; undefined when neither is one. */
function bytesInUse(fd: number): number | undefined {
  const page = Buffer.alloc(META.span);
  let newest = -1n;
  let pageBytes = 4096;
  let bytes: number | undefined;
  for (let index = 0; index < META_PAGES; index++) {
    if (readSync(fd, page, 0, META.span, index * pageBytes) < META.span) continue;
    if (page.readUInt32LE(META.magic) !== MAGIC || page.readUInt16LE(META.version) !== LMDB_DATA_VERSION) continue;
    if (index === 0) pageBytes = page.readUInt32LE(META.pageBytes) || pageBytes;
    const transaction = page.readBigUInt64LE(META.transaction);
    if (transaction <= newest) continue;
    newest = transaction;
    bytes = (Number(page.readBigUInt64LE(META.lastPage)) + 1) * pageBytes;
  }
  return bytes;
}
