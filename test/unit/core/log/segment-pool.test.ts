import { describe, expect, it } from 'vitest';
import { LARGEST_SEGMENT_BYTES, SegmentPool, SMALLEST_SEGMENT_BYTES } from '../../../../src/core/log/segment-pool.js';

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
    expect(pool.reusableBytes).toBeLessThanOrEqual(16 * 1024 * 1024);
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
