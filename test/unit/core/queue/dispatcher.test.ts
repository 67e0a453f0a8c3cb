import { describe, expect, it } from 'vitest';
import { Dispatcher } from '../../../../src/core/queue/dispatcher.js';
import { type ConsumerTraits, RecordingConsumer } from './consumers.js';

function dispatcherOf(traits: Readonly<Record<string, ConsumerTraits>>, singleActive = false) {
  const dispatcher = new Dispatcher(singleActive);
  const consumers = new Map<string, RecordingConsumer>();
  for (const [tag, trait] of Object.entries(traits)) {
    const consumer = new RecordingConsumer(tag, trait);
    consumers.set(tag, consumer);
    dispatcher.add(consumer);
  }
  const consumer = (tag: string): RecordingConsumer => {
    const found = consumers.get(tag);
    if (found === undefined) throw new Error(`no consumer ${tag}`);
    return found;
  };
  /** Who gets the next messages; '-' when nobody does. */
  const turns = (count: number): string =>
    Array.from({ length: count }, () => {
      const next = dispatcher.next();
      if (next !== undefined) consumer(next.tag).credit--;
      return next?.tag ?? '-';
    }).join('');
  return { dispatcher, consumer, turns };
}

describe('the dispatcher', () => {
  it('has nobody to give to at first', () => {
    const { dispatcher, turns } = dispatcherOf({});
    expect([dispatcher.count, turns(2)]).toEqual([0, '--']);
  });

  it('goes round in the order of subscription', () => {
    expect(dispatcherOf({ a: {}, b: {}, c: {} }).turns(8)).toBe('abcabcab');
  });

  it('puts who has credit again behind the others', () => {
    const { consumer, turns } = dispatcherOf({ a: {}, b: { credit: 1 }, c: {} });
    expect(turns(6)).toBe('abcaca');
    consumer('b').credit = 5;
    expect(turns(4)).toBe('cabc');
  });

  it('puts who comes behind those who were served', () => {
    const { dispatcher, turns } = dispatcherOf({ a: {} });
    expect(turns(1)).toBe('a');
    dispatcher.add(new RecordingConsumer('b'));
    expect(dispatcher.next()?.tag).toBe('a');
    expect(dispatcher.next()?.tag).toBe('b');
  });

  it('serves higher priorities first, and lower ones only while no higher one has credit', () => {
    const { consumer, turns } = dispatcherOf({
      low: { priority: -5 },
      a: { priority: 10, credit: 2 },
      mid: { credit: 2 },
      b: { priority: 10, credit: 2 },
    });
    expect(turns(8)).toBe('ababmidmidlowlow');
    consumer('b').credit = 1;
    expect(turns(2)).toBe('blow');
  });

  it('goes round in each priority by itself', () => {
    const { consumer, turns } = dispatcherOf({ a: {}, b: {}, x: { priority: 1, credit: 1 } });
    expect(turns(2)).toBe('xa');
    consumer('x').credit = 1;
    expect(turns(3)).toBe('xba');
  });

  it('keeps whose turn it is when a consumer goes or comes', () => {
    const { dispatcher, consumer, turns } = dispatcherOf({ a: {}, b: {}, c: {}, d: {} });
    expect(turns(2)).toBe('ab');
    dispatcher.remove(consumer('a'));
    expect(turns(1)).toBe('c');
    dispatcher.remove(consumer('d'));
    expect(turns(3)).toBe('bcb');
    dispatcher.add(consumer('a'));
    expect(turns(4)).toBe('cbac');
  });

  it('says whether a consumer was there', () => {
    const { dispatcher, consumer } = dispatcherOf({ a: {}, b: { priority: 1 } });
    expect(dispatcher.remove(new RecordingConsumer('a'))).toBe(false);
    expect(dispatcher.remove(consumer('a'))).toBe(true);
    expect(dispatcher.remove(consumer('a'))).toBe(false);
    expect([dispatcher.count, dispatcher.all()]).toEqual([1, [consumer('b')]]);
  });

  it('lists consumers by priority, then by subscription', () => {
    const { dispatcher } = dispatcherOf({ a: {}, b: { priority: 2 }, c: {}, d: { priority: 2 }, e: { priority: -1 } });
    expect(dispatcher.all().map(({ tag }) => tag)).toEqual(['b', 'd', 'a', 'c', 'e']);
  });

  it('knows an exclusive consumer as long as it is there', () => {
    const { dispatcher, consumer } = dispatcherOf({ a: { exclusive: true } });
    expect(dispatcher.hasExclusive).toBe(true);
    dispatcher.remove(consumer('a'));
    expect(dispatcher.hasExclusive).toBe(false);
  });

  it('knows when one consumer gets everything', () => {
    const { dispatcher, consumer } = dispatcherOf({ a: {} });
    expect(dispatcher.hasSole).toBe(true);
    dispatcher.add(new RecordingConsumer('b'));
    expect(dispatcher.hasSole).toBe(false);
    dispatcher.remove(consumer('a'));
    expect(dispatcher.hasSole).toBe(true);
    expect(dispatcherOf({ a: {}, b: {} }, true).dispatcher.hasSole).toBe(true);
  });
});

describe('a single active consumer', () => {
  it('is the first one, and gets everything while it has credit', () => {
    const { consumer, turns } = dispatcherOf({ a: { credit: 2 }, b: {}, c: { priority: 9 } }, true);
    expect(turns(4)).toBe('aa--');
    consumer('a').credit = 1;
    expect(turns(2)).toBe('a-');
  });

  it('is followed by the highest priority, and among equals by the oldest', () => {
    const { dispatcher, consumer, turns } = dispatcherOf({ a: {}, b: {}, c: { priority: 9 }, d: {} }, true);
    dispatcher.remove(consumer('a'));
    expect([dispatcher.active?.tag, turns(2)]).toEqual(['c', 'cc']);
    dispatcher.remove(consumer('c'));
    expect(turns(2)).toBe('bb');
    dispatcher.remove(consumer('d'));
    expect(turns(2)).toBe('bb');
    dispatcher.remove(consumer('b'));
    expect([dispatcher.active, turns(1)]).toEqual([undefined, '-']);
  });
});
