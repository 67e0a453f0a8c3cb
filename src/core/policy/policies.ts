/**
 * The policies of one virtual host and what follows from them for its queues and exchanges. Names are matched when a
 * queue or an exchange is declared and when a policy changes, never when a message comes.
 */
import type { DefinitionChanges } from '../definitions.js';
import type { Exchange } from '../exchange/exchange.js';
import { type JsonObject, sameJson } from '../json-value.js';
import { compilePattern } from '../pattern.js';
import type { Definition, PolicyDefinition } from '../ports/definition-store.js';
import { policyArguments, withOperatorPolicy } from '../queue/policy-merge.js';
import type { Queue } from '../queue/queue.js';
import type { QueueTypeName } from '../queue/queue-type.js';
import { type QueueSettings, settingsOf } from '../queue/settings.js';
import {
  APPLY_TO,
  checkedPolicy,
  coveredQueueTypes,
  coversExchanges,
  type GivenPolicy,
  type Policy,
  type PolicyKind,
} from './policy.js';
import { ALTERNATE_EXCHANGE } from './policy-keys.js';

/** What the policies apply to. */
export interface PolicyHost {
  readonly name: string;
  readonly queues: Iterable<Queue>;
  readonly exchanges: Iterable<Exchange>;
  /** Routes may lead elsewhere now. */
  touch(): void;
}

/** A policy ready to be matched. */
class Matcher {
  readonly policy: Policy;
  readonly pattern: RegExp;
  readonly queueTypes: readonly string[];
  readonly coversExchanges: boolean;

  constructor(policy: Policy) {
    this.policy = policy;
    this.pattern = compilePattern(policy.pattern);
    this.queueTypes = coveredQueueTypes(policy);
    this.coversExchanges = coversExchanges(policy);
  }
}

/** What applies to a queue or an exchange; at least one of the two policies is there. */
export class EffectivePolicy {
  readonly policy: Policy | undefined;
  readonly operatorPolicy: Policy | undefined;
  /** Both merged. */
  readonly definition: JsonObject;
  /** Of queues without arguments, by type: many queues share them. */
  readonly #plain = new Map<QueueTypeName, QueueSettings>();

  constructor(policy: Policy | undefined, operatorPolicy: Policy | undefined) {
    this.policy = policy;
    this.operatorPolicy = operatorPolicy;
    this.definition = withOperatorPolicy(policy?.definition ?? {}, operatorPolicy?.definition ?? {});
  }

  settingsFor({ type, options }: Queue): QueueSettings {
    if (options.arguments.length > 0) {
      return settingsOf(options.arguments, policyArguments(this.definition, options.arguments, type));
    }
    let settings = this.#plain.get(type);
    if (settings === undefined) {
      settings = settingsOf([], policyArguments(this.definition, [], type));
      this.#plain.set(type, settings);
    }
    return settings;
  }
}

export class Policies {
  readonly #host: PolicyHost;
  readonly #changes: DefinitionChanges;
  readonly #kinds: Readonly<Record<PolicyKind, Map<string, Matcher>>> = {
    policy: new Map(),
    'operator-policy': new Map(),
  };
  /** Of each kind, those that go before first. */
  #ranked: Readonly<Record<PolicyKind, readonly Matcher[]>> = { policy: [], 'operator-policy': [] };
  readonly #applied = new WeakMap<Queue | Exchange, EffectivePolicy>();
  /** By policy, then by operator policy; so that what has the same policies shares what follows from them. */
  #pairs = new Map<Matcher | undefined, Map<Matcher | undefined, EffectivePolicy>>();

  constructor(host: PolicyHost, changes: DefinitionChanges) {
    this.#host = host;
    this.#changes = changes;
  }

  /** Takes back what the store kept. Before there are queues and exchanges that it may apply to. */
  restore(definitions: readonly Definition[]): void {
    for (const definition of definitions) {
      if (definition.kind !== 'policy' && definition.kind !== 'operator-policy') continue;
      this.#kinds[definition.kind].set(definition.name, new Matcher(restoredPolicy(definition)));
    }
    this.#rank();
  }

  list(kind: PolicyKind): readonly Policy[] {
    return [...this.#kinds[kind].values()].map(({ policy }) => policy);
  }

  /** One of that name is replaced. Throws BrokerError('precondition-failed'), and nothing has changed then. */
  set(kind: PolicyKind, given: GivenPolicy): void {
    const policy = checkedPolicy(kind, given);
    const previous = this.#kinds[kind].get(policy.name)?.policy;
    if (previous !== undefined && samePolicy(previous, policy)) return;
    this.#kinds[kind].set(policy.name, new Matcher(policy));
    this.#changes.put(this.#definition(kind, policy));
    this.#applyToAll();
  }

  /** False: there is none of that name. */
  clear(kind: PolicyKind, name: string): boolean {
    const matcher = this.#kinds[kind].get(name);
    if (matcher === undefined) return false;
    this.#kinds[kind].delete(name);
    this.#changes.remove(this.#definition(kind, matcher.policy));
    this.#applyToAll();
    return true;
  }

  /** Forgets all, also in the store; what they apply to is on its way out. */
  drop(): void {
    for (const kind of ['policy', 'operator-policy'] as const) {
      for (const { policy } of this.#kinds[kind].values()) this.#changes.remove(this.#definition(kind, policy));
      this.#kinds[kind].clear();
    }
    this.#rank();
  }

  /** Undefined: none applies. */
  of(entity: Queue | Exchange): EffectivePolicy | undefined {
    return this.#applied.get(entity);
  }

  applyToQueue(queue: Queue): void {
    const before = this.#applied.get(queue);
    const policy = this.#firstFor('policy', queue);
    const operatorPolicy = this.#firstFor('operator-policy', queue);
    if (before?.policy === policy?.policy && before?.operatorPolicy === operatorPolicy?.policy) return;
    const effective = this.#pair(policy, operatorPolicy);
    this.#note(queue, effective);
    queue.configure(effective === undefined ? settingsOf(queue.options.arguments) : effective.settingsFor(queue));
  }

  applyToExchange(exchange: Exchange): void {
    // The default exchange routes to queues by name, and nowhere else.
    if (exchange.name === '') return;
    const before = this.#applied.get(exchange);
    const policy = this.#ranked.policy.find((each) => each.coversExchanges && each.pattern.test(exchange.name));
    if (before?.policy === policy?.policy) return;
    const effective = this.#pair(policy, undefined);
    this.#note(exchange, effective);
    const alternate = effective?.definition[ALTERNATE_EXCHANGE];
    exchange.configure(typeof alternate === 'string' ? alternate : undefined);
  }

  #applyToAll(): void {
    this.#rank();
    for (const exchange of this.#host.exchanges) this.applyToExchange(exchange);
    for (const queue of this.#host.queues) this.applyToQueue(queue);
    this.#host.touch();
  }

  #rank(): void {
    const ranked = (kind: PolicyKind): readonly Matcher[] =>
      [...this.#kinds[kind].values()].sort((a, b) => b.policy.priority - a.policy.priority);
    this.#ranked = { policy: ranked('policy'), 'operator-policy': ranked('operator-policy') };
    this.#pairs = new Map();
  }

  #firstFor(kind: PolicyKind, { name, type }: Queue): Matcher | undefined {
    return this.#ranked[kind].find(({ queueTypes, pattern }) => queueTypes.includes(type) && pattern.test(name));
  }

  #pair(policy: Matcher | undefined, operatorPolicy: Matcher | undefined): EffectivePolicy | undefined {
    if (policy === undefined && operatorPolicy === undefined) return undefined;
    let byOperator = this.#pairs.get(policy);
    if (byOperator === undefined) {
      byOperator = new Map();
      this.#pairs.set(policy, byOperator);
    }
    let pair = byOperator.get(operatorPolicy);
    if (pair === undefined) {
      pair = new EffectivePolicy(policy?.policy, operatorPolicy?.policy);
      byOperator.set(operatorPolicy, pair);
    }
    return pair;
  }

  #note(entity: Queue | Exchange, effective: EffectivePolicy | undefined): void {
    if (effective === undefined) this.#applied.delete(entity);
    else this.#applied.set(entity, effective);
  }

  #definition(kind: PolicyKind, policy: Policy): PolicyDefinition {
    return { kind, virtualHost: this.#host.name, ...policy };
  }
}

function samePolicy(a: Policy, b: Policy): boolean {
  return (
    a.pattern === b.pattern &&
    a.priority === b.priority &&
    a.applyTo === b.applyTo &&
    sameJson(a.definition, b.definition)
  );
}

/** It was valid when it was put there. */
function restoredPolicy({ name, pattern, definition, priority, applyTo }: PolicyDefinition): Policy {
  return { name, pattern, definition, priority, applyTo: APPLY_TO.find((known) => known === applyTo) ?? 'all' };
}
