/**
 * Measures one step: many short rounds, each beside a round of the calibration work, and of both the lower decile.
 */
import { calibrationWork } from './calibration.js';
import type { MicroStep } from './step.js';

/** What a message costs, and what the calibration work cost in the same seconds. CPU time. */
export interface Measurement {
  readonly nanos: number;
  readonly calibrationNanos: number;
}

const WARM_UP_ROUNDS = 25;
const ROUNDS = 80;

export async function measure(step: MicroStep): Promise<Measurement> {
  const prepared = await step.prepare();
  const nanos: number[] = [];
  const calibrationNanos: number[] = [];
  try {
    for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
      const begin = cpuNanos();
      calibrationWork();
      const middle = cpuNanos();
      await prepared.run(step.messages);
      const end = cpuNanos();
      if (round < 0) continue;
      calibrationNanos.push(middle - begin);
      nanos.push((end - middle) / step.messages);
    }
  } finally {
    await prepared.close?.();
  }
  return { nanos: lowerDecile(nanos), calibrationNanos: lowerDecile(calibrationNanos) };
}

/**
 * CPU of the process, not time: for steps that only compute the two spread alike (5 to 60% between processes, mostly
 * the machine's clock), but steps that wait for the disk spread by 110% in time and by 40% in CPU.
 */
function cpuNanos(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

/** Noise only ever adds: processes differ by 2 to 5% in it, by 20% in their medians. */
function lowerDecile(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 10)] ?? Number.NaN;
}
