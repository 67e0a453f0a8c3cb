/**
 * Limits of virtual hosts and of users: how they are given (RabbitMQ's names and texts) and what they mean.
 */
import { isJsonObject, type JsonObject, type JsonValue, printJson, printPairs } from './json-value.js';

export interface VirtualHostLimits {
  /** Undefined or negative is no limit, as everywhere here; 0 lets nobody in. */
  readonly maxConnections?: number | undefined;
  readonly maxQueues?: number | undefined;
}

type LimitName = 'maxConnections' | 'maxQueues' | 'maxChannels';

const KEYS: Readonly<Record<LimitName, string>> = {
  maxConnections: 'max-connections',
  maxQueues: 'max-queues',
  maxChannels: 'max-channels',
};

export const VIRTUAL_HOST_LIMITS = ['maxConnections', 'maxQueues'] as const satisfies readonly LimitName[];
export const USER_LIMITS = ['maxConnections', 'maxChannels'] as const satisfies readonly LimitName[];

/** What is wrong with limits as they stand in a document. `resource` is what RabbitMQ calls them: `user-limits`. */
export function limitRefusals(names: readonly LimitName[], resource: string, given: JsonValue): readonly string[] {
  if (!isJsonObject(given)) {
    // To Erlang an empty list is an object without members.
    return Array.isArray(given) && given.length === 0 ? [] : [`${resource} not a list ${printJson(given)}`];
  }
  const known = names.map((name) => KEYS[name]);
  const unknown = Object.entries(given).filter(([key]) => !known.includes(key));
  const refusals = unknown.length === 0 ? [] : [`Unrecognised terms ${printPairs(unknown)} in ${resource}`];
  for (const key of known) {
    const value = given[key];
    if (value === undefined || Number.isSafeInteger(value)) continue;
    refusals.push(`${key} should be a number, actually was ${printJson(value)}`);
  }
  return refusals;
}

/** Of a document without refusals. */
export function limitsFromJson<Name extends LimitName>(
  names: readonly Name[],
  given: JsonValue,
): { readonly [N in Name]?: number } {
  const limits: { [N in Name]?: number } = {};
  for (const name of names) {
    const value = isJsonObject(given) ? given[KEYS[name]] : undefined;
    if (typeof value === 'number') limits[name] = value;
  }
  return limits;
}

export function limitsToJson(limits: { readonly [N in LimitName]?: number | undefined }): JsonObject {
  const json: Record<string, JsonValue> = {};
  for (const name of ['maxConnections', 'maxQueues', 'maxChannels'] as const) {
    const value = limits[name];
    if (value !== undefined) json[KEYS[name]] = value;
  }
  return json;
}

/** Whether nothing may be added to so many. */
export function isReached(limit: number | undefined, count: number): limit is number {
  return limit !== undefined && limit >= 0 && count >= limit;
}
