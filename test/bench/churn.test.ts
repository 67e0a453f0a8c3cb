import { afterAll, describe, expect, it } from 'vitest';
import type { ProgressSource } from '../../bench/report/progress.js';
import { bindChurn } from '../../bench/scenarios/bind-churn.js';
import { channelChurn } from '../../bench/scenarios/channel-churn.js';
import { connectionChurn } from '../../bench/scenarios/connection-churn.js';
import { consumerChurn } from '../../bench/scenarios/consumer-churn.js';
import { queueChurn } from '../../bench/scenarios/queue-churn.js';
import { startBroker } from '../../src/index.js';
import { brokerUrl, stopBroker } from '../support/broker-under-test.js';
import { PASSED, runAgainst } from './run-scenario.js';
import { TamperingProxy } from './tampering-proxy.js';

afterAll(stopBroker);

const SPREAD = { connections: 2, channels: 2, pipeline: 3 };

describe('churn', () => {
  it.each([
    ['connections', connectionChurn, { connections: 3 }],
    ['channels', channelChurn, { connections: 2, channels: 3 }],
    ['queues', queueChurn, SPREAD],
    ['queues', queueChurn, { ...SPREAD, durable: true, queueArguments: { 'x-max-length': 10 } }],
    ['consumers', consumerChurn, SPREAD],
    ['consumers', consumerChurn, { durable: true }],
    ['bindings', bindChurn, SPREAD],
    ['bindings', bindChurn, { ...SPREAD, exchangeType: 'topic' as const }],
    ['bindings', bindChurn, { exchangeType: 'headers' as const }],
  ])('%s: as many as it was asked for, case %#', async (operation, scenario, options) => {
    const result = await runAgainst(await brokerUrl(), scenario, { operations: 40, ...options });
    expect(result).toMatchObject({ scenario: scenario.name, operation, operations: 40, checks: PASSED, errors: [] });
    expect(result.operationLatency).toMatchObject({ count: 40 });
    expect(result.operationsPerSecond).toBeCloseTo(40 / result.seconds);
    expect(result.published).toBeUndefined();
  });

  it('ends when the time is over', async () => {
    const result = await runAgainst(await brokerUrl(), channelChurn, { seconds: 0.1 });
    expect(result).toMatchObject({ checks: PASSED, errors: [] });
    expect(result.seconds).toBeGreaterThanOrEqual(0.09);
    expect(result.operationLatency?.count ?? 0).toBe(result.operations);
  });

  it('does not count the warm-up', async () => {
    let source: ProgressSource | undefined;
    const watch = (shown: ProgressSource): void => {
      source = shown;
    };
    const options = { operations: 5, warmupSeconds: 0.3 };
    const running = runAgainst(await brokerUrl(), channelChurn, options, { watch });
    // Before the count can have ended anything, more than it has been done.
    await expect.poll(() => (source?.phase() === 'warm-up' && source.counts().operations) || 0).toBeGreaterThan(5);
    expect(await running).toMatchObject({ operations: 5, operationLatency: { count: 5 }, checks: PASSED, errors: [] });
  });

  it('measures the process it is given, and says when that is gone', async () => {
    const measured = await runAgainst(await brokerUrl(), channelChurn, { operations: 20, brokerPid: process.pid });
    expect(measured.broker?.cpuMicrosPerMessage).toBeCloseTo(((measured.broker?.cpuSeconds ?? 0) * 1e6) / 20);
    const gone = 2 ** 22 + 1;
    const { errors } = await runAgainst(await brokerUrl(), channelChurn, { operations: 20, brokerPid: gone });
    expect(errors).toEqual([expect.stringContaining(`process ${gone} is not there`)]);
  });

  it('reports what there is when it is interrupted', async () => {
    const interruption = new AbortController();
    let source: ProgressSource | undefined;
    const watch = (shown: ProgressSource): void => {
      source = shown;
    };
    const running = runAgainst(await brokerUrl(), channelChurn, {}, { signal: interruption.signal, watch });
    await expect.poll(() => source?.counts().operations ?? 0).toBeGreaterThan(10);
    interruption.abort();
    const result = await running;
    expect(result.operations).toBeGreaterThan(10);
    expect(result).toMatchObject({ checks: PASSED, errors: [] });
  });
});

describe('a broker that refuses', () => {
  it.each([
    ['bindings', bindChurn, { exchange: 'not-there' }, "404 NOT_FOUND - no exchange 'not-there'"],
    ['queues', queueChurn, { queueArguments: { 'x-max-length': -1 } }, '406 PRECONDITION_FAILED'],
  ])('%s: ends with its code and text', async (_operation, scenario, options, text) => {
    const result = await runAgainst(await brokerUrl(), scenario, { operations: 5, ...SPREAD, ...options });
    expect(result.errors).toEqual([expect.stringContaining(text)]);
    expect(result.operations).toBe(0);
  });

  it('a password is refused', async () => {
    const url = (await brokerUrl()).replace(/\/\/[^@]*@/, '//guest:wrong@');
    const { errors } = await runAgainst(url, connectionChurn, { operations: 5 });
    expect(errors).toEqual([expect.stringContaining('403 ACCESS_REFUSED')]);
  });

  it('nobody listens', async () => {
    const closed = await TamperingProxy.to(await brokerUrl());
    const { url } = closed;
    await closed.close();
    const { errors } = await runAgainst(url, queueChurn, { operations: 5 });
    expect(errors).toEqual([expect.stringContaining('ECONNREFUSED')]);
  });
});

describe('a broker that goes away', () => {
  it('stops in the middle', async () => {
    const broker = await startBroker({ port: 0, logLevel: 'silent' });
    let source: ProgressSource | undefined;
    const watch = (shown: ProgressSource): void => {
      source = shown;
    };
    const running = runAgainst(broker.amqpUrl, queueChurn, SPREAD, { watch });
    await expect.poll(() => source?.counts().operations ?? 0).toBeGreaterThan(10);
    await broker.close();
    const result = await running;
    expect(result.errors).toEqual([expect.stringContaining('320 CONNECTION_FORCED')]);
    expect(result.operations).toBeGreaterThan(10);
  });

  it('says nothing any more', async () => {
    const proxy = await TamperingProxy.to(await brokerUrl());
    let source: ProgressSource | undefined;
    const watch = (shown: ProgressSource): void => {
      source = shown;
    };
    const options = { seconds: 0.3, drainSeconds: 0.3 };
    const running = runAgainst(proxy.url, queueChurn, options, { watch });
    await expect.poll(() => source?.counts().operations ?? 0).toBeGreaterThan(0);
    proxy.silence();
    const { errors } = await running;
    expect(errors).toEqual(['the broker did not answer for 0.3 s (drain)']);
    await proxy.close();
  });
});
