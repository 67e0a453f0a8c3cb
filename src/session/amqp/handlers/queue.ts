/**
 * Class queue.
 */
import {
  decodeQueueBind,
  decodeQueueDeclare,
  decodeQueueDelete,
  decodeQueuePurge,
  decodeQueueUnbind,
  MethodId,
  type QueueDeclare,
  writeQueueBindOk,
  writeQueueDeclareOk,
  writeQueueDeleteOk,
  writeQueuePurgeOk,
  writeQueueUnbindOk,
} from '../../../../protocol/amqp/methods.gen.js';
import type { ByteReader } from '../../../../protocol/byte-reader.js';
import { queueType } from '../../../core/queue/registry.js';
import { isReplyName, REPLY_TO } from '../../../core/reply-queues.js';
import { BrokerError } from '../../../errors.js';
import type { Channel } from '../channel.js';
import type { Handler } from './dispatch.js';

export const queueHandlers: readonly (readonly [number, Handler])[] = [
  [MethodId.QueueDeclare, queueDeclare],
  [MethodId.QueueBind, queueBind],
  [MethodId.QueueUnbind, queueUnbind],
  [MethodId.QueuePurge, queuePurge],
  [MethodId.QueueDelete, queueDelete],
];

interface Declared {
  readonly name: string;
  readonly readyCount: number;
  readonly consumerCount: number;
}

function queueDeclare(channel: Channel, reader: ByteReader): void {
  const method = decodeQueueDeclare(reader);
  const { name, readyCount, consumerCount } = declare(channel, method);
  if (method.noWait) return;
  writeQueueDeclareOk(channel.beginReply(), channel.number, name, readyCount, consumerCount);
  channel.replies.end();
}

function declare(channel: Channel, method: QueueDeclare): Declared {
  if (method.queue === REPLY_TO || isReplyName(method.queue)) return declareReplyQueue(channel, method.queue);
  // An empty name is no queue's here, and not the last one's that was declared.
  const queue = method.passive ? channel.access.queue(method.queue) : channel.access.declareQueue(method.queue, method);
  channel.lastQueueName = queue.name;
  const { name, readyCount, consumerCount } = queue;
  return { name, readyCount, consumerCount: queueType(queue.type).tellsCounts ? consumerCount : 0 };
}

/** Declaring a reply pseudo-queue asks whether the requester still listens (SEMANTICS 3.10). */
function declareReplyQueue(channel: Channel, name: string): Declared {
  if (name !== REPLY_TO && !channel.access.hasReplyQueue(name)) {
    throw new BrokerError('not-found', `no queue '${name}' in vhost '${channel.access.virtualHostName}'`);
  }
  return { name, readyCount: 0, consumerCount: 1 };
}

function queueBind(channel: Channel, reader: ByteReader): void {
  const { queue, exchange, routingKey, noWait, arguments: args } = decodeQueueBind(reader);
  const name = channel.queueName(queue);
  channel.access.bind(exchange, { kind: 'queue', name }, keyFor(queue, routingKey, name), args);
  if (noWait) return;
  writeQueueBindOk(channel.beginReply(), channel.number);
  channel.replies.end();
}

function queueUnbind(channel: Channel, reader: ByteReader): void {
  const { queue, exchange, routingKey, arguments: args } = decodeQueueUnbind(reader);
  const name = channel.queueName(queue);
  channel.access.unbind(exchange, { kind: 'queue', name }, keyFor(queue, routingKey, name), args);
  writeQueueUnbindOk(channel.beginReply(), channel.number);
  channel.replies.end();
}

/** With neither queue nor key given, the last declared queue's name is the key too. */
function keyFor(givenQueue: string, routingKey: string, name: string): string {
  return givenQueue === '' && routingKey === '' ? name : routingKey;
}

function queuePurge(channel: Channel, reader: ByteReader): void {
  const { queue, noWait } = decodeQueuePurge(reader);
  const purged = channel.access.purgeQueue(channel.queueName(queue));
  if (noWait) return;
  writeQueuePurgeOk(channel.output.writer, channel.number, purged);
  channel.output.touch();
}

function queueDelete(channel: Channel, reader: ByteReader): void {
  const { queue, ifUnused, ifEmpty, noWait } = decodeQueueDelete(reader);
  const deleted = channel.access.deleteQueue(channel.queueName(queue), ifUnused, ifEmpty);
  if (noWait) return;
  writeQueueDeleteOk(channel.beginReply(), channel.number, deleted);
  channel.replies.end();
}
