/**
 * Where RabbitMQ 3.10 does otherwise than 4.x and ours: at most 25. Each changes what 3.10 said in one step into what
 * 4.x says there, and is counted when that made the difference. After some of them the brokers hold different things,
 * and the program ends.
 */
import type { Step } from './steps.js';

export interface ExplainedDifference {
  readonly id: string;
  /** The section of SEMANTICS and what it says. */
  readonly semantics: string;
  readonly ends: boolean;
  /** What 4.x would have said, given what 3.10 said; the same lines when the difference does not apply. */
  adapt(theirs: readonly string[], step: Step | undefined, ours: readonly string[]): readonly string[];
}

export const MOST_EXPLAINED = 25;

export const explainedDifferences: readonly ExplainedDifference[] = [];

/** Those that explain the difference: none when there is no difference, undefined when they do not explain it. */
export function explain(
  differences: readonly ExplainedDifference[],
  step: Step | undefined,
  ours: readonly string[],
  theirs: readonly string[],
): readonly ExplainedDifference[] | undefined {
  if (areSame(ours, theirs)) return [];
  const applied: ExplainedDifference[] = [];
  let adapted = theirs;
  for (const difference of differences) {
    const next = difference.adapt(adapted, step, ours);
    if (areSame(next, adapted)) continue;
    applied.push(difference);
    adapted = next;
    if (areSame(ours, adapted)) return applied;
  }
  return undefined;
}

function areSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((line, index) => line === other[index]);
}
