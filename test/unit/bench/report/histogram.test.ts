import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from '../../../../bench/report/histogram.js';
import { Random, seedOf } from '../../../support/random.js';

const FRACTIONS = [0.5, 0.95, 0.99, 0.999] as const;

function histogramOf(values: readonly number[]): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

/** The value that the sorted list itself has at the place. */
function exact(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(fraction * sorted.length)) - 1] ?? Number.NaN;
}

describe('LatencyHistogram', () => {
  it('has no summary before the first record', () => {
    const histogram = new LatencyHistogram();
    expect(histogram.summary()).toBeUndefined();
    expect(histogram.percentile(0.5)).toBeUndefined();
  });

  it('is exact to a microsecond up to 255', () => {
    const values = Array.from({ length: 256 }, (_, value) => value);
    expect(histogramOf(values).summary()).toEqual({
      count: 256,
      min: 0,
      p50: 127,
      p95: 243,
      p99: 253,
      p999: 255,
      max: 255,
    });
  });

  it('answers each single value with itself, at every boundary of a bucket', () => {
    for (let bit = 0; bit < 32; bit++) {
      for (const value of [2 ** bit - 1, 2 ** bit, 2 ** bit + 1]) {
        if (value > 3_600_000_000) continue;
        expect(histogramOf([value]).percentile(0.5), String(value)).toBe(value);
      }
    }
  });

  it('keeps percentiles within 1% above the exact ones, whatever the values', () => {
    const random = new Random(seedOf('histogram'));
    for (let round = 0; round < 50; round++) {
      const most = 2 ** (1 + random.fraction() * 30.7);
      const values = Array.from({ length: 1 + random.below(2000) }, () => Math.floor(most ** random.fraction()));
      const histogram = histogramOf(values);
      for (const fraction of FRACTIONS) {
        const truth = exact(values, fraction);
        const answer = histogram.percentile(fraction) ?? Number.NaN;
        expect(answer).toBeGreaterThanOrEqual(truth);
        expect(answer).toBeLessThanOrEqual(truth * 1.01);
      }
    }
  });

  it('counts a latency several times at once', () => {
    const histogram = new LatencyHistogram();
    histogram.record(10, 99);
    histogram.record(200);
    expect(histogram.summary()).toMatchObject({ count: 100, p50: 10, p99: 10, p999: 200 });
  });

  it('counts what is negative as nothing and what is longer than an hour as an hour, but keeps the maximum', () => {
    const histogram = histogramOf([-5, 7_200_000_000]);
    expect(histogram.summary()).toMatchObject({ count: 2, min: 0, p50: 0, max: 7_200_000_000 });
    expect(histogram.percentile(1)).toBeGreaterThanOrEqual(3_600_000_000);
  });

  it('adds another one up', () => {
    const random = new Random(seedOf('histogram add'));
    const values = Array.from({ length: 400 }, () => random.below(1_000_000));
    const sum = histogramOf(values.slice(0, 150));
    sum.add(histogramOf(values.slice(150)));
    expect(sum.summary()).toEqual(histogramOf(values).summary());
  });

  it('answers for what came since a copy was made', () => {
    const histogram = histogramOf([10, 10, 10]);
    const earlier = new LatencyHistogram();
    earlier.copyFrom(histogram);
    expect(histogram.percentile(0.99, earlier)).toBeUndefined();
    histogram.record(77);
    expect(histogram.percentile(0.01, earlier)).toBe(77);
    expect(histogram.percentile(0.01)).toBe(10);
    histogram.reset();
    expect(histogram.summary()).toBeUndefined();
  });
});
