/** The order of a comparison's runs and what becomes of failures; brokers and load generator are made up. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type BrokerUnderTest, jackalope, type RunningBroker } from '../../../../bench/compare/broker-under-test.js';
import { type RoundsPlan, runRounds } from '../../../../bench/compare/rounds.js';
import { RunResources } from '../../../../bench/compare/run-resources.js';
import { resultOf, scenarioNamed } from './results.js';

/** Prints a result whose label is its command line. */
const ECHOING = `const result = ${JSON.stringify(resultOf())};
  console.log(JSON.stringify({ ...result, label: process.argv.slice(1).join(' ') }));`;

function brokerAt(port: number): BrokerUnderTest {
  const running: RunningBroker = {
    uri: `amqp://127.0.0.1:${port}`,
    pid: port,
    product: `Broker ${port}`,
    version: '1',
    start: { startMillis: port, idleRssBytes: port },
  };
  return { command: '', start: async () => running };
}

function planWith(changes: Partial<RoundsPlan>): { plan: RoundsPlan; notes: string[] } {
  const notes: string[] = [];
  const resources = new RunResources();
  onTestFinished(() => resources.close());
  const plan: RoundsPlan = {
    brokers: { ours: brokerAt(1), theirs: brokerAt(2) },
    scenarios: [scenarioNamed('one')],
    rounds: 1,
    seconds: 3,
    generator: [process.execPath, '-e', ECHOING, '--'],
    resources,
    signal: new AbortController().signal,
    note: (text) => notes.push(text),
    ...changes,
  };
  return { plan, notes };
}

describe('rounds', () => {
  it('run each scenario on one broker and then on the other, and start both anew each time', async () => {
    const scenarios = [scenarioNamed('one'), scenarioNamed('long', { mostRounds: 1 })];
    const { plan, notes } = planWith({ scenarios, rounds: 2 });
    const { runs, starts, identities } = await runRounds(plan);
    const order = runs.map(({ scenario, side, round }) => `${scenario.name} ${side} ${round}`);
    expect(order).toEqual(['one ours 1', 'one theirs 1', 'long ours 1', 'long theirs 1', 'one ours 2', 'one theirs 2']);
    expect(starts.map(({ side }) => side)).toEqual(['ours', 'theirs', 'ours', 'theirs']);
    expect(identities.theirs.product).toBe('Broker 2');
    expect(notes[0]).toContain('Broker 1: one');
  });

  it('give the generator the scenario, its time and its target', async () => {
    const scenarios = [scenarioNamed('timed', { command: ['fan-out', '--queues', '10'] })];
    const counted = scenarioNamed('counted', { command: ['queue-count'], timed: false });
    const { runs } = await runRounds(planWith({ scenarios: [...scenarios, counted] }).plan);
    const labels = runs.map(({ outcome }) => (outcome instanceof Error ? outcome.message : outcome.label));
    expect(labels[0]).toMatch(/^fan-out --queues 10 --time 3 --json --uri amqp:\/\/127.0.0.1:1 --broker-pid 1$/);
    expect(labels[3]).toBe('queue-count --json --uri amqp://127.0.0.1:2 --broker-pid 2');
  });

  it('warm up with a run that counts for nothing, where the time is given', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'jackalope-rounds-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const calls = join(directory, 'calls');
    const noting = `require('node:fs').appendFileSync(${JSON.stringify(calls)}, process.argv[3] + '\\n');${ECHOING}`;
    const scenarios = [scenarioNamed('timed', { command: ['--time-is'] }), scenarioNamed('counted', { timed: false })];
    const { runs } = await runRounds(planWith({ scenarios, generator: [process.execPath, '-e', noting, '--'] }).plan);
    expect(runs).toHaveLength(4);
    expect(readFileSync(calls, 'utf8').trim().split('\n')).toHaveLength(6);
  });

  it('go on after a run that failed', async () => {
    const failing = "console.error('lost the connection'); process.exitCode = 1";
    const { runs } = await runRounds(planWith({ generator: [process.execPath, '-e', failing, '--'], rounds: 2 }).plan);
    expect(runs).toHaveLength(4);
    for (const { outcome } of runs) expect(String(outcome)).toContain('lost the connection');
  });

  it('end at once when the generator refuses its options', async () => {
    const refusing = "console.error('unknown option'); process.exitCode = 2";
    const { plan, notes } = planWith({ generator: [process.execPath, '-e', refusing, '--'] });
    await expect(runRounds(plan)).rejects.toThrow('unknown option');
    expect(notes).toHaveLength(1);
  });

  it('end when they are interrupted', async () => {
    const interrupt = new AbortController();
    const note = (): void => interrupt.abort();
    const { plan } = planWith({ signal: interrupt.signal, note });
    await expect(runRounds(plan)).rejects.toThrow('aborted');
  });

  it('end with what a broker said that does not start', async () => {
    const { plan } = planWith({
      brokers: { ours: jackalope('/nowhere/at', { version: '1', command: 'all.js' }), theirs: brokerAt(2) },
    });
    await expect(runRounds(plan)).rejects.toThrow(/did not start: .*ended with 1.*all\.js/s);
  });
});
