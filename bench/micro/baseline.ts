/**
 * Saved measurements, and what has changed since. Everything is in proportion to the calibration work, so a baseline of
 * another machine is of use, though one of the same machine is better.
 */
import { CALIBRATION_VERSION } from './calibration.js';
import type { Measurement } from './measure.js';

export interface Baseline {
  readonly calibration: number;
  readonly node: string;
  readonly cpu: string;
  readonly date: string;
  /** By the step's area and name. */
  readonly steps: Readonly<Record<string, Measurement>>;
}

export interface Change {
  readonly name: string;
  /** What the baseline would be at the present speed of this machine. */
  readonly beforeNanos: number;
  readonly nowNanos: number;
  /** 0.27 is 27% more CPU. */
  readonly change: number;
}

/** More CPU per message than this is a regression. */
const TOLERATED_CHANGE = 0.15;

export function relative({ nanos, calibrationNanos }: Measurement): number {
  return nanos / calibrationNanos;
}

/** The measurement in the middle; of an even number the lower one. */
export function medianMeasurement(measurements: readonly Measurement[]): Measurement {
  const sorted = [...measurements].sort((a, b) => relative(a) - relative(b));
  const middle = sorted[(sorted.length - 1) >> 1];
  if (middle === undefined) throw new Error('no measurement to take the median of');
  return middle;
}

export function changeSince(name: string, before: Measurement, now: Measurement): Change {
  const beforeNanos = relative(before) * now.calibrationNanos;
  return { name, beforeNanos, nowNanos: now.nanos, change: now.nanos / beforeNanos - 1 };
}

export function isRegression({ change }: Change): boolean {
  return change > TOLERATED_CHANGE;
}

/**
 * The regressions among `measured`. A suspect is measured again, up to `attempts` times, and is one only when it never
 * comes back within the limit; then the best of its measurements is reported.
 */
export async function confirmedRegressions(
  baseline: Baseline,
  measured: ReadonlyMap<string, Measurement>,
  measureAgain: (name: string) => Promise<Measurement>,
  attempts: number,
): Promise<Change[]> {
  const confirmed: Change[] = [];
  for (const [name, now] of measured) {
    const before = baseline.steps[name];
    if (before === undefined) continue;
    let best = changeSince(name, before, now);
    for (let attempt = 0; attempt < attempts && isRegression(best); attempt++) {
      const again = changeSince(name, before, await measureAgain(name));
      if (again.change < best.change) best = again;
    }
    if (isRegression(best)) confirmed.push(best);
  }
  return confirmed;
}

/** Throws Error for what is no baseline, or one of another calibration. */
export function parseBaseline(text: string): Baseline {
  const parsed: unknown = JSON.parse(text);
  if (!isBaseline(parsed)) throw new Error('this is not a baseline; make one with --save');
  if (parsed.calibration !== CALIBRATION_VERSION) {
    throw new Error('the calibration work has changed since the baseline was saved; make a new one with --save');
  }
  return parsed;
}

function isBaseline(value: unknown): value is Baseline {
  if (typeof value !== 'object' || value === null || !('steps' in value)) return false;
  const { steps } = value;
  if (typeof steps !== 'object' || steps === null) return false;
  const texts = ['node', 'cpu', 'date'].every((name) => typeof Object(value)[name] === 'string');
  return texts && 'calibration' in value && Object.values(steps).every(isMeasurement);
}

function isMeasurement(value: unknown): value is Measurement {
  if (typeof value !== 'object' || value === null) return false;
  if (!('nanos' in value && 'calibrationNanos' in value)) return false;
  return isPositive(value.nanos) && isPositive(value.calibrationNanos);
}

function isPositive(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}
