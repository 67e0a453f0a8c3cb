/**
 * SQL's LIKE: `_` stands for one character, `%` for any number of them, and an escape character takes the meaning from
 * what follows it.
 */

export type LikePattern = (text: string) => boolean;

const ANY_ONE = Symbol('_');
const ANY_NUMBER = Symbol('%');
type Token = string | typeof ANY_ONE | typeof ANY_NUMBER;

/** RabbitMQ's limit, after which nothing matches: patterns and texts come from clients. */
const MOST_STEPS = 50_000;

export function compileLike(pattern: string, escapeCharacter: string | undefined): LikePattern {
  const tokens = tokensOf(pattern, escapeCharacter);
  return (text) => matches(tokens, Array.from(text));
}

function tokensOf(pattern: string, escapeCharacter: string | undefined): readonly Token[] {
  const tokens: Token[] = [];
  const characters = Array.from(pattern);
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i] ?? '';
    const next = characters[i + 1];
    if (character === escapeCharacter && next !== undefined) {
      tokens.push(next);
      i++;
    } else if (character === '_') tokens.push(ANY_ONE);
    else if (character !== '%') tokens.push(character);
    else if (tokens.at(-1) !== ANY_NUMBER) tokens.push(ANY_NUMBER);
  }
  return tokens;
}

/** On a mismatch the last `%` takes one character more; those before it need no second try. */
function matches(tokens: readonly Token[], characters: readonly string[]): boolean {
  let [at, token] = [0, 0];
  let [retryAt, retryToken] = [0, -1];
  for (let steps = 0; at < characters.length; steps++) {
    if (steps > MOST_STEPS) return false;
    const expected = tokens[token];
    if (expected === ANY_NUMBER) {
      retryToken = ++token;
      retryAt = at;
    } else if (expected !== undefined && (expected === ANY_ONE || expected === characters[at])) {
      at++;
      token++;
    } else if (retryToken < 0) return false;
    else {
      at = ++retryAt;
      token = retryToken;
    }
  }
  return token === tokens.length || (token === tokens.length - 1 && tokens[token] === ANY_NUMBER);
}
