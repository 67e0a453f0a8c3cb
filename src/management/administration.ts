/**
 * What an administrator may do to a broker: virtual hosts, users, policies, parameters, limits, definitions. Programs
 * call it through `Broker`; whoever serves a management interface calls it as well. It asks nobody for permission.
 */
import type { OpenConnections } from '../auth/open-connections.js';
import { FULL_PERMISSIONS, type PermissionPatterns } from '../auth/permissions.js';
import type { UserStore } from '../auth/user-store.js';
import { type EventKey, type Events, text } from '../core/events.js';
import type { GlobalParameter, GlobalParameters } from '../core/global-parameters.js';
import type { JsonObject, JsonValue } from '../core/json-value.js';
import { limitRefusals, limitsToJson, USER_LIMITS, type VirtualHostLimits } from '../core/limits.js';
import type { Parameter } from '../core/parameters.js';
import type { GivenPolicy, Policy, PolicyKind } from '../core/policy/policy.js';
import type { DefinitionStore, UserLimits, VirtualHostMetadata } from '../core/ports/definition-store.js';
import { defaultTypeFrom } from '../core/queue/default-type.js';
import type { VirtualHost } from '../core/virtual-host.js';
import { BrokerError } from '../errors.js';
import { exportDefinitions, exportVirtualHost } from './definitions-export.js';
import { type ImportReport, importDefinitions } from './definitions-import.js';

export interface VirtualHostInfo extends VirtualHostMetadata {
  readonly name: string;
  readonly limits: VirtualHostLimits;
}

export interface UserInfo {
  readonly name: string;
  readonly tags: readonly string[];
  readonly limits: UserLimits;
}

/** A policy and where it is. */
export type PolicyIn = { readonly virtualHost: string } & Policy;
export type GivenPolicyIn = { readonly virtualHost: string } & GivenPolicy;
export type ParameterIn = { readonly virtualHost: string } & Parameter;

/** Errors are BrokerErrors with RabbitMQ's texts: `not-found`, or `precondition-failed` for what is not valid. */
export interface Administration {
  /**
   * Adds a virtual host, in which the default user gets full permissions; one that exists keeps what it has and takes
   * the metadata given. `defaultQueueType` is the type of queues that are declared without x-queue-type. Throws
   * `precondition-failed` when it is none.
   */
  addVirtualHost(name: string, metadata?: Partial<VirtualHostMetadata>): void;
  /** Closes its connections (320, `vhost 'x' is deleted`) and deletes all that is in it. Throws `not-found`. */
  deleteVirtualHost(name: string): void;
  listVirtualHosts(): readonly VirtualHostInfo[];
  /** Of connections and queues; what is left out is without limit. Throws `not-found`. */
  setVirtualHostLimits(name: string, limits: VirtualHostLimits): void;

  /**
   * The firehose: while it is on, what clients publish to the virtual host and what they get is published to its exchange
   * `amq.rabbitmq.trace` too. Off after a restart. Throws `not-found`.
   * https://www.rabbitmq.com/docs/firehose
   */
  setTracing(virtualHost: string, on: boolean): void;

  /** Adds a user without permissions, or replaces one. */
  addUser(name: string, password: string, tags?: readonly string[]): void;
  /** Closes the user's connections (320, `user 'x' is deleted`). Throws `not-found`. */
  deleteUser(name: string): void;
  listUsers(): readonly UserInfo[];
  /** Of connections, and of channels over all connections; what is left out is without limit. Throws `not-found`. */
  setUserLimits(name: string, limits: UserLimits): void;
  /**
   * Regular expressions, mostly as RabbitMQ has them; POSIX classes and `\A`, `\z` are refused. Throws SyntaxError when
   * one is none, `not-found` for an unknown user.
   */
  setPermissions(user: string, virtualHost: string, patterns: PermissionPatterns): void;
  clearPermissions(user: string, virtualHost: string): void;

  /**
   * Sets optional arguments of all queues and exchanges whose name matches, also of those that exist; of several
   * policies that match the one with the highest priority counts. `definition` has the names of queue arguments without
   * `x-` (times in milliseconds, sizes in bytes), and `alternate-exchange`. Throws `not-found` for an unknown virtual
   * host, `precondition-failed` for a policy that is none.
   * https://www.rabbitmq.com/docs/policies
   */
  setPolicy(policy: GivenPolicyIn): void;
  /** Throws `not-found`. */
  clearPolicy(virtualHost: string, name: string): void;
  listPolicies(virtualHost?: string): readonly PolicyIn[];
  /** As `setPolicy`, for bounds that no policy and no argument can exceed. */
  setOperatorPolicy(policy: GivenPolicyIn): void;
  /** Throws `not-found`. */
  clearOperatorPolicy(virtualHost: string, name: string): void;
  listOperatorPolicies(virtualHost?: string): readonly PolicyIn[];

  /**
   * Settings of a component for one virtual host. There are `vhost-limits` (named `limits`) and `operator_policy`.
   * Throws `not-found` for an unknown virtual host, `precondition-failed` for other components and for bad values.
   */
  setParameter(parameter: ParameterIn): void;
  /** Throws `not-found`. */
  clearParameter(virtualHost: string, component: string, name: string): void;
  listParameters(virtualHost?: string): readonly ParameterIn[];
  /** Any value under any name; the broker only keeps it. */
  setGlobalParameter(name: string, value: JsonValue): void;
  /** Throws `not-found`. */
  clearGlobalParameter(name: string): void;
  listGlobalParameters(): readonly GlobalParameter[];

  /**
   * Everything that was defined, in the form of RabbitMQ's definitions files: users with the hashes of their passwords,
   * virtual hosts, permissions, policies, parameters, exchanges, queues and bindings, but no message. With a virtual
   * host, what is in it, in the form that belongs to none. Throws `not-found`.
   */
  exportDefinitions(virtualHost?: string): JsonObject;
  /**
   * Adds what a definitions file of RabbitMQ or Jackalope says, as a text or parsed. Exchanges, queues and bindings that
   * are there stay as they are; users, policies and parameters are replaced. A file without virtual hosts' names needs
   * to be told one. Throws `precondition-failed` that names the entry; nothing has changed then.
   * https://www.rabbitmq.com/docs/definitions
   */
  importDefinitions(definitions: string | JsonObject, virtualHost?: string): ImportReport;
}

export interface AdministrationParts {
  readonly virtualHosts: ReadonlyMap<string, VirtualHost>;
  readonly users: UserStore;
  readonly connections: OpenConnections;
  readonly definitions: DefinitionStore;
  readonly events: Events;
  readonly globalParameters: GlobalParameters;
  /** Gets full permissions in new virtual hosts. */
  readonly defaultUser: string;
  /** The release of RabbitMQ that exported definitions are those of. */
  readonly announcedVersion: string;
  createVirtualHost(name: string): VirtualHost;
  forgetVirtualHost(name: string): void;
}

export class BrokerAdministration implements Administration {
  readonly #parts: AdministrationParts;

  constructor(parts: AdministrationParts) {
    this.#parts = parts;
  }

  /** Its methods for an object of which they become a part. */
  get bound(): Administration {
    return {
      addVirtualHost: (...args) => this.addVirtualHost(...args),
      deleteVirtualHost: (...args) => this.deleteVirtualHost(...args),
      listVirtualHosts: () => this.listVirtualHosts(),
      setVirtualHostLimits: (...args) => this.setVirtualHostLimits(...args),
      setTracing: (...args) => this.setTracing(...args),
      addUser: (...args) => this.addUser(...args),
      deleteUser: (...args) => this.deleteUser(...args),
      listUsers: () => this.listUsers(),
      setUserLimits: (...args) => this.setUserLimits(...args),
      setPermissions: (...args) => this.setPermissions(...args),
      clearPermissions: (...args) => this.clearPermissions(...args),
      setPolicy: (...args) => this.setPolicy(...args),
      clearPolicy: (...args) => this.clearPolicy(...args),
      listPolicies: (...args) => this.listPolicies(...args),
      setOperatorPolicy: (...args) => this.setOperatorPolicy(...args),
      clearOperatorPolicy: (...args) => this.clearOperatorPolicy(...args),
      listOperatorPolicies: (...args) => this.listOperatorPolicies(...args),
      setParameter: (...args) => this.setParameter(...args),
      clearParameter: (...args) => this.clearParameter(...args),
      listParameters: (...args) => this.listParameters(...args),
      setGlobalParameter: (...args) => this.setGlobalParameter(...args),
      clearGlobalParameter: (...args) => this.clearGlobalParameter(...args),
      listGlobalParameters: () => this.listGlobalParameters(),
      exportDefinitions: (...args) => this.exportDefinitions(...args),
      importDefinitions: (...args) => this.importDefinitions(...args),
    };
  }

  addVirtualHost(name: string, metadata: Partial<VirtualHostMetadata> = {}): void {
    const { virtualHosts, users, defaultUser } = this.#parts;
    const isNew = !virtualHosts.has(name);
    this.#putVirtualHost(name, metadata);
    if (isNew && users.find(defaultUser) !== undefined) users.setPermissions(defaultUser, name, FULL_PERMISSIONS);
  }

  deleteVirtualHost(name: string): void {
    const { users, connections, definitions, forgetVirtualHost } = this.#parts;
    const host = this.#host(name);
    // In RabbitMQ's order: nobody comes in any more, then all that is in it goes.
    users.clearVirtualHost(name);
    connections.closeIn(name, `vhost '${name}' is deleted`);
    host.delete();
    forgetVirtualHost(name);
    definitions.remove({ kind: 'virtual-host', name, metadata: host.metadata });
    this.#emit('vhost.deleted', { name });
  }

  listVirtualHosts(): readonly VirtualHostInfo[] {
    return this.#hosts().map(({ name, metadata, parameters }) => ({ name, ...metadata, limits: parameters.limits }));
  }

  setVirtualHostLimits(name: string, limits: VirtualHostLimits): void {
    this.#host(name).parameters.setLimits(limits);
  }

  setTracing(virtualHost: string, on: boolean): void {
    this.#host(virtualHost).tracing = on;
  }

  addUser(name: string, password: string, tags: readonly string[] = []): void {
    const isNew = this.#parts.users.find(name) === undefined;
    this.#parts.users.add(name, password, tags);
    if (isNew) this.#emit('user.created', { name });
  }

  deleteUser(name: string): void {
    const { users, connections } = this.#parts;
    if (users.find(name) === undefined) throw new BrokerError('not-found', `no user '${name}'`);
    users.remove(name);
    connections.closeOf(name, `user '${name}' is deleted`);
    this.#emit('user.deleted', { name });
  }

  listUsers(): readonly UserInfo[] {
    return this.#parts.users.all.map(({ name, tags, limits }) => ({ name, tags, limits }));
  }

  setUserLimits(name: string, limits: UserLimits): void {
    const refusals = limitRefusals(USER_LIMITS, 'user-limits', limitsToJson(limits));
    if (refusals.length > 0) throw new BrokerError('precondition-failed', refusals.join('\n'));
    this.#parts.users.setLimits(name, limits);
  }

  setPermissions(user: string, virtualHost: string, patterns: PermissionPatterns): void {
    this.#parts.users.setPermissions(user, virtualHost, patterns);
    const { configure, write, read } = patterns;
    this.#emit('permission.created', { user, vhost: virtualHost, configure, write, read });
  }

  clearPermissions(user: string, virtualHost: string): void {
    this.#parts.users.clearPermissions(user, virtualHost);
    this.#emit('permission.deleted', { user, vhost: virtualHost });
  }

  setPolicy({ virtualHost, ...policy }: GivenPolicyIn): void {
    this.#host(virtualHost).policies.set('policy', policy);
    this.#emit('policy.set', { name: policy.name, vhost: virtualHost, pattern: String(policy.pattern) });
  }

  clearPolicy(virtualHost: string, name: string): void {
    assertFound(this.#host(virtualHost).policies.clear('policy', name));
    this.#emit('policy.cleared', { name, vhost: virtualHost });
  }

  listPolicies(virtualHost?: string): readonly PolicyIn[] {
    return this.#policies('policy', virtualHost);
  }

  setOperatorPolicy({ virtualHost, ...policy }: GivenPolicyIn): void {
    this.#host(virtualHost).policies.set('operator-policy', policy);
  }

  clearOperatorPolicy(virtualHost: string, name: string): void {
    assertFound(this.#host(virtualHost).policies.clear('operator-policy', name));
  }

  listOperatorPolicies(virtualHost?: string): readonly PolicyIn[] {
    return this.#policies('operator-policy', virtualHost);
  }

  setParameter({ virtualHost, component, name, value }: ParameterIn): void {
    this.#host(virtualHost).parameters.set(component, name, value);
    this.#emit('parameter.set', { component, name, vhost: virtualHost });
  }

  clearParameter(virtualHost: string, component: string, name: string): void {
    assertFound(this.#host(virtualHost).parameters.clear(component, name));
    this.#emit('parameter.cleared', { component, name, vhost: virtualHost });
  }

  listParameters(virtualHost?: string): readonly ParameterIn[] {
    return this.#hosts(virtualHost).flatMap(({ name, parameters }) =>
      parameters.list().map((parameter) => ({ virtualHost: name, ...parameter })),
    );
  }

  setGlobalParameter(name: string, value: JsonValue): void {
    this.#parts.globalParameters.set(name, value);
  }

  clearGlobalParameter(name: string): void {
    assertFound(this.#parts.globalParameters.clear(name));
  }

  listGlobalParameters(): readonly GlobalParameter[] {
    return this.#parts.globalParameters.list();
  }

  exportDefinitions(virtualHost?: string): JsonObject {
    const { users, globalParameters, announcedVersion } = this.#parts;
    if (virtualHost !== undefined) return exportVirtualHost(this.#host(virtualHost), announcedVersion);
    return exportDefinitions({ hosts: this.#hosts(), users, globalParameters, announcedVersion });
  }

  importDefinitions(definitions: string | JsonObject, virtualHost?: string): ImportReport {
    if (virtualHost !== undefined) this.#host(virtualHost);
    const { virtualHosts, users } = this.#parts;
    return importDefinitions(definitions, virtualHost, {
      virtualHosts,
      users,
      putVirtualHost: (name, metadata) => this.#putVirtualHost(name, metadata),
      setGlobalParameter: (name, value) => this.setGlobalParameter(name, value),
    });
  }

  #putVirtualHost(name: string, metadata: Partial<VirtualHostMetadata>): void {
    const chosenType = defaultTypeFrom(metadata.defaultQueueType);
    const existing = this.#parts.virtualHosts.get(name);
    if (existing !== undefined && Object.keys(metadata).length === 0) return;
    const host = existing ?? this.#parts.createVirtualHost(name);
    const { description, tags, defaultQueueType } = { ...host.metadata, ...metadata };
    host.metadata = { description, tags: [...tags], defaultQueueType: chosenType ?? defaultQueueType };
    this.#parts.definitions.put({ kind: 'virtual-host', name, metadata: host.metadata });
    if (existing === undefined) this.#emit('vhost.created', { name });
  }

  #emit(key: EventKey, facts: Readonly<Record<string, string>>): void {
    this.#parts.events.emit(key, () => Object.entries(facts).map(([name, value]) => [name, text(value)]));
  }

  #policies(kind: PolicyKind, virtualHost: string | undefined): readonly PolicyIn[] {
    return this.#hosts(virtualHost).flatMap(({ name, policies }) =>
      policies.list(kind).map((policy) => ({ virtualHost: name, ...policy })),
    );
  }

  #hosts(name?: string): readonly VirtualHost[] {
    return name === undefined ? [...this.#parts.virtualHosts.values()] : [this.#host(name)];
  }

  #host(name: string): VirtualHost {
    const host = this.#parts.virtualHosts.get(name);
    if (host === undefined) throw new BrokerError('not-found', `vhost ${name} not found`);
    return host;
  }
}

function assertFound(found: boolean): void {
  if (!found) throw new BrokerError('not-found', 'Parameter does not exist');
}
