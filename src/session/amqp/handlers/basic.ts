/**
 * Class basic, except publish (`publisher.ts`) and the acks that `dispatch.ts` takes a shorter way.
 */
import {
  decodeBasicAck,
  decodeBasicCancel,
  decodeBasicConsume,
  decodeBasicGet,
  decodeBasicNack,
  decodeBasicQos,
  decodeBasicRecover,
  decodeBasicRecoverAsync,
  decodeBasicReject,
  MethodId,
  writeBasicCancelOk,
  writeBasicConsumeOk,
  writeBasicGetEmpty,
  writeBasicGetOk,
  writeBasicQosOk,
  writeBasicRecoverOk,
} from '../../../../protocol/amqp/methods.gen.js';
import { ByteReader } from '../../../../protocol/byte-reader.js';
import { RecordReader } from '../../../core/log/record.js';
import { describeQueue, generatedName } from '../../../core/names.js';
import type { Queue } from '../../../core/queue/queue.js';
import { queueType } from '../../../core/queue/registry.js';
import { REPLY_TO } from '../../../core/reply-queues.js';
import { BrokerError } from '../../../errors.js';
import { consumerPriority, refuseForeignArguments, streamSubscription } from '../../shared/consumer-arguments.js';
import { AmqpConsumer, ReplyConsumer } from '../amqp-consumer.js';
import type { Channel } from '../channel.js';
import type { Handler } from './dispatch.js';

export const basicHandlers: readonly (readonly [number, Handler])[] = [
  [MethodId.BasicQos, basicQos],
  [MethodId.BasicConsume, basicConsume],
  [MethodId.BasicCancel, basicCancel],
  [MethodId.BasicCancelOk, basicCancelOk],
  [MethodId.BasicGet, basicGet],
  [MethodId.BasicAck, basicAck],
  [MethodId.BasicNack, basicNack],
  [MethodId.BasicReject, basicReject],
  [MethodId.BasicRecover, basicRecover],
  [MethodId.BasicRecoverAsync, basicRecoverAsync],
];

function basicQos(channel: Channel, reader: ByteReader): void {
  const { prefetchSize, prefetchCount, global } = decodeBasicQos(reader);
  if (prefetchSize !== 0) throw new BrokerError('not-implemented', `prefetch_size!=0 (${prefetchSize})`);
  const { prefetch } = channel;
  if (global) prefetch.limitChannel(prefetchCount, channel.ledger.size, channel.lastDeliveryTag);
  else {
    prefetch.consumerLimit = prefetchCount;
    prefetch.channelLimit = 0;
  }
  channel.prefetchFreed();
  writeBasicQosOk(channel.output.writer, channel.number);
  channel.output.touch();
}

function basicConsume(channel: Channel, reader: ByteReader): void {
  const method = decodeBasicConsume(reader);
  const tag = method.consumerTag === '' ? generatedName('amq.ctag-') : method.consumerTag;
  if (channel.consumers.has(tag) || channel.replyConsumer?.tag === tag) {
    throw new BrokerError('not-allowed', `attempt to reuse consumer tag '${tag}'`);
  }
  if (method.queue === REPLY_TO) {
    consumeReplies(channel, tag, method.noAck);
    if (!method.noWait) consumeOk(channel, tag);
    return;
  }
  const name = channel.queueName(method.queue);
  const queue = channel.access.queueToRead(name);
  refuseForeignArguments(method.arguments, queue, channel.access.virtualHostName);
  const limit = channel.prefetch.consumerLimit;
  const stream = streamSubscription(
    method.arguments,
    queue,
    { noAck: method.noAck, limit },
    channel.access.virtualHostName,
  );
  const priority = consumerPriority(method.arguments, name, channel.access.virtualHostName);
  if (channel.prefetch.channelLimit > 0 && !queueType(queue.type).takesGlobalPrefetch) {
    const described = describeQueue(name, channel.access.virtualHostName);
    throw new BrokerError('not-implemented', `${described} does not support global qos`);
  }
  const consumer = new AmqpConsumer(channel, queue, {
    tag,
    noAck: method.noAck,
    exclusive: method.exclusive,
    priority,
    limit,
    stream,
  });
  queue.addConsumer(consumer);
  channel.consumers.set(tag, consumer);
  if (!method.noAck) channel.host.environment.consumerTimeouts.watch(channel, queue);
  // Deliveries begin at the end of the turn, so consume-ok is always ahead of them.
  if (!method.noWait) consumeOk(channel, tag);
}

function consumeReplies(channel: Channel, tag: string, noAck: boolean): void {
  if (channel.replyConsumer !== undefined) throw new BrokerError('precondition-failed', 'reply consumer already set');
  if (!noAck) throw new BrokerError('precondition-failed', 'reply consumer cannot acknowledge');
  channel.replyConsumer = new ReplyConsumer(channel, tag);
}

function consumeOk(channel: Channel, tag: string): void {
  writeBasicConsumeOk(channel.output.writer, channel.number, tag);
  channel.output.touch();
}

/** An unknown tag is no error. What the consumer has not settled stays with the channel. */
function basicCancel(channel: Channel, reader: ByteReader): void {
  const { consumerTag, noWait } = decodeBasicCancel(reader);
  const consumer = channel.consumers.get(consumerTag);
  if (consumer !== undefined) {
    channel.consumers.delete(consumerTag);
    consumer.queue.removeConsumer(consumer);
  } else if (channel.replyConsumer?.tag === consumerTag) channel.closeReplyConsumer();
  if (noWait) return;
  writeBasicCancelOk(channel.output.writer, channel.number, consumerTag);
  channel.output.touch();
}

/** Some clients answer our basic.cancel. */
function basicCancelOk(): void {}

function basicGet(channel: Channel, reader: ByteReader): void {
  const { queue: given, noAck } = decodeBasicGet(reader);
  const queue = channel.access.queueToRead(channel.queueName(given));
  refuseGetBesideActive(queue, channel.access.virtualHostName);
  const { output, number } = channel;
  const record = new RecordReader();
  if (!queue.take(record)) {
    writeBasicGetEmpty(output.writer, number);
    output.touch();
    return;
  }
  channel.access.traceDelivery(queue, record, channel.origin);
  const tag = channel.nextDeliveryTag();
  const route = new ByteReader(record.bytes, record.routeStart, record.routeEnd);
  const exchange = route.shortstr();
  writeBasicGetOk(output.writer, number, tag, record.redelivered, exchange, route.shortstr(), queue.readyCount);
  output.content(
    number,
    record.bytes,
    record.propertiesStart,
    record.propertiesEnd,
    record.body,
    record.bodyStart,
    record.bodyEnd,
  );
  if (noAck) queue.ack(record.position);
  else channel.ledger.add(tag, record.position, channel.getSource(queue));
}

function refuseGetBesideActive({ name, type, settings }: Queue, virtualHost: string): void {
  if (!settings.singleActiveConsumer || queueType(type).takesGetsBesideActive) return;
  const reason = `basic.get operations are not supported by ${type} queues with single active consumer`;
  const text = `cannot obtain access to locked ${describeQueue(name, virtualHost)}. ${reason}`;
  throw new BrokerError('resource-locked', text);
}

function basicAck(channel: Channel, reader: ByteReader): void {
  const { deliveryTag, multiple } = decodeBasicAck(reader);
  channel.settleDeliveries(deliveryTag, multiple, 'ack');
}

function basicNack(channel: Channel, reader: ByteReader): void {
  const { deliveryTag, multiple, requeue } = decodeBasicNack(reader);
  channel.settleDeliveries(deliveryTag, multiple, requeue ? 'requeue' : 'reject');
}

function basicReject(channel: Channel, reader: ByteReader): void {
  const { deliveryTag, requeue } = decodeBasicReject(reader);
  channel.settleDeliveries(deliveryTag, false, requeue ? 'requeue' : 'reject');
}

function basicRecover(channel: Channel, reader: ByteReader): void {
  const { requeue } = decodeBasicRecover(reader);
  recover(channel, requeue);
  writeBasicRecoverOk(channel.output.writer, channel.number);
  channel.output.touch();
}

function basicRecoverAsync(channel: Channel, reader: ByteReader): void {
  recover(channel, decodeBasicRecoverAsync(reader).requeue);
}

function recover(channel: Channel, requeue: boolean): void {
  if (!requeue) throw new BrokerError('not-implemented', 'requeue=false');
  channel.requeueDeliveries();
}
