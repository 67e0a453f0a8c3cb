/** Results of the load generator, made up. */
import type { ComparedScenario } from '../../../../bench/compare/scenario-set.js';
import type { BenchResult, LatencyMicros } from '../../../../bench/result.js';

export function scenarioNamed(name: string, changes: Partial<ComparedScenario> = {}): ComparedScenario {
  return {
    name,
    command: ['throughput'],
    timed: true,
    rate: 'published',
    fixedRate: false,
    latency: 'delivery',
    ...changes,
  };
}

export function resultOf(changes: Partial<BenchResult> = {}): BenchResult {
  return {
    scenario: 'throughput',
    label: '',
    arguments: [],
    target: { url: 'amqp://127.0.0.1:1', product: 'A broker', version: '1.0' },
    startedAt: '2026-01-02T03:04:05.000Z',
    seconds: 1,
    generator: { cpuSeconds: 1, cpuMicrosPerMessage: 0.5, rssBytes: 1e7, rssPeakBytes: 1e7 },
    checks: { passed: true, lost: 0, duplicated: 0, outOfOrder: 0, corrupted: 0 },
    errors: [],
    ...changes,
  };
}

export function measured(rate: number, cpuMicrosPerMessage: number, p99: number, rssPeakBytes: number): BenchResult {
  return resultOf({
    publishedPerSecond: rate,
    broker: { cpuSeconds: 1, cpuMicrosPerMessage, rssBytes: rssPeakBytes / 2, rssPeakBytes },
    latency: latencyOf(p99),
  });
}

export function latencyOf(p99: number): LatencyMicros {
  return { count: 1, min: 1, p50: 1, p95: 1, p99, p999: p99, max: p99 };
}
