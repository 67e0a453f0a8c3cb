/**
 * A hash of text for the exchange types that choose by one. Clients rely on it over restarts and versions: a message
 * with the same key is to reach the same queue again.
 */

/** FNV-1a over UTF-16 units, then MurmurHash3's finalizer to spread it over all 32 bits. Seeds give independent hashes. */
export function hashText(text: string, seed = 0): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
