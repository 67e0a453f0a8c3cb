/**
 * What the core asks of the place where messages go that memory has no room for and that need not survive the
 * process. Everything in it is forgotten when the broker ends.
 */

/** Where something was put; opaque to the core. */
export type ScratchPage = object;

export interface ScratchStore {
  /**
   * Starts to write `bytes[0, length)`, which must not change until `done` is called: with the page, or with undefined
   * when it could not be written. Never calls `done` before it returns.
   */
  write(bytes: Uint8Array, length: number, done: (page: ScratchPage | undefined) => void): void;
  /** Fills the start of `target` with what was written. Synchronous. Throws when it cannot be read. */
  read(page: ScratchPage, target: Uint8Array): void;
  /** Like `read`, off the main thread; `done(false)` when it could not be read. */
  readAhead(page: ScratchPage, target: Uint8Array, done: (filled: boolean) => void): void;
  free(page: ScratchPage): void;
}
