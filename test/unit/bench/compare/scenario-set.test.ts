/** Every command of the set is one that `jackalope bench` takes: a typing error would cost a run of half an hour. */
import { describe, expect, it } from 'vitest';
import { scenarioArguments } from '../../../../bench/compare/rounds.js';
import { SCENARIO_SET } from '../../../../bench/compare/scenario-set.js';
import { parseArguments } from '../../../../bench/options.js';
import { scenarioNamed } from '../../../../bench/scenarios/registry.js';

describe('the set of scenarios', () => {
  it.each(SCENARIO_SET.map((each) => [each.name, each] as const))('has options that exist: %s', (_, compared) => {
    const [name = '', ...options] = scenarioArguments(compared, 3);
    const scenario = scenarioNamed(name);
    expect(scenario, `no scenario is called '${name}'`).toBeDefined();
    if (scenario === undefined) return;
    expect(parseArguments(options, scenario).json).toBe(true);
  });

  it('measures without --warmup, whose left-over messages would be charged to a slow broker', () => {
    const all = SCENARIO_SET.flatMap((compared) => scenarioArguments(compared, 3));
    expect(all).toContain('--time');
    expect(all).not.toContain('--warmup');
  });

  it('has a name of its own for each', () => {
    const names = SCENARIO_SET.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
