import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Binding } from '../../src/core/binding.js';
import { TopicTrie } from '../../src/core/exchange/topic-trie.js';
import { EMPTY_TABLE } from '../../src/core/field-value.js';
import { foundBindings } from '../support/exchange-place.js';

const seed = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
fc.configureGlobal({ seed });
console.log(`topic-trie: seed ${seed} (repeat with FC_SEED=${seed})`);

/** SEMANTICS 2.5 as directly as it can be written. */
function fits(pattern: readonly string[], key: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return key.length === 0;
  if (first === '#') return fits(rest, key) || (key.length > 0 && fits(pattern, key.slice(1)));
  const [word, ...further] = key;
  return word !== undefined && (first === '*' || first === word) && fits(rest, further);
}

const wordsOf = (key: string) => (key === '' ? [] : key.split('.'));

const dotted = (words: readonly string[], maxLength: number) =>
  fc.array(fc.constantFrom(...words), { maxLength }).map((chosen) => chosen.join('.'));
const pattern = dotted(['a', 'b', '', '*', '#', '#', 'a*'], 6);
const key = dotted(['a', 'a', 'b', '', '*', '#'], 7);

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const), pattern }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), which: fc.nat() }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('match' as const), key }) },
);

function matched(trie: TopicTrie, routingKey: string): Binding[] {
  const targets = foundBindings();
  trie.match(routingKey, targets);
  return targets.found;
}

it('finds what a naive matcher finds, each binding once, while bindings come and go', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const trie = new TopicTrie();
      const bound: Binding[] = [];
      for (const step of steps) {
        if (step.kind === 'add') {
          const binding = { routingKey: step.pattern, arguments: EMPTY_TABLE } as Binding;
          bound.push(binding);
          trie.add(binding);
        } else if (step.kind === 'remove') {
          const [binding] = bound.splice(step.which % Math.max(bound.length, 1), 1);
          if (binding !== undefined) trie.remove(binding);
        } else {
          const found = matched(trie, step.key);
          const expected = bound.filter(({ routingKey }) => fits(wordsOf(routingKey), wordsOf(step.key)));
          expect(found).toHaveLength(expected.length);
          expect(new Set(found)).toEqual(new Set(expected));
        }
      }
      for (const binding of bound) trie.remove(binding);
      expect(trie.isEmpty).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

it('finds what a naive matcher finds for any one pattern and key', () => {
  fc.assert(
    fc.property(pattern, key, (routingKey, published) => {
      const trie = new TopicTrie();
      trie.add({ routingKey, arguments: EMPTY_TABLE } as Binding);
      expect(matched(trie, published).length).toBe(fits(wordsOf(routingKey), wordsOf(published)) ? 1 : 0);
    }),
    { numRuns: 5000 },
  );
});
