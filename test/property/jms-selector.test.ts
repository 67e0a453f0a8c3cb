import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileSelector } from '../../src/core/exchange/jms-selector.js';
import { compileLike } from '../../src/core/exchange/like-pattern.js';
import type { FieldTable, FieldValue } from '../../src/core/field-value.js';
import { seedOf } from '../support/random.js';

fc.configureGlobal({ seed: seedOf('jms-selector') });

const tokens = [
  ...["'and'", "'or'", "'not'", "'='", "'<>'", "'<'", "'in'", "'not_in'", "'+'", "'/'", "'-'", "'is_null'"],
  ...["'ident'", "'like'", "'not_like'", "'between'", "'range'", "'no_escape'", 'true', 'false', 'other'],
  ...['<<"a">>', '<<"%">>', '<<>>', '"a"', '0', '-1', '2.5', '9007199254740993', '<<', '"', "'"],
];

const term = fc.letrec<{ term: string }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(...tokens),
    fc.constant('{\'ident\',<<"a">>}'),
    fc.array(tie('term'), { maxLength: 4 }).map((terms) => `{${terms.join(',')}}`),
    fc.array(tie('term'), { maxLength: 3 }).map((terms) => `[${terms.join(',')}]`),
  ),
})).term;

const value: fc.Arbitrary<FieldValue> = fc.oneof(
  fc.string().map((text) => ({ type: 'S', value: text }) as const),
  fc.boolean().map((truth) => ({ type: 't', value: truth }) as const),
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map((large) => ({ type: 'l', value: large }) as const),
  fc.double().map((number) => ({ type: 'd', value: number }) as const),
  fc.constant({ type: 'V' } as const),
  fc.constant({ type: 'A', value: [] } as const),
);

describe('a selector', () => {
  it('is refused with a SyntaxError, or selects or not, whatever the headers hold', () => {
    let compiled = 0;
    fc.assert(
      fc.property(term, value, (text, header) => {
        const headers: FieldTable = [['a', header]];
        try {
          const select = compileSelector(text);
          compiled++;
          expect(typeof select(headers)).toBe('boolean');
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
        }
      }),
      { numRuns: 3000 },
    );
    expect(compiled).toBeGreaterThan(100);
  });

  it('is one or none for any text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(fc.constantFrom(...tokens, '{', '}', '[', ']', ',', '.')).map((all) => all.join('')),
        ),
        (text) => {
          try {
            compileSelector(text);
          } catch (error) {
            expect(error).toBeInstanceOf(SyntaxError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('a pattern', () => {
  it('matches what the same regular expression matches', () => {
    const letters = (alphabet: readonly string[]) =>
      fc.array(fc.constantFrom(...alphabet), { maxLength: 10 }).map((all) => all.join(''));
    fc.assert(
      fc.property(letters(['a', 'b', '_', '%']), letters(['a', 'b', '_']), (pattern, text) => {
        const expression = new RegExp(`^${pattern.replaceAll('_', '.').replaceAll('%', '.*')}$`);
        expect(compileLike(pattern, undefined)(text)).toBe(expression.test(text));
      }),
      { numRuns: 5000 },
    );
  });
});
