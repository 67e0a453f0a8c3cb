import { afterAll, describe, expect, it } from 'vitest';
import type { BenchResult } from '../../bench/result.js';
import { requestReply } from '../../bench/scenarios/request-reply.js';
import { brokerUrl, stopBroker } from '../support/broker-under-test.js';
import { PASSED, runAgainst } from './run-scenario.js';
import { type Tamper, TamperingProxy } from './tampering-proxy.js';

afterAll(stopBroker);

/** One request at a time, so the even deliveries are the replies. */
async function tampered(tamper: Tamper, operations = 10): Promise<BenchResult> {
  const proxy = await TamperingProxy.to(await brokerUrl(), tamper);
  const result = await runAgainst(proxy.url, requestReply, { operations, drainSeconds: 0.3, seconds: 1 });
  await proxy.close();
  return result;
}

describe('request-reply', () => {
  it.each([
    [{}],
    [{ connections: 2, channels: 2, pipeline: 5, consumers: 2 }],
    [{ pipeline: 10, sizesBytes: [0] }],
    [{ connections: 2, sizesBytes: [200_000] }],
  ])('answers every request with %j', async (options) => {
    const result = await runAgainst(await brokerUrl(), requestReply, { operations: 60, ...options });
    expect(result).toMatchObject({ operation: 'requests', operations: 60, checks: PASSED, errors: [] });
    expect(result.operationLatency).toMatchObject({ count: 60 });
  });

  it('notices a reply with another body', async () => {
    const { checks, operations } = await tampered(([method, header, body], number) => {
      if (method === undefined || header === undefined || body === undefined) throw new Error('not a delivery');
      if (number === 4) body.writeUInt8(body.readUInt8(12) ^ 1, 12);
      return [method, header, body];
    });
    expect(checks).toEqual({ ...PASSED, passed: false, corrupted: 1 });
    expect(operations).toBe(10);
  });

  it('notices a reply that comes twice', async () => {
    const { checks } = await tampered((delivery, number) => (number === 4 ? [...delivery, ...delivery] : delivery));
    expect(checks).toEqual({ ...PASSED, passed: false, duplicated: 1 });
  });

  it('notices a reply that does not come', async () => {
    const { checks, errors, operations } = await tampered((delivery, number) => (number === 4 ? [] : delivery));
    expect(checks).toEqual({ ...PASSED, passed: false, lost: 1 });
    expect(errors).toEqual(['the broker did not answer for 0.3 s (drain)']);
    expect(operations).toBe(1);
  });

  it('notices replies in the wrong order', async () => {
    const proxy = await TamperingProxy.to(await brokerUrl(), swapping(6, 8));
    const result = await runAgainst(proxy.url, requestReply, { operations: 4, pipeline: 4, seconds: 5 });
    await proxy.close();
    expect(result.checks).toEqual({ ...PASSED, passed: false, outOfOrder: 1 });
  });

  it('refuses what makes no sense', async () => {
    const url = await brokerUrl();
    await expect(async () => runAgainst(url, requestReply, { consumers: 0 })).rejects.toThrow('--consumers');
    await expect(async () => runAgainst(url, requestReply, { sizesBytes: [1, 2] })).rejects.toThrow('--size');
  });
});

/** Holds a delivery back until another one has gone. */
function swapping(early: number, late: number): Tamper {
  let held: readonly Buffer[] = [];
  return (delivery, number) => {
    if (number === early) {
      held = delivery;
      return [];
    }
    return number === late ? [...delivery, ...held] : delivery;
  };
}
