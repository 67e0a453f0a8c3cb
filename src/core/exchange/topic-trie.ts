/**
 * Topic patterns as a trie of words. `*` stands for exactly one word, `#` for any number of them; both have a branch of
 * their own, so that a published word `*` is nothing special. The empty key has no words; `a.` has two, `a` and ''.
 */
import type { Binding } from '../binding.js';
import type { RouteTargets } from './exchange-type.js';
import { addAll, OrderedSet } from './ordered-set.js';

class TrieNode {
  words: Map<string, TrieNode> | undefined;
  star: TrieNode | undefined;
  hash: TrieNode | undefined;
  bindings: OrderedSet<Binding> | undefined;
  /** The walk that entered this node last; kept for the nodes of a `#` only. */
  walk = 0;

  get isLeaf(): boolean {
    return this.words === undefined && this.star === undefined && this.hash === undefined;
  }

  child(word: string): TrieNode | undefined {
    if (word === '*') return this.star;
    return word === '#' ? this.hash : this.words?.get(word);
  }

  addChild(word: string): TrieNode {
    const node = new TrieNode();
    if (word === '*') this.star = node;
    else if (word === '#') this.hash = node;
    else {
      this.words ??= new Map();
      this.words.set(word, node);
    }
    return node;
  }

  removeChild(word: string): void {
    if (word === '*') this.star = undefined;
    else if (word === '#') this.hash = undefined;
    else {
      this.words?.delete(word);
      if (this.words?.size === 0) this.words = undefined;
    }
  }
}

export class TopicTrie {
  readonly #root = new TrieNode();
  /** The words of the key being matched: refilled for each, so that a word is cut out once for all branches. */
  readonly #words: string[] = [];
  #wordCount = 0;
  #walk = 0;

  /** True when every node has been pruned. */
  get isEmpty(): boolean {
    return this.#root.isLeaf && this.#root.bindings === undefined;
  }

  add(binding: Binding): void {
    let node = this.#root;
    for (const word of wordsOf(binding.routingKey)) node = node.child(word) ?? node.addChild(word);
    node.bindings ??= new OrderedSet();
    node.bindings.add(binding);
  }

  remove(binding: Binding): void {
    removeBelow(this.#root, wordsOf(binding.routingKey), 0, binding);
  }

  /** Adds each binding whose pattern matches, once. */
  match(routingKey: string, targets: RouteTargets): void {
    this.#split(routingKey);
    this.#walk++;
    this.#visit(this.#root, 0, targets);
  }

  /** `node` matches the words before `index`. */
  #visit(node: TrieNode, index: number, targets: RouteTargets): void {
    const hash = node.hash;
    if (hash !== undefined && hash.walk !== this.#walk) this.#enterHash(hash, index, targets);
    const word = this.#words[index];
    if (index === this.#wordCount || word === undefined) {
      if (node.bindings !== undefined) addAll(node.bindings, targets);
      return;
    }
    if (node.star !== undefined) this.#visit(node.star, index + 1, targets);
    const next = node.words?.get(word);
    if (next !== undefined) this.#visit(next, index + 1, targets);
  }

  /**
   * A walk visits each node at ascending indexes, so what the first entry covers, from `index` to the end, includes
   * every later one. Entering once is what keeps several `#` in a pattern from multiplying.
   */
  #enterHash(hash: TrieNode, index: number, targets: RouteTargets): void {
    hash.walk = this.#walk;
    if (hash.isLeaf) {
      if (hash.bindings !== undefined) addAll(hash.bindings, targets);
      return;
    }
    for (let from = index; from <= this.#wordCount; from++) this.#visit(hash, from, targets);
  }

  /** Overwrites the words of the key before: emptying the array would give its memory back. */
  #split(routingKey: string): void {
    let count = 0;
    if (routingKey !== '') {
      let start = 0;
      for (let dot = routingKey.indexOf('.'); dot >= 0; dot = routingKey.indexOf('.', start)) {
        this.#words[count++] = routingKey.slice(start, dot);
        start = dot + 1;
      }
      this.#words[count++] = routingKey.slice(start);
    }
    this.#wordCount = count;
  }
}

function wordsOf(pattern: string): readonly string[] {
  return pattern === '' ? [] : pattern.split('.');
}

/** Takes the nodes that this leaves empty out of the trie. */
function removeBelow(node: TrieNode, words: readonly string[], index: number, binding: Binding): void {
  const word = words[index];
  if (word === undefined) {
    node.bindings?.remove(binding);
    if (node.bindings?.size === 0) node.bindings = undefined;
    return;
  }
  const child = node.child(word);
  if (child === undefined) return;
  removeBelow(child, words, index + 1, binding);
  if (child.isLeaf && child.bindings === undefined) node.removeChild(word);
}
