/** Lost, duplicated and reordered messages against a plain model, and bodies that are not what was published. */
import { describe, expect, it } from 'vitest';
import { DeliveryCheck, SequenceCheck } from '../../../../bench/load/message-checks.js';
import { fillerAt, StampAt, templateBody } from '../../../../bench/load/stamp.js';
import { Random, seedOf } from '../../../support/random.js';

const RUN = 77;

describe('a sequence', () => {
  it('knows what it saw, in any order and more than once', () => {
    const random = new Random(seedOf('sequence check'));
    for (let round = 0; round < 200; round++) {
      const part = { first: random.below(3), stride: 1 + random.below(4) };
      const check = new SequenceCheck(part);
      const seen = new Set<number>();
      let duplicated = 0;
      const reach = random.pick([5, 100, 5000]);
      for (let step = 0; step < 300; step++) {
        const index = random.chance(0.5) ? seen.size : random.below(reach);
        if (seen.has(index)) duplicated++;
        seen.add(index);
        expect(check.record(part.first + index * part.stride)).toBe(true);
      }
      expect(check).toMatchObject({ seen: seen.size, duplicated });
    }
  });

  it('refuses what belongs to another queue', () => {
    const check = new SequenceCheck({ first: 1, stride: 3 });
    expect([0, 1, 2, 3, 4].map((sequence) => check.record(sequence))).toEqual([false, true, false, false, true]);
    expect(check.seen).toBe(2);
  });

  it.each([
    [{ first: 0, stride: 1 }, [0, 1, 2, 3, 4]],
    [{ first: 1, stride: 3 }, [0, 0, 1, 1, 1, 2, 2, 2, 3]],
    [{ first: 2, stride: 3 }, [0, 0, 0, 1, 1, 1, 2]],
  ])('knows how many of the messages are its own: %j', (part, counts) => {
    const check = new SequenceCheck(part);
    expect(counts.map((_count, published) => check.expectedOf(published))).toEqual(counts);
  });
});

describe('a delivery', () => {
  function body(sequence: number, { size = 32, producer = 0, run = RUN, sent = 5 } = {}): DataView {
    const view = new DataView(templateBody(size, producer, run).buffer);
    if (size >= 8) {
      view.setUint32(0, sequence);
      view.setUint16(StampAt.sequenceHigh, Math.floor(sequence / 2 ** 32));
    }
    if (size >= 16) {
      view.setUint16(StampAt.sentHigh, Math.floor(sent / 2 ** 32));
      view.setUint32(StampAt.sentLow, sent);
    }
    return view;
  }

  function checkOf(sizesBytes = [32], foreign = false): { check: DeliveryCheck; sequence: SequenceCheck } {
    const sequence = new SequenceCheck({ first: 0, stride: 1 });
    return { check: new DeliveryCheck({ run: RUN, sizesBytes, sequences: [sequence], foreign }), sequence };
  }

  it('is good in order', () => {
    const { check, sequence } = checkOf();
    for (let number = 0; number < 100; number++) check.record(body(number), 0, 32, false);
    expect(check).toMatchObject({ delivered: 100, outOfOrder: 0, corrupted: 0, sentMicros: 5 });
    expect(sequence).toMatchObject({ seen: 100, duplicated: 0 });
  });

  it('is read beyond 32 bits', () => {
    const sequence = new SequenceCheck({ first: 2 ** 40, stride: 1 });
    const check = new DeliveryCheck({ run: RUN, sizesBytes: [16], sequences: [sequence], foreign: false });
    check.record(body(2 ** 40, { size: 16, sent: 2 ** 45 }), 0, 16, false);
    expect(sequence.seen).toBe(1);
    expect(check).toMatchObject({ corrupted: 0, sentMicros: 2 ** 45 });
  });

  it('counts what comes late as out of order and what comes again as duplicate', () => {
    const { check, sequence } = checkOf();
    for (const number of [0, 2, 1, 3, 3, 0]) check.record(body(number), 0, 32, false);
    expect(check.outOfOrder).toBe(1);
    expect(sequence).toMatchObject({ seen: 4, duplicated: 2 });
  });

  it.each<[string, DataView, number, boolean]>([
    ['of another size', body(0, { size: 33 }), 33, false],
    ['of another run', body(0, { run: 78 }), 32, false],
    ['of an unknown producer', body(0, { producer: 1 }), 32, false],
    ['redelivered', body(0), 32, true],
    ['too short for a stamp', body(0, { size: 3 }), 3, false],
  ])('is corrupted when it is %s', (_name, view, size, redelivered) => {
    const { check, sequence } = checkOf();
    check.record(view, 0, size, redelivered);
    expect(check.corrupted).toBe(1);
    expect(sequence.seen).toBe(0);
  });

  it('has its filler checked, another byte each time', () => {
    const { check } = checkOf();
    for (let number = 0; number < 16; number++) {
      const view = body(number);
      view.setUint8(20, fillerAt(20) ^ 1);
      check.record(view, 0, 32, false);
    }
    expect(check.corrupted).toBe(1);
  });

  it('may have one of several sizes, each in its turn', () => {
    const { check } = checkOf([16, 40]);
    check.record(body(0, { size: 16 }), 0, 16, false);
    check.record(body(1, { size: 40 }), 0, 40, false);
    expect(check.corrupted).toBe(0);
    check.record(body(2, { size: 40 }), 0, 40, false);
    expect(check.corrupted).toBe(1);
  });

  it('of others is only counted', () => {
    const { check } = checkOf([16], true);
    check.record(body(7, { size: 3 }), 0, 3, true);
    expect(check).toMatchObject({ delivered: 1, corrupted: 0, sentMicros: undefined });
  });
});
