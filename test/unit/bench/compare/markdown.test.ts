import { describe, expect, it } from 'vitest';
import { compareRuns, type ScenarioRun } from '../../../../bench/compare/comparison.js';
import { markdownOf, ratioText } from '../../../../bench/compare/markdown.js';
import { measured, scenarioNamed } from './results.js';

const FRAME = {
  date: '2026-01-02',
  machine: { cpu: 'a cpu', cores: 2, memoryBytes: 8e9, system: 'an OS', node: '20.0.0' },
  versions: { ours: 'Ours 1.0', theirs: 'Theirs 2.0' },
  brokerCommands: { ours: 'start ours', theirs: 'start theirs' },
  command: 'npm run bench:compare',
  rounds: 2,
  seconds: 3,
  scenarioCommands: ['jackalope bench throughput'],
  chartFile: 'chart.svg',
};

function report(runs: readonly ScenarioRun[], theirs = 'Theirs'): string {
  const starts = [
    { side: 'ours', startMillis: 120, idleRssBytes: 60e6 },
    { side: 'theirs', startMillis: 6000, idleRssBytes: 120e6 },
  ] as const;
  return markdownOf(compareRuns({ ours: 'Ours', theirs }, runs, starts), FRAME);
}

const scenario = scenarioNamed('transient, 16 B');
const RUNS: readonly ScenarioRun[] = [
  { scenario, side: 'ours', round: 1, outcome: measured(1_500_000, 0.5, 900, 80e6) },
  { scenario, side: 'ours', round: 2, outcome: measured(1_700_000, 0.7, 1100, 90e6) },
  { scenario, side: 'theirs', round: 1, outcome: measured(80_000, 16, 90_000, 200e6) },
];

describe('the report', () => {
  it('has a table of each metric, with medians, spreads and ratios', () => {
    const text = report(RUNS);
    expect(text).toContain('| transient, 16 B | 1,600,000/s (1,500,000/s – 1,700,000/s) | 80,000/s | 20× |');
    expect(text).toContain('| transient, 16 B | 0.60 µs (0.50 µs – 0.70 µs) | 16.0 µs | 0.04× |');
    expect(text).toContain('| process start to the first AMQP handshake | 120 ms | 6,000 ms | 0.02× |');
  });

  it('names versions, machine and commands', () => {
    const text = report(RUNS);
    for (const part of ['# Ours 1.0 and Theirs 2.0', 'a cpu, 2 cores', 'an OS', 'Node 20.0.0', '2026-01-02']) {
      expect(text).toContain(part);
    }
    expect(text).toContain('npm run bench:compare');
    expect(text).toContain('start theirs');
    expect(text).toContain('jackalope bench throughput');
    expect(text).toContain('](chart.svg)');
  });

  it('has as many cells in each line of a table as in its head', () => {
    const lines = report(RUNS, 'The | pipe')
      .split('\n')
      .filter((line) => line.startsWith('|'));
    expect(lines.length).toBeGreaterThan(10);
    for (const line of lines) expect(line.replaceAll('\\|', '').split('|')).toHaveLength(6);
  });

  it('marks a row with a failed run and says what failed', () => {
    const failed: ScenarioRun = { scenario, side: 'theirs', round: 2, outcome: new Error('a <b>\nor | worse') };
    const text = report([...RUNS, failed]);
    expect(text).toContain('| transient, 16 B ✗ |');
    expect(text).toContain('- ✗ transient, 16 B: Theirs, round 2: a \\<b\\> or \\| worse');
    expect(report(RUNS)).not.toContain('✗');
  });

  it('keeps a scenario that failed on both sides', () => {
    const text = report([{ scenario, side: 'ours', round: 1, outcome: new Error('gone') }]);
    expect(text).toContain('✗ transient, 16 B: Ours, round 1: gone');
  });
});

describe('a ratio', () => {
  it.each([
    [undefined, '–'],
    [21.4, '21×'],
    [1.26, '1.3×'],
    [0.043, '0.04×'],
  ])('%s', (ratio, expected) => {
    expect(ratioText(ratio)).toBe(expected);
  });
});
