/**
 * Escapes of header names and values as RabbitMQ has them: the same four in every version, CONNECT included.
 */
import { StompSyntaxError } from './errors.js';

const BACKSLASH = 0x5c;
const COLON = 0x3a;
const LF = 0x0a;
const CR = 0x0d;
const LETTER_N = 0x6e;
const LETTER_R = 0x72;
const LETTER_C = 0x63;

/** Decodes `source[start, end)` to `target` at `at`, which takes no more room. Returns the offset behind it. */
export function unescapeTo(target: Uint8Array, at: number, source: Uint8Array, start: number, end: number): number {
  let to = at;
  for (let from = start; from < end; from++) {
    const byte = source[from]!;
    if (byte !== BACKSLASH) {
      target[to++] = byte;
      continue;
    }
    from++;
    // At the end of a name there is the colon, at the end of a value the line's end: neither is an escape.
    target[to++] = unescaped(from < end ? source[from]! : -1);
  }
  return to;
}

/** How many bytes `source[start, end)` has when it is escaped. */
export function escapedSize(source: Uint8Array, start: number, end: number): number {
  let size = end - start;
  for (let at = start; at < end; at++) if (escapeLetter(source[at]!) !== 0) size++;
  return size;
}

/** Encodes `source[start, end)` to `target` at `at`, where there is room for it. Returns the offset behind it. */
export function escapeTo(target: Uint8Array, at: number, source: Uint8Array, start: number, end: number): number {
  let to = at;
  for (let from = start; from < end; from++) {
    const byte = source[from]!;
    const letter = escapeLetter(byte);
    if (letter === 0) target[to++] = byte;
    else {
      target[to++] = BACKSLASH;
      target[to++] = letter;
    }
  }
  return to;
}

/** What stands behind the backslash; 0 for a byte that goes as it is. */
function escapeLetter(byte: number): number {
  if (byte > BACKSLASH) return 0;
  switch (byte) {
    case LF:
      return LETTER_N;
    case CR:
      return LETTER_R;
    case COLON:
      return LETTER_C;
    case BACKSLASH:
      return BACKSLASH;
    default:
      return 0;
  }
}

function unescaped(letter: number): number {
  switch (letter) {
    case LETTER_N:
      return LF;
    case LETTER_R:
      return CR;
    case LETTER_C:
      return COLON;
    case BACKSLASH:
      return BACKSLASH;
    default:
      throw new StompSyntaxError('unknown escape in a header');
  }
}
