/**
 * The parameters of one virtual host: settings of parts of the broker, which RabbitMQ calls components. Two of these it
 * has without plugins, the limits of a virtual host and operator policies; the latter are kept with the policies.
 */
import { BrokerError } from '../errors.js';
import type { DefinitionChanges } from './definitions.js';
import { type JsonValue, sameJson } from './json-value.js';
import { limitRefusals, limitsFromJson, limitsToJson, VIRTUAL_HOST_LIMITS, type VirtualHostLimits } from './limits.js';
import type { Policies } from './policy/policies.js';
import { checkedPolicy, policyFromJson, policyToJson, validationFailed } from './policy/policy.js';
import type { Definition, ParameterDefinition } from './ports/definition-store.js';

export interface Parameter {
  readonly component: string;
  readonly name: string;
  readonly value: JsonValue;
}

const LIMITS = 'vhost-limits';
/** The one name that limits may have. */
const LIMITS_NAME = 'limits';
const OPERATOR_POLICY = 'operator_policy';

export class Parameters {
  limits: VirtualHostLimits = {};
  readonly #virtualHost: string;
  readonly #policies: Policies;
  readonly #changes: DefinitionChanges;
  /** By component and name. */
  readonly #kept = new Map<string, ParameterDefinition>();

  constructor(virtualHost: string, policies: Policies, changes: DefinitionChanges) {
    this.#virtualHost = virtualHost;
    this.#policies = policies;
    this.#changes = changes;
  }

  restore(definitions: readonly Definition[]): void {
    for (const definition of definitions) if (definition.kind === 'parameter') this.#keep(definition);
  }

  list(): readonly Parameter[] {
    const operatorPolicies = this.#policies
      .list('operator-policy')
      .map((policy) => ({ component: OPERATOR_POLICY, name: policy.name, value: policyToJson(policy) }));
    const kept = [...this.#kept.values()].map(({ component, name, value }) => ({ component, name, value }));
    return [...kept, ...operatorPolicies];
  }

  /** Throws BrokerError('precondition-failed') for a component that is not there and for a value that it refuses. */
  set(component: string, name: string, value: JsonValue): void {
    if (component === OPERATOR_POLICY) {
      this.#policies.set('operator-policy', policyFromJson(name, value));
      return;
    }
    assertParameter(component, name, value);
    const definition: ParameterDefinition = {
      kind: 'parameter',
      virtualHost: this.#virtualHost,
      component,
      name,
      value,
    };
    if (sameJson(this.#kept.get(keyOf(definition))?.value, value)) return;
    this.#keep(definition);
    this.#changes.put(definition);
  }

  /** False: there is none. Throws as `set` does for policies. */
  clear(component: string, name: string): boolean {
    if (component === OPERATOR_POLICY) return this.#policies.clear('operator-policy', name);
    if (component === 'policy') throw notThisWay('cleared');
    const definition = this.#kept.get(keyOf({ component, name }));
    if (definition === undefined) return false;
    this.#forget(definition);
    return true;
  }

  /** Without any, there is no limit. */
  setLimits(limits: VirtualHostLimits): void {
    if (Object.values(limits).every((limit) => limit === undefined)) this.clear(LIMITS, LIMITS_NAME);
    else this.set(LIMITS, LIMITS_NAME, limitsToJson(limits));
  }

  /** Forgets all, also in the store. */
  drop(): void {
    for (const definition of [...this.#kept.values()]) this.#forget(definition);
  }

  #keep(definition: ParameterDefinition): void {
    this.#kept.set(keyOf(definition), definition);
    if (definition.component === LIMITS) this.limits = limitsFromJson(VIRTUAL_HOST_LIMITS, definition.value);
  }

  #forget(definition: ParameterDefinition): void {
    this.#kept.delete(keyOf(definition));
    this.#changes.remove(definition);
    if (definition.component === LIMITS) this.limits = {};
  }
}

/** Throws BrokerError('precondition-failed') for a parameter that cannot be set. */
export function assertParameter(component: string, name: string, value: JsonValue): void {
  if (component === OPERATOR_POLICY) {
    checkedPolicy('operator-policy', policyFromJson(name, value));
    return;
  }
  if (component === 'policy') throw notThisWay('set');
  if (component !== LIMITS) throw validationFailed([`component ${component} not found`]);
  const refusals = limitRefusals(VIRTUAL_HOST_LIMITS, name, value);
  if (refusals.length > 0) throw validationFailed(refusals);
  if (name !== LIMITS_NAME) throw validationFailed([`${LIMITS} are named ${LIMITS_NAME}, not ${name}`]);
}

function notThisWay(done: 'set' | 'cleared'): BrokerError {
  return new BrokerError('precondition-failed', `policies may not be ${done} using this method`);
}

function keyOf({ component, name }: { readonly component: string; readonly name: string }): string {
  return JSON.stringify([component, name]);
}
