import { expect, onTestFinished, test } from 'vitest';
import { type FieldValue, table } from '../../protocol/amqp/field-table.js';
import { startBroker } from '../../src/index.js';
import { WireClient } from '../support/wire-client.js';

/** Publishes a message that says it has died three times, lets it die, and reads what its history says then. */
async function countAfter(trustClientDeaths: boolean): Promise<FieldValue | undefined> {
  const broker = await startBroker({ port: 0, logLevel: 'silent', trustClientDeaths });
  onTestFinished(() => broker.close());
  const client = await WireClient.connect(broker.amqpUrl);
  onTestFinished(() => client.destroy());
  await client.openChannel();
  const toDead = table({ 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' });
  await client.rpc(1, { name: 'queue.declare', queue: 'q', arguments: toDead }, 'queue.declare-ok');
  await client.rpc(1, { name: 'queue.declare', queue: 'dead' }, 'queue.declare-ok');
  const headers = table({ 'x-death': [{ count: 3n, reason: 'rejected', queue: 'q' }] });
  client.publish(1, { routingKey: 'q', properties: { headers } });
  const { deliveryTag } = await client.rpc(1, { name: 'basic.get', queue: 'q' }, 'basic.get-ok');
  client.send(1, { name: 'basic.reject', deliveryTag, requeue: false });
  const { properties } = await client.rpc(1, { name: 'basic.get', queue: 'dead' }, 'basic.get-ok');
  const deaths = properties.headers?.find(([key]) => key === 'x-death')?.[1];
  const [newest] = deaths?.type === 'A' ? deaths.value : [];
  return newest?.type === 'F' ? newest.value.find(([key]) => key === 'count')?.[1] : undefined;
}

test.for([
  [false, 1n],
  [true, 4n],
] as const)('a published x-death header, trusted: %s, counts as %s', async ([trusted, count]) => {
  expect(await countAfter(trusted)).toEqual({ type: 'l', value: count });
});
