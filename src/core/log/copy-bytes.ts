/**
 * Copies a short run of bytes. Below `LOOP_LIMIT` a loop beats `set`, which needs a view object
 * (`npm run bench:micro` has the figures).
 */
const LOOP_LIMIT = 32;

/** Copies `source[start, end)` to `target` at `at` and returns the offset behind it. */
export function copyBytes(target: Uint8Array, at: number, source: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length <= LOOP_LIMIT) {
    for (let i = 0; i < length; i++) target[at + i] = source[start + i] as number;
  } else {
    target.set(start === 0 && end === source.length ? source : source.subarray(start, end), at);
  }
  return at + length;
}
