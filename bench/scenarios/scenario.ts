/**
 * What every scenario is: a name, defaults of its own for the options, and a run that ends in a BenchResult. The list
 * of them is in registry.ts; command.ts and tests run them through `runScenario`.
 */
import type { BenchOptions } from '../options.js';
import type { ProgressSource } from '../report/progress.js';
import type { BenchResult } from '../result.js';

export interface Scenario {
  /** As on the command line: 'queue-churn'. */
  readonly name: string;
  /** One line for --help. */
  readonly summary: string;
  /** Options it reads besides those of every scenario; others are refused, so that none is ignored silently. */
  readonly options: readonly (keyof BenchOptions)[];
  /** Where its defaults differ from the table's. */
  readonly defaults?: Partial<BenchOptions>;
  /**
   * Broker and protocol errors end in `errors` of the result. Throws an OptionError, before it connects, for options
   * that do not go together.
   */
  run(options: BenchOptions, context: RunContext): Promise<BenchResult>;
}

export interface RunContext {
  /** Aborted: end early, and report what there is. */
  readonly signal: AbortSignal;
  /** As on the command line, for the result. */
  readonly arguments: readonly string[];
  /** To be called once the scenario has something to show while it runs. */
  watch(source: ProgressSource): void;
}
