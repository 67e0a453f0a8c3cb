import { describe, expect } from 'vitest';
import type { WireClient } from '../support/wire-client.js';
import { test } from './conformance-test.js';
import { bindQueue, declareExchange, drain, exclusiveQueue, expectQueue, getOne, publishAll } from './topology.js';

const MISSING = 'conformance.missing';

async function selectTx(client: WireClient, channel = 1): Promise<void> {
  await client.rpc(channel, { name: 'tx.select' }, 'tx.select-ok');
}

async function commit(client: WireClient): Promise<void> {
  await client.rpc(1, { name: 'tx.commit' }, 'tx.commit-ok');
}

async function rollback(client: WireClient): Promise<void> {
  await client.rpc(1, { name: 'tx.rollback' }, 'tx.rollback-ok');
}

describe('tx.select', () => {
  test('is answered, again and again', async ({ client }) => {
    await selectTx(client);
    await selectTx(client);
  });

  test('on a channel with confirms is refused', async ({ client }) => {
    await client.rpc(1, { name: 'confirm.select' }, 'confirm.select-ok');
    client.send(1, { name: 'tx.select' });
    await client.expectChannelClose(1, 406, 'PRECONDITION_FAILED - cannot switch from confirm to tx mode', [90, 10]);
  });

  test.for([
    ['tx.commit', [90, 20]],
    ['tx.rollback', [90, 30]],
  ] as const)('comes before %s', async ([name, ids], { client }) => {
    client.send(1, { name });
    await client.expectChannelClose(1, 406, 'PRECONDITION_FAILED - channel is not transactional', ids);
  });
});

describe('publishing in a transaction', () => {
  test('takes effect with tx.commit, in order', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await selectTx(client);
    publishAll(client, queue, ['one', 'two', 'three']);
    await expectQueue(client, queue, { ready: 0 });
    await commit(client);
    expect(await drain(client, queue)).toEqual(['one', 'two', 'three']);
  });

  test('has no effect after tx.rollback', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await selectTx(client);
    publishAll(client, queue, ['dropped']);
    await rollback(client);
    publishAll(client, queue, ['kept']);
    await commit(client);
    expect(await drain(client, queue)).toEqual(['kept']);
  });

  test('has no effect when the channel is closed', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client);
    await selectTx(client);
    publishAll(client, queue, ['dropped']);
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    expect(await drain(client, queue, 2)).toEqual([]);
  });

  test('has no effect when the channel fails', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client);
    await selectTx(client);
    publishAll(client, queue, ['dropped']);
    client.publish(1, { exchange: MISSING });
    await client.expectChannelClose(1, 404, `NOT_FOUND - no exchange '${MISSING}' in vhost '/'`, [60, 40]);
    expect(await drain(client, queue, 2)).toEqual([]);
  });

  test('is refused at once, not with tx.commit', async ({ client }) => {
    await selectTx(client);
    client.publish(1, { exchange: MISSING });
    await client.expect(1, 'channel.close', { replyCode: 404, classId: 60, methodId: 40 });
  });

  test('is routed at once: a queue bound later gets nothing', async ({ client, unique }) => {
    const exchange = await declareExchange(client, { exchange: unique('x'), type: 'fanout' });
    const queue = await exclusiveQueue(client);
    await selectTx(client);
    client.publish(1, { exchange });
    await bindQueue(client, { queue, exchange });
    await commit(client);
    expect(await drain(client, queue)).toEqual([]);
  });

  test('returns mandatory messages with tx.commit, before commit-ok', async ({ client }) => {
    await selectTx(client);
    client.publish(1, { routingKey: MISSING, mandatory: true, body: 'back' });
    await client.expectNothing(1);
    client.send(1, { name: 'tx.commit' });
    await client.expect(1, 'basic.return', { replyCode: 312, routingKey: MISSING });
    await client.expect(1, 'tx.commit-ok');
  });

  test('returns nothing after tx.rollback', async ({ client }) => {
    await selectTx(client);
    client.publish(1, { routingKey: MISSING, mandatory: true });
    await rollback(client);
    await commit(client);
    await client.expectNothing(1);
  });

  test('is a matter of one channel', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client);
    await selectTx(client);
    client.publish(2, { routingKey: queue, body: 'outside' });
    await expectQueue(client, queue, { ready: 1 }, 2);
  });
});

describe('acknowledging in a transaction', () => {
  test('takes effect with tx.commit', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['x']);
    await selectTx(client);
    const { deliveryTag } = await getOne(client, queue);
    client.send(1, { name: 'basic.ack', deliveryTag });
    await commit(client);
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    expect(await drain(client, queue, 2)).toEqual([]);
  });

  test('without tx.commit is lost with the channel', async ({ client }) => {
    await client.openChannel(2);
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['x']);
    await selectTx(client);
    const { deliveryTag } = await getOne(client, queue);
    client.send(1, { name: 'basic.ack', deliveryTag });
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    expect(await drain(client, queue, 2)).toEqual(['x']);
  });

  test('rejecting with requeue takes effect with tx.commit', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['x']);
    await selectTx(client);
    const { deliveryTag } = await getOne(client, queue);
    client.send(1, { name: 'basic.nack', deliveryTag, requeue: true });
    await expectQueue(client, queue, { ready: 0 });
    await commit(client);
    expect(await getOne(client, queue)).toMatchObject({ redelivered: true });
  });

  test('twice is an error already before tx.commit', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['x']);
    await selectTx(client);
    const { deliveryTag } = await getOne(client, queue);
    client.send(1, { name: 'basic.ack', deliveryTag });
    client.send(1, { name: 'basic.ack', deliveryTag });
    await client.expectChannelClose(1, 406, `PRECONDITION_FAILED - unknown delivery tag ${deliveryTag}`, [60, 80]);
  });

  test('is undone by tx.rollback: the message is unacknowledged again, not delivered again', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['x']);
    await selectTx(client);
    const { deliveryTag } = await getOne(client, queue);
    client.send(1, { name: 'basic.ack', deliveryTag });
    await rollback(client);
    await expectQueue(client, queue, { ready: 0 });
    client.send(1, { name: 'basic.ack', deliveryTag });
    await commit(client);
    await client.rpc(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    await client.openChannel();
    expect(await drain(client, queue)).toEqual([]);
  });

  test('after tx.rollback of a reject the message can be acknowledged', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['x']);
    await selectTx(client);
    const { deliveryTag } = await getOne(client, queue);
    client.send(1, { name: 'basic.reject', deliveryTag, requeue: true });
    await rollback(client);
    client.send(1, { name: 'basic.ack', deliveryTag });
    await commit(client);
    await expectQueue(client, queue, { ready: 0 });
  });
});

describe('a transaction', () => {
  test('begins again after tx.commit', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await selectTx(client);
    publishAll(client, queue, ['one']);
    await commit(client);
    publishAll(client, queue, ['two']);
    await expectQueue(client, queue, { ready: 1 });
    await commit(client);
    await expectQueue(client, queue, { ready: 2 });
  });

  test('of nothing can be committed and rolled back', async ({ client }) => {
    await selectTx(client);
    await commit(client);
    await rollback(client);
  });

  test('does not hold back basic.get with no-ack', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    publishAll(client, queue, ['x']);
    await selectTx(client);
    await getOne(client, queue, true);
    await rollback(client);
    await expectQueue(client, queue, { ready: 0 });
  });

  test('does not hold back what is declared', async ({ client }) => {
    await selectTx(client);
    const queue = await exclusiveQueue(client);
    await rollback(client);
    await expectQueue(client, queue, {});
  });
});

describe('a mandatory message in a transaction', () => {
  test('comes back when its queue has gone by the commit', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await selectTx(client);
    publishAll(client, queue, ['one'], { mandatory: true });
    await client.rpc(1, { name: 'queue.delete', queue }, 'queue.delete-ok');
    client.send(1, { name: 'tx.commit' });
    await client.expect(1, 'basic.return', { replyCode: 312, replyText: 'NO_ROUTE' });
    await client.expect(1, 'tx.commit-ok');
  });
});

describe('basic.recover in a transaction', () => {
  test('takes effect at once', async ({ client }) => {
    const queue = await exclusiveQueue(client);
    await selectTx(client);
    publishAll(client, queue, ['one']);
    await commit(client);
    await getOne(client, queue);
    await client.rpc(1, { name: 'basic.recover', requeue: true }, 'basic.recover-ok');
    expect(await getOne(client, queue)).toMatchObject({ redelivered: true });
  });
});
