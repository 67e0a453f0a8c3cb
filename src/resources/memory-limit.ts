/**
 * How much memory this process may use: what the machine has, or what the control groups of a container or service
 * leave of it. `process.constrainedMemory()` knows only the innermost group, and says 2^64 where there is no limit.
 */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { posix } from 'node:path';
import type { MemoryLimit } from '../option-table.js';

/** Undefined when there is no such file. */
export type ReadText = (path: string) => string | undefined;

const CGROUPS = '/sys/fs/cgroup';
const V2_FILES = ['memory.max', 'memory.high'];
const V1_FILES = ['memory.limit_in_bytes'];

/** The bytes an option stands for. */
export function memoryLimitBytes(limit: MemoryLimit, usableBytes = usableMemoryBytes()): number {
  if (typeof limit === 'number') return limit;
  return Math.floor((usableBytes * Number.parseFloat(limit)) / 100);
}

export function usableMemoryBytes(totalBytes = totalmem(), read: ReadText = readText): number {
  return Math.min(totalBytes, ...cgroupLimits(read));
}

/** The limits of this process's groups and of all groups around them: the smallest counts. */
function cgroupLimits(read: ReadText): number[] {
  const limits: number[] = [];
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers = '', path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    if (controllers === '') limits.push(...limitsAlong(CGROUPS, path, V2_FILES, read));
    if (controllers.split(',').includes('memory'))
      limits.push(...limitsAlong(`${CGROUPS}/memory`, path, V1_FILES, read));
  }
  return limits;
}

/** A container sees its own group as the root, whatever the path says: what does not exist is passed over. */
function limitsAlong(root: string, path: string, files: readonly string[], read: ReadText): number[] {
  const limits: number[] = [];
  for (let group = posix.normalize(path); ; group = posix.dirname(group)) {
    for (const file of files) {
      const text = read(posix.join(root, group, file))?.trim() ?? '';
      if (/^\d+$/.test(text)) limits.push(Number(text));
    }
    if (group === '/' || group === '.') return limits;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
