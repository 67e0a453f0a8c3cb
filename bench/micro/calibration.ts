/**
 * A fixed piece of work in plain JavaScript. How long it takes says how fast this machine is at this moment, so that
 * figures of another machine, or of this one in a slow hour, can be set in proportion. Only typed arrays and integers:
 * with maps and objects V8 compiles it in one of two ways, 30% apart.
 */

/** Bump it with the work: a baseline of another version is not compared. */
export const CALIBRATION_VERSION = 1;

const WORDS = 4096;
const PASSES = 100;

const words = Uint32Array.from({ length: WORDS }, (_, i) => Math.imul(i + 1, 0x9e3779b1));
const bytes = new Uint8Array(WORDS);

/** Takes around 1 ms. */
export function calibrationWork(): void {
  for (let pass = 0; pass < PASSES; pass++) {
    mix(words);
    scatter(words, bytes);
  }
}

function mix(of: Uint32Array): void {
  for (let i = 0; i < WORDS; i++) {
    const word = of[i] as number;
    of[i] = Math.imul(word ^ (word >>> 15), 0x2c1b3c6d);
  }
}

function scatter(from: Uint32Array, to: Uint8Array): void {
  for (let i = 0; i < WORDS; i++) to[(from[i] as number) & (WORDS - 1)] = i;
}
