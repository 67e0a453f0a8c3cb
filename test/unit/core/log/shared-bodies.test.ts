import { describe, expect, it } from 'vitest';
import { ScratchWriter } from '../../../../src/core/log/scratch-writer.js';
import { SharedBodies } from '../../../../src/core/log/shared-bodies.js';
import { ControlledScratch } from '../../../support/controlled-scratch.js';

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

  it('come back from a store when they are asked for', () => {
    const reads: number[] = [];
    const readBody = (id: number): Uint8Array => {
      reads.push(id);
      return Buffer.from('kept');
    };
    const bodies = new SharedBodies({ store: { readBody } });
    bodies.restore({ id: 2, sizeBytes: 4, references: 2 });
    bodies.restore({ id: 7, sizeBytes: 9, references: 1 });
    expect([bodies.count, bodies.sizeBytes, bodies.residentBytes, reads]).toEqual([2, 13, 0, []]);
    bodies.release(7);
    // Not even of a body that has gone: the store may not know it yet.
    expect(bodies.put(Buffer.from('x'), 0, 1)).toBe(8);
    expect(Buffer.from(bodies.get(2)).toString()).toBe('kept');
    bodies.get(2);
    expect([bodies.residentBytes, reads]).toEqual([5, [2]]);
    bodies.release(2);
    expect(Buffer.from(bodies.get(2)).toString()).toBe('kept');
    bodies.release(2);
    expect([bodies.count, bodies.sizeBytes, bodies.residentBytes]).toEqual([1, 1, 1]);
  });
});

describe('shared bodies that leave memory', () => {
  function pagedBodies() {
    const scratch = new ControlledScratch();
    const bodies = new SharedBodies({ scratch, store: { readBody: () => Buffer.from('kept') } });
    const writer = new ScratchWriter(scratch, { written: () => {}, writesFail: () => {} });
    const put = (text: string): number => {
      const id = bodies.put(Buffer.from(text), 0, text.length);
      bodies.addReference(id);
      return id;
    };
    return { scratch, bodies, writer, put, text: (id: number) => Buffer.from(bodies.get(id)).toString() };
  }

  it('go to a page, the oldest first, and stay until they are there', () => {
    const { scratch, bodies, writer, put, text } = pagedBodies();
    const [first, second] = [put('first'), put('second')];
    expect([bodies.pageOut(writer), bodies.residentBytes]).toEqual([5, 11]);
    scratch.end();
    expect([bodies.residentBytes, text(second), scratch.readCount]).toEqual([6, 'second', 0]);
    expect([text(first), text(first), scratch.readCount, bodies.residentBytes]).toEqual(['first', 'first', 1, 11]);
    // The page is still there: nothing is written again.
    expect([bodies.pageOut(writer), bodies.pageOut(writer), bodies.pageOut(writer)]).toEqual([6, 5, 0]);
    expect([scratch.writeCount, bodies.residentBytes]).toEqual([1, 6]);
    scratch.endAll();
    expect([bodies.residentBytes, text(second)]).toEqual([0, 'second']);
    bodies.release(first);
    bodies.release(second);
    expect([bodies.count, bodies.sizeBytes, bodies.residentBytes, scratch.pageCount]).toEqual([0, 0, 0, 0]);
  });

  it('stay when they cannot be written, and leave no page when they went meanwhile', () => {
    const { scratch, bodies, writer, put, text } = pagedBodies();
    const [first, second] = [put('first'), put('second')];
    bodies.pageOut(writer);
    scratch.end(0, false);
    expect([text(first), bodies.residentBytes]).toEqual(['first', 11]);
    expect([bodies.pageOut(writer), bodies.pageOut(writer), scratch.writeCount]).toEqual([6, 0, 1]);
    bodies.release(second);
    expect(bodies.residentBytes).toBe(5);
    scratch.endAll();
    expect([scratch.pageCount, bodies.residentBytes]).toEqual([0, 5]);
  });

  it('need no page when a store has them', () => {
    const { scratch, bodies, writer, text } = pagedBodies();
    bodies.restore({ id: 4, sizeBytes: 4, references: 1 });
    expect(bodies.pageOut(writer)).toBe(0);
    expect(text(4)).toBe('kept');
    expect([bodies.pageOut(writer), bodies.residentBytes, scratch.writeCount]).toEqual([4, 0, 0]);
    expect(text(4)).toBe('kept');
  });
});
