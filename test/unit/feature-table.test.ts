/** The README's table of features: what it says that we have is shown by a test of that name. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Row {
  readonly feature: string;
  readonly ours: string;
  readonly file: string;
  readonly test: string;
}

function rows(): Row[] {
  const [, section = ''] = readFileSync('README.md', 'utf8').split('\n## Features\n');
  const lines = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| '));
  // Without the head of the table and the line below it.
  return lines.slice(2).map((line) => {
    const [feature = '', ours = '', , , shownBy = ''] = line
      .split('|')
      .slice(1)
      .map((cell) => cell.trim());
    const [, file = '', test = ''] = /\]\((\S+)\): (.+)$/.exec(shownBy) ?? [];
    return { feature, ours, file, test };
  });
}

describe('the table of features', () => {
  it('has rows', () => {
    expect(rows().length).toBeGreaterThan(20);
  });

  it.each(rows().filter(({ ours }) => ours !== 'no'))('$feature is shown by a test', ({ file, test }) => {
    expect(existsSync(file), file).toBe(true);
    expect(readFileSync(file, 'utf8').includes(`('${test}'`), `${file}: ${test}`).toBe(true);
  });
});
