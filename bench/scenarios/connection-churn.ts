/** Connections opened, with one channel each, and closed again: what clients without a pool do to a broker. */
import { conduct, type Operation, repeat } from './conduct.js';
import type { Scenario } from './scenario.js';
import type { ScenarioRun } from './scenario-run.js';

/** Thousands of these come and go; none of them reads much. */
const SMALL = { readBytes: 8192, frameMax: 8192 };

export const connectionChurn: Scenario = {
  name: 'connection-churn',
  summary: 'open a connection and a channel, and close them again',
  options: ['connections', 'operations'],
  run: (options, context) => {
    const work = { scenario: connectionChurn.name, operation: 'connections', carryOut: openAndClose };
    return conduct(work, options, context);
  },
};

async function openAndClose(run: ScenarioRun): Promise<void> {
  const operation: Operation = async () => {
    const connection = await run.connect({}, SMALL);
    await connection.openChannel();
    await run.disconnect(connection);
  };
  await repeat(
    run,
    Array.from({ length: run.options.connections }, () => operation),
  );
}
