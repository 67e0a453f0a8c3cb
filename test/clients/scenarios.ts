// The named scenarios every third-party client is put through, and the table that holds each client to all of them.
// The names and their meanings are in scenarios.json because the programs under debian/ are held to the same list.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

export interface Unsupported {
  readonly reason: string;
}

export type Scenario = (() => Promise<void>) | Unsupported;

export const scenarioMeanings = readTable('scenarios.json');

/** What our broker does not have yet, and for what it waits. Against another broker these run. */
const later = process.env['BROKER_URL'] === undefined ? readTable('later.json') : {};

function readTable(file: string): Readonly<Record<string, string>> {
  return JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8'));
}

export function unsupported(reason: string): Unsupported {
  return { reason };
}

/**
 * Every named scenario must have its entry: what to do, or why the client cannot. Entries under other names are what
 * only this client does.
 */
export function proveScenarios(client: string, scenarios: Readonly<Record<string, Scenario>>): void {
  describe(client, () => {
    const named = Object.keys(scenarioMeanings);
    const ignored = Object.keys(scenarios).filter((name) => typeof scenarios[name] === 'object');

    it('answers for every named scenario', () => {
      expect(Object.keys(scenarios)).toEqual(expect.arrayContaining(named));
      expect(named).toEqual(expect.arrayContaining([...ignored, ...Object.keys(later)]));
    });

    for (const [name, scenario] of Object.entries(scenarios)) {
      const title = [name, scenarioMeanings[name]].filter((part) => part !== undefined).join(': ');
      if (typeof scenario === 'object') it.skip(`${name}: unsupported, ${scenario.reason}`);
      else if (later[name] !== undefined) it.skip(`${name}: later, waits for ${later[name]}`);
      else it(title, scenario);
    }
  });
}

/** A name nobody else uses, so that clients and runs can share a broker. */
export function uniqueName(purpose: string): string {
  return `clients.${purpose}.${randomUUID().slice(0, 8)}`;
}

export function urlWith(url: string, change: { password?: string; vhost?: string }): string {
  const changed = new URL(url);
  if (change.password !== undefined) changed.password = change.password;
  if (change.vhost !== undefined) changed.pathname = `/${encodeURIComponent(change.vhost)}`;
  return changed.href;
}

/** The explanations RabbitMQ gives; applications compare them. */
export const replyText = {
  loginRefused: 'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.',
  unknownVhost: (vhost: string) => `NOT_ALLOWED - vhost ${vhost} not found`,
  noQueue: (queue: string) => `NOT_FOUND - no queue '${queue}' in vhost '/'`,
  noExchange: (exchange: string) => `NOT_FOUND - no exchange '${exchange}' in vhost '/'`,
  otherDurability: (queue: string) =>
    `PRECONDITION_FAILED - inequivalent arg 'durable' for queue '${queue}' in vhost '/': ` +
    `received 'true' but current is 'false'`,
  unknownTag: (tag: number) => `PRECONDITION_FAILED - unknown delivery tag ${tag}`,
  reservedName: (queue: string) => `ACCESS_REFUSED - queue name '${queue}' contains reserved prefix 'amq.*'`,
  locked: (queue: string) =>
    `RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '${queue}' in vhost '/'.`,
} as const;

/** Larger than two frames at the usual frame_max of 131072, and different at every offset a frame could be cut. */
export function largeBody(): Buffer {
  const body = Buffer.allocUnsafe(300_000);
  for (let offset = 0; offset < body.length; offset += 1) body[offset] = (offset * 31 + (offset >> 8)) & 0xff;
  return body;
}
