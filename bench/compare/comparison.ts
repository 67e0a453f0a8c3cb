/**
 * What the runs of two brokers come to: medians, spreads and ratios of each scenario. Pure: runs in, rows out. Only
 * runs whose checks passed count; the others are named as problems.
 */
import type { BenchResult, LatencyMicros } from '../result.js';
import { type Spread, spreadOf } from './medians.js';
import type { ComparedScenario } from './scenario-set.js';

export type Side = 'ours' | 'theirs';
export const SIDES: readonly Side[] = ['ours', 'theirs'];

export interface ScenarioRun {
  readonly scenario: ComparedScenario;
  readonly side: Side;
  /** From 1. */
  readonly round: number;
  /** What the generator reported, or why it could not. */
  readonly outcome: BenchResult | Error;
}

export interface BrokerStart {
  readonly side: Side;
  readonly startMillis: number;
  readonly idleRssBytes: number;
}

export interface Figure {
  readonly ours: Spread | undefined;
  readonly theirs: Spread | undefined;
  /** Median of ours by median of theirs. */
  readonly ratio: number | undefined;
}

export interface ComparedRow {
  readonly scenario: ComparedScenario;
  readonly rate: Figure;
  readonly cpuMicros: Figure;
  readonly p99Micros: Figure;
  readonly rssBytes: Figure;
  readonly problems: readonly string[];
}

export interface Comparison {
  readonly names: Readonly<Record<Side, string>>;
  readonly rows: readonly ComparedRow[];
  readonly startMillis: Figure;
  readonly idleRssBytes: Figure;
}

export function compareRuns(
  names: Readonly<Record<Side, string>>,
  runs: readonly ScenarioRun[],
  starts: readonly BrokerStart[],
): Comparison {
  const scenarios = [...new Set(runs.map(({ scenario }) => scenario))];
  return {
    names,
    rows: scenarios.map((scenario) => rowOf(names, scenario, runs)),
    startMillis: figureOf(starts, ({ startMillis }) => startMillis),
    idleRssBytes: figureOf(starts, ({ idleRssBytes }) => idleRssBytes),
  };
}

function rowOf(
  names: Readonly<Record<Side, string>>,
  scenario: ComparedScenario,
  all: readonly ScenarioRun[],
): ComparedRow {
  const runs = all.filter((run) => run.scenario === scenario);
  const sound = runs.flatMap(({ side, outcome }) =>
    outcome instanceof Error || problemsOf(outcome).length > 0 ? [] : [{ side, result: outcome }],
  );
  const figure = (read: (result: BenchResult) => number | undefined): Figure =>
    figureOf(sound, ({ result }) => read(result));
  return {
    scenario,
    rate: figure((result) => rateOf(scenario, result)),
    cpuMicros: figure(({ broker }) => broker?.cpuMicrosPerMessage),
    p99Micros: figure((result) => latencyOf(scenario, result)?.p99),
    rssBytes: figure(({ broker }) => broker?.rssPeakBytes),
    problems: runs.flatMap(({ side, round, outcome }) =>
      problemsOf(outcome).map((problem) => `${names[side]}, round ${round}: ${problem}`),
    ),
  };
}

function figureOf<Entry extends { readonly side: Side }>(
  entries: readonly Entry[],
  read: (entry: Entry) => number | undefined,
): Figure {
  const spread = (side: Side): Spread | undefined =>
    spreadOf(entries.flatMap((entry) => (entry.side === side ? (read(entry) ?? []) : [])));
  const [ours, theirs] = [spread('ours'), spread('theirs')];
  const comparable = ours !== undefined && theirs !== undefined && theirs.median > 0;
  return { ours, theirs, ratio: comparable ? ours.median / theirs.median : undefined };
}

export function problemsOf(outcome: BenchResult | Error): string[] {
  if (outcome instanceof Error) return [outcome.message];
  const { checks, errors } = outcome;
  const kinds = [
    [checks.lost, 'lost'],
    [checks.duplicated, 'duplicated'],
    [checks.outOfOrder, 'out of order'],
    [checks.corrupted, 'corrupted'],
  ] as const;
  const counted = kinds.filter(([count]) => count > 0).map(([count, kind]) => `${count} ${kind}`);
  const failed = !checks.passed && counted.length === 0 && errors.length === 0 ? ['its checks failed'] : [];
  return [...(counted.length > 0 ? [counted.join(', ')] : []), ...errors, ...failed];
}

function rateOf({ rate }: ComparedScenario, result: BenchResult): number | undefined {
  switch (rate) {
    case 'published':
      return result.publishedPerSecond;
    case 'delivered':
      return result.deliveredPerSecond;
    case 'operations':
      return result.operationsPerSecond;
  }
}

function latencyOf({ latency }: ComparedScenario, result: BenchResult): LatencyMicros | undefined {
  switch (latency) {
    case 'delivery':
      return result.latency;
    case 'confirm':
      return result.confirmLatency;
    case 'operation':
      return result.operationLatency;
  }
}
