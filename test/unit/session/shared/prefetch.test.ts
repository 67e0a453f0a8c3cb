import { describe, expect, it } from 'vitest';
import { ChannelPrefetch } from '../../../../src/session/shared/prefetch.js';

function delivered(prefetch: ChannelPrefetch, times: number): void {
  for (let i = 0; i < times; i++) prefetch.delivered();
}

describe('the prefetch of a channel', () => {
  it('is unlimited at first', () => {
    const prefetch = new ChannelPrefetch();
    delivered(prefetch, 1_000_000);
    expect([prefetch.hasCredit, prefetch.consumerLimit, prefetch.channelLimit]).toEqual([true, 0, 0]);
  });

  it('gives credit up to the limit, and again for each settled delivery', () => {
    const prefetch = new ChannelPrefetch();
    prefetch.limitChannel(2, 0, 0);
    delivered(prefetch, 1);
    expect(prefetch.hasCredit).toBe(true);
    delivered(prefetch, 1);
    expect(prefetch.hasCredit).toBe(false);
    prefetch.settled(1, true);
    expect(prefetch.hasCredit).toBe(true);
    delivered(prefetch, 1);
    expect(prefetch.hasCredit).toBe(false);
  });

  it('counts what was outstanding when it was set, basic.get included', () => {
    const prefetch = new ChannelPrefetch();
    delivered(prefetch, 1);
    // Tags 1 (consumed) and 2 (got) are outstanding.
    prefetch.limitChannel(2, 2, 2);
    expect(prefetch.hasCredit).toBe(false);
    prefetch.settled(2, false);
    expect(prefetch.hasCredit).toBe(true);
    delivered(prefetch, 1);
    expect(prefetch.hasCredit).toBe(false);
    prefetch.settled(1, true);
    expect(prefetch.hasCredit).toBe(true);
  });

  it('does not count what basic.get takes afterwards', () => {
    const prefetch = new ChannelPrefetch();
    prefetch.limitChannel(1, 0, 5);
    delivered(prefetch, 1);
    prefetch.settled(7, false);
    expect(prefetch.hasCredit).toBe(false);
    prefetch.settled(6, true);
    expect(prefetch.hasCredit).toBe(true);
  });

  it('is not exceeded for settlements of what it did not count', () => {
    const prefetch = new ChannelPrefetch();
    delivered(prefetch, 1);
    // The delivery is acknowledged in a transaction: no longer outstanding, but not settled either.
    prefetch.limitChannel(1, 0, 1);
    prefetch.settled(1, true);
    delivered(prefetch, 1);
    expect(prefetch.hasCredit).toBe(false);
  });

  it('may be set below what is outstanding, and lifted', () => {
    const prefetch = new ChannelPrefetch();
    delivered(prefetch, 5);
    prefetch.limitChannel(2, 5, 5);
    for (const tag of [1, 2, 3]) {
      expect(prefetch.hasCredit).toBe(false);
      prefetch.settled(tag, true);
    }
    expect(prefetch.hasCredit).toBe(false);
    prefetch.limitChannel(0, 2, 5);
    expect(prefetch.hasCredit).toBe(true);
  });
});
