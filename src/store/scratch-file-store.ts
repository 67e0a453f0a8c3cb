/**
 * Pages of memory in files that end with the process: one file for each size of slot, powers of two from 4 KiB. A file
 * has no name from the moment it is open, where the system allows that, so that even a crash leaves nothing; a file
 * that is all free is closed, which gives its space back off the main thread.
 */
import {
  close as closeFile,
  mkdirSync,
  openSync,
  readdirSync,
  read as readFile,
  readSync,
  rmSync,
  write as writeFile,
} from 'node:fs';
import { join } from 'node:path';
import type { ScratchPage, ScratchStore } from '../core/ports/scratch-store.js';

const SMALLEST_SLOT_BYTES = 4096;
/** A smaller file is kept when it is all free. */
const KEPT_FILE_BYTES = 16 * 1024 * 1024;
const FILE_NAME = /^scratch-\d+$/;

interface SlotFile {
  readonly fd: number;
  /** Undefined when it has been removed already. */
  readonly path: string | undefined;
  readonly slotBytes: number;
  /** Slots ever used, and those of them that are free. */
  slots: number;
  readonly free: number[];
  /** Reads and writes on their way: it is not closed before them. */
  outstanding: number;
  /** No page of it is to be used any more. */
  retired: boolean;
  closing: boolean;
}

interface FilePage {
  readonly file: SlotFile;
  readonly slot: number;
  readonly length: number;
}

export class ScratchFileStore implements ScratchStore {
  readonly #folder: string;
  readonly #files = new Map<number, SlotFile>();
  readonly #closing = new Set<SlotFile>();
  #opened = 0;
  #closed = false;
  #onAllClosed: (() => void) | undefined;

  /** Creates `folder` and removes what an earlier process left in it. */
  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(folder)) if (FILE_NAME.test(name)) rmSync(join(folder, name), { force: true });
  }

  /** Of all files, free slots included. */
  get fileBytes(): number {
    let bytes = 0;
    for (const { slots, slotBytes } of this.#files.values()) bytes += slots * slotBytes;
    return bytes;
  }

  write(bytes: Uint8Array, length: number, done: (page: ScratchPage | undefined) => void): void {
    const file = this.#fileFor(length);
    if (file === undefined) {
      // Never before this returns.
      void Promise.resolve().then(() => done(undefined));
      return;
    }
    const page = { file, slot: file.free.pop() ?? file.slots++, length };
    file.outstanding++;
    const at = page.slot * file.slotBytes;
    const ended = (written: boolean): void => {
      file.outstanding--;
      if (!written) file.free.push(page.slot);
      this.#release(file);
      done(written ? page : undefined);
    };
    const from = (start: number): void => {
      writeFile(file.fd, bytes, start, length - start, at + start, (error, count) => {
        if (error !== null || count === 0) ended(false);
        else if (start + count < length) from(start + count);
        else ended(true);
      });
    };
    from(0);
  }

  read(page: ScratchPage, target: Uint8Array): void {
    const { file, slot, length } = this.#pageOf(page);
    if (file.retired) throw new Error('the scratch files are closed');
    const at = slot * file.slotBytes;
    for (let start = 0; start < length; ) {
      const count = readSync(file.fd, target, start, length - start, at + start);
      if (count === 0) throw new Error(`a scratch file ends ${length - start} bytes too early`);
      start += count;
    }
  }

  readAhead(page: ScratchPage, target: Uint8Array, done: (filled: boolean) => void): void {
    const { file, slot, length } = this.#pageOf(page);
    if (file.retired) {
      void Promise.resolve().then(() => done(false));
      return;
    }
    const at = slot * file.slotBytes;
    file.outstanding++;
    const ended = (filled: boolean): void => {
      file.outstanding--;
      this.#release(file);
      done(filled);
    };
    const from = (start: number): void => {
      readFile(file.fd, target, start, length - start, at + start, (error, count) => {
        if (error !== null || count === 0) ended(false);
        else if (start + count < length) from(start + count);
        else ended(true);
      });
    };
    from(0);
  }

  free(page: ScratchPage): void {
    const { file, slot } = this.#pageOf(page);
    file.free.push(slot);
    this.#release(file);
  }

  /** Resolves when everything on its way has ended and the files are gone. Idempotent; pages are of no use then. */
  close(): Promise<void> {
    this.#closed = true;
    for (const file of [...this.#files.values()]) {
      file.retired = true;
      this.#closing.add(file);
      this.#release(file);
    }
    this.#files.clear();
    return new Promise((resolve) => {
      const before = this.#onAllClosed;
      this.#onAllClosed = () => {
        before?.();
        resolve();
      };
      this.#noteClosed();
    });
  }

  /** Undefined when it cannot be opened. */
  #fileFor(length: number): SlotFile | undefined {
    let slotBytes = SMALLEST_SLOT_BYTES;
    while (slotBytes < length) slotBytes *= 2;
    const known = this.#files.get(slotBytes);
    if (known !== undefined || this.#closed) return known;
    try {
      const file = this.#open(slotBytes);
      this.#files.set(slotBytes, file);
      return file;
    } catch {
      return undefined;
    }
  }

  #open(slotBytes: number): SlotFile {
    const path = join(this.#folder, `scratch-${++this.#opened}`);
    const fd = openSync(path, 'wx+', 0o600);
    let left: string | undefined;
    try {
      rmSync(path);
    } catch {
      left = path;
    }
    return { fd, path: left, slotBytes, slots: 0, free: [], outstanding: 0, retired: false, closing: false };
  }

  /** Something of the file has ended or was freed: closes it when nothing needs it. */
  #release(file: SlotFile): void {
    const isLarge = file.slots * file.slotBytes > KEPT_FILE_BYTES;
    if (file.outstanding > 0 || file.closing) return;
    if (file.retired || (isLarge && file.free.length === file.slots)) this.#close(file);
  }

  #close(file: SlotFile): void {
    file.closing = true;
    file.retired = true;
    if (this.#files.get(file.slotBytes) === file) this.#files.delete(file.slotBytes);
    this.#closing.add(file);
    closeFile(file.fd, () => {
      if (file.path !== undefined) rmSync(file.path, { force: true });
      this.#closing.delete(file);
      this.#noteClosed();
    });
  }

  #noteClosed(): void {
    if (this.#closed && this.#closing.size === 0) this.#onAllClosed?.();
  }

  #pageOf(page: ScratchPage): FilePage {
    if (!isFilePage(page)) throw new TypeError('a page of another scratch store');
    return page;
  }
}

function isFilePage(page: ScratchPage): page is FilePage {
  return 'file' in page && 'slot' in page && 'length' in page;
}
