import { describe } from 'vitest';
import { table } from '../../protocol/amqp/field-table.js';
import type { WireClient } from '../support/wire-client.js';
import { test } from './broker-test.js';

const TIMEOUT_MS = 500;
const TEXT =
  `PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: ${TIMEOUT_MS} ms. ` +
  'This timeout value can be configured, see consumers doc guide to learn more';

async function declareWithTimeout(client: WireClient): Promise<void> {
  const args = table({ 'x-consumer-timeout': TIMEOUT_MS });
  await client.rpc(1, { name: 'queue.declare', queue: 'q', arguments: args }, 'queue.declare-ok');
  client.publish(1, { routingKey: 'q', body: 'm' });
}

describe.concurrent('a queue with a consumer timeout', () => {
  test('closes the channel that does not acknowledge, and gives the message to another', async ({ connect }) => {
    const [client, other] = [await connect(), await connect()];
    await declareWithTimeout(client);
    await client.rpc(1, { name: 'basic.consume', queue: 'q' }, 'basic.consume-ok');
    await client.expect(1, 'basic.deliver');
    await client.expectChannelClose(1, 406, TEXT, [0, 0]);
    await other.rpc(1, { name: 'basic.get', queue: 'q' }, 'basic.get-ok', { redelivered: true });
  });

  test('does so for basic.get too', async ({ connect }) => {
    const client = await connect();
    await declareWithTimeout(client);
    await client.rpc(1, { name: 'basic.get', queue: 'q' }, 'basic.get-ok');
    await client.expectChannelClose(1, 406, TEXT, [0, 0]);
  });
});
