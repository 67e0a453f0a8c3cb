import { describe, expect, it } from 'vitest';
import { chartOf, escapedXml, tickStep } from '../../../../bench/compare/chart.js';
import { compareRuns, type ScenarioRun } from '../../../../bench/compare/comparison.js';
import { measured, scenarioNamed } from './results.js';

function runs(name: string, ours: number, theirs: number): ScenarioRun[] {
  const scenario = scenarioNamed(name);
  return [
    { scenario, side: 'ours', round: 1, outcome: measured(ours, 1, 1000, 1e6) },
    { scenario, side: 'theirs', round: 1, outcome: measured(theirs, 4, 8000, 1e7) },
  ];
}

function chart(name = 'one', theirs = 'Theirs'): string {
  return chartOf(
    compareRuns({ ours: 'Ours', theirs }, [...runs(name, 300, 100), ...runs('two', 50, 100)], []),
    'A title',
  );
}

/** Names of the elements in order; throws for what is not well-formed. */
function elementsOf(xml: string): string[] {
  const names: string[] = [];
  const open: string[] = [];
  for (const [, text = '', tag] of xml.matchAll(/([^<]*)(?:<([^>]*)>)?/g)) {
    if (/&(?!(amp|lt|gt|quot|apos|#\d+);)|>/.test(text)) throw new Error(`raw markup in '${text}'`);
    if (tag === undefined) continue;
    const [, closing, name = '', attributes = '', empty] =
      /^(\/?)([a-z]+)((?: [a-zA-Z0-9-]+="[^"<]*")*)(\/?)$/.exec(tag) ?? [];
    if (name === '' || /&(?!\w+;)/.test(attributes)) throw new Error(`bad tag <${tag}>`);
    if (closing === '/') {
      if (open.pop() !== name) throw new Error(`</${name}> closes nothing`);
      continue;
    }
    names.push(name);
    if (empty !== '/') open.push(name);
  }
  if (open.length > 0) throw new Error(`<${open.join('>, <')}> not closed`);
  return names;
}

function widths(svg: string, side: 'ours' | 'theirs'): number[] {
  const bars = svg.matchAll(
    new RegExp(`<rect class="${side}" x="[\\d.]+" y="[\\d.]+" width="([\\d.]+)" height="11"`, 'g'),
  );
  return [...bars].map(([, width]) => Number(width));
}

describe('the chart', () => {
  it('is well-formed, with a title and a description', () => {
    const names = elementsOf(chart());
    expect(names.slice(0, 4)).toEqual(['svg', 'title', 'desc', 'style']);
    expect(names).toContain('text');
  });

  it('stays well-formed whatever the names are', () => {
    const svg = chart('a < b & "c" > d \u0001', '<script>&amp;');
    elementsOf(svg);
    expect(svg).toContain('a &lt; b &amp; &quot;c&quot; &gt; d ');
    expect(svg).not.toContain('<script>');
  });

  it('draws both brokers on one axis from zero', () => {
    const svg = chart();
    // The rates are the first panel: 3 and 0.5 times the other one.
    const [three = 0, half = 0] = widths(svg, 'ours');
    const [one = 0, oneAgain = 0] = widths(svg, 'theirs');
    expect(one).toBe(oneAgain);
    expect(three / one).toBeCloseTo(3, 1);
    expect(half / one).toBeCloseTo(0.5, 1);
    expect(svg).toMatch(/<text class="tick"[^>]*>0(\.0)?<\/text>/);
  });

  it('follows the reader between light and dark', () => {
    expect(chart()).toContain('@media (prefers-color-scheme: dark)');
  });

  it('says in words what the bars show', () => {
    const description = /<desc[^>]*>([^<]*)<\/desc>/.exec(chart())?.[1];
    expect(description).toContain('one: Ours 300/s, Theirs 100/s');
  });

  it('leaves out what cannot be compared', () => {
    const scenario = scenarioNamed('lonely');
    const alone: ScenarioRun = { scenario, side: 'ours', round: 1, outcome: measured(1, 1, 1, 1) };
    const svg = chartOf(compareRuns({ ours: 'Ours', theirs: 'Theirs' }, [alone], []), 'A title');
    elementsOf(svg);
    expect(svg).not.toContain('lonely');
  });
});

describe('the axis', () => {
  it.each([
    [1, 0.2],
    [6, 1],
    [20, 5],
    [150, 50],
  ])('up to %d has steps of %d', (longest, step) => {
    expect(tickStep(longest)).toBeCloseTo(step);
  });
});

describe('text in XML', () => {
  it('loses what XML cannot hold', () => {
    expect(escapedXml('a\u0000b\u001f<')).toBe('ab&lt;');
  });
});
