/** A broker's data directory, from outside. */
import { cpSync, lstatSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Replaces `to` by a copy of `from`, as a backup program would see it: files only, no sockets. */
export function copyDirectory(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  const isKept = (path: string) => lstatSync(path).isDirectory() || lstatSync(path).isFile();
  cpSync(from, to, { recursive: true, filter: isKept });
}

/** The store's files, without what it throws away at the start. */
export function dataFileBytes(directory: string): number {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const kept = files.filter((name) => name.endsWith('data.mdb') && !name.includes('scratch'));
  return kept.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}
