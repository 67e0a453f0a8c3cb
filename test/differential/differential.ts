/**
 * Random programs against a RabbitMQ and ours side by side. Whatever the two say differently is explained in
 * explained-differences.ts or a failure, which is made small and printed with the seed that brings it back.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ChildBroker } from '../support/child-broker.js';
import { type Campaign, campaign, type Finding } from './campaign.js';
import { explainedDifferences } from './explained-differences.js';
import { startRabbitMq } from './rabbitmq.js';
import { describeStep } from './steps.js';

const PROGRAMS = 2000;
const IN_FLIGHT = 24;
const MOST_FAILURES = 5;

export async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      programs: { type: 'string', default: String(PROGRAMS) },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
      'in-flight': { type: 'string', default: String(IN_FLIGHT) },
      failures: { type: 'string', default: String(MOST_FAILURES) },
      'url-a': { type: 'string' },
      'url-b': { type: 'string' },
    },
  });
  const programs = Number(values.programs);
  const seed = Number(values.seed);
  console.log(`${programs} programs from seed ${seed} (repeat with -- --programs ${programs} --seed ${seed})`);
  const stops: (() => Promise<void>)[] = [];
  // Brokers in processes of their own outlive this one, unless they are told.
  const interrupted = () => void stopAll(stops).finally(() => process.exit(1));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupted);
  try {
    const theirs = values['url-a'] ?? (await started(stops, startRabbitMq()));
    const ours = values['url-b'] ?? (await started(stops, startOurs()));
    const startedAt = Date.now();
    const result = await campaign({
      programs,
      seed,
      inFlight: Number(values['in-flight']),
      mostFailures: Number(values.failures),
      pair: { ours: { url: ours }, theirs: { url: theirs }, differences: explainedDifferences },
      onFinding: (finding) => console.log(describe(finding)),
    });
    report(result, (Date.now() - startedAt) / 1000);
    return result.findings.length === 0 ? 0 : 1;
  } finally {
    await stopAll(stops);
  }
}

async function stopAll(stops: (() => Promise<void>)[]): Promise<void> {
  for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) await stop();
}

async function started(
  stops: (() => Promise<void>)[],
  starting: Promise<{ readonly amqpUrl: string; stop(): Promise<void> }>,
): Promise<string> {
  const broker = await starting;
  stops.push(() => broker.stop());
  return broker.amqpUrl;
}

/** On disk, as the command runs. */
async function startOurs(): Promise<{ amqpUrl: string; stop(): Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'jackalope-differential-'));
  const broker = await ChildBroker.start({ args: ['--data-dir', directory] });
  const stop = async (): Promise<void> => {
    await broker.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  return { amqpUrl: broker.amqpUrl, stop };
}

export function describe({ seed, steps, difference, failure }: Finding): string {
  const lines = [`\nprogram ${seed} (alone: npm run test:differential -- --programs 1 --seed ${seed})`];
  for (const [index, step] of steps.entries()) lines.push(`  ${index} ${describeStep(step)}`);
  if (failure !== undefined) lines.push(`  failed: ${failure}`);
  if (difference === undefined) return lines.join('\n');
  const { at, ours, theirs } = difference;
  lines.push(at < steps.length ? `  they differ at step ${at}:` : '  they differ in what is left:');
  for (const line of theirs) lines.push(`  ${ours.includes(line) ? ' ' : '-'} ${line}`);
  for (const line of ours) if (!theirs.includes(line)) lines.push(`  + ${line}`);
  if (ours.length === theirs.length && ours.every((line) => theirs.includes(line))) {
    lines.push('  ours, in its order:', ...ours.map((line) => `  + ${line}`));
  }
  lines.push('  (-: RabbitMQ, +: ours)');
  return lines.join('\n');
}

function report({ programs, steps, complete, findings, unsteady, explained }: Campaign, seconds: number): void {
  const rate = Math.round((programs * 60) / seconds);
  console.log(
    `\n${programs} programs, ${steps} steps, ${complete} to their end, in ${Math.round(seconds)} s (${rate} a minute)`,
  );
  for (const { id, semantics } of explainedDifferences) {
    const count = explained.get(id) ?? 0;
    console.log(`  ${count === 0 ? 'NEVER MET' : `${count} programs`}: ${id} (${semantics})`);
  }
  if (unsteady.length > 0) console.log(`  differed once, and not again: ${unsteady.join(', ')}`);
  console.log(findings.length === 0 ? 'no unexplained difference' : `${findings.length} unexplained differences`);
}
