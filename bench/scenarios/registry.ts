/** Every scenario there is, one line each, and how to run one. */
import type { BenchOptions } from '../options.js';
import type { BenchResult } from '../result.js';
import { backlog } from './backlog.js';
import { bindChurn } from './bind-churn.js';
import { bindings } from './bindings.js';
import { channelChurn } from './channel-churn.js';
import { connectionChurn } from './connection-churn.js';
import { connectionCount } from './connection-count.js';
import { consumerChurn } from './consumer-churn.js';
import { fanOut } from './fan-out.js';
import { queueChurn } from './queue-churn.js';
import { queueCount } from './queue-count.js';
import { requestReply } from './request-reply.js';
import type { RunContext, Scenario } from './scenario.js';
import { throughput } from './throughput.js';

export const SCENARIOS: readonly Scenario[] = [
  throughput,
  fanOut,
  backlog,
  bindings,
  requestReply,
  connectionCount,
  connectionChurn,
  channelChurn,
  consumerChurn,
  bindChurn,
  queueChurn,
  queueCount,
];

export function scenarioNamed(name: string): Scenario | undefined {
  return SCENARIOS.find((scenario) => scenario.name === name);
}

/** For programs and tests: nobody watches, nobody interrupts. Rejects with an OptionError. */
export async function runScenario(
  scenario: Scenario,
  options: BenchOptions,
  context: Partial<RunContext> = {},
): Promise<BenchResult> {
  const signal = new AbortController().signal;
  return scenario.run(options, { signal, arguments: [], watch: () => undefined, ...context });
}
