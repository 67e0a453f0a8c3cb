import { describe, expect, it, onTestFinished } from 'vitest';
import { garbageCollector, ProcessMemory } from '../../../src/resources/process-memory.js';
import { eventually } from '../../support/eventually.js';

const MIB = 1024 * 1024;

describe('the memory of this process', () => {
  it('is sampled with what it holds, and falls after a collection', async () => {
    const memory = new ProcessMemory();
    onTestFinished(() => memory.close());
    const before = memory.sample();
    let buffers = Array.from({ length: 64 }, () => Buffer.allocUnsafeSlow(MIB).fill(1));
    const held = memory.sample();
    expect(held.bufferBytes - before.bufferBytes).toBeGreaterThan(60 * MIB);
    expect(held.anonymousBytes).toBeGreaterThan(64 * MIB);
    expect(held.heapBytes).toBeGreaterThan(MIB);
    expect(buffers.length).toBe(64);
    buffers = [];
    const collect = garbageCollector();
    await eventually(() => {
      collect();
      expect(memory.sample().bufferBytes).toBeLessThan(held.bufferBytes - 60 * MIB);
    });
  });

  it('can be sampled where the system does not tell, and after the end', () => {
    const memory = new ProcessMemory();
    memory.close();
    memory.close();
    expect(memory.sample().anonymousBytes).toBeGreaterThan(0);
  });
});
