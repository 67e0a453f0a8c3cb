/**
 * What the store knows of one log: its runs in order, how far it was delivered, and the tombstones of what was settled
 * in one stroke.
 */
import { logStateLayout, tombstoneLayout } from './layouts.js';
import type { Run } from './run.js';

export interface Tombstone {
  readonly first: number;
  readonly last: number;
}

export class StoredLog {
  readonly id: number;
  /** Ascending, disjoint. */
  runs: Run[] = [];
  deliveredUpTo = 0;
  tombstones: Tombstone[] = [];
  /** The last so many runs are tiny. */
  tinyRuns = 0;
  /** The open batch has to write the state. */
  dirty = false;

  constructor(id: number) {
    this.id = id;
  }

  get lastPosition(): number {
    return this.runs[this.runs.length - 1]?.lastPosition ?? 0;
  }

  /** Index of the first run that ends at `position` or later. */
  indexOf(position: number): number {
    const { runs } = this;
    let low = 0;
    let high = runs.length;
    // What is settled is nearly always at the front.
    if (high > 0 && (runs[0] as Run).lastPosition >= position) return 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((runs[middle] as Run).lastPosition < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The state as it goes to disk. */
  state(): Buffer {
    const bytes = Buffer.alloc(logStateLayout.span + this.tombstones.length * tombstoneLayout.span);
    const { deliveredUpTo, tombstones } = this;
    logStateLayout.encode({ deliveredUpTo, tombstoneCount: tombstones.length, reserved: 0 }, bytes);
    tombstones.forEach((tombstone, index) => {
      tombstoneLayout.encode({ ...tombstone }, bytes, logStateLayout.span + index * tombstoneLayout.span);
    });
    return bytes;
  }

  restoreState(bytes: Buffer): void {
    const { deliveredUpTo, tombstoneCount } = logStateLayout.decode(bytes);
    this.deliveredUpTo = deliveredUpTo;
    for (let index = 0; index < tombstoneCount; index++) {
      this.tombstones.push(tombstoneLayout.decode(bytes, logStateLayout.span + index * tombstoneLayout.span));
    }
  }
}
