import { describe, expect, it } from 'vitest';
import { Turn, type TurnTask } from '../../../../src/core/turn.js';
import { PublishThrottle, ThrottledPublisher } from '../../../../src/session/shared/publish-throttle.js';
import { FakeClock } from '../../../support/fake-clock.js';

function throttleOf() {
  const clock = new FakeClock();
  return { clock, throttle: new PublishThrottle(new Turn(clock, (error) => expect.fail(String(error)))) };
}

describe('the throttle on publishers', () => {
  it('is active while any reason holds, and wakes who waits once, at the end of the turn', () => {
    const { clock, throttle } = throttleOf();
    let woken = 0;
    const task: TurnTask = { deferred: false, runInTurn: () => woken++ };
    throttle.set('commits', true);
    throttle.set('paging', true);
    throttle.wakeWhenOver(task);
    throttle.wakeWhenOver(task);
    throttle.set('commits', false);
    clock.settle();
    expect([throttle.active, woken]).toEqual([true, 0]);
    throttle.set('paging', false);
    expect([throttle.active, woken]).toEqual([false, 0]);
    clock.settle();
    throttle.set('paging', true);
    throttle.set('paging', false);
    clock.settle();
    expect(woken).toBe(1);
  });

  it('holds only connections that publish much while it lasts, each time anew', () => {
    const { throttle } = throttleOf();
    const [much, little] = [new ThrottledPublisher(throttle), new ThrottledPublisher(throttle)];
    throttle.set('paging', true);
    expect([much.mustWait(1e9), much.mustWait(1e9 + 65_536), much.mustWait(1e9 + 65_537)]).toEqual([
      false,
      false,
      true,
    ]);
    expect([little.mustWait(100), little.mustWait(20_000)]).toEqual([false, false]);
    throttle.set('paging', false);
    throttle.set('paging', true);
    expect(much.mustWait(2e9)).toBe(false);
  });
});
