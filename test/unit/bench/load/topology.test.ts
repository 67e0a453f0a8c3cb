/** Which queue is due which messages, against the bindings themselves. */
import { describe, expect, it } from 'vitest';
import { planTopology } from '../../../../bench/load/topology.js';
import { type BenchOptions, benchOptions } from '../../../../bench/options.js';

function plan(given: Partial<BenchOptions>) {
  return planTopology(benchOptions(given));
}

describe('a topology', () => {
  it.each([
    ['as many queues as producers', { producers: 3, queues: 3 }],
    ['more queues than producers', { producers: 2, queues: 5 }],
    ['fewer queues than producers', { producers: 5, queues: 2 }],
    ['a direct exchange', { producers: 2, queues: 5, exchange: 'e' }],
  ])('gives each queue what is published to its name: %s', (_name, options) => {
    const { queues, routingKeys } = plan(options);
    expect(queues).toHaveLength(options.queues);
    routingKeys.forEach((keys, producer) => {
      for (let sequence = 0; sequence < 20; sequence++) {
        const key = keys[sequence % keys.length];
        const due = queues.filter(({ parts }) => {
          const part = parts[producer];
          return part !== undefined && sequence >= part.first && (sequence - part.first) % part.stride === 0;
        });
        expect(due.map(({ name }) => name)).toEqual([key]);
      }
    });
    for (const { parts } of queues) expect(parts.some((part) => part !== undefined)).toBe(true);
  });

  it('gives every queue everything of a fanout exchange', () => {
    const { queues } = plan({ producers: 2, queues: 3, exchange: 'e', exchangeType: 'fanout' });
    for (const { parts } of queues)
      expect(parts).toEqual([
        { first: 0, stride: 1 },
        { first: 0, stride: 1 },
      ]);
  });

  it.each([
    [1, 1],
    [10, 1],
    [1000, 100],
    [7, 7],
  ])('of %i topic keys and %i bindings has exactly one binding for each key', (keys, bindings) => {
    const topic = { exchange: 'e', exchangeType: 'topic', routingKey: 'k', routingKeys: keys, bindings } as const;
    const { queues, routingKeys } = plan(topic);
    const patterns = (queues[0]?.bindingKeys ?? []).map(
      (key) => new RegExp(`^${key.replace('.', '\\.').replace('*', '[^.]*').replace('#', '.*')}$`),
    );
    expect(patterns).toHaveLength(bindings);
    expect(new Set(routingKeys[0]).size).toBe(keys);
    for (const key of routingKeys[0] ?? []) expect(patterns.filter((pattern) => pattern.test(key))).toHaveLength(1);
  });

  it('binds a direct exchange with each routing key', () => {
    const { queues, routingKeys } = plan({ exchange: 'e', routingKey: 'k', routingKeys: 12, bindings: 12 });
    expect(queues[0]?.bindingKeys).toEqual(routingKeys[0]);
    expect(routingKeys[0]?.slice(0, 2)).toEqual(['k00', 'k01']);
  });

  it('names queues by a pattern', () => {
    const { queues } = plan({ producers: 3, queuePattern: 'q-%d', queuePatternFrom: 2, queuePatternTo: 4 });
    expect(queues.map(({ name }) => name)).toEqual(['q-2', 'q-3', 'q-4']);
  });

  it.each<[Partial<BenchOptions>, string]>([
    [{ queues: 2, queuePattern: 'q%' }, '--queues and --queue-pattern exclude each other'],
    [{ queuePattern: 'q%', queuePatternFrom: 3 }, '--queue-pattern-to is below --queue-pattern-from'],
    [{ bindings: 2 }, 'bindings need an --exchange'],
    [{ routingKey: 'k' }, 'the default exchange routes by queue name'],
    [{ exchange: 'e', routingKeys: 2 }, 'several --routing-keys or --bindings need --routing-key'],
    [{ exchange: 'e', routingKey: 'k', routingKeys: 5, bindings: 2 }, 'as many --bindings as --routing-keys'],
    [{ exchange: 'e', exchangeType: 'topic', bindings: 2 }, 'at least as many --routing-keys as --bindings'],
  ])('is refused: %j', (options, text) => {
    expect(() => plan(options)).toThrow(text);
  });
});
