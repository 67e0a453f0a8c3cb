/** Which policy applies to what, and that it takes effect at once. */
import { describe, expect, it } from 'vitest';
import { table } from '../../../../protocol/amqp/field-table.js';
import type { Exchange } from '../../../../src/core/exchange/exchange.js';
import type { JsonObject } from '../../../../src/core/json-value.js';
import { RecordReader } from '../../../../src/core/log/record.js';
import type { GivenPolicy, PolicyKind } from '../../../../src/core/policy/policy.js';
import { policyArguments, withOperatorPolicy } from '../../../../src/core/queue/policy-merge.js';
import { PublishOutcome, type Queue } from '../../../../src/core/queue/queue.js';
import type { QueueTypeName } from '../../../../src/core/queue/queue-type.js';
import { settingsOf } from '../../../../src/core/queue/settings.js';
import { MemoryMessageStore } from '../../../../src/store/memory-store.js';
import { type CoreEnvironment, coreEnvironment } from '../../../support/core-environment.js';
import { readMessage, sourceOf } from '../../../support/messages.js';

function declare({ host }: CoreEnvironment, name: string, args: Record<string, string | number> = {}): Queue {
  return host.declareQueue(name, { durable: true, autoDelete: false, owner: undefined, arguments: table(args) }, {});
}

function declareExchange({ host }: CoreEnvironment, name: string, args: Record<string, string> = {}): Exchange {
  const options = { durable: true, autoDelete: false, internal: false, arguments: table(args) };
  return host.declareExchange(name, 'direct', options);
}

function set(
  { host }: CoreEnvironment,
  name: string,
  definition: JsonObject,
  rest: Partial<GivenPolicy> = {},
  kind: PolicyKind = 'policy',
): void {
  host.policies.set(kind, { name, pattern: '.*', definition, ...rest });
}

function publish({ host }: CoreEnvironment, queue: Queue, ...bodies: readonly string[]): void {
  for (const body of bodies) host.deliver([queue], sourceOf({ routingKey: queue.name, body }), new PublishOutcome());
}

function bodies(queue: Queue): string[] {
  const reader = new RecordReader();
  const found: string[] = [];
  while (queue.take(reader)) {
    found.push(readMessage(reader).body);
    queue.ack(reader.position);
  }
  return found;
}

function targets({ host }: CoreEnvironment, exchange: Exchange, routingKey: string): (string | undefined)[] {
  return host
    .route(exchange, { routingKey, headers: [], property: () => undefined }, [])
    .targets.map(({ name }) => name);
}

describe('policies', () => {
  it('apply to queues that are there and to those to come, until they are cleared', () => {
    const core = coreEnvironment();
    const before = declare(core, 'a');
    publish(core, before, '1', '2', '3');
    set(core, 'short', { 'max-length': 2 });
    const after = declare(core, 'b');
    publish(core, after, '1', '2', '3');
    expect([bodies(before), bodies(after)]).toEqual([
      ['2', '3'],
      ['2', '3'],
    ]);
    expect(core.host.policies.clear('policy', 'short')).toBe(true);
    publish(core, before, '1', '2', '3');
    expect(bodies(before)).toEqual(['1', '2', '3']);
    expect(before.settings).toBe(settingsOf([]));
    expect(core.host.policies.clear('policy', 'short')).toBe(false);
  });

  it('follow a change of their own', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q');
    set(core, 'p', { 'message-ttl': 100 });
    set(core, 'p', { 'max-length': 5 }, { priority: 3 });
    expect(queue.settings).toMatchObject({ messageTtlMs: undefined, maxLength: 5 });
    expect(core.host.policies.list('policy')).toEqual([
      { name: 'p', pattern: '.*', definition: { 'max-length': 5 }, priority: 3, applyTo: 'all' },
    ]);
  });

  it('change nothing when they are refused', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q');
    set(core, 'p', { 'max-length': 5 });
    expect(() => set(core, 'p', { bogus: 1 })).toThrow('Validation failed');
    expect(queue.settings.maxLength).toBe(5);
  });

  it('match anywhere in a name unless they are anchored, and the highest priority counts', () => {
    const core = coreEnvironment();
    const [orders, backup, other] = ['orders', 'backup.orders', 'other'].map((name) => declare(core, name));
    set(core, 'all', { 'max-length': 1 }, { priority: -1 });
    set(core, 'orders', { 'max-length': 2 }, { pattern: 'orders' });
    set(core, 'only', { 'max-length': 3 }, { pattern: '^orders$', priority: 10 });
    expect([orders, backup, other].map((queue) => queue?.settings.maxLength)).toEqual([3, 2, 1]);
    core.host.policies.clear('policy', 'only');
    expect(orders?.settings.maxLength).toBe(2);
  });

  it('are skipped for a queue whose type does not know one of their keys', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q');
    set(core, 'quorum', { 'max-length': 1, 'delivery-limit': 5 }, { priority: 2 });
    set(core, 'stream', { 'max-length-bytes': 1 }, { priority: 1, applyTo: 'streams' });
    set(core, 'classic', { 'max-length': 7 }, { applyTo: 'classic_queues' });
    expect(core.host.policies.of(queue)?.policy?.name).toBe('classic');
    expect(queue.settings.maxLength).toBe(7);
  });

  it('give way to arguments, or the least counts', () => {
    const core = coreEnvironment();
    const queue = declare(core, 'q', {
      'x-message-ttl': 100,
      'x-max-length': 10,
      'x-overflow': 'reject-publish',
      'x-dead-letter-exchange': 'mine',
      'x-max-length-bytes': 5,
    });
    set(core, 'p', {
      'message-ttl': 50,
      'max-length': 20,
      overflow: 'drop-head',
      'dead-letter-exchange': 'theirs',
      'dead-letter-routing-key': 'theirs',
      expires: 60_000,
    });
    expect(queue.settings).toMatchObject({
      messageTtlMs: 50,
      maxLength: 10,
      maxLengthBytes: 5,
      overflow: 'reject-publish',
      deadLetterExchange: 'mine',
      deadLetterRoutingKey: 'theirs',
      expiresMs: 60_000,
    });
  });

  it('are bounded by operator policies, which count alone as well', () => {
    const core = coreEnvironment();
    const [queue, other] = [declare(core, 'q'), declare(core, 'other')];
    set(core, 'p', { 'max-length': 20, 'message-ttl': 5, 'dead-letter-exchange': 'dlx' }, { pattern: '^q$' });
    set(core, 'op', { 'max-length': 10, 'message-ttl': 50, overflow: 'reject-publish' }, {}, 'operator-policy');
    expect(queue.settings).toMatchObject({ maxLength: 10, messageTtlMs: 5, overflow: 'reject-publish' });
    expect(other.settings).toMatchObject({ maxLength: 10, messageTtlMs: 50, deadLetterExchange: undefined });
    const applied = core.host.policies.of(queue);
    expect([applied?.policy?.name, applied?.operatorPolicy?.name, applied?.definition]).toEqual([
      'p',
      'op',
      { 'max-length': 10, 'message-ttl': 5, overflow: 'reject-publish', 'dead-letter-exchange': 'dlx' },
    ]);
    expect(core.host.policies.of(other)?.policy).toBeUndefined();
    core.host.policies.clear('operator-policy', 'op');
    expect(queue.settings).toMatchObject({ maxLength: 20, messageTtlMs: 5, overflow: 'drop-head' });
    expect(core.host.policies.of(other)).toBeUndefined();
  });

  it('give exchanges an alternate, unless they have one', () => {
    const core = coreEnvironment();
    const [plain, own] = [declareExchange(core, 'plain'), declareExchange(core, 'own', { 'alternate-exchange': 'x' })];
    declare(core, 'kept');
    core.host.bind('amq.fanout', { kind: 'queue', name: 'kept' }, '', [], {});
    const { epoch } = core.host;
    set(core, 'p', { 'alternate-exchange': 'amq.fanout' }, { applyTo: 'exchanges' });
    expect(core.host.epoch).toBeGreaterThan(epoch);
    expect([targets(core, plain, 'k'), targets(core, own, 'k')]).toEqual([['kept'], []]);
    expect(targets(core, core.host.exchange('amq.direct'), 'k')).toEqual(['kept']);
    expect(targets(core, core.host.exchange(''), 'k')).toEqual([]);
    expect(targets(core, declareExchange(core, 'later'), 'k')).toEqual(['kept']);
    expect(core.host.policies.of(plain)?.policy?.name).toBe('p');
    core.host.policies.clear('policy', 'p');
    expect(targets(core, plain, 'k')).toEqual([]);
  });

  it('come back after a restart before their queues do', () => {
    const core = coreEnvironment();
    declare(core, 'q');
    declareExchange(core, 'x');
    set(core, 'p', { 'max-length': 2 }, { applyTo: 'queues' });
    set(core, 'gone', { 'max-length': 2 });
    core.host.policies.clear('policy', 'gone');
    set(core, 'op', { 'message-ttl': 9 }, {}, 'operator-policy');
    set(core, 'ae', { 'alternate-exchange': 'amq.fanout' }, { applyTo: 'exchanges' });
    const after = coreEnvironment(new MemoryMessageStore(), core.definitions);
    const { policies } = after.host;
    expect(policies.list('policy')).toEqual(core.host.policies.list('policy'));
    expect(policies.list('operator-policy')).toEqual(core.host.policies.list('operator-policy'));
    expect(after.host.findQueue('q')?.settings).toMatchObject({ maxLength: 2, messageTtlMs: 9 });
    expect(after.host.findExchange('x')?.alternateExchange).toBe('amq.fanout');
    expect(after.host.findExchange('amq.topic')?.alternateExchange).toBe('amq.fanout');
  });

  it('tell only the queues for which something changes, and share settings between them', () => {
    const core = coreEnvironment();
    const queues = Array.from({ length: 100 }, (_, index) => declare(core, `q${index}`));
    let configured = 0;
    for (const queue of queues) {
      const { configure } = queue;
      queue.configure = (settings) => {
        configured++;
        configure.call(queue, settings);
      };
    }
    set(core, 'p', { 'max-length': 5 }, { pattern: '^q\\d$' });
    expect(configured).toBe(10);
    expect(new Set(queues.map(({ settings }) => settings)).size).toBe(2);
    set(core, 'p', { 'max-length': 5 }, { pattern: '^q\\d$' });
    set(core, 'elsewhere', { 'max-length': 5 }, { pattern: 'x' });
    expect(configured).toBe(10);
  });
});

describe('an operator policy over a policy', () => {
  it.each<[string, JsonObject, JsonObject, JsonObject]>([
    ['takes the least limit', { 'delivery-limit': 5 }, { 'delivery-limit': 3 }, { 'delivery-limit': 3 }],
    ['takes any limit over none', { 'delivery-limit': -1 }, { 'delivery-limit': 3 }, { 'delivery-limit': 3 }],
    ['takes a limit from below', { 'delivery-limit': 4 }, { 'delivery-limit': -1 }, { 'delivery-limit': 4 }],
    ['wins', { overflow: 'drop-head' }, { overflow: 'reject-publish' }, { overflow: 'reject-publish' }],
    ['wins with the version', { 'queue-version': 2 }, { 'queue-version': 1 }, { 'queue-version': 1 }],
    ['adds to it', { 'max-length': 1 }, { expires: 5 }, { 'max-length': 1, expires: 5 }],
  ])('%s', (_, policy, operator, merged) => {
    expect(withOperatorPolicy(policy, operator)).toEqual(merged);
  });
});

describe('a policy over arguments', () => {
  const merged = (definition: JsonObject, args: Record<string, string | number>, type: QueueTypeName) =>
    settingsOf(table(args), policyArguments(definition, table(args), type));

  it('wins where the type says so', () => {
    const args = { 'x-max-length-bytes': 100, 'x-max-age': '1D', 'x-overflow': 'drop-head' };
    const policy = { 'max-length-bytes': 200, 'max-age': '2D', overflow: 'reject-publish' };
    expect(merged(policy, args, 'stream')).toMatchObject({ maxLengthBytes: 200, maxAgeMs: 2 * 86_400_000 });
    expect(merged(policy, args, 'quorum')).toMatchObject({ maxLengthBytes: 100, overflow: 'reject-publish' });
    expect(merged(policy, args, 'classic')).toMatchObject({ maxLengthBytes: 100, overflow: 'drop-head' });
  });

  it('takes a delivery limit over none', () => {
    const limit = (policy: number, argument: number) =>
      merged({ 'delivery-limit': policy }, { 'x-delivery-limit': argument }, 'quorum').deliveryLimit;
    expect([limit(5, 3), limit(-1, 3), limit(5, -1), limit(-1, -2)]).toEqual([3, 3, 5, -1]);
  });

  it('wins over an argument that is no number', () => {
    expect(merged({ 'delivery-limit': 5 }, { 'x-delivery-limit': 'many' }, 'quorum').deliveryLimit).toBe(5);
  });
});
