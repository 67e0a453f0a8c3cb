/** The version of this package, from its package.json: two folders up when compiled, one in the sources. */
import { readFileSync } from 'node:fs';

const PLACES = ['../../package.json', '../package.json'];

export function packageVersion(): string {
  for (const place of PLACES) {
    try {
      const content: unknown = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8'));
      if (typeof content !== 'object' || content === null) continue;
      if ('name' in content && content.name === 'jackalope' && 'version' in content) return String(content.version);
    } catch {
      // Not there; the next place.
    }
  }
  return 'unknown';
}

/** Who a data directory says it was written by. */
export function programName(): string {
  return `Jackalope ${packageVersion()}`;
}
