/** Runs a scenario against a broker as the command would, with options as a program gives them. */
import { parseTarget } from '../../bench/load/handshake.js';
import { type BenchOptions, benchOptions } from '../../bench/options.js';
import type { BenchResult } from '../../bench/result.js';
import { runScenario } from '../../bench/scenarios/registry.js';
import type { RunContext, Scenario } from '../../bench/scenarios/scenario.js';

export function runAgainst(
  url: string,
  scenario: Scenario,
  options: Partial<BenchOptions>,
  context: Partial<RunContext> = {},
): Promise<BenchResult> {
  return runScenario(scenario, benchOptions({ uri: parseTarget(url), ...options }, scenario.defaults), context);
}

export const PASSED = { passed: true, lost: 0, duplicated: 0, outOfOrder: 0, corrupted: 0 };
