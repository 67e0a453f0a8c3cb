/**
 * Patterns over the names of queues and exchanges, as permissions and policies have them: regular expressions that match
 * anywhere in a name unless they are anchored.
 */

/** What may stand behind a backslash in a Unicode expression of JavaScript. */
const KNOWN_ESCAPE = /[A-Za-z0-9^$\\.*+?()[\]{}|/]/;

/**
 * RabbitMQ's patterns are PCRE. There any other character may be escaped too (`\-`, `\_`), so those are written by their
 * code point; `(?i)` in front is the flag. What JavaScript has no form for is refused, never read as something else.
 * Throws SyntaxError.
 */
export function compilePattern(pattern: string): RegExp {
  const ignoresCase = pattern.startsWith('(?i)');
  const source = (ignoresCase ? pattern.slice('(?i)'.length) : pattern).replace(
    /\\(.)/gsu,
    (written: string, character: string) =>
      KNOWN_ESCAPE.test(character) ? written : `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
  return new RegExp(source, ignoresCase ? 'isu' : 'su');
}
