/**
 * One step of the hot path whose cost is measured, by itself: no broker, no socket. Steps say how to set themselves up
 * and how to run for a number of messages; `measure.ts` does the rest.
 */

export interface MicroStep {
  readonly area: string;
  /** Unique within the area. A baseline knows the step by both. */
  readonly name: string;
  /** Messages a round: some milliseconds of work, and a multiple of what `run` does at a time. */
  readonly messages: number;
  prepare(): PreparedStep | Promise<PreparedStep>;
}

export interface PreparedStep {
  run(messages: number): void | Promise<void>;
  close?(): void | Promise<void>;
}

export function nameOf(step: Pick<MicroStep, 'area' | 'name'>): string {
  return `${step.area}: ${step.name}`;
}
