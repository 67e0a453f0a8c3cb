/**
 * The runs of a comparison, interleaved: in each round both brokers start anew and every scenario runs on one and then
 * on the other, so that a slow hour of the machine meets both.
 */
import type { BrokerUnderTest, RunningBroker } from './broker-under-test.js';
import { type BrokerStart, type ScenarioRun, SIDES, type Side } from './comparison.js';
import { GeneratorUsageError, runGenerator } from './generator.js';
import type { RunResources } from './run-resources.js';
import type { ComparedScenario } from './scenario-set.js';

const WARM_UP_SECONDS = 1;

export interface RoundsPlan {
  readonly brokers: Readonly<Record<Side, BrokerUnderTest>>;
  readonly scenarios: readonly ComparedScenario[];
  readonly rounds: number;
  readonly seconds: number;
  /** Program and first arguments that make `jackalope bench`. */
  readonly generator: readonly string[];
  readonly resources: RunResources;
  readonly signal: AbortSignal;
  /** Called with what is happening, in words. */
  readonly note: (text: string) => void;
}

export interface RoundsOutcome {
  readonly runs: readonly ScenarioRun[];
  readonly starts: readonly BrokerStart[];
  /** As they called themselves. */
  readonly identities: Readonly<Record<Side, { readonly product: string; readonly version: string }>>;
}

/** Rejects when a broker does not start, when the generator refuses its options, and when the signal is aborted. */
export async function runRounds(plan: RoundsPlan): Promise<RoundsOutcome> {
  const runs: ScenarioRun[] = [];
  const starts: BrokerStart[] = [];
  let identities: RoundsOutcome['identities'] | undefined;
  for (let round = 1; round <= plan.rounds; round++) {
    const scenarios = plan.scenarios.filter(({ mostRounds = plan.rounds }) => round <= mostRounds);
    if (scenarios.length === 0) break;
    const brokers = {
      ours: await startBroker(plan, 'ours', starts),
      theirs: await startBroker(plan, 'theirs', starts),
    };
    identities = brokers;
    for (const scenario of scenarios) {
      for (const side of SIDES) runs.push(await runOnce(plan, round, scenario, side, brokers[side]));
    }
    await plan.resources.close();
  }
  if (identities === undefined) throw new Error('no scenario to run');
  return { runs, starts, identities };
}

async function startBroker(plan: RoundsPlan, side: Side, starts: BrokerStart[]): Promise<RunningBroker> {
  const broker = await plan.brokers[side].start(plan.resources, plan.signal);
  if (broker.start !== undefined) starts.push({ side, ...broker.start });
  return broker;
}

async function runOnce(
  plan: RoundsPlan,
  round: number,
  scenario: ComparedScenario,
  side: Side,
  broker: RunningBroker,
): Promise<ScenarioRun> {
  plan.note(`round ${round}/${plan.rounds}  ${broker.product}: ${scenario.name}`);
  const target = ['--uri', broker.uri, ...(broker.pid === undefined ? [] : ['--broker-pid', String(broker.pid)])];
  const command = [...plan.generator, ...scenarioArguments(scenario, plan.seconds), ...target];
  // A run of its own, and not --warmup: what a slow broker has left of that to deliver when the measured time begins
  // would cost it CPU for messages that are not counted (67 µs a message instead of 16 for RabbitMQ).
  const warmUp = [...plan.generator, ...scenarioArguments(scenario, WARM_UP_SECONDS), ...target];
  try {
    if (scenario.timed) await runGenerator(warmUp, plan.signal);
    return { scenario, side, round, outcome: await runGenerator(command, plan.signal) };
  } catch (error) {
    plan.signal.throwIfAborted();
    if (error instanceof GeneratorUsageError) throw error;
    return { scenario, side, round, outcome: error instanceof Error ? error : new Error(String(error)) };
  }
}

/** Scenario and options, without the target. */
export function scenarioArguments({ command, timed }: ComparedScenario, seconds: number): readonly string[] {
  return [...command, ...(timed ? ['--time', String(seconds)] : []), '--json'];
}
