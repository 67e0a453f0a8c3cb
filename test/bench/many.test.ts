import { afterAll, describe, expect, it } from 'vitest';
import type { ProgressSource } from '../../bench/report/progress.js';
import { bindings } from '../../bench/scenarios/bindings.js';
import { connectionCount } from '../../bench/scenarios/connection-count.js';
import { queueCount } from '../../bench/scenarios/queue-count.js';
import { brokerUrl, stopBroker } from '../support/broker-under-test.js';
import { PASSED, runAgainst } from './run-scenario.js';
import { TamperingProxy } from './tampering-proxy.js';

afterAll(stopBroker);

describe('queue-count', () => {
  it.each([
    [{ queues: 30 }],
    [{ queues: 2500, pipeline: 50 }],
    [{ queues: 20, durable: true, persistent: true, sizesBytes: [500] }],
  ])('sends a message through each of its queues with %j', async (options) => {
    const result = await runAgainst(await brokerUrl(), queueCount, options);
    const { queues } = options;
    const counts = { operations: queues, published: queues, confirmed: queues, nacked: 0, delivered: queues };
    expect(result).toMatchObject({ operation: 'queues', ...counts, checks: PASSED, errors: [] });
  });

  it('ends early and without errors when it is interrupted', async () => {
    const interruption = new AbortController();
    let source: ProgressSource | undefined;
    const watch = (shown: ProgressSource): void => {
      source = shown;
    };
    const context = { signal: interruption.signal, watch };
    const running = runAgainst(await brokerUrl(), queueCount, { queues: 1e6, durable: true }, context);
    await expect.poll(() => source?.counts().operations ?? 0).toBeGreaterThan(0);
    interruption.abort();
    const result = await running;
    expect(result.operations).toBeGreaterThan(0);
    expect(result).toMatchObject({ published: 0, delivered: 0, checks: PASSED, errors: [] });
  });

  it('counts messages that are lost, doubled or for another queue', async () => {
    const proxy = await TamperingProxy.to(await brokerUrl(), (delivery, number) => {
      if (number === 2) return [...delivery, ...delivery];
      if (number === 3) delivery[2]?.writeUInt8(0x7f, 7);
      return number >= 7 ? [] : delivery;
    });
    const result = await runAgainst(proxy.url, queueCount, { queues: 10, drainSeconds: 0.3 });
    await proxy.close();
    expect(result.checks).toEqual({ ...PASSED, passed: false, lost: 4, duplicated: 1, corrupted: 1 });
    expect(result.errors).toEqual(['the broker did not answer for 0.3 s (drain)']);
  });
});

describe('connection-count', () => {
  it.each([
    [{ connections: 20, ratePerSecond: 20 }],
    [{ connections: 5, ratePerSecond: 50, warmupSeconds: 0.1, durable: true, sizesBytes: [300] }],
  ])('sends and gets messages on all of its connections with %j', async (options) => {
    const result = await runAgainst(await brokerUrl(), connectionCount, { seconds: 0.3, ...options });
    expect(result).toMatchObject({ operations: options.connections, checks: PASSED, errors: [] });
    expect(result.published).toBeGreaterThan(0);
    expect(result.delivered).toBe(result.published);
    expect(result.latency?.count).toBe(result.delivered);
  });

  it('may only be there', async () => {
    const options = { connections: 3, ratePerSecond: 0, seconds: 0.1 };
    const result = await runAgainst(await brokerUrl(), connectionCount, options);
    expect(result).toMatchObject({ operations: 3, published: 0, delivered: 0, checks: PASSED, errors: [] });
  });

  it('counts messages that are lost, doubled or changed', async () => {
    const proxy = await TamperingProxy.to(await brokerUrl(), (delivery, number) => {
      if (number === 2) return [...delivery, ...delivery];
      if (number === 5) return [];
      if (number === 8) delivery[2]?.writeUInt16BE(999, 7 + 14);
      return delivery;
    });
    const options = { connections: 4, ratePerSecond: 25, seconds: 0.3, drainSeconds: 0.3 };
    const { checks } = await runAgainst(proxy.url, connectionCount, options);
    await proxy.close();
    // What was changed beyond recognition is missing too.
    expect(checks).toEqual({ ...PASSED, passed: false, lost: 2, duplicated: 1, corrupted: 1 });
  });
});

describe('bindings', () => {
  it('routes every key through its binding', async () => {
    const options = { bindings: 20, routingKeys: 100, messagesPerProducer: 1000, autoAck: true, seconds: 5 };
    const result = await runAgainst(await brokerUrl(), bindings, options);
    expect(result).toMatchObject({
      scenario: 'bindings',
      published: 1000,
      delivered: 1000,
      checks: PASSED,
      errors: [],
    });
  });
});
