/** The table of bench:micro and its lines about regressions, as text. */
import { type Baseline, type Change, changeSince } from './baseline.js';
import type { Measurement } from './measure.js';

const NAME_WIDTH = 58;
const FIGURE_WIDTH = 10;

export function tableOf(measured: ReadonlyMap<string, Measurement>, baseline: Baseline | undefined): string {
  const lines = [`${'CPU per message'.padEnd(NAME_WIDTH)} ${'now'.padStart(FIGURE_WIDTH)}   baseline    change`];
  for (const [name, now] of measured) {
    const before = baseline?.steps[name];
    const figure = `${name.padEnd(NAME_WIDTH)} ${nanosText(now.nanos).padStart(FIGURE_WIDTH)}`;
    if (before === undefined) {
      lines.push(baseline === undefined ? figure : `${figure} ${'new'.padStart(FIGURE_WIDTH)}`);
      continue;
    }
    const { beforeNanos, change } = changeSince(name, before, now);
    lines.push(`${figure} ${nanosText(beforeNanos).padStart(FIGURE_WIDTH)} ${percentText(change).padStart(9)}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Where the baseline comes from, and in which proportion it was set. */
export function baselineText(baseline: Baseline, measured: ReadonlyMap<string, Measurement>): string {
  const speeds = [...measured].flatMap(([name, { calibrationNanos }]) => {
    const before = baseline.steps[name];
    return before === undefined ? [] : [calibrationNanos / before.calibrationNanos];
  });
  const ratio = speeds.sort((a, b) => a - b)[speeds.length >> 1] ?? 1;
  const gone = Object.keys(baseline.steps).filter((name) => !measured.has(name));
  return (
    `Baseline: ${baseline.date}, Node ${baseline.node}, ${baseline.cpu}. It is shown in proportion to a calibration\n` +
    `loop that was run beside every measurement: the loop takes ${ratio.toFixed(2)} times as long now as it did then.\n` +
    (gone.length === 0 ? '' : `Only in the baseline: ${gone.join('; ')}\n`)
  );
}

export function regressionText({ name, beforeNanos, nowNanos, change }: Change): string {
  return `REGRESSION ${name}: ${nanosText(beforeNanos)} -> ${nanosText(nowNanos)} (${percentText(change)})\n`;
}

function percentText(change: number): string {
  const percent = Math.round(change * 100);
  return `${percent < 0 ? '' : '+'}${percent === 0 ? 0 : percent}%`;
}

function nanosText(nanos: number): string {
  if (nanos < 20) return `${nanos.toFixed(1)} ns`;
  return nanos < 100_000 ? `${Math.round(nanos)} ns` : `${(nanos / 1000).toFixed(0)} µs`;
}
