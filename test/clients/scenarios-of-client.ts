// Runs the shared scenarios with one client: a connection for the whole file, channels closed after each scenario.

import { afterAll, afterEach, beforeAll } from 'vitest';
import { brokerUrl, stopBroker } from '../support/broker-under-test.js';
import type { ClientUnderTest } from './client-under-test.js';
import { messageScenarios } from './message-scenarios.js';
import { ScenarioSession, type SessionScenario } from './scenario-session.js';
import type { Scenario } from './scenarios.js';
import { topologyScenarios } from './topology-scenarios.js';

/** `own` adds what this client's applications do with it beyond the shared scenarios. */
export function scenariosOf(
  client: ClientUnderTest,
  own: Readonly<Record<string, SessionScenario>> = {},
): Record<string, Scenario> {
  let session: ScenarioSession | undefined;

  beforeAll(async () => {
    const url = await brokerUrl();
    session = new ScenarioSession(client, url, await client.connect(url));
  });

  afterEach(async () => {
    await session?.closeChannels();
  });

  afterAll(async () => {
    await session?.connection.close();
    await stopBroker();
  });

  return Object.fromEntries(
    Object.entries({ ...topologyScenarios, ...messageScenarios, ...own }).map(([name, run]) => [
      name,
      async () => {
        if (session === undefined) throw new Error('the scenario ran before the client had connected');
        await run(session);
      },
    ]),
  );
}
