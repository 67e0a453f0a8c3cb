import { describe, expect, it } from 'vitest';
import { summary } from '../../../../bench/report/summary.js';
import { bytes, duration, perSecond } from '../../../../bench/report/units.js';
import type { BenchResult } from '../../../../bench/result.js';

const PASSED = { passed: true, lost: 0, duplicated: 0, outOfOrder: 0, corrupted: 0 };

const RESULT: BenchResult = {
  scenario: 'throughput',
  label: 'small',
  arguments: [],
  target: { url: 'amqp://127.0.0.1:5672', product: 'Jackalope', version: '0.1.0' },
  startedAt: '2026-01-01T00:00:00.000Z',
  seconds: 5,
  published: 7_500_000,
  publishedPerSecond: 1_500_000,
  delivered: 7_499_999,
  deliveredPerSecond: 1_499_999.8,
  confirmed: 750_000,
  latency: { count: 3, min: 90, p50: 1234, p95: 9999, p99: 15_500, p999: 150_000, max: 12_345_678 },
  broker: { cpuSeconds: 3.4, cpuMicrosPerMessage: 0.4567, rssBytes: 61_000_000, rssPeakBytes: 1_250_000_000 },
  generator: { cpuSeconds: 2, cpuMicrosPerMessage: 0.26, rssBytes: 50_000_000, rssPeakBytes: 50_000_000 },
  checks: PASSED,
  errors: [],
};

describe('summary', () => {
  it('is a table with aligned columns and units', () => {
    expect(summary(RESULT).split('\n')).toEqual([
      'throughput: small, 5.00 s on Jackalope 0.1.0 at amqp://127.0.0.1:5672',
      '',
      '  published   7,500,000   1,500,000/s',
      '  delivered   7,499,999   1,500,000/s',
      '  confirmed     750,000     150,000/s',
      '',
      '                          min       p50       p95       p99    p99.9      max',
      '  latency to delivery   90 µs   1.23 ms   10.0 ms   15.5 ms   150 ms   12.3 s',
      '',
      '              CPU a message      CPU    memory   at most',
      '  generator         0.26 µs   2.00 s   50.0 MB   50.0 MB',
      '  broker            0.46 µs   3.40 s   61.0 MB   1.25 GB',
      '',
      '  checks passed: nothing lost, duplicated, out of order or corrupted',
      '',
    ]);
  });

  it('names the operation where messages are not the unit', () => {
    const { published: _, publishedPerSecond: _rate, ...rest } = RESULT;
    const text = summary({ ...rest, operation: 'requests', operations: 12, operationsPerSecond: 2.4 });
    expect(text).toMatch(/requests +12 +2\.40\/s/);
    expect(text).toContain('CPU each');
  });

  it('says in words which checks failed, and what went wrong', () => {
    const text = summary({
      ...RESULT,
      checks: { passed: false, lost: 1200, duplicated: 0, outOfOrder: 3, corrupted: 0 },
      errors: ['connection closed: 504 CHANNEL_ERROR'],
    });
    expect(text).toContain('checks FAILED: 1,200 lost, 3 out of order\n');
    expect(text).toContain('error: connection closed: 504 CHANNEL_ERROR\n');
    expect(text).not.toContain('passed');
  });

  it('does not say that all is well when something went wrong', () => {
    const text = summary({ ...RESULT, errors: ['the broker closed the socket'] });
    expect(text).not.toContain('passed');
    expect(text).toContain('as far as the run came\n  error: the broker closed the socket\n');
  });
});

describe('units', () => {
  it.each([
    [0, '0 µs'],
    [999, '999 µs'],
    [1000, '1.00 ms'],
    [9999, '10.0 ms'],
    [99_940, '99.9 ms'],
    [99_960, '100 ms'],
    [1_234_567, '1,235 ms'],
    [61_000_000, '61.0 s'],
  ])('%d microseconds are %s', (micros, text) => {
    expect(duration(micros)).toBe(text);
  });

  it('writes rates and sizes', () => {
    expect(perSecond(0.5)).toBe('0.50/s');
    expect(perSecond(1_234_567.8)).toBe('1,234,568/s');
    expect(bytes(1_500_000)).toBe('1.50 MB');
  });
});
