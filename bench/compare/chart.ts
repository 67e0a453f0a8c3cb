/**
 * The ratios of a comparison as an SVG of horizontal bars. Both brokers stand on one linear axis that begins at 0, the
 * other one at 1 by definition, so the lengths may be taken at their face value. Text stays text; colours follow the
 * reader's light or dark. Pure.
 */
import { bytes, cpuMicros, duration, perSecond } from '../report/units.js';
import type { Comparison, Figure, Side } from './comparison.js';
import { ratioText } from './markdown.js';

const WIDTH = 900;
const MARGIN = 16;
const LABEL_WIDTH = 345;
/** Right of the longest bar, for its figures. */
const FIGURE_WIDTH = 150;
const BAR_HEIGHT = 11;
const ROW_HEIGHT = 34;
const HEAD_HEIGHT = 66;
const TITLE_HEIGHT = 40;
const AXIS_HEIGHT = 40;
const PLOT_WIDTH = WIDTH - LABEL_WIDTH - FIGURE_WIDTH - 2 * MARGIN;
const MOST_TICKS = 6;

const STYLE = `
    text { font: 13px system-ui, sans-serif; fill: #1f2328 }
    .head { font-size: 18px; font-weight: 600 } .title { font-size: 15px; font-weight: 600 }
    .figure, .tick { font-size: 11px } .tick { fill: #59636e }
    .ours { fill: #0969da } .theirs { fill: #9a6700 } .grid { stroke: #d1d9e0 }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc } .tick { fill: #9198a1 }
      .ours { fill: #4493f8 } .theirs { fill: #d29922 } .grid { stroke: #3d444d }
    }
  `;

interface Bars {
  readonly name: string;
  readonly figure: Figure;
  readonly unit: (value: number) => string;
}

interface Panel {
  readonly title: string;
  readonly rows: readonly Bars[];
}

export function chartOf(comparison: Comparison, title: string): string {
  const { names } = comparison;
  const panels = panelsOf(comparison);
  let y = HEAD_HEIGHT;
  const drawn = panels.map((panel) => {
    const top = y;
    y += TITLE_HEIGHT + panel.rows.length * ROW_HEIGHT + AXIS_HEIGHT;
    return panelSvg(panel, top);
  });
  const description = panels.map((panel) => panelText(panel, names)).join(' ');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" role="img" aria-labelledby="title description">
  <title id="title">${escapedXml(title)}</title>
  <desc id="description">${escapedXml(description)}</desc>
  <style>${STYLE}</style>
  ${textAt('head', MARGIN, 28, title)}
  ${legend(names)}
${drawn.join('\n')}
</svg>
`;
}

function panelsOf({ names, rows, startMillis, idleRssBytes }: Comparison): Panel[] {
  const limited = rows.filter(({ scenario }) => !scenario.fixedRate);
  const paced = rows.filter(({ scenario }) => scenario.fixedRate);
  const of = names.theirs;
  const start: Bars[] = [
    { name: 'start to the first handshake', figure: startMillis, unit: (millis) => duration(millis * 1000) },
    { name: 'memory when idle', figure: idleRssBytes, unit: bytes },
  ];
  const panels: Panel[] = [
    {
      title: `Rate (${of} = 1; longer is better)`,
      rows: limited.map(({ scenario, rate }) => ({ name: scenario.name, figure: rate, unit: perSecond })),
    },
    {
      title: `CPU of the broker per message (${of} = 1; shorter is better)`,
      rows: rows.map((row) => ({ name: row.scenario.name, figure: row.cpuMicros, unit: cpuMicros })),
    },
    {
      title: `Latency at a given rate, 99th percentile (${of} = 1; shorter is better)`,
      rows: paced.map(({ scenario, p99Micros }) => ({ name: scenario.name, figure: p99Micros, unit: duration })),
    },
    { title: `Start and memory (${of} = 1; shorter is better)`, rows: start },
  ];
  return panels
    .map(({ title, rows: all }) => ({ title, rows: all.filter(({ figure }) => figure.ratio !== undefined) }))
    .filter((panel) => panel.rows.length > 0);
}

function panelSvg({ title, rows }: Panel, top: number): string {
  const longest = Math.max(1, ...rows.map(({ figure }) => figure.ratio ?? 0));
  const plotTop = top + TITLE_HEIGHT;
  const bottom = plotTop + rows.length * ROW_HEIGHT;
  const lines = [textAt('title', MARGIN, top + 22, title), axis(longest, plotTop, bottom)];
  rows.forEach((row, i) => {
    lines.push(rowSvg(row, longest, plotTop + i * ROW_HEIGHT));
  });
  return lines.join('\n');
}

function rowSvg({ name, figure, unit }: Bars, longest: number, top: number): string {
  const { ours, theirs, ratio = 0 } = figure;
  const ourFigure = `${unit(ours?.median ?? 0)} (${ratioText(ratio)})`;
  return [
    textAt('name', MARGIN, top + ROW_HEIGHT / 2 + 4, name),
    bar('ours', ratio / longest, top + 5, ourFigure),
    bar('theirs', 1 / longest, top + 5 + BAR_HEIGHT + 1, unit(theirs?.median ?? 0)),
  ].join('\n');
}

function bar(side: Side, share: number, top: number, figure: string): string {
  const [left, width] = [MARGIN + LABEL_WIDTH, share * PLOT_WIDTH];
  const rectangle = `  <rect class="${side}" x="${left}" y="${top}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}"/>`;
  return `${rectangle}\n${textAt('figure', left + width + 6, top + BAR_HEIGHT - 2, figure)}`;
}

function axis(longest: number, top: number, bottom: number): string {
  const step = tickStep(longest);
  const lines: string[] = [];
  for (let i = 0; i * step <= longest * 1.0001; i++) {
    const value = i * step;
    const x = (MARGIN + LABEL_WIDTH + (value / longest) * PLOT_WIDTH).toFixed(1);
    lines.push(`  <line class="grid" x1="${x}" y1="${top}" x2="${x}" y2="${bottom}"/>`);
    lines.push(textAt('tick', Number(x), bottom + 15, tickText(value, step), 'middle'));
  }
  return lines.join('\n');
}

/** 1, 2 or 5 times a power of ten, such that there are few ticks. */
export function tickStep(longest: number): number {
  const rough = longest / MOST_TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((each) => each * power >= rough) ?? 10;
  return factor * power;
}

function tickText(value: number, step: number): string {
  return value.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
}

function legend(names: Readonly<Record<Side, string>>): string {
  const width = 11 * names.ours.length + 40;
  return [
    `  <rect class="ours" x="${MARGIN}" y="40" width="12" height="12"/>`,
    textAt('name', MARGIN + 18, 51, names.ours),
    `  <rect class="theirs" x="${MARGIN + width}" y="40" width="12" height="12"/>`,
    textAt('name', MARGIN + width + 18, 51, names.theirs),
  ].join('\n');
}

function panelText({ title, rows }: Panel, names: Readonly<Record<Side, string>>): string {
  const parts = rows.map(({ name, figure, unit }) => {
    const [ours, theirs] = [unit(figure.ours?.median ?? 0), unit(figure.theirs?.median ?? 0)];
    return `${name}: ${names.ours} ${ours}, ${names.theirs} ${theirs}`;
  });
  return `${title}. ${parts.join('; ')}.`;
}

function textAt(style: string, x: number, y: number, text: string, anchor = 'start'): string {
  const place = `x="${x.toFixed(1)}" y="${y.toFixed(1)}"`;
  const anchored = anchor === 'start' ? '' : ` text-anchor="${anchor}"`;
  return `  <text class="${style}" ${place}${anchored}>${escapedXml(text)}</text>`;
}

/** Characters that XML does not allow at all are left out. */
export function escapedXml(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text
    .replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '')
    .replace(/[&<>"]/g, (each) => entities[each] ?? each);
}
