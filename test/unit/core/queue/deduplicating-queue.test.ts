/** x-message-deduplication of a queue: what it takes, and when a value may come again. */
import { describe, expect, it } from 'vitest';
import { table } from '../../../../protocol/amqp/field-table.js';
import { encodeProperties } from '../../../../protocol/amqp/properties.js';
import { RecordReader } from '../../../../src/core/log/record.js';
import type { MessageStore } from '../../../../src/core/ports/message-store.js';
import type { PublishOutcome, Queue, QueueOptions } from '../../../../src/core/queue/queue.js';
import { type CoreEnvironment, coreEnvironment, type RecordingDefinitions } from '../../../support/core-environment.js';
import { RecordingStore } from '../../../support/recording-store.js';
import { RecordingConsumer } from './consumers.js';
import { publish as publishTo, takeAll } from './queue-operations.js';

type Settings = Readonly<Record<string, string | number | boolean>>;

interface Deduplicating {
  readonly core: CoreEnvironment;
  readonly queue: Queue;
  publish(value: string | undefined, body: string, expirationMs?: number): PublishOutcome;
}

function deduplicating(
  settings: Settings = {},
  store?: MessageStore,
  definitions?: RecordingDefinitions,
): Deduplicating {
  const core = coreEnvironment(store, definitions);
  const args = table({ 'x-message-deduplication': true, ...settings });
  const options: QueueOptions = {
    durable: store !== undefined,
    autoDelete: false,
    owner: undefined,
    arguments: args,
  };
  const queue = core.host.declareQueue('q', options, {});
  return {
    core,
    queue,
    publish: (value, body, expirationMs) => {
      const headers = table(value === undefined ? {} : { 'x-deduplication-header': value });
      return publishTo(
        core,
        queue,
        { body, properties: encodeProperties({ headers }), persistent: true },
        expirationMs,
      );
    },
  };
}

describe('a queue that refuses duplicates', () => {
  it('takes a value once, and all messages without one', () => {
    const { queue, publish } = deduplicating();
    publish('a', '1');
    expect(publish('a', '2')).toMatchObject({ routed: true, rejected: false });
    publish('b', '3');
    publish(undefined, '4');
    publish(undefined, '5');
    expect([queue.readyCount, queue.counters.published]).toEqual([4, 4]);
    expect(takeAll(queue)).toEqual(['1', '3', '4', '5']);
  });

  it('takes a value again when the message was acknowledged, not when it was delivered or came back', () => {
    const { queue, publish } = deduplicating();
    const reader = new RecordReader();
    publish('a', '1');
    queue.take(reader);
    publish('a', '2');
    queue.requeue(reader.position);
    publish('a', '3');
    expect(queue.readyCount).toBe(1);
    queue.take(reader);
    queue.ack(reader.position);
    publish('a', '4');
    expect(takeAll(queue)).toEqual(['4']);
  });

  it('takes a value again after it was given away without acknowledgement', () => {
    const { core, queue, publish } = deduplicating();
    const consumer = new RecordingConsumer('c', { noAck: true });
    queue.addConsumer(consumer);
    for (const body of ['1', '2']) {
      publish('a', body);
      core.clock.settle();
    }
    expect(consumer.bodies).toEqual(['1', '2']);
  });

  it('takes a value again after the message was rejected, has expired, was dropped or purged', () => {
    const { core, queue, publish } = deduplicating({ 'x-max-length': 1, 'x-max-priority': 2 });
    const reader = new RecordReader();
    publish('a', 'rejected');
    queue.take(reader);
    queue.reject(reader.position);
    publish('a', 'expired', 5);
    core.clock.advance(5);
    core.clock.settle();
    publish('a', 'dropped');
    publish('b', 'drops it');
    publish('a', 'purged');
    queue.purge();
    publish('a', 'purged after it came back');
    queue.take(reader);
    queue.requeue(reader.position);
    queue.purge();
    publish('a', 'last');
    expect(takeAll(queue)).toEqual(['last']);
  });

  it('still knows what is delivered after a purge', () => {
    const { queue, publish } = deduplicating();
    publish('a', '1');
    queue.take(new RecordReader());
    publish('b', '2');
    queue.purge();
    publish('a', '3');
    publish('b', '4');
    expect(takeAll(queue)).toEqual(['4']);
  });

  it('drops no message to make room for a duplicate', () => {
    const { queue, publish } = deduplicating({ 'x-max-length-bytes': 5 });
    publish('a', '12');
    publish('b', '12');
    publish('b', '12345');
    publish('c', '1');
    expect(takeAll(queue)).toEqual(['12', '12', '1']);
  });

  it('looks at the header that an argument names', () => {
    const { core, queue, publish } = deduplicating({ 'x-deduplication-header': 'id' });
    for (const body of ['1', '2']) publish('a', body);
    const properties = encodeProperties({ headers: table({ id: 7 }) });
    for (const body of ['3', '4']) publishTo(core, queue, { body, properties });
    expect(takeAll(queue)).toEqual(['1', '2', '3']);
  });

  it('takes duplicates again when the argument is something else than true', () => {
    const { queue, publish } = deduplicating({ 'x-message-deduplication': false });
    for (const body of ['1', '2']) publish('a', body);
    expect(takeAll(queue)).toEqual(['1', '2']);
  });

  it('knows after a restart what is in it, and confirms a duplicate with the message that it is one of', () => {
    const store = new RecordingStore();
    const before = deduplicating({}, store);
    expect(before.publish('a', '1').commit).toBe(store.openBatch);
    expect(before.publish('a', '2').commit).toBe(store.openBatch);
    store.makeDurable(store.closeBatch());
    expect(before.publish('a', '3').commit).toBe(0);
    store.crash();
    const after = deduplicating({}, store, before.core.definitions);
    after.publish('a', '4');
    after.publish('b', '5');
    expect(takeAll(after.queue)).toEqual(['1', '5']);
  });
});
