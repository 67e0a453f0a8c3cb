/** Replies to pipelined requests, and a broker that gives none. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ReplyQueue } from '../../../../bench/load/reply-queue.js';

const OPENED = { name: 'channel.open-ok' } as const;
const BOUND = { name: 'queue.bind-ok' } as const;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('replies', () => {
  it('go to the requests of their channel in order', async () => {
    const replies = new ReplyQueue(() => undefined);
    const all = [
      replies.expect(1, 'channel.open-ok'),
      replies.expect(2, 'queue.bind-ok'),
      replies.expect(1, 'queue.bind-ok'),
    ];
    replies.settle(2, BOUND);
    replies.settle(1, OPENED);
    replies.settle(1, BOUND);
    expect(await Promise.all(all)).toEqual([OPENED, BOUND, BOUND]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('that nobody waits for are an error, and so are wrong ones', async () => {
    const replies = new ReplyQueue(() => undefined);
    expect(() => replies.settle(1, OPENED)).toThrow('which nobody asked for');
    const rejected = expect(replies.expect(1, 'queue.bind-ok')).rejects.toThrow('instead of queue.bind-ok');
    expect(() => replies.settle(1, OPENED)).toThrow('instead of queue.bind-ok');
    await rejected;
  });

  it('that stay out are told after a silence, which anything else ends', async () => {
    const told = vi.fn();
    const replies = new ReplyQueue(told);
    const rejected = expect(replies.expect(1, 'queue.bind-ok')).rejects.toThrow('gone');
    vi.advanceTimersByTime(59_000);
    replies.heard();
    vi.advanceTimersByTime(59_000);
    expect(told).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2000);
    expect(told).toHaveBeenCalledExactlyOnceWith('the broker has not answered with queue.bind-ok for 60 s');
    replies.reject(new Error('gone'));
    await rejected;
    expect(vi.getTimerCount()).toBe(0);
  });
});
