/**
 * Space kept back for a full disk. LMDB copies on write, so even deleting needs pages: giving the reserve up lets the
 * acknowledgements through that make room.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const RESERVE_BYTES = 2 * 1024 * 1024;

export class ReserveFile {
  readonly #path: string;
  #held = false;

  constructor(directory: string) {
    this.#path = join(directory, 'reserve');
  }

  /** Takes the space; false when there is none. */
  take(): boolean {
    if (this.#held) return true;
    try {
      // Written, not truncated to size: a file with a hole reserves nothing.
      writeFileSync(this.#path, Buffer.alloc(RESERVE_BYTES, 0x6a));
      this.#held = true;
    } catch {
      this.giveUp();
    }
    return this.#held;
  }

  giveUp(): void {
    this.#held = false;
    rmSync(this.#path, { force: true });
  }
}
