import { describe, expect, it } from 'vitest';
import { LARGEST_SEGMENT_BYTES, SegmentPool, SMALLEST_SEGMENT_BYTES } from '../../../../src/core/log/segment-pool.js';
import { Random, seedOf } from '../../../support/random.js';

/** Numbers for things that have no name. */
class Identities {
  readonly #known = new Map<object, number>();

  of(thing: object): number {
    const known = this.#known.get(thing) ?? this.#known.size;
    this.#known.set(thing, known);
    return known;
  }
}

describe('the pool of segment memory', () => {
  it('gives the same memory again, and counts it', () => {
    const pool = new SegmentPool();
    const [first, second] = [pool.allocate(8192), pool.allocate(8192)];
    expect([pool.allocatedBytes, pool.reusableBytes]).toEqual([16_384, 0]);
    pool.release(first);
    expect([pool.allocatedBytes, pool.reusableBytes]).toEqual([8192, 8192]);
    expect(pool.allocate(4096)).not.toBe(first);
    expect(pool.allocate(8192)).toBe(first);
    expect(pool.allocate(8192)).not.toBe(second);
    expect([pool.allocatedBytes, pool.reusableBytes]).toEqual([3 * 8192 + 4096, 0]);
  });

  it('keeps a bounded part of it, and nothing of odd sizes', () => {
    const pool = new SegmentPool();
    for (const size of [SMALLEST_SEGMENT_BYTES, 5000, LARGEST_SEGMENT_BYTES + 1]) pool.release(pool.allocate(size));
    expect(pool.reusableBytes).toBe(0);
    for (let size = SMALLEST_SEGMENT_BYTES; size <= LARGEST_SEGMENT_BYTES; size *= 2) {
      const used = Array.from({ length: 200 }, () => pool.allocate(size));
      for (const bytes of used) pool.release(bytes);
    }
    expect(pool.allocatedBytes).toBe(0);
    expect(pool.reusableBytes).toBeGreaterThanOrEqual(16 * LARGEST_SEGMENT_BYTES);
    expect(pool.reusableBytes).toBeLessThanOrEqual(40 * 1024 * 1024);
  });

  it('takes the largest from slabs, and gives up all that are empty but one', () => {
    const pool = new SegmentPool();
    const held = (): number[] => [pool.allocatedBytes, pool.reusableBytes, pool.reservedBytes, pool.droppedBytes];
    const used = Array.from({ length: 300 }, () => pool.allocate(LARGEST_SEGMENT_BYTES));
    const slab = 128 * LARGEST_SEGMENT_BYTES;
    expect(new Set(used.map(({ buffer }) => buffer)).size).toBe(3);
    expect(
      new Set(used.map(({ buffer, byteOffset }) => [buffer.byteLength, byteOffset % LARGEST_SEGMENT_BYTES].join())),
    ).toEqual(new Set([`${slab},0`]));
    expect(held()).toEqual([300 * LARGEST_SEGMENT_BYTES, 0, 84 * LARGEST_SEGMENT_BYTES, 0]);
    // As a queue lets them go: the oldest first.
    for (const bytes of used.slice(0, 256)) pool.release(bytes);
    expect(held()).toEqual([44 * LARGEST_SEGMENT_BYTES, 0, 84 * LARGEST_SEGMENT_BYTES, 2 * slab]);
    for (const bytes of used.slice(256)) pool.release(bytes);
    expect(held()).toEqual([0, 44 * LARGEST_SEGMENT_BYTES, 84 * LARGEST_SEGMENT_BYTES, 2 * slab]);
    expect(pool.allocate(LARGEST_SEGMENT_BYTES).buffer).toBe(used[299]?.buffer);
  });

  it('hands no memory out twice, in whatever order it comes back', () => {
    const pool = new SegmentPool();
    const random = new Random(seedOf('segment pool'));
    const used = new Map<string, Uint8Array>();
    const placeOf = ({ buffer, byteOffset }: Uint8Array): string => `${identities.of(buffer)} ${byteOffset}`;
    const identities = new Identities();
    for (let step = 0; step < 5000; step++) {
      if (used.size === 0 || random.below(100) < (step % 1000 < 600 ? 70 : 20)) {
        const bytes = pool.allocate(LARGEST_SEGMENT_BYTES);
        expect(used.has(placeOf(bytes))).toBe(false);
        used.set(placeOf(bytes), bytes);
      } else {
        const [place, bytes] = [...used][random.below(used.size)] ?? [];
        if (place === undefined || bytes === undefined) throw new Error('nothing is used');
        used.delete(place);
        pool.release(bytes);
      }
      expect(pool.allocatedBytes).toBe(used.size * LARGEST_SEGMENT_BYTES);
    }
  });

  it('has a size for what comes back', () => {
    const pool = new SegmentPool();
    const sizes = [0, 256, 257, 4096, 4097, LARGEST_SEGMENT_BYTES, LARGEST_SEGMENT_BYTES + 1];
    expect(sizes.map((used) => pool.allocateFor(used).length)).toEqual([
      256,
      256,
      512,
      4096,
      8192,
      LARGEST_SEGMENT_BYTES,
      LARGEST_SEGMENT_BYTES + 1,
    ]);
  });
});
