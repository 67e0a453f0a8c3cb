/**
 * A parser for the Erlang terms that JMS clients send selectors as: tuples, lists, binaries, strings, numbers, and of
 * the atoms those that the caller knows. A term that is none is a SyntaxError with RabbitMQ's reason.
 */

export type Term =
  | { readonly kind: 'atom'; readonly name: string }
  | { readonly kind: 'number'; readonly value: number | bigint }
  | { readonly kind: 'binary' | 'string'; readonly text: string }
  | { readonly kind: 'tuple' | 'list'; readonly elements: readonly Term[] };

/** RabbitMQ's limit. */
const DEEPEST_NESTING = 16;
/** Digits of the largest integer that a header can hold; what has more is taken for a float. */
const MOST_INTEGER_DIGITS = 20;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

export function parseTerm(text: string, atoms: ReadonlySet<string>): Term {
  return new TermParser(text, atoms).parse();
}

class TermParser {
  readonly #text: string;
  readonly #atoms: ReadonlySet<string>;
  #at = 0;

  constructor(text: string, atoms: ReadonlySet<string>) {
    this.#text = text;
    this.#atoms = atoms;
  }

  /** The whole text: one term, with or without a full stop. */
  parse(): Term {
    const term = this.#term(0);
    this.#accept('.');
    this.#skipSpace();
    if (this.#at < this.#text.length) throw new SyntaxError('trailing_characters');
    return term;
  }

  #term(depth: number): Term {
    if (depth > DEEPEST_NESTING) throw new SyntaxError('max_depth_exceeded');
    if (this.#accept('{')) return { kind: 'tuple', elements: this.#elements('}', 'brace', depth) };
    if (this.#accept('[')) return { kind: 'list', elements: this.#elements(']', 'bracket', depth) };
    if (this.#accept('<<')) return { kind: 'binary', text: this.#binary() };
    if (this.#accept('"')) return { kind: 'string', text: this.#quoted('"', 'unterminated_string') };
    if (this.#accept("'")) return this.#atom(this.#quoted("'", 'unterminated_quoted_atom'));
    if (this.#accept('-')) return { kind: 'number', value: -this.#number() };
    if (this.#accept('+')) return { kind: 'number', value: this.#number() };
    if (this.#isDigit()) return { kind: 'number', value: this.#number() };
    const atom = this.#match(/[a-z][a-zA-Z0-9_@]*/y);
    if (atom !== undefined) return this.#atom(atom);
    throw new SyntaxError(this.#at < this.#text.length ? 'unexpected_character' : 'unexpected_end');
  }

  #elements(end: string, endName: string, depth: number): Term[] {
    const elements: Term[] = [];
    if (this.#accept(end)) return elements;
    do elements.push(this.#term(depth + 1));
    while (this.#accept(','));
    if (!this.#accept(end)) throw new SyntaxError(`expected_comma_or_closing_${endName}`);
    return elements;
  }

  #binary(): string {
    if (this.#accept('>>')) return '';
    if (!this.#accept('"')) throw new SyntaxError('invalid_binary');
    const text = this.#quoted('"', 'unterminated_string');
    if (!this.#accept('>>')) throw new SyntaxError('expected_closing_binary');
    return text;
  }

  #quoted(quote: string, unterminated: string): string {
    let text = '';
    for (let from = this.#at; ; from = this.#at) {
      while (this.#at < this.#text.length && this.#text[this.#at] !== quote && this.#text[this.#at] !== '\\')
        this.#at++;
      text += this.#text.slice(from, this.#at);
      const end = this.#text[this.#at++];
      if (end === quote) return text;
      const escaped = this.#text[this.#at++];
      if (end === undefined || escaped === undefined) throw new SyntaxError(unterminated);
      text += (quote === '"' ? ESCAPES[escaped] : undefined) ?? escaped;
    }
  }

  #atom(name: string): Term {
    if (!this.#atoms.has(name)) throw new SyntaxError(`{disallowed_atom,"${name}"}`);
    return { kind: 'atom', name };
  }

  #number(): number | bigint {
    this.#skipSpace();
    const digits = this.#match(/[0-9]+/y);
    if (digits === undefined) throw new SyntaxError('unexpected_character');
    const fraction = this.#match(/\.[0-9]+([eE][+-]?[0-9]*)?/y);
    if (fraction === undefined) return integerOf(digits);
    const value = Number(digits + fraction);
    if (!Number.isFinite(value)) throw new SyntaxError('invalid_term');
    return value;
  }

  #isDigit(): boolean {
    return /[0-9]/.test(this.#text[this.#at] ?? '');
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  /** Skips space before what is accepted, and if it is not as well. */
  #accept(expected: string): boolean {
    this.#skipSpace();
    if (!this.#text.startsWith(expected, this.#at)) return false;
    this.#at += expected.length;
    return true;
  }

  #skipSpace(): void {
    this.#match(/[ \t\n\r]+/y);
  }
}

function integerOf(digits: string): number | bigint {
  const value = Number(digits);
  return Number.isSafeInteger(value) || digits.length > MOST_INTEGER_DIGITS ? value : BigInt(digits);
}
