import { describe, expect, it } from 'vitest';
import { seedOf } from '../support/random.js';
import { confirmsAndCommits } from './confirm-order.js';
import { canTrace, powerCuts, traceConfirms } from './power-loss.js';

const TIMEOUT_MS = 120_000;

describe('a confirm', { timeout: TIMEOUT_MS }, () => {
  it('comes after the commit that holds the message', async () => {
    expect(await confirmsAndCommits({ messages: 200, window: 20 })).toEqual({ confirms: 200, early: 0 });
  });

  it('is seen to be early by the same test when it is', async () => {
    const { early } = await confirmsAndCommits({ messages: 50, window: 5, sabotage: 'confirm-early' });
    expect(early).toBeGreaterThan(0);
  });

  it.skipIf(!canTrace())('is written to its socket after the sync has returned', async () => {
    const { confirms, commits, early } = await traceConfirms({ connections: 4, messages: 25 });
    expect(early).toEqual([]);
    expect(confirms).toBe(100);
    expect(commits).toBeGreaterThan(0);
  });
});

describe('a power cut', { timeout: TIMEOUT_MS }, () => {
  it('takes nothing that was confirmed and leaves nothing damaged', async () => {
    const report = await powerCuts({ seed: seedOf('power cuts'), cuts: 2, variants: 2 });
    expect(report.confirmed).toBeGreaterThan(0);
    expect(report.states).toBeGreaterThan(4);
  });

  it.skipIf(!canTrace())('takes what was confirmed before its commit', async () => {
    const options = { seed: seedOf('power cuts, early confirms'), cuts: 4, variants: 2, keep: false };
    await expect(powerCuts({ ...options, sabotage: 'confirm-early' })).rejects.toThrow(/were confirmed|NOT_FOUND/);
  });
});
