/**
 * One program against two brokers, step by step: the next step begins when both have said the same and their queues
 * look the same. RabbitMQ takes its time to get there, so they are asked again until neither says anything new.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type ExplainedDifference, explain } from './explained-differences.js';
import { Side } from './side.js';
import { CHANNELS, hasShortTtl, SHORT_TTL_MS, type Step } from './steps.js';

const POLL_MS = 8;
/** Both have said nothing new for so long: what differs now, differs. */
const QUIET_MS = 800;
/** A message may expire in one queue and then in the next. */
const SHORT_TTL_REST_MS = 3 * SHORT_TTL_MS + 60;

export interface Endpoint {
  readonly url: string;
  /** Changes what it said, to see that it is noticed. */
  readonly alter?: (line: string) => string;
}

export interface Difference {
  /** The index of the step; as many as there are steps when it is about what was left. */
  readonly at: number;
  readonly ours: readonly string[];
  readonly theirs: readonly string[];
}

export interface Outcome {
  readonly difference?: Difference;
  readonly explained: readonly string[];
  readonly stepsDone: number;
  readonly transcript: readonly string[];
}

export interface Pair {
  readonly ours: Endpoint;
  readonly theirs: Endpoint;
  readonly differences: readonly ExplainedDifference[];
  /** `QUIET_MS` unless both are as quick as ours. */
  readonly quietMs?: number;
}

export async function runProgram(steps: readonly Step[], pair: Pair, prefix: string): Promise<Outcome> {
  const run = new Run(steps, pair, prefix);
  try {
    return await run.outcome();
  } finally {
    await run.end();
  }
}

class Run {
  readonly #steps: readonly Step[];
  readonly #pair: Pair;
  readonly #ours: Side;
  readonly #theirs: Side;
  readonly #restMs: number;
  readonly #explained = new Set<string>();
  readonly #transcript: string[] = [];

  constructor(steps: readonly Step[], pair: Pair, prefix: string) {
    this.#steps = steps;
    this.#pair = pair;
    this.#ours = new Side(pair.ours.url, prefix);
    this.#theirs = new Side(pair.theirs.url, prefix);
    this.#restMs = hasShortTtl(steps) ? SHORT_TTL_REST_MS : 0;
  }

  async outcome(): Promise<Outcome> {
    for (const [at, step] of this.#steps.entries()) {
      await this.#both((side) => side.perform(step));
      if (this.#restMs > 0 && step.kind !== 'expire') await pause(this.#restMs);
      const end = await this.#compared(at, step, (side) => side.observe());
      if (end !== undefined) return end;
    }
    const at = this.#steps.length;
    // Unsettled messages go back, channel by channel: one may get what another gives back.
    for (const on of CHANNELS) {
      await this.#both((side) => side.perform({ kind: 'close', on }));
      await pause(this.#restMs);
      const end = await this.#compared(at, undefined, (side) => side.observe());
      if (end !== undefined) return end;
    }
    const contents = await Promise.all([this.#ours.drain(), this.#theirs.drain()]);
    return this.#judged(at, undefined, ...contents) ?? this.#result(at);
  }

  async end(): Promise<void> {
    await this.#both((side) => side.end());
  }

  #both(act: (side: Side) => Promise<void>): Promise<unknown> {
    return Promise.all([act(this.#ours), act(this.#theirs)]);
  }

  async #compared(
    at: number,
    step: Step | undefined,
    look: (side: Side) => Promise<string[]>,
  ): Promise<Outcome | undefined> {
    let before = '';
    let changedAt = Date.now();
    for (;;) {
      const [ours, theirs] = await Promise.all([look(this.#ours), look(this.#theirs)]);
      const now = [...ours, '', ...theirs].join('\n');
      if (now !== before) changedAt = Date.now();
      before = now;
      const isQuiet = Date.now() - changedAt > (this.#pair.quietMs ?? QUIET_MS);
      if (isQuiet || this.#isSame(step, ours, theirs)) return this.#judged(at, step, ours, theirs);
      await pause(POLL_MS);
    }
  }

  #isSame(step: Step | undefined, ours: readonly string[], theirs: readonly string[]): boolean {
    return this.#explanation(step, ours, this.#altered(theirs)) !== undefined;
  }

  /** The outcome, when the program ends here. */
  #judged(
    at: number,
    step: Step | undefined,
    ours: readonly string[],
    unaltered: readonly string[],
  ): Outcome | undefined {
    const theirs = this.#altered(unaltered);
    this.#transcript.push(...ours.map((line) => `${at} ${line}`));
    const explanation = this.#explanation(step, ours, theirs);
    if (explanation === undefined) return { ...this.#result(at), difference: { at, ours, theirs } };
    for (const { id } of explanation) this.#explained.add(id);
    return explanation.some(({ ends }) => ends) ? this.#result(at) : undefined;
  }

  #explanation(step: Step | undefined, ours: readonly string[], theirs: readonly string[]) {
    return explain(this.#pair.differences, { step, steps: this.#steps, ours }, theirs);
  }

  #altered(lines: readonly string[]): readonly string[] {
    const { alter } = this.#pair.theirs;
    return alter === undefined ? lines : lines.map(alter);
  }

  #result(stepsDone: number): Outcome {
    return { explained: [...this.#explained], stepsDone, transcript: this.#transcript };
  }
}
