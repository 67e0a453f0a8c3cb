/** The load generator against a broker in the same process: what it counts is what it sent, and it cleans up. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTarget } from '../../bench/load/handshake.js';
import { type BenchOptions, benchOptions, parseArguments } from '../../bench/options.js';
import type { BenchResult } from '../../bench/result.js';
import { backlog } from '../../bench/scenarios/backlog.js';
import { fanOut } from '../../bench/scenarios/fan-out.js';
import { runScenario } from '../../bench/scenarios/registry.js';
import type { Scenario } from '../../bench/scenarios/scenario.js';
import { throughput } from '../../bench/scenarios/throughput.js';
import { type Broker, startBroker } from '../../src/index.js';
import { WireClient } from '../support/wire-client.js';

let broker: Broker;

beforeAll(async () => {
  broker = await startBroker({ port: 0, logLevel: 'error' });
});
afterAll(() => broker.close());

function run(scenario: Scenario, ...argv: string[]): Promise<BenchResult> {
  return runScenario(scenario, parseArguments(['--uri', broker.amqpUrl, '--drain', '2', ...argv], scenario));
}

async function exists(queue: string): Promise<boolean> {
  const client = await WireClient.connect(broker.amqpUrl);
  await client.openChannel();
  const answer = client.rpc(1, { name: 'queue.declare', queue, passive: true }, 'queue.declare-ok');
  const found = await answer.then(
    () => true,
    () => false,
  );
  await client.close().catch(() => undefined);
  return found;
}

describe('throughput', () => {
  it.each<[string, string[], Partial<BenchResult>]>([
    ['auto-ack', ['-C', '5000', '-a'], { published: 5000, delivered: 5000 }],
    ['single acks under a prefetch', ['-C', '2000', '-q', '7'], { delivered: 2000 }],
    ['acks of several', ['-C', '2003', '-A', '10', '-Q', '50'], { delivered: 2003 }],
    ['confirms', ['-C', '3000', '-c', '16', '-a'], { published: 3000, confirmed: 3000, nacked: 0 }],
    ['one confirm at a time', ['-C', '50', '-c', '1', '-f', 'persistent'], { confirmed: 50, delivered: 50 }],
    ['several of everything', ['-C', '1000', '-x', '4', '-y', '3', '-q', '10', '-A', '5'], { delivered: 4000 }],
    ['a mix of sizes', ['-C', '600', '-s', '16,1024,0,7,8,15,3000', '-a'], { delivered: 600 }],
    ['bodies of several frames', ['-C', '5', '-s', '300000', '-a'], { delivered: 5 }],
    ['empty bodies', ['-C', '500', '-s', '0', '-a'], { delivered: 500 }],
    ['a queue for each producer', ['-C', '500', '-x', '3', '-y', '3', '--queues', '3'], { delivered: 1500 }],
    ['queues by turns', ['-C', '600', '-y', '4', '-qp', 'of-%d', '-qpt', '4'], { published: 600, delivered: 600 }],
    ['one of several routing keys', ['-C', '500', '-e', 'd', '--routing-key', 'k', '-a'], { delivered: 500 }],
    [
      'a topic exchange with many bindings',
      ['-C', '2000', '-e', 't', '-t', 'topic', '--routing-keys', '50', '--bindings', '7', '-a'],
      { delivered: 2000 },
    ],
    [
      'a direct exchange by queue',
      ['-C', '500', '-e', 'd', '--queues', '2', '-y', '2', '-x', '2'],
      { delivered: 1000 },
    ],
    ['a fixed rate', ['-C', '100', '-r', '2000', '-a'], { published: 100, delivered: 100 }],
    ['queue arguments', ['-C', '100', '-qa', 'x-max-length=1000000', '-a'], { delivered: 100 }],
  ])('%s', async (_name, argv, expected) => {
    const result = await run(throughput, ...argv);
    expect(result.errors).toEqual([]);
    expect(result.checks).toEqual({ passed: true, lost: 0, duplicated: 0, outOfOrder: 0, corrupted: 0 });
    expect(result).toMatchObject(expected);
    expect(await exists('perf-test')).toBe(false);
  });

  it('measures every delivery and confirm', async () => {
    const { latency, confirmLatency } = await run(throughput, '-C', '1500', '-c', '10', '-a');
    expect(latency?.count).toBe(1500);
    expect(confirmLatency?.count).toBe(1500);
  });

  it('ends by time', async () => {
    const result = await run(throughput, '-z', '0.2', '-a', '--warmup', '0.1');
    expect(result.seconds).toBeGreaterThanOrEqual(0.2);
    expect(result.published).toBeGreaterThan(0);
    expect(result.checks.passed).toBe(true);
  });

  it('ends when it is told to, with a report', async () => {
    const interruption = new AbortController();
    const options = parseArguments(['--uri', broker.amqpUrl, '-z', '3600', '-a'], throughput);
    const watch = (): void => interruption.abort();
    const result = await runScenario(throughput, options, { signal: interruption.signal, watch });
    expect(result.checks.passed).toBe(true);
    expect(result.errors).toEqual([]);
  });

  it('counts returns of what no queue gets', async () => {
    const argv = [
      '-C',
      '40',
      '-e',
      'd',
      '-t',
      'topic',
      '--binding-key',
      'other',
      '-k',
      'key',
      '--mandatory',
      '-c',
      '5',
    ];
    const result = await run(throughput, ...argv);
    expect(result).toMatchObject({ returned: 40, confirmed: 40, delivered: 0, checks: { passed: true, lost: 0 } });
  });

  it('notices what no queue gets without them', async () => {
    const argv = ['-C', '40', '-e', 'd', '-t', 'topic', '--binding-key', 'other', '-k', 'key', '--drain', '0.1'];
    const result = await run(throughput, ...argv);
    expect(result.checks).toMatchObject({ passed: false, lost: 40 });
  });

  it('publishes only', async () => {
    const filled = await run(throughput, '-u', 'left', '-C', '300', '-y', '0', '-c', '10');
    expect(filled).toMatchObject({ confirmed: 300, notes: ['published only: no check of what the queues hold'] });
    expect(filled.delivered).toBeUndefined();
  });

  it('consumes only', async () => {
    const client = await WireClient.connect(broker.amqpUrl);
    await client.openChannel();
    await client.rpc(1, { name: 'queue.declare', queue: 'filled' }, 'queue.declare-ok');
    for (let number = 0; number < 20; number++) client.publish(1, { routingKey: 'filled', body: `message ${number}` });
    const result = await run(throughput, '-x', '0', '-u', 'filled', '-D', '20');
    expect(result).toMatchObject({ delivered: 20, errors: [], checks: { passed: true } });
    await client.close();
    expect(await exists('filled')).toBe(true);
  });

  it('refuses queues that hold messages unless it may purge them', async () => {
    const client = await WireClient.connect(broker.amqpUrl);
    await client.openChannel();
    await client.rpc(1, { name: 'queue.declare', queue: 'in-use' }, 'queue.declare-ok');
    client.publish(1, { routingKey: 'in-use', body: 'precious' });
    const refused = await run(throughput, '-u', 'in-use', '-C', '10');
    expect(refused.errors).toEqual(["queue 'in-use' holds 1 messages: --purge empties it"]);
    expect(await exists('in-use')).toBe(true);
    const purged = await run(throughput, '-u', 'in-use', '-C', '10', '--purge');
    expect(purged).toMatchObject({ delivered: 10, errors: [], checks: { passed: true } });
    await client.close();
  });

  it.each<[string, { uri?: string } & Pick<Partial<BenchOptions>, 'queueArguments'>, RegExp]>([
    ['a login that is refused', { uri: 'amqp://guest:wrong@HOST' }, /403 ACCESS_REFUSED/],
    ['a broker that is not there', { uri: 'amqp://127.0.0.1:1' }, /ECONNREFUSED/],
    ['arguments that are refused', { queueArguments: { 'x-max-length': 'many' } }, /406 PRECONDITION_FAILED/],
  ])('reports %s', async (_name, { uri, ...given }, text) => {
    const url = uri === undefined ? broker.amqpUrl : uri.replace('HOST', new URL(broker.amqpUrl).host);
    const options: Partial<BenchOptions> = { ...given, uri: parseTarget(url), messagesPerProducer: 10 };
    const { errors } = await runScenario(throughput, benchOptions(options));
    expect(errors.join()).toMatch(text);
  });
});

describe('fan-out', () => {
  it('delivers every message once in every queue', async () => {
    const result = await run(fanOut, '--queues', '5', '-C', '400', '-x', '2', '-a');
    expect(result).toMatchObject({ published: 800, delivered: 4000, errors: [], checks: { passed: true } });
  });
});

describe('backlog', () => {
  it.each([
    ['without confirms', ['-C', '3000', '-a']],
    ['with confirms', ['-C', '3000', '-c', '100', '-q', '50']],
  ])('fills, then drains, %s', async (_name, argv) => {
    const result = await run(backlog, ...argv, '--queues', '3', '-y', '3');
    expect(result).toMatchObject({ published: 3000, delivered: 3000, errors: [], checks: { passed: true } });
  });
});
