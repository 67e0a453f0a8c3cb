import { expect, it } from 'vitest';
import { TopicTrie } from '../../../../src/core/exchange/topic-trie.js';
import { bindingOf } from './routing.js';

it('prunes the nodes that removals leave empty', () => {
  const trie = new TopicTrie();
  const bindings = ['a.b.c', 'a.b', 'a.*.c', '#', '', 'a.#.b', '..', '*.*'].map((pattern) => bindingOf(pattern));
  for (const binding of bindings) trie.add(binding);
  for (const binding of bindings) {
    expect(trie.isEmpty).toBe(false);
    trie.remove(binding);
  }
  expect(trie.isEmpty).toBe(true);
});

it('is left as it is by the removal of an unknown pattern', () => {
  const trie = new TopicTrie();
  for (const pattern of ['', 'a', '*', '#.a']) trie.remove(bindingOf(pattern));
  expect(trie.isEmpty).toBe(true);
});
