import { describe, expect, it } from 'vitest';
import { EMPTY_TABLE, type FieldTable } from '../../../src/core/field-value.js';
import { RecordReader } from '../../../src/core/log/record.js';
import { PublishOutcome, type Queue, type QueueOptions } from '../../../src/core/queue/queue.js';
import type { DestinationName } from '../../../src/core/virtual-host.js';
import { BrokerError } from '../../../src/errors.js';
import { coreEnvironment } from '../../support/core-environment.js';
import { readMessage, sourceOf } from '../../support/messages.js';
import { messageOf } from './exchange/routing.js';
import { RecordingConsumer } from './queue/consumers.js';

const OWNER = {};
const STRANGER = {};
const PREDECLARED = ['', 'amq.direct', 'amq.fanout', 'amq.topic', 'amq.headers', 'amq.match', 'amq.rabbitmq.trace'];

type Flags = Partial<QueueOptions> & { readonly type?: string; readonly internal?: boolean };

function hostWithShortcuts() {
  const environment = coreEnvironment();
  const { host } = environment;
  const queue = (name: string, { type: _, internal: __, ...flags }: Flags = {}): Queue =>
    host.declareQueue(
      name,
      { durable: false, autoDelete: false, owner: undefined, arguments: EMPTY_TABLE, ...flags },
      OWNER,
    );
  const exchange = (
    name: string,
    {
      type = 'fanout',
      internal = false,
      durable = false,
      autoDelete = false,
      arguments: args = EMPTY_TABLE,
    }: Flags = {},
  ) => host.declareExchange(name, type, { durable, autoDelete, internal, arguments: args });
  const to = (name: string): DestinationName => ({
    kind: host.findQueue(name) === undefined ? 'exchange' : 'queue',
    name,
  });
  const bind = (source: string, destination: string, key = '', args = EMPTY_TABLE): void =>
    host.bind(source, to(destination), key, args, OWNER);
  const unbind = (source: string, destination: string, key = '', args = EMPTY_TABLE): void =>
    host.unbind(source, to(destination), key, args, OWNER);
  const exchangeNames = (): string[] =>
    [...host.exchanges].map(({ name }) => name).filter((name) => !PREDECLARED.includes(name));
  const publish = (source: string, routingKey: string, body: string | Uint8Array = ''): PublishOutcome => {
    const outcome = new PublishOutcome();
    const { targets } = host.route(host.exchange(source), messageOf(routingKey), []);
    host.deliver(targets, sourceOf({ exchange: source, routingKey, body }), outcome);
    return outcome;
  };
  /** How far the epoch moved. */
  const moved = (action: () => void): boolean => {
    const before = host.epoch;
    action();
    return host.epoch !== before;
  };
  return { ...environment, queue, exchange, bind, unbind, exchangeNames, publish, moved };
}

function refusal(action: () => unknown): [string, string] {
  try {
    action();
  } catch (error) {
    if (error instanceof BrokerError) return [error.kind, error.message];
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a new virtual host', () => {
  it('has the predeclared exchanges and keeps none of them in the store', () => {
    const { host, definitions } = hostWithShortcuts();
    const found = [...host.exchanges].map(({ name, type, options }) => [
      name,
      type.name,
      options.durable,
      options.internal,
    ]);
    expect(found).toEqual([
      ['', 'direct', true, false],
      ['amq.direct', 'direct', true, false],
      ['amq.fanout', 'fanout', true, false],
      ['amq.topic', 'topic', true, false],
      ['amq.headers', 'headers', true, false],
      ['amq.match', 'headers', true, false],
      ['amq.rabbitmq.trace', 'topic', true, true],
    ]);
    expect(definitions.names).toEqual([]);
  });

  it('lets predeclared exchanges be declared again as they are, and not be made or deleted', () => {
    const { host, exchange } = hostWithShortcuts();
    expect(exchange('amq.topic', { type: 'topic', durable: true }).name).toBe('amq.topic');
    expect(refusal(() => exchange('amq.topic', { type: 'topic' }))).toEqual([
      'precondition-failed',
      "inequivalent arg 'durable' for exchange 'amq.topic' in vhost '/': received 'false' but current is 'true'",
    ]);
    expect(refusal(() => exchange('amq.mine'))).toEqual([
      'access-refused',
      "exchange name 'amq.mine' contains reserved prefix 'amq.*'",
    ]);
    expect(refusal(() => host.deleteExchange('amq.topic', false))).toEqual([
      'access-refused',
      "deletion of system exchange 'amq.topic' in vhost '/' not allowed",
    ]);
  });

  it('routes by queue name through the default exchange', () => {
    const { queue, publish, host } = hostWithShortcuts();
    const q = queue('q');
    expect([publish('', 'q').routed, publish('', 'r').routed, q.readyCount]).toEqual([true, false, 1]);
    host.deleteQueue('q', OWNER, false, false);
    expect(publish('', 'q').routed).toBe(false);
  });
});

describe('an auto-delete exchange', () => {
  it('goes with its last binding, and not before it had one', () => {
    const { host, queue, exchange, bind, unbind, exchangeNames } = hostWithShortcuts();
    queue('q');
    exchange('x', { autoDelete: true });
    unbind('x', 'q');
    expect(exchangeNames()).toEqual(['x']);
    bind('x', 'q', 'a');
    bind('x', 'q', 'b');
    unbind('x', 'q', 'a');
    unbind('x', 'q', 'missing');
    expect(exchangeNames()).toEqual(['x']);
    unbind('x', 'q', 'b');
    expect(exchangeNames()).toEqual([]);
    expect(host.findExchange('x')).toBeUndefined();
  });

  it('goes with the queue that it was bound to', () => {
    const { host, queue, exchange, bind, exchangeNames } = hostWithShortcuts();
    queue('q');
    exchange('x', { autoDelete: true });
    bind('x', 'q');
    host.deleteQueue('q', OWNER, false, false);
    expect(exchangeNames()).toEqual([]);
  });

  it('does not go for bindings that lead to it', () => {
    const { exchange, bind, unbind, exchangeNames } = hostWithShortcuts();
    exchange('source');
    exchange('x', { autoDelete: true });
    bind('source', 'x');
    unbind('source', 'x');
    expect(exchangeNames()).toEqual(['source', 'x']);
  });

  it('is refused for arguments that its type does not take, unless it is there', () => {
    const { exchange, exchangeNames, host } = hostWithShortcuts();
    const text = (value: string) => ({ type: 'S', value }) as const;
    const bad: FieldTable = [['hash-property', text('app_id')]];
    const declare = (args: FieldTable) => exchange('x', { type: 'x-consistent-hash', arguments: args });
    expect(refusal(() => declare(bad))).toEqual(['precondition-failed', 'Unsupported property: app_id']);
    expect(exchangeNames()).toEqual([]);
    const declared = declare([['hash-header', text('h')]]);
    expect(declare(bad)).toBe(declared);
    expect(host.exchange('x').options.arguments).toEqual([['hash-header', text('h')]]);
  });

  it('takes those with it that were bound to it alone', () => {
    const { queue, exchange, bind, unbind, exchangeNames } = hostWithShortcuts();
    queue('q');
    for (const name of ['a', 'b', 'c']) exchange(name, { autoDelete: true });
    exchange('kept', { autoDelete: true });
    bind('a', 'b');
    bind('b', 'c');
    bind('c', 'q');
    bind('kept', 'b');
    bind('kept', 'q');
    unbind('c', 'q');
    expect(exchangeNames()).toEqual(['kept']);
  });

  it('may be bound to itself and in circles', () => {
    const { host, queue, exchange, bind, exchangeNames } = hostWithShortcuts();
    queue('q');
    for (const name of ['a', 'b']) exchange(name, { autoDelete: true });
    bind('a', 'a');
    bind('a', 'b');
    bind('b', 'a');
    bind('b', 'q');
    host.deleteExchange('a', false);
    expect(exchangeNames()).toEqual(['b']);
    host.deleteQueue('q', OWNER, false, false);
    expect(exchangeNames()).toEqual([]);
  });

  it('may be the first of any number that go with one queue', () => {
    const { host, queue, exchange, bind, exchangeNames } = hostWithShortcuts();
    queue('q');
    const length = 20_000;
    for (let index = 0; index < length; index++) exchange(`x${index}`, { autoDelete: true });
    for (let index = 1; index < length; index++) bind(`x${index - 1}`, `x${index}`);
    bind(`x${length - 1}`, 'q');
    host.deleteQueue('q', OWNER, false, false);
    expect(exchangeNames()).toEqual([]);
  });
});

describe('declaring', () => {
  it('gives what is there when it is the same', () => {
    const { queue, exchange, moved } = hostWithShortcuts();
    const [q, x] = [queue('q'), exchange('x')];
    expect(moved(() => [queue('q'), exchange('x')])).toBe(false);
    expect([queue('q'), exchange('x')]).toEqual([q, x]);
  });

  it.each<[string, Flags, string]>([
    [
      'durable',
      { durable: true },
      "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'",
    ],
    [
      'auto-delete',
      { autoDelete: true },
      "inequivalent arg 'auto_delete' for queue 'q' in vhost '/': received 'true' but current is 'false'",
    ],
    [
      'arguments',
      { arguments: [['x-message-ttl', { type: 'I', value: 5 }]] },
      "inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received the value '5' of type 'signedint' but current is none",
    ],
  ])('refuses another queue of the name: %s', (_, flags, text) => {
    const { queue } = hostWithShortcuts();
    queue('q');
    expect(refusal(() => queue('q', flags))).toEqual(['precondition-failed', text]);
  });

  it('leaves nothing behind when it is refused', () => {
    const { host, queue, exchange, moved } = hostWithShortcuts();
    const negative: FieldTable = [['x-message-ttl', { type: 'I', value: -1 }]];
    const attempts = [
      () => queue('q', { arguments: negative }),
      () => exchange('x', { type: 'unheard-of' }),
      () => exchange('amq.x'),
    ];
    expect(moved(() => attempts.map(refusal))).toBe(false);
    expect([host.queueCount, host.findExchange('x')]).toEqual([0, undefined]);
  });

  it('strips line breaks and refuses reserved names', () => {
    const { host } = hostWithShortcuts();
    expect([host.queueNameToDeclare('a\r\nb\n', []), host.queueNameToDeclare('', [])]).toEqual(['ab', '']);
    const refused = ['access-refused', "queue name 'amq.x' contains reserved prefix 'amq.*'"];
    expect(refusal(() => host.queueNameToDeclare('am\nq.x', []))).toEqual(refused);
  });
});

describe('an exclusive queue', () => {
  const LOCKED = [
    'resource-locked',
    "cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared " +
      'on another connection or the exclusive property value does not match that of the original declaration.',
  ];

  it('is its owner’s alone, save for publishing', () => {
    const { host, queue, publish } = hostWithShortcuts();
    const q = queue('q', { owner: OWNER });
    expect(host.queue('q', OWNER)).toBe(q);
    const to: DestinationName = { kind: 'queue', name: 'q' };
    host.bind('amq.direct', to, 'k', EMPTY_TABLE, OWNER);
    const attempts = [
      () => host.queue('q', STRANGER),
      () => host.declareQueue('q', { ...q.options, owner: STRANGER }, STRANGER),
      () => host.declareQueue('q', { ...q.options, owner: undefined }, STRANGER),
      () => host.deleteQueue('q', STRANGER, false, false),
      () => host.bind('amq.fanout', to, '', EMPTY_TABLE, STRANGER),
      () => host.unbind('amq.direct', to, 'k', EMPTY_TABLE, STRANGER),
    ];
    for (const attempt of attempts) expect(refusal(attempt)).toEqual(LOCKED);
    expect(publish('', 'q').routed).toBe(true);
  });

  it('must be declared again as exclusive, and a shared one not', () => {
    const { queue } = hostWithShortcuts();
    queue('q', { owner: OWNER });
    expect(refusal(() => queue('q'))).toEqual(LOCKED);
    queue('r');
    expect(refusal(() => queue('r', { owner: OWNER }))[0]).toBe('resource-locked');
  });

  it('goes with its owner, with its messages, bindings and consumers', () => {
    const { host, logs, queue, exchange, bind, publish, exchangeNames } = hostWithShortcuts();
    const mine = queue('mine', { owner: OWNER });
    queue('also', { owner: OWNER });
    queue('shared');
    host.declareQueue('theirs', { ...mine.options, owner: STRANGER }, STRANGER);
    exchange('x', { autoDelete: true });
    bind('x', 'mine');
    publish('x', '', Buffer.alloc(10_000));
    const consumer = new RecordingConsumer('c');
    mine.addConsumer(consumer);
    host.releaseOwner(OWNER);
    expect([...host.queues].map(({ name }) => name)).toEqual(['shared', 'theirs']);
    expect([mine.deleted, consumer.cancelledBy, exchangeNames()]).toEqual([true, mine, []]);
    expect(logs.segments.allocatedBytes).toBe(0);
    host.releaseOwner(OWNER);
    host.releaseOwner(STRANGER);
    expect(host.queueCount).toBe(1);
  });

  it('is not taken for a new one when it was deleted and declared again', () => {
    const { host, queue } = hostWithShortcuts();
    queue('q', { owner: OWNER });
    host.deleteQueue('q', OWNER, false, false);
    queue('q');
    host.releaseOwner(OWNER);
    expect(host.queueCount).toBe(1);
  });
});

describe('deleting', () => {
  it('of what is not there is no error', () => {
    const { host, unbind } = hostWithShortcuts();
    expect(host.deleteQueue('q', OWNER, true, true)).toBe(0);
    host.deleteExchange('x', true);
    unbind('x', 'q');
  });

  it('respects if-empty and if-unused, and counts ready messages only', () => {
    const { host, queue, publish, exchange, bind } = hostWithShortcuts();
    const q = queue('q');
    for (let i = 0; i < 3; i++) publish('', 'q');
    q.take(new RecordReader());
    expect(refusal(() => host.deleteQueue('q', OWNER, false, true))).toEqual([
      'precondition-failed',
      "queue 'q' in vhost '/' not empty",
    ]);
    const consumer = new RecordingConsumer('c', { credit: 0 });
    q.addConsumer(consumer);
    expect(refusal(() => host.deleteQueue('q', OWNER, true, false))).toEqual([
      'precondition-failed',
      "queue 'q' in vhost '/' in use",
    ]);
    expect(host.deleteQueue('q', OWNER, false, false)).toBe(2);
    queue('r');
    exchange('x');
    bind('x', 'r');
    expect(refusal(() => host.deleteExchange('x', true))).toEqual([
      'precondition-failed',
      "exchange 'x' in vhost '/' in use",
    ]);
    host.deleteQueue('r', OWNER, false, false);
    host.deleteExchange('x', true);
  });
});

describe('an auto-delete queue', () => {
  it('goes with its last consumer', () => {
    const { host, queue } = hostWithShortcuts();
    const q = queue('q', { autoDelete: true });
    const [a, b] = [new RecordingConsumer('a'), new RecordingConsumer('b')];
    q.addConsumer(a);
    q.addConsumer(b);
    q.removeConsumer(a);
    q.removeConsumer(a);
    expect(host.queueCount).toBe(1);
    q.removeConsumer(b);
    expect([host.queueCount, q.deleted, b.cancelledBy]).toEqual([0, true, undefined]);
  });
});

describe('the epoch', () => {
  it('moves with everything that may change a route', () => {
    const { host, queue, exchange, bind, unbind, moved } = hostWithShortcuts();
    const args: FieldTable = [['a', { type: 'I', value: 1 }]];
    const changes: (() => unknown)[] = [
      () => queue('q'),
      () => exchange('x'),
      () => bind('x', 'q'),
      () => bind('x', 'q', '', args),
      () => unbind('x', 'q'),
      () => host.deleteQueue('q', OWNER, false, false),
      () => host.deleteExchange('x', false),
      () => queue('mine', { owner: OWNER }),
      () => host.releaseOwner(OWNER),
    ];
    for (const change of changes) expect(moved(change)).toBe(true);
    const reply = host.replyQueues;
    let opened = reply.open(() => {});
    expect(moved(() => reply.close(opened))).toBe(true);
    expect(moved(() => (opened = reply.open(() => {})))).toBe(true);
  });

  it('stands still when nothing changed', () => {
    const { host, queue, exchange, bind, unbind, publish, moved } = hostWithShortcuts();
    queue('q');
    exchange('x');
    bind('x', 'q');
    const idle: (() => unknown)[] = [
      () => publish('x', 'k'),
      () => bind('x', 'q'),
      () => unbind('x', 'q', 'other'),
      () => host.deleteQueue('missing', OWNER, false, false),
      () => host.releaseOwner(OWNER),
      () => host.queue('q', OWNER).purge(),
    ];
    for (const action of idle) expect(moved(action)).toBe(false);
  });
});

describe('what is kept of the topology', () => {
  it('is what is durable at both ends, and goes when it goes', () => {
    const { host, definitions, queue, exchange, bind, unbind } = hostWithShortcuts();
    queue('dq', { durable: true });
    queue('tq');
    queue('mine', { durable: true, owner: OWNER });
    exchange('dx', { durable: true });
    exchange('tx');
    for (const destination of ['dq', 'tq', 'mine', 'tx']) bind('dx', destination, 'k');
    bind('tx', 'dq', 'k');
    bind('amq.topic', 'dq', 'k');
    bind('dx', 'amq.fanout', 'k');
    expect(definitions.names).toEqual([
      'queue:dq',
      'exchange:dx',
      'binding:dx->dq:k',
      'binding:amq.topic->dq:k',
      'binding:dx->amq.fanout:k',
    ]);
    unbind('dx', 'amq.fanout', 'k');
    host.deleteQueue('dq', OWNER, false, false);
    expect(definitions.names).toEqual(['exchange:dx']);
    host.deleteExchange('dx', false);
    host.deleteQueue('tq', OWNER, false, false);
    host.releaseOwner(OWNER);
    expect(definitions.names).toEqual([]);
  });

  it('comes back after a restart', () => {
    const { definitions, queue, exchange, bind } = hostWithShortcuts();
    const args: FieldTable = [['x-max-length', { type: 'I', value: 5 }]];
    const before = queue('q', { durable: true, arguments: args });
    exchange('x', { durable: true, type: 'topic', autoDelete: true });
    exchange('y', { durable: true });
    bind('x', 'q', 'a.*');
    bind('x', 'y', '#');
    bind('y', 'q');
    const { host } = coreEnvironment(undefined, definitions);
    const after = host.queue('q', STRANGER);
    expect([after.id, after.options]).toEqual([before.id, before.options]);
    expect(host.exchange('x').options.autoDelete).toBe(true);
    const targets = host.route(host.exchange('x'), messageOf('b.c'), []).targets;
    expect(targets).toEqual([after]);
    expect(after.bindings.size).toBe(3);
    host.deleteQueue('q', OWNER, false, false);
    host.deleteExchange('y', false);
    expect(definitions.names).toEqual([]);
  });
});

describe('the commit of what changed', () => {
  /** All that `hostWithShortcuts` offers, with the commits of definitions. */
  function committing() {
    const shortcuts = hostWithShortcuts();
    const { host, definitions } = shortcuts;
    /** The commit of what an action changes in a batch of its own. */
    const commitOf = (batch: number, action: () => unknown): number => {
      definitions.openBatch = batch;
      action();
      return host.takeCommit();
    };
    return { ...shortcuts, commitOf };
  }

  it('is that of the batch it was put into, and is told once', () => {
    const { host, queue, exchange, bind, unbind, commitOf } = committing();
    expect(host.takeCommit()).toBe(0);
    expect(commitOf(1, () => queue('q', { durable: true }))).toBe(1);
    expect(host.takeCommit()).toBe(0);
    expect(commitOf(2, () => exchange('x', { durable: true, autoDelete: true }))).toBe(2);
    expect(commitOf(3, () => bind('x', 'q', 'a'))).toBe(3);
    expect(commitOf(4, () => bind('x', 'q', 'b'))).toBe(4);
    expect(commitOf(5, () => unbind('x', 'q', 'a'))).toBe(5);
    expect(commitOf(6, () => host.deleteQueue('q', OWNER, false, false))).toBe(6);
    expect(host.findExchange('x')).toBeUndefined();
    expect(commitOf(7, () => exchange('y', { durable: true }))).toBe(7);
    expect(commitOf(8, () => host.deleteExchange('y', false))).toBe(8);
  });

  it('is the highest of several', () => {
    const { host, definitions, queue } = committing();
    for (const batch of [1, 2]) {
      definitions.openBatch = batch;
      queue(`q${batch}`, { durable: true });
    }
    queue('t');
    expect(host.takeCommit()).toBe(2);
  });

  it('is 0 for what is not kept', () => {
    const { host, queue, exchange, bind, unbind, commitOf } = committing();
    queue('dq', { durable: true });
    host.takeCommit();
    const idle: (() => unknown)[] = [
      () => queue('tq'),
      () => queue('tq'),
      () => queue('mine', { durable: true, owner: OWNER }),
      () => queue('mine', { durable: true, owner: OWNER }),
      () => exchange('tx'),
      () => bind('tx', 'dq'),
      () => bind('tx', 'dq'),
      () => unbind('tx', 'dq'),
      () => host.queue('dq', OWNER),
      () => host.deleteQueue('tq', OWNER, false, false),
      () => host.deleteExchange('tx', false),
      () => host.releaseOwner(OWNER),
    ];
    for (const action of idle) expect(commitOf(9, action)).toBe(0);
  });

  it('is that of whoever changed something last, for what is so already', () => {
    const { host, queue, exchange, bind, unbind, commitOf } = committing();
    commitOf(1, () => queue('q', { durable: true }));
    commitOf(2, () => exchange('x', { durable: true }));
    commitOf(3, () => bind('x', 'q'));
    const same: (() => unknown)[] = [
      () => queue('q', { durable: true }),
      () => exchange('x', { durable: true }),
      () => bind('x', 'q'),
      () => unbind('x', 'q', 'other'),
      () => host.deleteQueue('missing', OWNER, false, false),
      () => host.deleteExchange('missing', false),
      () => host.unbind('missing', { kind: 'queue', name: 'q' }, '', EMPTY_TABLE, OWNER),
    ];
    for (const action of same) expect(commitOf(9, action)).toBe(3);
  });
});

describe('delivering', () => {
  it('stores a large body once for all queues, and a small one in each', () => {
    const { logs, queue, publish, bind } = hostWithShortcuts();
    const queues = ['a', 'b', 'c'].map((name) => queue(name));
    for (const { name } of queues) bind('amq.fanout', name);
    publish('amq.fanout', '', 'x'.repeat(4095));
    expect(logs.bodies.count).toBe(0);
    publish('amq.fanout', '', 'y'.repeat(4096));
    expect([logs.bodies.count, logs.bodies.sizeBytes]).toEqual([1, 4096]);
    publish('', 'a', 'z'.repeat(5000));
    expect(logs.bodies.count).toBe(1);
    for (const q of queues) {
      const reader = new RecordReader();
      expect([q.take(reader), readMessage(reader).body.slice(0, 10)]).toEqual([true, '4095 bytes']);
      expect([q.take(reader), readMessage(reader).body.slice(0, 10)]).toEqual([true, '4096 bytes']);
      expect(reader.body[0]).toBe('y'.charCodeAt(0));
      q.ack(1);
      q.ack(2);
    }
    expect(logs.bodies.count).toBe(0);
  });

  it('adds to the outcome', () => {
    const { host, queue } = hostWithShortcuts();
    const outcome = new PublishOutcome();
    host.deliver([], sourceOf({}), outcome);
    expect(outcome.routed).toBe(false);
    outcome.commit = 7;
    host.deliver([queue('q')], sourceOf({}), outcome);
    expect({ ...outcome }).toEqual({ routed: true, rejected: false, commit: 7 });
  });

  it('passes over queues that went since the message was routed', () => {
    const { host, logs, queue } = hostWithShortcuts();
    const [gone, also, left] = [queue('gone'), queue('also'), queue('left')];
    host.deleteQueue('gone', OWNER, false, false);
    host.deleteQueue('also', OWNER, false, false);
    host.deliver([gone, also], sourceOf({ body: 'x'.repeat(5000) }), new PublishOutcome());
    expect([logs.bodies.count, logs.segments.allocatedBytes]).toEqual([0, 0]);
    host.deliver([gone, left, also], sourceOf({ body: 'x'.repeat(5000) }), new PublishOutcome());
    expect([gone.readyCount, left.readyCount, logs.bodies.count]).toEqual([0, 1, 1]);
  });
});

describe('direct reply-to', () => {
  it('routes a reply to whoever opened the name, and nowhere else', () => {
    const { host, publish } = hostWithShortcuts();
    const replies: string[] = [];
    const queue = host.replyQueues.open((record) => replies.push(readMessage(record).body));
    expect(queue.name).toMatch(/^amq\.rabbitmq\.reply-to\.[\w-]+\.[\w-]+$/);
    expect(publish('', queue.name, 'reply').routed).toBe(true);
    expect(publish('', `${queue.name}x`, 'lost').routed).toBe(false);
    expect(publish('amq.direct', queue.name, 'lost').routed).toBe(false);
    host.replyQueues.close(queue);
    expect([publish('', queue.name, 'late').routed, replies]).toEqual([false, ['reply']]);
  });

  it('says nothing to a requester that went since the reply was routed', () => {
    const { host } = hostWithShortcuts();
    const replies: string[] = [];
    const queue = host.replyQueues.open((record) => replies.push(readMessage(record).body));
    host.replyQueues.close(queue);
    host.replyQueues.close(queue);
    host.deliver([queue], sourceOf({ body: 'late' }), new PublishOutcome());
    expect(replies).toEqual([]);
  });
});
