import { describe, expect, it } from 'vitest';
import { compareRuns, type ScenarioRun, type Side } from '../../../../bench/compare/comparison.js';
import { spreadOf } from '../../../../bench/compare/medians.js';
import type { ComparedScenario } from '../../../../bench/compare/scenario-set.js';
import type { BenchResult } from '../../../../bench/result.js';
import { latencyOf, measured, resultOf, scenarioNamed } from './results.js';

const NAMES = { ours: 'Ours', theirs: 'Theirs' };

function runsOf(scenario: ComparedScenario, side: Side, ...outcomes: (BenchResult | Error)[]): ScenarioRun[] {
  return outcomes.map((outcome, i) => ({ scenario, side, round: i + 1, outcome }));
}

describe('the median', () => {
  it.each([
    [[3, 1, 2], { median: 2, min: 1, max: 3 }],
    [[10, 9, 100, 1], { median: 9.5, min: 1, max: 100 }],
    [[5], { median: 5, min: 5, max: 5 }],
  ])('of %j', (values, expected) => {
    expect(spreadOf(values)).toEqual(expected);
  });

  it('of nothing is nothing', () => {
    expect(spreadOf([])).toBeUndefined();
  });
});

describe('compared runs', () => {
  const scenario = scenarioNamed('one');

  it('come to medians, spreads and the ratio of the medians', () => {
    const runs = [
      ...runsOf(scenario, 'ours', measured(300, 2, 50, 4e6), measured(100, 1, 70, 5e6), measured(200, 3, 60, 6e6)),
      ...runsOf(scenario, 'theirs', measured(50, 20, 600, 5e7)),
    ];
    const [row] = compareRuns(NAMES, runs, []).rows;
    expect(row?.rate).toEqual({
      ours: { median: 200, min: 100, max: 300 },
      theirs: { median: 50, min: 50, max: 50 },
      ratio: 4,
    });
    expect([row?.cpuMicros.ratio, row?.p99Micros.ratio, row?.rssBytes.ratio]).toEqual([0.1, 0.1, 0.1]);
    expect(row?.problems).toEqual([]);
  });

  it('leave out a run that failed, and name it', () => {
    const checks = { passed: false, lost: 3, duplicated: 0, outOfOrder: 1, corrupted: 0 };
    const runs = [
      ...runsOf(scenario, 'ours', measured(100, 1, 1, 1), { ...measured(900, 1, 1, 1), checks }),
      ...runsOf(scenario, 'theirs', new Error('it did not start'), resultOf({ errors: ['320 CONNECTION_FORCED'] })),
    ];
    const [row] = compareRuns(NAMES, runs, []).rows;
    expect(row?.rate).toEqual({ ours: { median: 100, min: 100, max: 100 }, theirs: undefined, ratio: undefined });
    expect(row?.problems).toEqual([
      'Ours, round 2: 3 lost, 1 out of order',
      'Theirs, round 1: it did not start',
      'Theirs, round 2: 320 CONNECTION_FORCED',
    ]);
  });

  it('do not pass for sound when the checks failed without a count', () => {
    const checks = { passed: false, lost: 0, duplicated: 0, outOfOrder: 0, corrupted: 0 };
    const [row] = compareRuns(NAMES, runsOf(scenario, 'ours', resultOf({ checks })), []).rows;
    expect(row?.problems).toEqual(['Ours, round 1: its checks failed']);
  });

  it('take the rate and the latency that the scenario is about', () => {
    const result = resultOf({
      publishedPerSecond: 1,
      deliveredPerSecond: 2,
      operationsPerSecond: 3,
      latency: latencyOf(4),
      confirmLatency: latencyOf(5),
      operationLatency: latencyOf(6),
    });
    const scenarios = [
      scenarioNamed('a', { rate: 'published', latency: 'delivery' }),
      scenarioNamed('b', { rate: 'delivered', latency: 'confirm' }),
      scenarioNamed('c', { rate: 'operations', latency: 'operation' }),
    ];
    const { rows } = compareRuns(
      NAMES,
      scenarios.flatMap((each) => runsOf(each, 'ours', result)),
      [],
    );
    expect(rows.map(({ rate, p99Micros }) => [rate.ours?.median, p99Micros.ours?.median])).toEqual([
      [1, 4],
      [2, 5],
      [3, 6],
    ]);
  });

  it('have no ratio to nothing', () => {
    const runs = [
      ...runsOf(scenario, 'ours', measured(1, 1, 1, 1)),
      ...runsOf(scenario, 'theirs', measured(0, 0, 0, 0)),
    ];
    const [row] = compareRuns(NAMES, runs, []).rows;
    expect(row?.cpuMicros.ratio).toBeUndefined();
  });

  it('tell how the starts compare', () => {
    const { startMillis, idleRssBytes } = compareRuns(
      NAMES,
      [],
      [
        { side: 'ours', startMillis: 100, idleRssBytes: 50 },
        { side: 'theirs', startMillis: 5000, idleRssBytes: 100 },
      ],
    );
    expect([startMillis.ratio, idleRssBytes.ratio]).toEqual([0.02, 0.5]);
  });
});
