/**
 * A scratch store whose writes and reads end when the test says so, and as it says. It throws when the core breaks the
 * port's contract.
 */
import type { ScratchPage, ScratchStore } from '../../src/core/ports/scratch-store.js';

interface Operation {
  readonly kind: 'write' | 'read';
  end(succeeds: boolean): void;
}

export class ControlledScratch implements ScratchStore {
  readonly #pages = new Map<ScratchPage, Buffer>();
  readonly #outstanding: Operation[] = [];
  readCount = 0;

  write(bytes: Uint8Array, length: number, done: (page: ScratchPage | undefined) => void): void {
    const before = Buffer.from(bytes.subarray(0, length));
    const end = (succeeds: boolean): void => {
      if (before.compare(bytes, 0, length) !== 0) throw new Error('bytes changed while they were written');
      if (!succeeds) {
        done(undefined);
        return;
      }
      const page = { length };
      this.#pages.set(page, before);
      done(page);
    };
    this.#outstanding.push({ kind: 'write', end });
  }

  read(page: ScratchPage, target: Uint8Array): void {
    this.readCount++;
    target.set(this.#find(page));
  }

  readAhead(page: ScratchPage, target: Uint8Array, done: (filled: boolean) => void): void {
    this.#find(page);
    const end = (succeeds: boolean): void => {
      const found = this.#pages.get(page);
      // The place of a page that was freed may hold another by now.
      if (found === undefined || !succeeds) target.fill(0xee);
      else target.set(found);
      done(succeeds);
    };
    this.#outstanding.push({ kind: 'read', end });
  }

  free(page: ScratchPage): void {
    this.#find(page).fill(0xdd);
    this.#pages.delete(page);
  }

  // --- for the test

  get pageCount(): number {
    return this.#pages.size;
  }

  get writeCount(): number {
    return this.#count('write');
  }

  get readAheadCount(): number {
    return this.#count('read');
  }

  /** Ends one of what is outstanding, or does nothing when nothing is. */
  end(which = 0, succeeds = true): void {
    const { length } = this.#outstanding;
    if (length > 0) this.#outstanding.splice(which % length, 1)[0]?.end(succeeds);
  }

  endAll(): void {
    while (this.#outstanding.length > 0) this.end();
  }

  #count(kind: Operation['kind']): number {
    return this.#outstanding.filter((operation) => operation.kind === kind).length;
  }

  #find(page: ScratchPage): Buffer {
    const found = this.#pages.get(page);
    if (found === undefined) throw new Error('there is no such page');
    return found;
  }
}
