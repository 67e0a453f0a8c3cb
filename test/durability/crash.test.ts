import { describe, expect, it } from 'vitest';
import { seedOf } from '../support/random.js';
import { crash } from './crash.js';
import { Failure } from './support/world.js';

const TIMEOUT_MS = 120_000;
const SELF_PROOF_ROUNDS = 12;

describe('a broker that is killed', () => {
  it('loses nothing that it confirmed and brings back nothing that is settled', { timeout: TIMEOUT_MS }, async () => {
    const seed = seedOf('crash');
    const totals = await crash({ rounds: 4, confirms: 1000, seed });
    expect(totals.kills).toBe(4);
    expect(totals.outstandingAtKill).toBeGreaterThan(0);
  });

  it('is caught when it confirms before the sync', { timeout: TIMEOUT_MS }, async () => {
    const seed = seedOf('crash with early confirms');
    const broken = crash({ rounds: SELF_PROOF_ROUNDS, confirms: 300, seed, sabotage: 'confirm-early', keep: false });
    const cause = await broken.then(
      () => undefined,
      (error: Error) => error.cause,
    );
    expect(cause).toBeInstanceOf(Failure);
  });
});

describe('the crash test itself', () => {
  it('finds no fault with a broker that nobody kills', { timeout: TIMEOUT_MS }, async () => {
    const seed = seedOf('crash in memory');
    const totals = await crash({ rounds: 3, confirms: 500, seed, memory: true });
    expect(totals.rounds).toBe(3);
  });
});
