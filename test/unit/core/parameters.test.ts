/** Parameters, limits and the metadata of a virtual host, and what they do to declarations. */
import { describe, expect, it } from 'vitest';
import { table } from '../../../protocol/amqp/field-table.js';
import { GlobalParameters } from '../../../src/core/global-parameters.js';
import type { JsonValue } from '../../../src/core/json-value.js';
import { defaultTypeFrom, listedArguments } from '../../../src/core/queue/default-type.js';
import type { Queue, QueueOptions } from '../../../src/core/queue/queue.js';
import { MemoryMessageStore } from '../../../src/store/memory-store.js';
import { type CoreEnvironment, coreEnvironment, RecordingDefinitions } from '../../support/core-environment.js';

const LIMITS = 'vhost-limits';

function declare({ host }: CoreEnvironment, name: string, options: Partial<QueueOptions> = {}): Queue {
  return host.declareQueue(name, { durable: true, autoDelete: false, owner: undefined, arguments: [], ...options }, {});
}

function typeOf(queue: Queue): unknown {
  return listedArguments(queue).find(([key]) => key === 'x-queue-type')?.[1];
}

describe('parameters', () => {
  it('are kept, listed and cleared', () => {
    const core = coreEnvironment();
    const value = { 'max-queues': 5, 'max-connections': 0 };
    core.host.parameters.set(LIMITS, 'limits', value);
    expect(core.host.parameters.list()).toEqual([{ component: LIMITS, name: 'limits', value }]);
    const after = coreEnvironment(new MemoryMessageStore(), core.definitions);
    expect(after.host.parameters.list()).toEqual(core.host.parameters.list());
    expect(after.host.parameters.limits).toEqual({ maxQueues: 5, maxConnections: 0 });
    expect(after.host.parameters.clear(LIMITS, 'limits')).toBe(true);
    expect(after.host.parameters.clear(LIMITS, 'limits')).toBe(false);
    expect([after.host.parameters.limits, after.definitions.names]).toEqual([{}, []]);
  });

  it.each<[string, string, JsonValue, string]>([
    ['shovel', 's', {}, 'Validation failed\n\ncomponent shovel not found\n'],
    ['policy', 'p', {}, 'policies may not be set using this method'],
    [LIMITS, 'limits', 5, 'Validation failed\n\nlimits not a list 5\n'],
    [
      LIMITS,
      'limits',
      { 'max-queues': 'x', 'max-connections': 1.5, other: 1 },
      'Validation failed\n\nUnrecognised terms [{<<"other">>,1}] in limits\n' +
        'max-connections should be a number, actually was 1.5\nmax-queues should be a number, actually was <<"x">>\n',
    ],
    ['operator_policy', 'op', 5, 'Validation failed\n\nop not a list 5\n'],
    [
      'operator_policy',
      'op',
      { pattern: '.*', more: 1 },
      'Validation failed\n\nUnrecognised terms [{<<"more">>,1}] in op\nKey "definition" not found in op\n',
    ],
  ])('are refused: %s %s', (component, name, value, text) => {
    const { host } = coreEnvironment();
    expect(() => host.parameters.set(component, name, value)).toThrow(text);
    expect(host.parameters.list()).toEqual([]);
  });

  it('are operator policies as well', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q');
    const value = { pattern: '.*', definition: { 'max-length': 3 }, priority: 1, 'apply-to': 'queues' };
    core.host.parameters.set('operator_policy', 'op', value);
    expect(queue.settings.maxLength).toBe(3);
    expect(core.host.parameters.list()).toEqual([{ component: 'operator_policy', name: 'op', value }]);
    expect(core.host.parameters.clear('operator_policy', 'op')).toBe(true);
    expect(queue.settings.maxLength).toBeUndefined();
    expect(() => core.host.parameters.clear('policy', 'p')).toThrow('policies may not be cleared using this method');
  });

  it('of the whole broker hold anything', () => {
    const definitions = new RecordingDefinitions();
    const parameters = new GlobalParameters(definitions);
    parameters.set('cluster_name', 'rabbit');
    parameters.set('nothing', null);
    parameters.set('list', [1, { a: true }]);
    expect([parameters.clear('list'), parameters.clear('list')]).toEqual([true, false]);
    const after = new GlobalParameters(definitions);
    after.restore([...definitions.load()]);
    expect(after.list()).toEqual([
      { name: 'cluster_name', value: 'rabbit' },
      { name: 'nothing', value: null },
    ]);
    expect(after.clear('nothing')).toBe(true);
  });
});

describe('a limit of queues', () => {
  it('refuses one more, but not to declare one that is there', () => {
    const core = coreEnvironment();
    core.host.parameters.setLimits({ maxQueues: 2 });
    declare(core, 'a');
    declare(core, 'b', { owner: {} });
    const text = "cannot declare queue 'c': queue limit in vhost '/' (2) is reached";
    expect(() => declare(core, 'c')).toThrow(expect.objectContaining({ kind: 'precondition-failed', message: text }));
    expect(core.host.queueCount).toBe(2);
    declare(core, 'a');
    core.host.deleteQueue('a', {}, false, false);
    declare(core, 'c');
  });

  it('may be 0, or below it for none', () => {
    const core = coreEnvironment();
    core.host.parameters.setLimits({ maxQueues: 0 });
    expect(() => declare(core, 'a')).toThrow('(0) is reached');
    core.host.parameters.setLimits({ maxQueues: -1 });
    declare(core, 'a');
    core.host.parameters.setLimits({});
    expect(core.host.parameters.list()).toEqual([]);
  });
});

describe('the default queue type', () => {
  it('is the type of queues that name none and can be of it', () => {
    const core = coreEnvironment();
    core.host.metadata = { ...core.host.metadata, defaultQueueType: 'quorum' };
    const classic = { 'x-queue-type': 'classic' };
    expect(declare(core, 'a').type).toBe('quorum');
    expect(declare(core, 'b', { owner: {} }).type).toBe('classic');
    expect(declare(core, 'c', { durable: false }).type).toBe('classic');
    expect(declare(core, 'd', { arguments: table(classic) }).type).toBe('classic');
    const again = coreEnvironment(new MemoryMessageStore(), core.definitions);
    expect(again.host.findQueue('a')?.type).toBe('quorum');
  });

  it('counts for a queue that is declared again, as it does for one that is new', () => {
    const core = coreEnvironment();
    const before = declare(core, 'q');
    expect(declare(core, 'q', { arguments: table({ 'x-queue-type': 'classic' }) })).toBe(before);
    core.host.metadata = { ...core.host.metadata, defaultQueueType: 'quorum' };
    expect(() => declare(core, 'q')).toThrow(
      "inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received 'quorum' but current is 'classic'",
    );
    expect(declare(core, 'other')).toBe(declare(core, 'other', { arguments: table({ 'x-queue-type': 'quorum' }) }));
  });

  it('shows in the arguments of every queue', () => {
    const core = coreEnvironment();
    expect(typeOf(declare(core, 'a'))).toEqual({ type: 'S', value: 'classic' });
    expect(typeOf(declare(core, 'b', { arguments: table({ 'x-queue-type': 'quorum' }) }))).toMatchObject({
      value: 'quorum',
    });
    expect(declare(core, 'a').options.arguments).toEqual([]);
  });

  it('is read from names and modules', () => {
    expect(['classic', 'rabbit_quorum_queue', 'undefined', '', undefined, null].map(defaultTypeFrom)).toEqual([
      'classic',
      'quorum',
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(() => defaultTypeFrom('fast')).toThrow('fast is not a valid queue type');
  });
});

describe('a virtual host that is deleted', () => {
  it('leaves nothing behind', () => {
    const core = coreEnvironment();
    const { host } = core;
    const durable = { durable: true, autoDelete: false, internal: false, arguments: [] };
    for (const name of ['a', 'b', 'c']) declare(core, name);
    host.declareExchange('x', 'topic', durable);
    host.declareExchange('auto', 'fanout', { ...durable, autoDelete: true });
    host.bind('x', { kind: 'queue', name: 'a' }, 'k', [], {});
    host.bind('auto', { kind: 'queue', name: 'a' }, 'k', [], {});
    host.bind('amq.topic', { kind: 'exchange', name: 'amq.fanout' }, 'k', [], {});
    host.bind('amq.topic', { kind: 'exchange', name: 'x' }, 'k', [], {});
    host.policies.set('policy', { name: 'p', pattern: '', definition: { 'max-length': 1 } });
    host.policies.set('operator-policy', { name: 'p', pattern: '', definition: { 'max-length': 1 } });
    host.parameters.setLimits({ maxQueues: 10 });
    expect(core.definitions.names).toHaveLength(12);
    host.delete();
    expect([core.definitions.names, host.queueCount]).toEqual([[], 0]);
    core.clock.settle();
    expect(core.failures).toEqual([]);
  });
});
