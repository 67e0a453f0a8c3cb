/** One fanout exchange with a consumer on each of its queues: every message is delivered that many times. */
import type { Scenario } from './scenario.js';
import { LOAD_OPTIONS, runThroughput } from './throughput.js';

const OTHER_OPTIONS = ['consumers', 'exchangeType', 'routingKeys', 'bindings', 'bindingKey'];

export const fanOut: Scenario = {
  name: 'fan-out',
  summary: 'a fanout exchange with --queues queues and one consumer each',
  options: LOAD_OPTIONS.filter((name) => !OTHER_OPTIONS.includes(name)),
  defaults: { exchange: 'perf-test-fanout', exchangeType: 'fanout', queues: 10 },
  run: (options, context) => {
    const { queuePattern, queuePatternFrom, queuePatternTo } = options;
    // The pattern names the queues instead of --queues, whose default here is not one queue.
    const queues = queuePattern === undefined ? options.queues : 1;
    const consumers = queuePattern === undefined ? options.queues : queuePatternTo - queuePatternFrom + 1;
    return runThroughput('fan-out', { ...options, queues, consumers, exchangeType: 'fanout' }, context);
  },
};
