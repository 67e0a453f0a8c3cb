import { describe, expect, it } from 'vitest';
import { SharedBodies } from '../../../../src/core/log/shared-bodies.js';

describe('shared bodies', () => {
  it('are copies that go with their last reference', () => {
    const bodies = new SharedBodies();
    const bytes = Buffer.from('..body..');
    const id = bodies.put(bytes, 2, 6);
    bytes.fill(0);
    bodies.addReference(id);
    bodies.addReference(id);
    expect([Buffer.from(bodies.get(id)).toString(), bodies.count, bodies.sizeBytes]).toEqual(['body', 1, 4]);
    bodies.release(id);
    expect(bodies.count).toBe(1);
    bodies.release(id);
    expect([bodies.count, bodies.sizeBytes]).toEqual([0, 0]);
    expect(() => bodies.get(id)).toThrow();
  });

  it('go when nothing came to refer to them', () => {
    const bodies = new SharedBodies();
    const [used, unused] = [bodies.put(Buffer.from('a'), 0, 1), bodies.put(Buffer.from('b'), 0, 1)];
    bodies.addReference(used);
    bodies.dropUnused(used);
    bodies.dropUnused(unused);
    bodies.dropUnused(unused);
    expect([bodies.count, Buffer.from(bodies.get(used)).toString()]).toEqual([1, 'a']);
  });

  it('have ids of their own, none of them 0', () => {
    const bodies = new SharedBodies();
    const ids = Array.from({ length: 100 }, () => bodies.put(Buffer.alloc(1), 0, 1));
    expect(new Set(ids).size).toBe(100);
    expect(ids).not.toContain(0);
  });

  it('come back under the id they were kept under, once', () => {
    const bodies = new SharedBodies();
    bodies.restore(2, Buffer.from('kept'));
    bodies.restore(2, Buffer.from('kept'));
    bodies.addReference(2);
    bodies.addReference(2);
    const ids = [bodies.put(Buffer.from('x'), 0, 1), bodies.put(Buffer.from('y'), 0, 1)];
    expect(ids).not.toContain(2);
    bodies.release(2);
    expect(Buffer.from(bodies.get(2)).toString()).toBe('kept');
    bodies.release(2);
    expect(bodies.count).toBe(2);
  });
});
