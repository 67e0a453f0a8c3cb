import { describe, expect, it } from 'vitest';
import { seedOf } from '../support/random.js';
import { moving } from './moving.js';

describe('a broker that is killed while messages move', () => {
  it('has each of them once', { timeout: 120_000 }, async () => {
    const { kills, moved } = await moving({ rounds: 1, messages: 4000, seed: seedOf('moving') });
    expect(kills).toBe(5);
    expect(moved).toBeGreaterThan(0);
  });
});
