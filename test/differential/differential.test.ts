/** The differential test without RabbitMQ: what it says of two brokers that are alike, and of one that is not. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, startBroker } from '../../src/index.js';
import { seedOf } from '../support/random.js';
import { type CampaignOptions, campaign } from './campaign.js';
import { describe as describeFinding } from './differential.js';
import { explain, explainedDifferences, MOST_EXPLAINED } from './explained-differences.js';
import type { Pair } from './run-program.js';
import { shrink } from './shrink.js';
import type { Step } from './steps.js';

const TIMEOUT_MS = 180_000;
const brokers: Broker[] = [];

beforeAll(async () => {
  for (let count = 0; count < 2; count++) brokers.push(await startBroker({ port: 0, logLevel: 'error' }));
});

afterAll(async () => {
  for (const broker of brokers) await broker.close();
});

function pairWith(alter: (line: string) => string = (line) => line): Pair {
  const [ours, theirs] = brokers.map(({ amqpUrl }) => ({ url: amqpUrl }));
  if (ours === undefined || theirs === undefined) throw new Error('the brokers did not start');
  return { ours, theirs: { ...theirs, alter }, differences: [], quietMs: 100 };
}

function run(options: Partial<CampaignOptions> & Pick<CampaignOptions, 'pair'>) {
  const seed = seedOf('differential');
  return campaign({ programs: 20, seed, inFlight: 20, mostFailures: 1, ...options });
}

describe('the differential test', () => {
  it('finds no difference between ours and ours', { timeout: TIMEOUT_MS }, async () => {
    const { programs, complete, steps, findings } = await run({ pair: pairWith() });
    expect(findings.map(describeFinding)).toEqual([]);
    expect([programs, complete]).toEqual([20, 20]);
    expect(steps).toBeGreaterThan(100);
  });

  it('finds what a broker says otherwise, and makes it small', { timeout: TIMEOUT_MS }, async () => {
    // A broker that says of every message that it came back.
    const pair = pairWith((line) => line.replace(/(deliver \S+|get-ok left=\d+) first/, '$1 again'));
    const { findings } = await run({ pair });
    const [finding] = findings;
    expect(finding?.difference?.theirs).not.toEqual(finding?.difference?.ours);
    // A queue, a message, a consumer or a get.
    expect(finding?.steps.length).toBeLessThanOrEqual(5);
    expect(finding?.steps.length).toBeGreaterThanOrEqual(2);
  });
});

describe('shrinking', () => {
  const call = (queue: string): Step => ({ kind: 'call', on: 'a1', method: { name: 'queue.purge', queue } });

  it('leaves the steps that are needed', async () => {
    const steps = Array.from({ length: 20 }, (_, index) => call(`q${index}`));
    const needed = [steps[3], steps[4], steps[17]];
    const smallest = await shrink(steps, async (candidate) => needed.every((step) => candidate.includes(step as Step)));
    expect(smallest).toEqual(needed);
  });

  it('leaves out what is optional in a step', async () => {
    const properties = { priority: 5, expiration: '1', headers: [['h', { type: 'V' }]] } as const;
    const message = { routingKey: 'q', mandatory: true, properties };
    const smallest = await shrink([{ kind: 'publish', on: 'a1', copies: 4, message }], async ([step]) => {
      if (step?.kind !== 'publish' || step.message.properties instanceof Uint8Array) return false;
      return step.message.properties?.priority === 5;
    });
    const least = { routingKey: 'q', properties: { priority: 5 } };
    expect(smallest).toEqual([{ kind: 'publish', on: 'a1', copies: 1, message: least }]);
  });
});

describe('explained differences', () => {
  it('are few, each with its line of SEMANTICS', () => {
    expect(explainedDifferences.length).toBeLessThanOrEqual(MOST_EXPLAINED);
    for (const { semantics } of explainedDifferences) expect(semantics).toMatch(/^\d\.\d+: ./);
    expect(new Set(explainedDifferences.map(({ id }) => id)).size).toBe(explainedDifferences.length);
  });

  it('explain what they are for, and nothing beside it', () => {
    const theirs = ["a1: get-ok left=0 first '' 'q' {headers={x-delivery-count:l'0'}} 'm'"];
    const explained = (ours: readonly string[]) =>
      explain(explainedDifferences, { step: undefined, steps: [], ours }, theirs)?.map(({ id }) => id);
    expect(explained(theirs)).toEqual([]);
    expect(explained(["a1: get-ok left=0 first '' 'q' {} 'm'"])).toEqual(['first-delivery-count']);
    expect(explained(["a1: get-ok left=1 first '' 'q' {} 'm'"])).toBeUndefined();
  });
});
