/** x-max-priority: the order of what goes out, and what survives a restart. */
import { describe, expect, it } from 'vitest';
import { RecordReader } from '../../../../src/core/log/record.js';
import type { Queue } from '../../../../src/core/queue/queue.js';
import { type CoreEnvironment, coreEnvironment } from '../../../support/core-environment.js';
import { bodyOf } from '../../../support/messages.js';
import { RecordingStore } from '../../../support/recording-store.js';
import { declare, publish, takeAll } from './queue-operations.js';

function publishAll(core: CoreEnvironment, queue: Queue, priorities: readonly number[], persistent = false): void {
  priorities.forEach((priority, index) => {
    publish(core, queue, { body: `${priority}${'abcdefgh'[index]}`, priority, persistent });
  });
}

describe('a priority queue', () => {
  it('gives the highest level first, and the oldest within a level', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q', { 'x-max-priority': 5 });
    publishAll(core, queue, [0, 5, 2, 5, 0, 3]);
    expect(takeAll(queue)).toEqual(['5b', '5d', '3f', '2c', '0a', '0e']);
  });

  it('takes a priority above its highest for that, in the order of publishing', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q', { 'x-max-priority': 2 });
    publishAll(core, queue, [9, 2, 255, 1]);
    expect(takeAll(queue)).toEqual(['9a', '2b', '255c', '1d']);
  });

  it('puts a message back to its level, before those that came later', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q', { 'x-max-priority': 3 });
    publishAll(core, queue, [1, 1, 2]);
    const reader = new RecordReader();
    queue.take(reader);
    queue.take(reader);
    expect(bodyOf(reader).toString()).toBe('1a');
    publish(core, queue, { body: '3', priority: 3 });
    queue.requeue(reader.position);
    expect([queue.readyCount, queue.unackedCount]).toEqual([3, 1]);
    expect(takeAll(queue)).toEqual(['3', '1a', '1b']);
  });

  it('without levels is a plain one', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q', { 'x-max-priority': 0 });
    publishAll(core, queue, [0, 5, 1]);
    expect(takeAll(queue)).toEqual(['0a', '5b', '1c']);
  });

  it('gives up its head above a limit, which is the highest', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q', { 'x-max-priority': 9, 'x-max-length': 2 });
    publishAll(core, queue, [1, 9, 1]);
    expect(takeAll(queue)).toEqual(['1a', '1c']);
  });

  it('looks at its head for what has expired, and only there', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q', { 'x-max-priority': 9 });
    publish(core, queue, { body: 'high', priority: 5 });
    publish(core, queue, { body: 'low', priority: 1 }, 100);
    core.clock.advance(100);
    core.clock.refresh();
    expect(queue.readyCount).toBe(2);
    expect(takeAll(queue)).toEqual(['high']);
    publish(core, queue, { body: 'low', priority: 1 });
    publish(core, queue, { body: 'high', priority: 5 }, 100);
    core.clock.advance(100);
    expect(queue.readyCount).toBe(1);
  });

  it('is emptied by a purge, whatever was delivered of it', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q', { 'x-max-priority': 9 });
    publishAll(core, queue, [1, 9, 4]);
    const reader = new RecordReader();
    queue.take(reader);
    expect([queue.purge(), queue.readyCount, queue.unackedCount]).toEqual([2, 0, 1]);
    queue.ack(reader.position);
    expect(queue.unackedCount).toBe(0);
  });

  it('has its levels again after a restart, and later queues have logs of their own', () => {
    const store = new RecordingStore();
    const before = coreEnvironment(store);
    const queue = declare(before, 'q', { 'x-max-priority': 3 }, true);
    publishAll(before, queue, [1, 3, 0, 3], true);
    before.clock.settle();
    store.makeDurable(store.closeBatch());
    store.crash();

    const after = coreEnvironment(store, before.definitions);
    const next = declare(after, 'next', {}, true);
    publish(after, next, { body: 'other', persistent: true });
    const again = after.host.queue('q', {});
    expect(again.readyCount).toBe(4);
    expect([takeAll(again), takeAll(next)]).toEqual([['3b', '3d', '1a', '0c'], ['other']]);
  });
});
