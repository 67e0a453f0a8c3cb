/**
 * Counts latencies in buckets that grow with the value: one a microsecond up to 255, then 128 for each doubling, so
 * that a percentile is never more than 0.8% above the truth. Everything is allocated at the start: recording costs an
 * index and an addition. Percentiles answer the upper end of a bucket, so that they never flatter.
 */
import type { LatencyMicros } from '../result.js';

const STEPS_PER_DOUBLING = 128;
const STEP_BITS = 7;
/** An hour; what takes longer counts as that, save in `max`. */
const LARGEST_MICROS = 3_600_000_000;
const BUCKETS = bucketOf(LARGEST_MICROS) + 1;

export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = 0;

  /** `count` latencies that are the same, such as those of messages that came in one chunk. */
  record(micros: number, count = 1): void {
    // Two clocks that disagree by a little must not make a latency negative.
    const whole = micros > 0 ? Math.floor(micros) : 0;
    const bucket = bucketOf(Math.min(whole, LARGEST_MICROS));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
    this.#total += count;
    if (whole < this.#min) this.#min = whole;
    if (whole > this.#max) this.#max = whole;
  }

  get count(): number {
    return this.#total;
  }

  add(other: LatencyHistogram): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + (other.#counts[bucket] ?? 0);
    }
    this.#total += other.#total;
    if (other.#min < this.#min) this.#min = other.#min;
    if (other.#max > this.#max) this.#max = other.#max;
  }

  copyFrom(other: LatencyHistogram): void {
    this.#counts.set(other.#counts);
    this.#total = other.#total;
    this.#min = other.#min;
    this.#max = other.#max;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#total = 0;
    this.#min = Number.POSITIVE_INFINITY;
    this.#max = 0;
  }

  /**
   * The latency that `fraction` of the records do not exceed, or undefined without records. With `earlier`, a copy of
   * this histogram made before, it is that of what was recorded since.
   */
  percentile(fraction: number, earlier?: LatencyHistogram): number | undefined {
    const total = this.#total - (earlier === undefined ? 0 : earlier.#total);
    if (total <= 0) return undefined;
    let wanted = Math.max(1, Math.ceil(fraction * total));
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      wanted -= (this.#counts[bucket] ?? 0) - (earlier === undefined ? 0 : (earlier.#counts[bucket] ?? 0));
      if (wanted <= 0) return Math.max(this.#min, Math.min(this.#max, upperEnd(bucket)));
    }
    return this.#max;
  }

  summary(): LatencyMicros | undefined {
    if (this.#total === 0) return undefined;
    return {
      count: this.#total,
      min: this.#min,
      p50: this.percentile(0.5) ?? this.#max,
      p95: this.percentile(0.95) ?? this.#max,
      p99: this.percentile(0.99) ?? this.#max,
      p999: this.percentile(0.999) ?? this.#max,
      max: this.#max,
    };
  }
}

/** The bits after the leading one choose the step, the length of the number chooses the doubling. */
function bucketOf(micros: number): number {
  const shift = micros < 2 * STEPS_PER_DOUBLING ? 0 : 31 - Math.clz32(micros) - STEP_BITS;
  return shift * STEPS_PER_DOUBLING + (micros >>> shift);
}

/** The largest whole number of microseconds that falls into the bucket. */
function upperEnd(bucket: number): number {
  if (bucket < 2 * STEPS_PER_DOUBLING) return bucket;
  const shift = Math.floor(bucket / STEPS_PER_DOUBLING) - 1;
  const step = bucket - shift * STEPS_PER_DOUBLING;
  return (step + 1) * 2 ** shift - 1;
}
