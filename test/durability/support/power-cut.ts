/**
 * A power cut, modelled on the file that a running broker writes.
 *
 * While the broker is frozen by SIGSTOP its data file is what the system would write out: every call so far has had its
 * effect. A disk that loses power holds less. What was written before the sync of the last finished commit it holds; of
 * each later write it holds all, nothing, or some sectors; and what was not yet written it does not hold. The trace of
 * system calls tells these apart, at the moment of the freeze and at the moment before the last commit wrote its meta
 * page, which is the one that hurts: all its data under way and nothing of it valid. So a state after a power cut is the
 * frozen file with any sectors of unsafe writes put back to what they were. The copy taken at the freeze before stands in
 * for that: LMDB never writes over a page of the last committed state, so it does not matter what such a page held, and
 * an older meta page loses to the other one whatever its age.
 *
 * A copy read front to back while the broker writes would be no such state: LMDB reuses pages, and such a copy mixes
 * pages of transactions far apart. No disk does that across a sync.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../../support/random.js';
import { copyDirectory } from './data-directory.js';
import type { PowerCut, Range } from './trace.js';

const SECTOR_BYTES = 512;
const PAGE_BYTES = 4096;

/** Freezes every thread, and returns once they all stand still. */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  const isStill = (thread: string) => /^[tT]$/.test(stateOf(`/proc/${pid}/task/${thread}/stat`));
  while (!readdirSync(`/proc/${pid}/task`).every(isStill)) await pause(1);
}

export function thaw(pid: number): void {
  process.kill(pid, 'SIGCONT');
}

function stateOf(file: string): string {
  try {
    const text = readFileSync(file, 'latin1');
    return text.charAt(text.lastIndexOf(')') + 2);
  } catch {
    return 't';
  }
}

export interface Loss {
  /** A copy of the directory of the frozen broker. */
  readonly frozen: string;
  /** The same of an earlier moment. */
  readonly older: string;
  readonly dataFileName: string;
  readonly cut: PowerCut;
}

/** A directory as a disk may hold it after a power cut. Returns how many sectors were lost. */
export function losePower(to: string, { frozen, older, dataFileName, cut }: Loss, random: Random): number {
  copyDirectory(frozen, to);
  const target = `${to}/${dataFileName}`;
  const bytes = readFileSync(target);
  const old = readFileSync(`${older}/${dataFileName}`);
  const share = random.pick([0.1, 0.5, 0.9, 1]);
  const step = random.chance(0.5) ? SECTOR_BYTES : PAGE_BYTES;
  let sectors = 0;
  const revert = ({ start, end }: Range, chance: number) => {
    for (let at = start - (start % step); at < end; at += step) {
      if (!random.chance(chance)) continue;
      sectors += step / SECTOR_BYTES;
      const last = Math.min(at + step, bytes.length);
      bytes.fill(0, at, last);
      if (at < old.length) old.copy(bytes, at, at, last);
    }
  };
  for (const range of cut.unsafe) revert(range, share);
  for (const range of cut.lost) revert(range, 1);
  const isShort = cut.safeBytes > 0 && random.chance(0.3);
  writeFileSync(target, isShort ? bytes.subarray(0, cut.safeBytes) : bytes);
  return sectors;
}

/** Cuts the file at a page border: `share` of its pages remain. */
export function cutShort(to: string, from: string, dataFileName: string, share: number): void {
  copyDirectory(from, to);
  const bytes = readFileSync(`${to}/${dataFileName}`);
  const pages = Math.floor((bytes.length / PAGE_BYTES) * share);
  writeFileSync(`${to}/${dataFileName}`, bytes.subarray(0, pages * PAGE_BYTES));
}

/** Garbage behind the last page: what a file that had begun to grow may end with. */
export function addGarbage(to: string, from: string, dataFileName: string, random: Random): void {
  copyDirectory(from, to);
  const bytes = readFileSync(`${to}/${dataFileName}`);
  writeFileSync(`${to}/${dataFileName}`, Buffer.concat([bytes, random.bytes(PAGE_BYTES * (1 + random.below(20)))]));
}
