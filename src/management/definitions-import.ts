/**
 * Takes a definitions file in, in two passes: the first checks every entry against what is there and what the file brings
 * itself, the second changes things. The order is RabbitMQ's.
 */
import { Permissions } from '../auth/permissions.js';
import type { UserRecord, UserStore } from '../auth/user-store.js';
import { exchangeType } from '../core/exchange/registry.js';
import { isJsonObject, type JsonObject } from '../core/json-value.js';
import { describeQueue, isReserved } from '../core/names.js';
import { assertParameter } from '../core/parameters.js';
import { checkedPolicy, type GivenPolicy } from '../core/policy/policy.js';
import type { VirtualHostMetadata } from '../core/ports/definition-store.js';
import { queueTypeOf, validateQueueArguments, validateQueueProperties } from '../core/queue/arguments.js';
import { defaultTypeFrom, withDefaultType } from '../core/queue/default-type.js';
import { queueType } from '../core/queue/registry.js';
import type { DestinationName, VirtualHost } from '../core/virtual-host.js';
import { documentOf, type Entry, entriesIn, type Section } from './definitions-entry.js';
import { userFrom } from './definitions-users.js';
import { VirtualHostPlan } from './virtual-host-plan.js';

export interface ImportReport {
  /** Entries that were left out or mean nothing, and why: `queues[2] 'amq.gen-1' in vhost '/': its name is reserved`. */
  readonly notInEffect: readonly string[];
}

export interface ImportTarget {
  readonly virtualHosts: ReadonlyMap<string, VirtualHost>;
  readonly users: UserStore;
  putVirtualHost(name: string, metadata: Partial<VirtualHostMetadata>): void;
  setGlobalParameter(name: string, value: JsonObject[string]): void;
}

interface Step {
  readonly entry: Entry;
  readonly apply: () => void;
}

/** `virtualHost`: where to put what a file says of no virtual host in particular. */
export function importDefinitions(
  definitions: string | JsonObject,
  virtualHost: string | undefined,
  target: ImportTarget,
): ImportReport {
  const plan = new ImportPlan(documentOf(definitions), virtualHost, target);
  for (const { entry, apply } of plan.steps) entry.check(apply);
  return { notInEffect: plan.notInEffect };
}

/** The first pass. */
class ImportPlan {
  readonly steps: Step[] = [];
  readonly notInEffect: string[] = [];
  readonly #document: JsonObject;
  readonly #virtualHost: string | undefined;
  readonly #target: ImportTarget;
  readonly #newUsers = new Map<string, UserRecord>();
  readonly #hosts = new Map<string, VirtualHostPlan>();

  constructor(document: JsonObject, virtualHost: string | undefined, target: ImportTarget) {
    this.#document = document;
    this.#virtualHost = virtualHost;
    this.#target = target;
    for (const [name, host] of target.virtualHosts) this.#hosts.set(name, new VirtualHostPlan(name, host));
    if (virtualHost === undefined) {
      this.#each('users', (entry) => this.#user(entry));
      this.#each('vhosts', (entry) => this.#vhost(entry));
      this.#each('permissions', (entry) => this.#permission(entry));
    }
    this.#each('exchanges', (entry) => this.#exchange(entry));
    if (virtualHost === undefined) {
      this.#each('topic_permissions', (entry) => this.#topicPermission(entry));
      this.#each('global_parameters', (entry) => this.#globalParameter(entry));
    }
    this.#each('policies', (entry) => this.#policy(entry));
    this.#each('parameters', (entry) => this.#parameter(entry));
    this.#each('queues', (entry) => this.#queue(entry));
    for (const host of this.#hosts.values()) host.assertRoomForQueues();
    this.#each('bindings', (entry) => this.#binding(entry));
  }

  #each(section: Section, check: (entry: Entry) => void): void {
    for (const entry of entriesIn(this.#document, section)) entry.check(() => check(entry));
  }

  #then(entry: Entry, apply: () => void): void {
    this.steps.push({ entry, apply });
  }

  #remark(entry: Entry, reason: string): void {
    this.notInEffect.push(`${entry.label}: ${reason}`);
  }

  #user(entry: Entry): void {
    const { users } = this.#target;
    const name = entry.shortText('name');
    const known = users.find(name);
    const release = this.#document['rabbitmq_version'] ?? this.#document['rabbit_version'];
    const user = userFrom(entry, known, typeof release === 'string' ? release : '');
    this.#newUsers.set(name, user);
    this.#then(entry, () => users.put(user));
  }

  #vhost(entry: Entry): void {
    const name = entry.shortText('name');
    const metadata = metadataOf(entry);
    const plan = this.#hosts.get(name) ?? new VirtualHostPlan(name, undefined);
    plan.defaultQueueType = metadata.defaultQueueType ?? plan.defaultQueueType;
    this.#hosts.set(name, plan);
    this.#then(entry, () => this.#target.putVirtualHost(name, metadata));
  }

  #permission(entry: Entry): void {
    const { users } = this.#target;
    const user = this.#knownUser(entry);
    const { name } = this.#host(entry);
    const patterns = { configure: entry.text('configure'), write: entry.text('write'), read: entry.text('read') };
    // Made to see whether it can be.
    new Permissions(patterns);
    this.#then(entry, () => users.setPermissions(user, name, patterns));
  }

  #topicPermission(entry: Entry): void {
    const { users } = this.#target;
    const user = this.#knownUser(entry);
    const { name: virtualHost } = this.#host(entry);
    const [exchange, write, read] = [entry.text('exchange', ''), entry.text('write'), entry.text('read')];
    new Permissions({ configure: '', write, read });
    this.#remark(entry, 'it is kept, but topic permissions are not enforced');
    this.#then(entry, () =>
      users.setTopicPermissions({ kind: 'topic-permission', user, virtualHost, exchange, write, read }),
    );
  }

  #globalParameter(entry: Entry): void {
    const [name, { value }] = [entry.text('name'), entry.fields];
    if (value === undefined) throw entry.refusal('"value" is missing');
    this.#then(entry, () => this.#target.setGlobalParameter(name, value));
  }

  #policy(entry: Entry): void {
    const { name } = this.#host(entry);
    const { pattern, definition, priority, 'apply-to': applyTo } = entry.fields;
    const policy: GivenPolicy = { name: entry.text('name'), pattern, definition, priority, applyTo };
    checkedPolicy('policy', policy);
    this.#then(entry, () => this.#made(name).policies.set('policy', policy));
  }

  #parameter(entry: Entry): void {
    const plan = this.#host(entry);
    const [component, name, { value }] = [entry.text('component'), entry.text('name'), entry.fields];
    if (value === undefined) throw entry.refusal('"value" is missing');
    assertParameter(component, name, value);
    plan.noteParameter(component, value);
    this.#then(entry, () => this.#made(plan.name).parameters.set(component, name, value));
  }

  #exchange(entry: Entry): void {
    const plan = this.#host(entry);
    const name = entry.shortText('name');
    if (name === '' || isReserved(name)) this.#remark(entry, 'its name is reserved');
    else if (plan.exchangeType(name) === undefined) this.#newExchange(entry, plan, name);
  }

  #newExchange(entry: Entry, plan: VirtualHostPlan, name: string): void {
    const typeName = entry.text('type');
    const type = exchangeType(typeName);
    if (type === undefined) throw entry.refusal(`unknown exchange type '${typeName}'`);
    const options = {
      durable: entry.flag('durable', true),
      autoDelete: entry.flag('auto_delete', false),
      internal: entry.flag('internal', false),
      arguments: entry.arguments(),
    };
    type.validateDeclaration?.(options.arguments);
    plan.exchanges.set(name, type);
    this.#then(entry, () => this.#made(plan.name).declareExchange(name, typeName, options));
  }

  #queue(entry: Entry): void {
    const plan = this.#host(entry);
    const name = entry.shortText('name');
    if (isReserved(name)) this.#remark(entry, 'its name is reserved');
    else if (!plan.hasQueue(name)) this.#newQueue(entry, plan, name);
  }

  #newQueue(entry: Entry, plan: VirtualHostPlan, name: string): void {
    const given = {
      durable: entry.flag('durable', true),
      autoDelete: entry.flag('auto_delete', false),
      owner: undefined,
      arguments: entry.arguments(),
    };
    const options = withDefaultType(given, plan.defaultQueueType);
    const type = queueType(queueTypeOf(options.arguments, name, plan.name));
    validateQueueArguments(options.arguments, name, plan.name, type.name);
    validateQueueProperties(type, options, describeQueue(name, plan.name));
    plan.queues.set(name, type.name);
    this.#then(entry, () => this.#made(plan.name).declareQueue(name, given, NOBODY));
  }

  #binding(entry: Entry): void {
    const plan = this.#host(entry);
    const [source, name] = [entry.shortText('source'), entry.shortText('destination')];
    const kind = entry.text('destination_type', 'queue');
    if (kind !== 'queue' && kind !== 'exchange') throw entry.refusal(`unknown destination type '${kind}'`);
    // Every queue has its binding to the default exchange.
    if (source === '') return;
    // RabbitMQ exports bindings of exclusive queues and of internal exchanges, and not these themselves.
    const missing = plan.missingEnd(source, kind, name);
    if (missing === undefined) this.#newBinding(entry, plan, source, { kind, name });
    else this.#remark(entry, missing);
  }

  #newBinding(entry: Entry, plan: VirtualHostPlan, source: string, to: DestinationName): void {
    const [routingKey, args] = [entry.shortText('routing_key', ''), entry.arguments()];
    plan.exchangeType(source)?.validateBinding?.(routingKey, args, plan.destination(to.kind, to.name));
    this.#then(entry, () => this.#made(plan.name).bind(source, to, routingKey, args, NOBODY));
  }

  #knownUser(entry: Entry): string {
    const user = entry.text('user');
    if (this.#newUsers.has(user) || this.#target.users.find(user) !== undefined) return user;
    throw entry.refusal(`no user '${user}'`);
  }

  #host(entry: Entry): VirtualHostPlan {
    const name = this.#virtualHost ?? entry.fields['vhost'];
    if (typeof name !== 'string') {
      throw entry.refusal('"vhost" is missing, as in definitions of a single virtual host; import them into one');
    }
    const plan = this.#hosts.get(name);
    if (plan !== undefined) return plan;
    throw entry.refusal(`Please create virtual host "${name}" prior to importing definitions.`);
  }

  /** In the second pass, where all virtual hosts are there. */
  #made(name: string): VirtualHost {
    const host = this.#target.virtualHosts.get(name);
    if (host === undefined) throw new Error(`virtual host '${name}' was to be made`);
    return host;
  }
}

/** Whose an exclusive queue never is. */
const NOBODY = {};

function metadataOf(entry: Entry): Partial<VirtualHostMetadata> {
  const { metadata = {}, description, tags } = entry.fields;
  const kept = isJsonObject(metadata) ? metadata : {};
  const [text, names, type] = [description ?? kept['description'], tags ?? kept['tags'], kept['default_queue_type']];
  const defaultQueueType = defaultTypeFrom(typeof type === 'string' ? type : undefined);
  return {
    ...(typeof text === 'string' && { description: text }),
    ...(names !== undefined && names !== null && { tags: entry.names(names, 'tags') }),
    ...(defaultQueueType !== undefined && { defaultQueueType }),
  };
}
