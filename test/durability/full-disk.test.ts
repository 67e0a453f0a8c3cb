import { expect, it } from 'vitest';
import { fullDisk } from './full-disk.js';

it('keeps what it confirmed on a disk that is full', { timeout: 120_000 }, async (context) => {
  const outcome = await fullDisk();
  if ('skipped' in outcome) return context.skip(outcome.skipped);
  expect(outcome.report).toHaveLength(2);
});
