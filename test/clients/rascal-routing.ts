// rascal's scenarios of exchanges and bindings, which it makes from configuration.

import type { BrokerAsPromised } from 'rascal';
import { expect } from 'vitest';
import { contents, oneQueue, publish, subscribe, type Topology } from './rascal-broker.js';
import { type Scenario, uniqueName } from './scenarios.js';

type StartBroker = (topology: Topology) => Promise<BrokerAsPromised>;

export function routingScenarios(start: StartBroker): Record<string, Scenario> {
  return {
    'bind-direct': () =>
      expectRouted(
        start,
        'direct',
        [{ bindingKey: 'red' }, { bindingKey: 'blue' }],
        [
          ['red', 'r'],
          ['blue', 'b'],
          ['red.dark', 'none'],
        ],
        [['r'], ['b']],
      ),
    'bind-fanout': () => expectRouted(start, 'fanout', [{}, {}], [['a', 'one']], [['one'], ['one']]),
    'bind-topic': () =>
      expectRouted(
        start,
        'topic',
        [{ bindingKey: '*.error' }, { bindingKey: 'audit.#' }],
        [
          ['web.error', 'web'],
          ['web.disk.error', 'disk'],
          ['audit', 'bare'],
          ['audit.error', 'both'],
        ],
        [
          ['web', 'both'],
          ['bare', 'both'],
        ],
      ),
    'bind-headers': () =>
      expectRouted(
        start,
        'headers',
        [
          { options: { 'x-match': 'all', format: 'pdf', pages: 2 } },
          { options: { 'x-match': 'any', format: 'pdf', pages: 2 } },
        ],
        [
          ['', 'both', { format: 'pdf', pages: 2 }],
          ['', 'one', { format: 'pdf', pages: 3 }],
          ['', 'neither', { format: 'zip' }],
        ],
        [['both'], ['both', 'one']],
      ),
    'bind-exchange': async () => {
      const [source, destination, queue] = [uniqueName('topic'), uniqueName('fanout'), uniqueName('queue')];
      const options = { durable: false, autoDelete: true };
      const broker = await start({
        ...oneQueue(queue),
        exchanges: { [source]: { type: 'topic', options }, [destination]: { type: 'fanout', options } },
        bindings: {
          outer: { source, destination, destinationType: 'exchange', bindingKey: 'a.*' },
          inner: { source: destination, destination: queue },
        },
        publications: { out: { exchange: source } },
      });
      await publish(broker, 'not', { routingKey: 'c', options: { mandatory: false } });
      await publish(broker, 'through', { routingKey: 'a.b' });
      const { deliveries } = await subscribe(broker);
      expect((await deliveries.next()).content).toBe('through');
    },
  };
}

/** One queue for each binding, read without acknowledgement until all that was expected has come. */
async function expectRouted(
  start: StartBroker,
  type: string,
  bindings: readonly object[],
  publications: readonly (readonly [routingKey: string, body: string, headers?: object])[],
  expected: readonly string[][],
) {
  const exchange = uniqueName(type);
  const queues = bindings.map(() => uniqueName('queue'));
  const options = { exclusive: true, durable: false };
  const broker = await start({
    exchanges: { [exchange]: { type, options: { durable: false, autoDelete: true } } },
    queues: Object.fromEntries(queues.map((queue) => [queue, { options }])),
    bindings: Object.fromEntries(
      bindings.map((binding, index) => [`b${index}`, { source: exchange, destination: queues[index], ...binding }]),
    ),
    publications: { out: { exchange } },
    subscriptions: Object.fromEntries(queues.map((queue) => [queue, { queue, options: { noAck: true } }])),
  });
  for (const [routingKey, body, headers] of publications) {
    await publish(broker, body, { routingKey, options: { headers, mandatory: false } });
  }
  for (const [index, queue] of queues.entries()) {
    const { deliveries } = await subscribe(broker, queue);
    const wanted = expected[index] ?? [];
    expect(contents(await deliveries.take(wanted.length))).toEqual(wanted);
    expect(deliveries.size).toBe(0);
  }
}
