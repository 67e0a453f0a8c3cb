/** What a run found, as a table for people. The same numbers for programs are the JSON of the BenchResult itself. */
import type { BenchResult, LatencyMicros, ProcessUsage } from '../result.js';
import { bytes, cpuMicros, duration, perSecond, whole } from './units.js';

type Row = readonly string[];

const INDENT = '  ';
const GAP = '   ';

/** Ends with a line feed. */
export function summary(result: BenchResult): string {
  const sections = [
    heading(result),
    aligned(countRows(result)),
    aligned(latencyRows(result)),
    aligned(usageRows(result)),
    [checkLine(result), ...result.errors.map((error) => `${INDENT}error: ${error}`)],
  ];
  const filled = sections.filter((lines) => lines.length > 0);
  return `${filled.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function heading({ scenario, label, target, seconds }: BenchResult): string[] {
  const name = label === '' || label === scenario ? scenario : `${scenario}: ${label}`;
  return [`${name}, ${seconds.toFixed(2)} s on ${target.product} ${target.version} at ${target.url}`];
}

function countRows(result: BenchResult): Row[] {
  const rows: Row[] = [];
  const add = (name: string, count: number | undefined, rate?: number): void => {
    if (count !== undefined) rows.push([name, whole(count), rate === undefined ? '' : perSecond(rate)]);
  };
  const { published = 0, publishedPerSecond = 0, confirmed } = result;
  add(result.operation ?? 'operations', result.operations, result.operationsPerSecond);
  add('published', result.published, result.publishedPerSecond);
  add('delivered', result.delivered, result.deliveredPerSecond);
  // Deliveries may take longer than publishing and its confirms.
  add(
    'confirmed',
    confirmed,
    confirmed === undefined || published === 0 ? undefined : (confirmed / published) * publishedPerSecond,
  );
  add('nacked', result.nacked);
  add('returned', result.returned);
  return rows;
}

function latencyRows(result: BenchResult): Row[] {
  const measured: [string, LatencyMicros | undefined][] = [
    [`latency of ${result.operation ?? 'operations'}`, result.operationLatency],
    ['latency to delivery', result.latency],
    ['latency to confirm', result.confirmLatency],
  ];
  const rows = measured.flatMap(([name, latency]) => (latency === undefined ? [] : [[name, ...durations(latency)]]));
  return rows.length === 0 ? [] : [['', 'min', 'p50', 'p95', 'p99', 'p99.9', 'max'], ...rows];
}

function durations({ min, p50, p95, p99, p999, max }: LatencyMicros): string[] {
  return [min, p50, p95, p99, p999, max].map(duration);
}

function usageRows({ broker, generator, operation, published }: BenchResult): Row[] {
  const each = published === undefined && operation !== undefined ? 'CPU each' : 'CPU a message';
  const row = (name: string, usage: ProcessUsage): Row => [
    name,
    cpuMicros(usage.cpuMicrosPerMessage),
    `${usage.cpuSeconds.toFixed(2)} s`,
    bytes(usage.rssBytes),
    bytes(usage.rssPeakBytes),
  ];
  const rows = [['', each, 'CPU', 'memory', 'at most'], row('generator', generator)];
  return broker === undefined ? rows : [...rows, row('broker', broker)];
}

function checkLine({ checks, errors }: BenchResult): string {
  const found = [
    [checks.lost, 'lost'],
    [checks.duplicated, 'duplicated'],
    [checks.outOfOrder, 'out of order'],
    [checks.corrupted, 'corrupted'],
  ] as const;
  const failures = found.filter(([count]) => count > 0).map(([count, what]) => `${whole(count)} ${what}`);
  if (failures.length > 0) return `${INDENT}checks FAILED: ${failures.join(', ')}`;
  if (!checks.passed) return `${INDENT}checks FAILED`;
  const nothing = 'nothing lost, duplicated, out of order or corrupted';
  return errors.length === 0 ? `${INDENT}checks passed: ${nothing}` : `${INDENT}${nothing} as far as the run came`;
}

/** The first column to the left, numbers to the right. */
function aligned(rows: readonly Row[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  const pad = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => `${INDENT}${row.map(pad).join(GAP)}`.trimEnd());
}
