/** Confirms singly, with all before, out of order, twice: against a set of what is outstanding. */
import { describe, expect, it } from 'vitest';
import { OutstandingConfirms } from '../../../../bench/load/outstanding-confirms.js';
import { Random, seedOf } from '../../../support/random.js';

describe('outstanding confirms', () => {
  it('settle every publish exactly once', () => {
    const random = new Random(seedOf('outstanding confirms'));
    for (let round = 0; round < 200; round++) {
      const confirms = new OutstandingConfirms(1 + random.below(20));
      const outstanding = new Set<number>();
      let published = 0;
      let confirmed = 0;
      let unexpected = 0;
      for (let step = 0; step < 200; step++) {
        const count = random.below(confirms.room + 1);
        confirms.published(count, step, 0);
        for (let each = 0; each < count; each++) outstanding.add(++published);
        const tag = 1 + random.below(published + 2);
        const multiple = random.chance(0.3);
        const settled =
          tag > published ? [] : [...outstanding].filter((each) => (multiple ? each <= tag : each === tag));
        for (const each of settled) outstanding.delete(each);
        confirmed += settled.length;
        if (settled.length === 0) unexpected++;
        confirms.confirm(tag, multiple, false, step + 1);
        expect(confirms).toMatchObject({ confirmed, unexpected, outstanding: outstanding.size });
      }
      expect(confirms.latency.count).toBe(confirmed);
    }
  });

  it('hold the window back while an early one is missing', () => {
    const confirms = new OutstandingConfirms(3);
    confirms.published(3, 0, 0);
    confirms.confirm(2, false, false, 1);
    confirms.confirm(3, false, false, 1);
    expect(confirms.room).toBe(0);
    confirms.confirm(1, false, false, 1);
    expect(confirms.room).toBe(3);
  });

  it('count nacks apart, and tag 0 with multiple as all', () => {
    const confirms = new OutstandingConfirms(5);
    confirms.published(5, 0, 0);
    confirms.confirm(2, true, true, 1);
    confirms.confirm(0, true, false, 1);
    expect(confirms).toMatchObject({ nacked: 2, confirmed: 3, outstanding: 0, unexpected: 0 });
  });

  it('measure from when each was due', () => {
    const confirms = new OutstandingConfirms(4);
    confirms.published(3, 1000, 100);
    confirms.confirm(3, true, false, 1250);
    expect(confirms.latency.summary()).toMatchObject({ count: 3, min: 50, max: 250 });
  });
});
