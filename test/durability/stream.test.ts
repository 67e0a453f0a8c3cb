import { describe, expect, it } from 'vitest';
import { seedOf } from '../support/random.js';
import { stream } from './stream.js';
import { Failure } from './support/world.js';

const TIMEOUT_MS = 120_000;

describe('a stream of a broker that is killed', () => {
  it('loses nothing that was confirmed, and no offset changes its message', { timeout: TIMEOUT_MS }, async () => {
    const { kills, firstOffset } = await stream({ rounds: 4, confirms: 8000, seed: seedOf('stream') });
    expect(kills).toBe(4);
    expect(firstOffset).toBeGreaterThan(0);
  });

  it('is caught when the broker confirms before the sync', { timeout: TIMEOUT_MS }, async () => {
    const seed = seedOf('stream with early confirms');
    const broken = stream({ rounds: 12, confirms: 2000, seed, sabotage: 'confirm-early' });
    const cause = await broken.then(
      () => undefined,
      (error: Error) => error.cause,
    );
    expect(cause).toBeInstanceOf(Failure);
  });
});
