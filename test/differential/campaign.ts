/** Many programs, several at a time; what differs is tried again, made small and handed over. */
import { programOf } from './programs.js';
import { type Difference, type Outcome, type Pair, runProgram } from './run-program.js';
import { shrink } from './shrink.js';
import type { Step } from './steps.js';

export interface CampaignOptions {
  readonly programs: number;
  /** The nth program has the seed `seed + n`. */
  readonly seed: number;
  readonly inFlight: number;
  /** It ends early with so many. */
  readonly mostFailures: number;
  readonly pair: Pair;
  readonly onFinding?: (finding: Finding) => void;
}

export interface Finding {
  readonly seed: number;
  /** The smallest program that fails. */
  readonly steps: readonly Step[];
  readonly difference?: Difference;
  /** A program that could not be run. */
  readonly failure?: string;
}

export interface Campaign {
  readonly programs: number;
  readonly steps: number;
  /** Programs that no explained difference ended. */
  readonly complete: number;
  readonly findings: readonly Finding[];
  /** Seeds of programs that differed once, and not when they were run again. */
  readonly unsteady: readonly number[];
  /** In how many programs each was met. */
  readonly explained: ReadonlyMap<string, number>;
}

export async function campaign(options: CampaignOptions): Promise<Campaign> {
  const { programs, inFlight, mostFailures } = options;
  const running = new Running(options);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < programs && running.findings.length < mostFailures) await running.run(next++);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return running;
}

class Running implements Campaign {
  programs = 0;
  steps = 0;
  complete = 0;
  readonly findings: Finding[] = [];
  readonly unsteady: number[] = [];
  readonly explained = new Map<string, number>();
  readonly #options: CampaignOptions;
  readonly #run = Math.floor(Math.random() * 36 ** 5).toString(36);
  #attempts = 0;

  constructor(options: CampaignOptions) {
    this.#options = options;
  }

  async run(index: number): Promise<void> {
    const { seed, steps } = programOf(this.#options.seed + index);
    const outcome = await this.#attempt(steps);
    this.programs += 1;
    if (typeof outcome === 'string') return this.#found({ seed, steps, failure: outcome });
    this.steps += outcome.stepsDone;
    if (outcome.stepsDone === steps.length) this.complete += 1;
    for (const id of outcome.explained) this.explained.set(id, (this.explained.get(id) ?? 0) + 1);
    if (outcome.difference === undefined) return;
    const again = await this.#attempt(steps);
    if (typeof again !== 'string' && again.difference !== undefined) await this.#reduce(seed, steps, again.difference);
    else this.unsteady.push(seed);
  }

  async #reduce(seed: number, steps: readonly Step[], difference: Difference): Promise<void> {
    let last = difference;
    const smallest = await shrink(steps, async (candidate) => {
      const outcome = await this.#attempt(candidate);
      if (typeof outcome === 'string' || outcome.difference === undefined) return false;
      last = outcome.difference;
      return true;
    });
    this.#found({ seed, steps: smallest, difference: last });
  }

  #found(finding: Finding): void {
    this.findings.push(finding);
    this.#options.onFinding?.(finding);
  }

  /** Names are never used twice: what an attempt left behind must not matter to the next. */
  async #attempt(steps: readonly Step[]): Promise<Outcome | string> {
    this.#attempts += 1;
    const prefix = `${this.#run}.${String(this.#attempts).padStart(6, '0')}.`;
    try {
      return await runProgram(steps, this.#options.pair, prefix);
    } catch (error) {
      return error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
  }
}
