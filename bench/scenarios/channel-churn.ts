/** Channels opened and closed on connections that stay. */
import { conduct, type OpenChannel, type Operation, operationsOn, repeat } from './conduct.js';
import type { Scenario } from './scenario.js';
import type { ScenarioRun } from './scenario-run.js';

export const channelChurn: Scenario = {
  name: 'channel-churn',
  summary: 'open a channel and close it again',
  options: ['connections', 'channels', 'operations'],
  run: (options, context) => {
    const work = { scenario: channelChurn.name, operation: 'channels', carryOut: openAndClose };
    return conduct(work, options, context);
  },
};

async function openAndClose(run: ScenarioRun): Promise<void> {
  const { connections, channels } = run.options;
  const places: OpenChannel[] = [];
  for (let index = 0; index < connections; index++) {
    const connection = await run.connect();
    // Every chain has a number of its own, so that as many channels are open at a time.
    for (let channel = 1; channel <= channels; channel++) places.push({ connection, channel });
  }
  await repeat(run, operationsOn(places, 1, openAndCloseOn));
}

function openAndCloseOn({ connection, channel }: OpenChannel): Operation {
  return async () => {
    await connection.openChannel(channel);
    await connection.closeChannel(channel);
  };
}
