import { describe, expect, it } from 'vitest';
import { Turn, type TurnTask } from '../../../../src/core/turn.js';
import { Durability } from '../../../../src/session/shared/durability.js';
import { PublishThrottle } from '../../../../src/session/shared/publish-throttle.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { RecordingStore } from '../../../support/recording-store.js';

function durabilityOf() {
  const clock = new FakeClock();
  const store = new RecordingStore();
  const turn = new Turn(clock, (error) => expect.fail(String(error)));
  const throttle = new PublishThrottle(turn);
  return { clock, store, throttle, durability: new Durability(store, turn, throttle) };
}

class Waiting implements TurnTask {
  deferred = false;
  woken = 0;
  onWake: () => void = () => {};

  runInTurn(): void {
    this.woken++;
    this.onWake();
  }
}

describe('who waits for the disk', () => {
  it('is woken once, at the end of the turn in which the next batch is durable', () => {
    const { clock, store, durability } = durabilityOf();
    const task = new Waiting();
    durability.wakeNext(task);
    durability.wakeNext(task);
    clock.settle();
    expect(task.woken).toBe(0);
    store.makeDurable(1);
    expect([task.woken, durability.durableCommit]).toEqual([0, 1]);
    clock.settle();
    expect(task.woken).toBe(1);
    store.makeDurable(2);
    clock.settle();
    expect(task.woken).toBe(1);
  });

  it('may wait again while it is woken', () => {
    const { clock, store, durability } = durabilityOf();
    const task = new Waiting();
    task.onWake = () => durability.wakeNext(task);
    durability.wakeNext(task);
    for (const batch of [1, 2, 3]) {
      store.makeDurable(batch);
      clock.settle();
      expect(task.woken).toBe(batch);
    }
  });

  it('throttles publishers while more than 16 MiB wait, counting the batch on its way and the one that fills', () => {
    const { store, throttle, durability } = durabilityOf();
    const megabytes = (count: number): number => count * 1024 * 1024;
    durability.published(1, megabytes(10));
    durability.published(2, megabytes(6));
    expect(throttle.active).toBe(false);
    durability.published(2, 1);
    expect(throttle.active).toBe(true);
    store.makeDurable(1);
    expect(throttle.active).toBe(false);
    durability.published(2, megabytes(11));
    expect(throttle.active).toBe(true);
    store.makeDurable(2);
    expect(throttle.active).toBe(false);
    durability.published(3, megabytes(16));
    expect(throttle.active).toBe(false);
  });
});
