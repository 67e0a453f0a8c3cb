/**
 * Definitions on disk: one file, or all files of a folder in the order of their names, as RabbitMQ's load_definitions.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface DefinitionsFile {
  readonly file: string;
  readonly text: string;
}

/** Throws Node's error, which names the path, for what cannot be read. */
export function definitionsFiles(path: string): readonly DefinitionsFile[] {
  const files = statSync(path).isDirectory()
    ? readdirSync(path)
        .sort()
        .map((name) => join(path, name))
    : [path];
  return files.map((file) => ({ file, text: readFileSync(file, 'utf8') }));
}
