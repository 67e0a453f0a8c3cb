/** Definitions out and in again: what a file may say, what is refused, and that nothing has changed then. */
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { table } from '../../../protocol/amqp/field-table.js';
import { OpenConnections } from '../../../src/auth/open-connections.js';
import { UserStore } from '../../../src/auth/user-store.js';
import { Events } from '../../../src/core/events.js';
import { GlobalParameters } from '../../../src/core/global-parameters.js';
import type { JsonObject, JsonValue } from '../../../src/core/json-value.js';
import type { VirtualHost } from '../../../src/core/virtual-host.js';
import { BrokerError } from '../../../src/errors.js';
import { BrokerAdministration } from '../../../src/management/administration.js';
import { coreEnvironment, RecordingDefinitions } from '../../support/core-environment.js';

interface TestBroker {
  readonly administration: BrokerAdministration;
  readonly virtualHosts: Map<string, VirtualHost>;
  readonly users: UserStore;
}

function testBroker(): TestBroker {
  const definitions = new RecordingDefinitions();
  const virtualHosts = new Map<string, VirtualHost>();
  const users = new UserStore(definitions);
  const administration = new BrokerAdministration({
    events: new Events(),
    virtualHosts,
    users,
    connections: new OpenConnections(),
    definitions,
    globalParameters: new GlobalParameters(definitions),
    defaultUser: 'guest',
    announcedVersion: '4.2.0',
    createVirtualHost: (name) => {
      const { host } = coreEnvironment(undefined, definitions, undefined, undefined, name);
      virtualHosts.set(name, host);
      return host;
    },
    forgetVirtualHost: (name) => virtualHosts.delete(name),
  });
  return { administration, virtualHosts, users };
}

const FULL: JsonObject = JSON.parse(readFileSync(new URL('rabbitmq-definitions.json', import.meta.url), 'utf8'));

let broker: TestBroker;

beforeEach(() => {
  broker = testBroker();
});

const take = (definitions: string | JsonObject, virtualHost?: string) =>
  broker.administration.importDefinitions(definitions, virtualHost);

/** The refusal's text; nothing has changed then. */
function refusal(definitions: string | JsonObject, virtualHost?: string): string {
  const before = JSON.stringify(broker.administration.exportDefinitions());
  try {
    take(definitions, virtualHost);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    expect(JSON.stringify(broker.administration.exportDefinitions())).toBe(before);
    return error.message;
  }
  throw new Error('expected a refusal');
}

describe('definitions', () => {
  it('of a RabbitMQ are taken in', () => {
    expect(take(FULL).notInEffect).toEqual([
      "exchanges[2] 'amq.topic' in vhost 'shop': its name is reserved",
      "topic_permissions[0] of user 'mary' in vhost 'shop': it is kept, but topic permissions are not enforced",
      "queues[3] 'amq.gen-1' in vhost 'shop': its name is reserved",
      "bindings[3] 'orders' to 'amq.gen-1' in vhost 'shop': no queue 'amq.gen-1' in vhost 'shop'",
    ]);
    const shop = broker.virtualHosts.get('shop');
    expect(shop?.metadata).toEqual({ description: 'the shop', tags: ['a', 'b'], defaultQueueType: 'quorum' });
    expect(shop?.parameters.limits).toEqual({ maxQueues: 10 });
    expect([...(shop?.queues ?? [])].map(({ name, type }) => [name, type])).toEqual([
      ['jobs', 'quorum'],
      ['mail', 'classic'],
      ['temporary', 'classic'],
    ]);
    const limited = { messageTtlMs: 60_000, maxLength: 5, deadLetterExchange: 'd' };
    expect(shop?.findQueue('mail')?.settings).toMatchObject(limited);
    expect(shop?.findExchange('orders')?.alternateExchange).toBe('amq.fanout');
    expect(broker.users.verify('mary', Buffer.from('test12'))?.tags).toEqual(['administrator', 'management']);
    expect(broker.users.find('mary')?.limits).toEqual({ maxChannels: 7 });
    expect(broker.users.verify('old', Buffer.from('test12'))?.name).toBe('old');
    expect(broker.users.permissions('mary', 'shop')?.allows('write', 'orders')).toBe(true);
    expect(broker.administration.listGlobalParameters()).toEqual([{ name: 'cluster_name', value: 'rabbit@shop' }]);
  });

  it('are the same when they went out, came in and went out again', () => {
    take(FULL);
    const exported = JSON.stringify(broker.administration.exportDefinitions());
    broker = testBroker();
    take(exported);
    expect(JSON.stringify(broker.administration.exportDefinitions())).toBe(exported);
    take(exported);
    expect(JSON.stringify(broker.administration.exportDefinitions())).toBe(exported);
  });

  it('of one virtual host can be put into another', () => {
    take(FULL);
    const exported = broker.administration.exportDefinitions('shop');
    expect(exported).toMatchObject({ original_vhost_name: 'shop', description: 'the shop' });
    expect(JSON.stringify(exported)).not.toContain('"vhost"');
    expect(refusal(exported)).toBe(
      'exchanges[0] \'orders\': "vhost" is missing, as in definitions of a single virtual host; import them into one',
    );
    broker.administration.addVirtualHost('copy', { defaultQueueType: 'quorum' });
    take(exported, 'copy');
    const copied = broker.administration.exportDefinitions('copy');
    for (const section of ['queues', 'exchanges', 'bindings', 'policies', 'parameters']) {
      expect(copied[section], section).toEqual(exported[section]);
    }
    expect(() => take(exported, 'missing')).toThrow('vhost missing not found');
  });

  it('leave exclusive queues out, and internal parameters', () => {
    broker.administration.addVirtualHost('/');
    const host = broker.virtualHosts.get('/');
    const owner = {};
    host?.declareQueue('mine', { durable: false, autoDelete: false, owner, arguments: [] }, owner);
    const args = table({ a: 1 });
    host?.declareQueue('kept', { durable: false, autoDelete: true, owner: undefined, arguments: args }, owner);
    host?.bind('amq.direct', { kind: 'queue', name: 'mine' }, 'k', [], owner);
    host?.bind('amq.direct', { kind: 'queue', name: 'kept' }, 'k', [], owner);
    broker.administration.setGlobalParameter('internal_cluster_id', 'x');
    const exported = broker.administration.exportDefinitions();
    expect(exported['queues']).toEqual([
      {
        vhost: '/',
        name: 'kept',
        type: 'classic',
        durable: false,
        auto_delete: true,
        arguments: { a: 1, 'x-queue-type': 'classic' },
      },
    ]);
    expect(exported['bindings']).toHaveLength(1);
    expect([exported['exchanges'], exported['global_parameters']]).toEqual([[], []]);
  });

  it('leave what is there as it is, save users, policies and parameters', () => {
    take(FULL);
    const queue = { vhost: 'shop', name: 'mail', durable: false, arguments: { 'x-max-length': 1 } };
    const exchange = { vhost: 'shop', name: 'orders', type: 'fanout', durable: false };
    const user = { name: 'mary', password: 'other', tags: '' };
    const policy = { vhost: 'shop', name: 'limits', pattern: '.*', definition: { 'max-length': 3 } };
    take({ vhosts: [{ name: 'shop' }], queues: [queue], exchanges: [exchange], users: [user], policies: [policy] });
    const host = broker.virtualHosts.get('shop');
    expect(host?.metadata.description).toBe('the shop');
    expect(host?.findExchange('orders')?.type.name).toBe('topic');
    expect(host?.findQueue('mail')?.options.durable).toBe(true);
    expect(host?.findQueue('mail')?.settings).toMatchObject({ maxLength: 3, deadLetterExchange: undefined });
    expect(broker.users.verify('mary', Buffer.from('other'))?.tags).toEqual([]);
    expect(broker.users.find('mary')?.limits).toEqual({ maxChannels: 7 });
    expect(broker.users.permissions('mary', 'shop')).toBeDefined();
  });

  it('leave out bindings of what will not be there for all', () => {
    broker.administration.addVirtualHost('v');
    const owner = {};
    const mine = { durable: false, autoDelete: false, owner, arguments: [] };
    broker.virtualHosts.get('v')?.declareQueue('mine', mine, owner);
    const binding = (source: string, destination: string, kind: string): JsonObject => {
      return { vhost: 'v', source, destination, destination_type: kind, routing_key: 'k', arguments: {} };
    };
    const bindings = [
      binding('s', 'd', 'queue'),
      binding('amq.topic', 'd', 'queue'),
      binding('amq.topic', 'x', 'exchange'),
      binding('amq.topic', 'mine', 'queue'),
      binding('', 'mine', 'queue'),
      binding('amq.topic', 'amq.fanout', 'exchange'),
    ];
    expect(take({ bindings }).notInEffect).toEqual([
      "bindings[0] 's' to 'd' in vhost 'v': no exchange 's' in vhost 'v'",
      "bindings[1] 'amq.topic' to 'd' in vhost 'v': no queue 'd' in vhost 'v'",
      "bindings[2] 'amq.topic' to 'x' in vhost 'v': no exchange 'x' in vhost 'v'",
      "bindings[3] 'amq.topic' to 'mine' in vhost 'v': queue 'mine' in vhost 'v' is exclusive",
    ]);
    expect(broker.administration.exportDefinitions('v')['bindings']).toHaveLength(1);
  });

  it('may have operator policies in the form of RabbitMQ 3', () => {
    const value = { pattern: '.*', definition: [['max-length', 2]], priority: 0, 'apply-to': 'all' };
    const parameter = { vhost: 'v', component: 'operator_policy', name: 'op', value };
    take({ vhosts: [{ name: 'v' }], parameters: [parameter] });
    expect(broker.administration.listOperatorPolicies('v')).toMatchObject([{ definition: { 'max-length': 2 } }]);
    const broken = { ...parameter, value: { ...value, definition: [['max-length']] } };
    expect(refusal({ parameters: [broken] })).toMatch(/definition must be a dictionary: /);
  });

  it('may be empty, have a byte order mark, and say what nobody knows', () => {
    expect(take('\uFEFF{"rabbit_version":"3.8","further":[1],"queues":[]}').notInEffect).toEqual([]);
    expect(take({}).notInEffect).toEqual([]);
  });
});

describe('definitions that are refused', () => {
  const one = (section: string, entry: JsonObject): JsonObject => {
    const base: Record<string, JsonValue> = { vhosts: [{ name: 'v' }], users: [{ name: 'joe', tags: [] }] };
    return { ...base, [section]: [entry] };
  };
  const queue = (entry: JsonObject): JsonObject => one('queues', { vhost: 'v', name: 'q', ...entry });
  const user = (entry: JsonObject): JsonObject => one('users', { name: 'x', ...entry });

  it.each<[string, string | JsonObject, string | RegExp]>([
    ['no JSON', '{"users": [', /^definitions are not JSON: /],
    ['no object', '[]', 'definitions must be a JSON object'],
    ['a section that is no list', { queues: {} }, 'queues must be a list'],
    ['an entry that is no object', { queues: ['q'] }, 'queues[0] must be an object'],
    ['no vhost', { queues: [{ name: 'q' }] }, /^queues\[0\] 'q': "vhost" is missing/],
    [
      'an unknown vhost',
      { queues: [{ name: 'q', vhost: 'nov' }] },
      "queues[0] 'q' in vhost 'nov': Please create virtual host \"nov\" prior to importing definitions.",
    ],
    ['no name', one('queues', { vhost: 'v' }), 'queues[0] in vhost \'v\': "name" is missing'],
    ['a long name', queue({ name: 'q'.repeat(256) }), /"name" is longer than 255 bytes$/],
    [
      'a bad argument',
      queue({ arguments: { 'x-max-length': -1 } }),
      "queues[0] 'q' in vhost 'v': invalid arg 'x-max-length' for queue 'q' in vhost 'v': {value_negative,-1}",
    ],
    ['null', queue({ arguments: { a: null } }), /argument 'a' is null/],
    ['arguments that are none', queue({ arguments: 5 }), /"arguments" must be an object$/],
    ['an unknown queue type', queue({ arguments: { 'x-queue-type': 'x' } }), /unsupported queue type 'x'/],
    [
      'a transient quorum queue',
      queue({ durable: false, arguments: { 'x-queue-type': 'quorum' } }),
      /invalid property 'non-durable'/,
    ],
    ['a flag that is none', queue({ durable: 'yes' }), /"durable" must be true or false$/],
    ['an exchange type', one('exchanges', { vhost: 'v', name: 'x', type: 'y' }), /unknown exchange type 'y'$/],
    [
      'arguments that a type of exchange refuses',
      one('exchanges', { vhost: 'v', name: 'x', type: 'x-consistent-hash', arguments: { 'hash-property': 'y' } }),
      /^exchanges\[0\] 'x' in vhost 'v': /,
    ],
    [
      'a binding that a type of exchange refuses',
      {
        vhosts: [{ name: 'v' }],
        exchanges: [{ vhost: 'v', name: 'x', type: 'x-local-random' }],
        queues: [{ vhost: 'v', name: 'q', arguments: { 'x-queue-type': 'quorum' } }],
        bindings: [{ vhost: 'v', source: 'x', destination: 'q' }],
      },
      "bindings[0] 'x' to 'q' in vhost 'v': Queue type rabbit_quorum_queue not valid for this exchange type",
    ],
    ['a policy', one('policies', { vhost: 'v', name: 'p', pattern: '.*', definition: {} }), /no policy provided\n$/],
    [
      'a parameter',
      one('parameters', { vhost: 'v', component: 'shovel', name: 's', value: {} }),
      /shovel not found\n$/,
    ],
    ['a user without tags', user({}), "users[0] 'x': tags_not_present"],
    ['two passwords', user({ tags: '', password: 'a', password_hash: 'b' }), /both_password/],
    ['a hash', user({ tags: '', password_hash: '!' }), /"password_hash" is not base64$/],
    [
      'an algorithm',
      user({ tags: '', password_hash: 'AAAA', hashing_algorithm: 'rot13' }),
      /unknown hashing algorithm 'rot13'$/,
    ],
    ['user limits', user({ tags: '', limits: { many: 1 } }), /Unrecognised terms .* in user-limits$/],
    [
      'a permission for nobody',
      one('permissions', { user: 'x', vhost: 'v', configure: '', write: '', read: '' }),
      "permissions[0] of user 'x' in vhost 'v': no user 'x'",
    ],
    [
      'a pattern',
      one('permissions', { user: 'joe', vhost: 'v', configure: '(', write: '', read: '' }),
      /^permissions\[0\] of user 'joe' in vhost 'v': Invalid regular expression/,
    ],
    [
      'a default type',
      { vhosts: [{ name: 'v', metadata: { default_queue_type: 'x' } }] },
      /x is not a valid queue type$/,
    ],
  ])('for %s change nothing', (_, definitions, text) => {
    if (typeof text === 'string') expect(refusal(definitions)).toBe(text);
    else expect(refusal(definitions)).toMatch(text);
  });

  it('never show what may be a password', () => {
    expect(refusal('{"users": [{"name": "x", "password": secret }]}')).not.toContain('secret');
  });

  it('for too many queues, by the limit that will count', () => {
    const queues = ['a', 'b', 'c'].map((name) => ({ vhost: 'v', name }));
    const limit = (count: number) => [
      { vhost: 'v', component: 'vhost-limits', name: 'limits', value: { 'max-queues': count } },
    ];
    expect(refusal({ vhosts: [{ name: 'v' }], queues, parameters: limit(2) })).toBe(
      'Adding 3 queue(s) to virtual host "v" would exceed the limit of 2 queue(s).\n\nThis virtual host currently has ' +
        '0 queue(s) defined.\n\nImport aborted!',
    );
    take({ vhosts: [{ name: 'v' }], queues, parameters: limit(3) });
    expect(broker.virtualHosts.get('v')?.queueCount).toBe(3);
    take({ queues });
    expect(refusal({ queues: [{ vhost: 'v', name: 'd' }] })).toContain('Adding 1 queue(s)');
  });
});
