/**
 * Everything that was defined, as a document that RabbitMQ and Jackalope import.
 */
import type { UserRecord, UserStore } from '../auth/user-store.js';
import type { Binding } from '../core/binding.js';
import type { Exchange } from '../core/exchange/exchange.js';
import type { GlobalParameters } from '../core/global-parameters.js';
import { argumentsToJson } from '../core/json-arguments.js';
import type { JsonObject, JsonValue } from '../core/json-value.js';
import { limitsToJson } from '../core/limits.js';
import { isReserved } from '../core/names.js';
import { policyToJson } from '../core/policy/policy.js';
import { listedArguments } from '../core/queue/default-type.js';
import type { Queue } from '../core/queue/queue.js';
import type { VirtualHost } from '../core/virtual-host.js';

export interface DefinitionsSource {
  readonly hosts: readonly VirtualHost[];
  readonly users: UserStore;
  readonly globalParameters: GlobalParameters;
  readonly announcedVersion: string;
}

/** RabbitMQ keeps what begins so to itself. */
const INTERNAL_PREFIX = 'internal';

export function exportDefinitions({ hosts, users, globalParameters, announcedVersion }: DefinitionsSource): JsonObject {
  return {
    ...header(announcedVersion, 'cluster'),
    users: users.all.map(userEntry),
    vhosts: hosts.map(virtualHostEntry),
    permissions: users.allPermissions.map(({ user, virtualHost: vhost, configure, write, read }) => {
      return { user, vhost, configure, write, read };
    }),
    topic_permissions: users.allTopicPermissions.map(({ user, virtualHost: vhost, exchange, write, read }) => {
      return { user, vhost, exchange, write, read };
    }),
    global_parameters: globalParameters
      .list()
      .filter(({ name }) => !name.startsWith(INTERNAL_PREFIX))
      .map(({ name, value }) => ({ name, value })),
    ...mergeLists(hosts.map((host) => contents(host, { vhost: host.name }))),
  };
}

/** What one virtual host has in it, for any virtual host to take. */
export function exportVirtualHost(host: VirtualHost, announcedVersion: string): JsonObject {
  const { description, ...rest } = metadataEntry(host);
  return {
    ...header(announcedVersion, 'single_virtual_host'),
    original_vhost_name: host.name,
    description: host.metadata.description,
    metadata: { description: description ?? '', ...rest },
    limits: limitsToJson(host.parameters.limits),
    ...contents(host, {}),
  };
}

function header(announcedVersion: string, format: string): JsonObject {
  return {
    rabbit_version: announcedVersion,
    rabbitmq_version: announcedVersion,
    product_name: 'Jackalope',
    rabbitmq_definition_format: format,
  };
}

type Lists = Readonly<Record<'parameters' | 'policies' | 'queues' | 'exchanges' | 'bindings', readonly JsonObject[]>>;

function contents(host: VirtualHost, place: JsonObject): Lists {
  const exchanges = [...host.exchanges];
  return {
    parameters: host.parameters.list().map((parameter) => ({ ...place, ...parameter })),
    policies: host.policies.list('policy').map((policy) => ({ ...place, name: policy.name, ...policyToJson(policy) })),
    // An exclusive queue goes with its connection.
    queues: [...host.queues].filter(({ options }) => options.owner === undefined).map(queueEntry(place)),
    exchanges: exchanges.filter(({ name }) => name !== '' && !isReserved(name)).map(exchangeEntry(place)),
    bindings: exchanges
      .filter(({ name }) => name !== '')
      .flatMap(({ outgoing }) => [...outgoing].filter(isLasting).map(bindingEntry(place))),
  };
}

function mergeLists(lists: readonly Lists[]): Lists {
  return {
    parameters: lists.flatMap(({ parameters }) => parameters),
    policies: lists.flatMap(({ policies }) => policies),
    queues: lists.flatMap(({ queues }) => queues),
    exchanges: lists.flatMap(({ exchanges }) => exchanges),
    bindings: lists.flatMap(({ bindings }) => bindings),
  };
}

function isLasting({ destination }: Binding): boolean {
  return destination.kind === 'exchange' || destination.queue.options.owner === undefined;
}

function userEntry({ name, tags, passwordHash, hashing, limits }: UserRecord): JsonObject {
  return {
    name,
    password_hash: Buffer.from(passwordHash ?? []).toString('base64'),
    hashing_algorithm: `rabbit_password_hashing_${hashing}`,
    tags: [...tags],
    limits: limitsToJson(limits),
  };
}

function virtualHostEntry(host: VirtualHost): JsonObject {
  return { name: host.name, limits: limitsToJson(host.parameters.limits), metadata: metadataEntry(host) };
}

function metadataEntry({ metadata: { description, tags, defaultQueueType } }: VirtualHost): Record<string, JsonValue> {
  return { description, tags: [...tags], default_queue_type: defaultQueueType ?? 'classic' };
}

function queueEntry(place: JsonObject): (queue: Queue) => JsonObject {
  return (queue) => {
    const { name, type, options } = queue;
    const { durable, autoDelete } = options;
    const args = argumentsToJson(listedArguments(queue));
    return { ...place, name, type, durable, auto_delete: autoDelete, arguments: args };
  };
}

function exchangeEntry(place: JsonObject): (exchange: Exchange) => JsonObject {
  return ({ name, type, options }) => {
    const { durable, autoDelete, internal, arguments: args } = options;
    const flags = { durable, auto_delete: autoDelete, internal };
    return { ...place, name, type: type.name, ...flags, arguments: argumentsToJson(args) };
  };
}

function bindingEntry(place: JsonObject): (binding: Binding) => JsonObject {
  return ({ source, destination, routingKey, arguments: args }) => {
    return {
      ...place,
      source: source.name,
      destination: destination.kind === 'queue' ? destination.queue.name : destination.exchange.name,
      destination_type: destination.kind,
      routing_key: routingKey,
      arguments: argumentsToJson(args),
    };
  };
}
