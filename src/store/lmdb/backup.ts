/**
 * A consistent copy of a data directory, also of one that a broker is writing to at the moment: LMDB copies the state
 * that one read transaction sees.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DataDirectoryError } from '../data-directory-error.js';
import { DATA_FILE, openEnvironment } from './environment.js';

/** Throws DataDirectoryError when there is nothing to copy, or something in the way. */
export async function backupDirectory(from: string, to: string, writer: string): Promise<void> {
  const target = join(to, DATA_FILE);
  if (existsSync(target)) throw new DataDirectoryError(`there is a '${target}' already; choose an empty folder`);
  const { root } = await openEnvironment(from, { readOnly: true, writer, now: 0 });
  try {
    mkdirSync(to, { recursive: true });
    // Compacting leaves free pages out.
    await root.backup(target, true);
  } finally {
    await root.close();
  }
}
