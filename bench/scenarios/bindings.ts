/** Throughput through a topic exchange with many bindings and many more routing keys: what routing costs a broker. */
import type { Scenario } from './scenario.js';
import { LOAD_OPTIONS, runThroughput } from './throughput.js';

export const bindings: Scenario = {
  name: 'bindings',
  summary: 'a topic exchange with --bindings bindings and --routing-keys routing keys by turns',
  options: LOAD_OPTIONS.filter((name) => name !== 'exchangeType'),
  defaults: {
    exchange: 'perf-test-bindings',
    exchangeType: 'topic',
    routingKey: 'key',
    bindings: 1000,
    routingKeys: 10_000,
  },
  run: (options, context) => runThroughput(bindings.name, { ...options, exchangeType: 'topic' }, context),
};
